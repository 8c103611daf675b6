"""Adding columns to the manifests of a dataset: those of a frame, or what a function makes of the samples."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, get_args

import polars as pl

from atdata._errors import SchemaError, listed, near_misses
from atdata._manifest import (
    KEY,
    LOCATION,
    SHARD,
    AggregateKind,
    Change,
    Header,
    Listing,
    default_kind,
    dtype_text,
    expected_columns,
    fits,
    parse_dtype,
    storable,
    widened,
    without_nan,
)
from atdata._options import check_limit
from atdata._polars import enter_polars
from atdata._read import Opened
from atdata._sample import SampleBatch
from atdata._shards import Locations
from atdata._write import Progress

from ._amending import OnError, ShardColumns, Work
from ._new_columns import Extra, Matched, Missing, SampleKeys, batch_frame, check_name, check_on, given_frame, joined

__all__ = ["AnnotateOptions", "ComputedColumns", "Given", "annotate", "drop_columns"]

#: Marks the samples that get values, among those of their shard.
_CHOSEN = "__chosen__"


class AnnotateOptions(NamedTuple):
    """How columns are added; :meth:`Dataset.annotate` says what each means."""

    on: str | Sequence[str]
    replace: bool
    missing: Missing
    extra: Extra
    aggregates: Mapping[str, AggregateKind]
    run: str | None
    batch_size: int
    on_error: OnError
    progress: bool | None


class Annotation:
    """What adding a frame's columns and adding a function's have in common.

    Args:
        opened: The shards.
        selected: The samples that get values; None for all.
        options: How.
    """

    def __init__(self, opened: Opened, selected: Locations | None, options: AnnotateOptions) -> None:
        self.opened = opened
        self.options = options
        self.work = Work(opened.store, opened.shards.listing.committed, options.on_error)
        #: The samples that get values; None where all do.
        self.chosen = None if selected is None else SampleKeys.of_locations(selected, opened.shard_ids)
        #: The columns' dtypes, those of shards that keep what they have among them.
        self.dtypes: dict[str, pl.DataType] = {}
        self.kinds: dict[str, AggregateKind] = {}

    def listing(self) -> Listing:
        """Return the shards' files as they are now."""
        return self.opened.shards.listing._replace(committed=tuple(self.work.sidecars))

    def settle(self, columns: pl.DataFrame, shards: Sequence[ShardColumns], keeping: Sequence[ShardColumns]) -> None:
        """Settle what dtypes and aggregates some columns have in all shards.

        Args:
            columns: The columns, as the first shard gets them.
            shards: All shards.
            keeping: Those in which values of columns of these names stay.

        Raises:
            SchemaError: An aggregate does not fit, or nothing was said of a column that has one.
        """
        if unknown := [name for name in self.options.aggregates if name not in columns.columns]:
            raise SchemaError(
                f"aggregates= names the column {unknown[0]!r}{near_misses(unknown[0], columns.columns)}, and the new "
                f"columns are {listed(columns.columns)}"
            )
        for name in columns.columns:
            for shard in keeping:
                if name in shard.dtypes:
                    self._widen(name, parse_dtype(shard.dtypes[name]), f"shard {shard.shard_id!r}")
        for column in self.fitted(columns):
            self.kinds[column.name] = self._kind(column, shards)

    def fitted(self, columns: pl.DataFrame) -> list[pl.Series]:
        """Return columns with the dtypes that they have in all shards; those of the first become so.

        Raises:
            SchemaError: A dtype does not fit.
        """
        return [self._fitted(column) for column in columns]

    def placed(self, table: pl.DataFrame, rows: pl.DataFrame) -> list[pl.Series]:
        """Return the new columns of a sample table, given those of the samples that get values.

        Samples that get none keep what they have, or are null.
        """
        values = pl.DataFrame([rows[KEY], *self.fitted(rows.drop(KEY))])
        if self.chosen is None:
            if not values[KEY].equals(table[KEY]):
                raise AssertionError("all samples of a shard get values, in their order")
            return values.drop(KEY).get_columns()
        both = values.with_columns(pl.lit(value=True).alias(_CHOSEN))
        found = table.select(KEY).join(both, on=KEY, how="left", maintain_order="left")
        chosen = found[_CHOSEN].fill_null(value=False)
        names = [name for name in values.columns if name != KEY]
        old = {name: table[name].cast(found[name].dtype) for name in names if name in table.columns}
        return [found[name].zip_with(chosen, old[name]) if name in old else found[name] for name in names]

    def concerned(self, shards: Sequence[ShardColumns]) -> list[ShardColumns]:
        """Return the shards that hold samples that get values."""
        chosen = self.chosen
        return [shard for shard in shards if chosen is None or shard.number in chosen.numbers]

    def change(self, columns: Sequence[pl.Series], run: str | None) -> Change:
        """Return what becomes of a shard that gets some columns."""
        return Change(columns, {column.name: self.kinds[column.name] for column in columns}, run=run)

    def check_new(self, there: Sequence[tuple[ShardColumns, str]], count: int) -> None:
        """Check that columns may be written to some of ``count`` shards.

        Args:
            there: The shards that have one of them, with other values, and which.
            count: How many shards get columns.

        Raises:
            SchemaError: There are such, and they are not to be replaced.
        """
        if not there or self.options.replace:
            return
        shard, name = there[0]
        run = shard.marks.get(name)
        made = f", made by the run {run!r}" if run else ", made by annotate() before" if name in shard.marks else ""
        having = len({each.number for each, _ in there})
        raise SchemaError(
            f"{having} of {count} shards have a column {name!r} with other values (the first is "
            f"{shard.shard_id!r}{made}). Nothing was changed; replace=True puts the new values in their place"
        )

    def _kind(self, column: pl.Series, shards: Sequence[ShardColumns]) -> AggregateKind:
        said = self.options.aggregates.get(column.name)
        if said is not None:
            if not fits(said, column.dtype):
                raise SchemaError(
                    f"the column {column.name!r} of {dtype_text(column.dtype)} has no {said!r} aggregate: "
                    f"{expected_columns()}"
                )
            return said
        for shard in shards:  # a column that is replaced is summed up as it was
            kind: Any = shard.kinds.get(column.name)
            if kind is not None and fits(kind, column.dtype):
                return kind  # type: ignore[no-any-return]  # one of the three
        return default_kind(column.dtype)

    def _widen(self, name: str, dtype: pl.DataType, where: str) -> None:
        known = self.dtypes.get(name, dtype)
        wider = widened(known, dtype)
        if wider is None:
            raise SchemaError(
                f"the column {name!r} is {dtype_text(dtype)} in {where}, and {dtype_text(known)} elsewhere; annotate "
                "the whole dataset with replace=True, so that it has one dtype"
            )
        self.dtypes[name] = wider

    def _fitted(self, column: pl.Series) -> pl.Series:
        known = self.dtypes.get(column.name)
        if known is None:
            column = storable(column)
            self.dtypes[column.name] = column.dtype
            return column
        if widened(known, column.dtype) != known:
            raise SchemaError(
                f"the new values of {column.name!r} are {dtype_text(column.dtype)}, and the column is "
                f"{dtype_text(known)} in other shards. Give all of them one dtype, such as "
                f"pl.Series(values, dtype=pl.{dtype_text(known)}); a whole column is replaced by annotating the whole "
                "dataset with replace=True"
            )
        return column if column.dtype == known else column.cast(known)


class Given(Annotation):
    """Columns that are known: a frame's.

    Args:
        opened: The shards.
        selected: The samples that get values; None for all.
        options: How.
        columns: What the caller gives.
    """

    def __init__(self, opened: Opened, selected: Locations | None, options: AnnotateOptions, columns: Any) -> None:
        super().__init__(opened, selected, options)
        self._on = check_on(options.on)
        self._given = given_frame(columns, self._on)

    def done(self) -> Listing:
        """Add the columns; return the shards' files."""
        gathered: list[tuple[int, pl.Series]] = []

        def gather(shard: ShardColumns, header: Header) -> None:
            gathered.append((shard.number, self.work.keys_of(shard, header)))

        shards = self.work.read(gather if self.chosen is None else None)
        samples = SampleKeys.of_keys(gathered) if self.chosen is None else self.chosen
        options, shard_ids = self.options, self.opened.shard_ids
        matched = Matched(self._given, samples, shard_ids, self._on, options.missing, options.extra)
        some = self.concerned(shards)
        self.settle(matched.columns, shards, [] if self.chosen is None else shards)
        if not options.replace:
            self.check_new(list(self._differing(some, matched)), len(some))
        progress, count = Progress(shown=bool(options.progress), doing="annotating"), 0
        progress.total = sum(each.samples for each in some)
        with self.work.noting("The same call does the rest.", len(some)), progress:
            for done, shard in enumerate(some, 1):
                self.work.do(shard, functools.partial(self._change, matched))
                count += shard.samples
                progress.show(samples=count, shards=done)
        self.work.finish()
        return self.listing()

    def _differing(self, shards: Sequence[ShardColumns], matched: Matched) -> Iterator[tuple[ShardColumns, str]]:
        """Yield the shards that have one of the columns with other values, and which."""
        for shard in shards:
            there = [name for name in matched.columns.columns if name in shard.dtypes]
            with self.work.guarding(shard.shard_id):
                table = self.work.columns_of(shard, [KEY, *there]) if there else pl.DataFrame()
                new = self._changed(shard, table, matched) if there else []
                yield from ((shard, each.name) for each in new[:1] if each.name in there)

    def _changed(self, shard: ShardColumns, table: pl.DataFrame, matched: Matched) -> list[pl.Series]:
        """Return the columns of a table that it has not got yet; those that it has with other values come first.

        What it has already came from a call before that was cut off.
        """
        new = [each for each in self.placed(table, matched.rows(shard.number)) if not self._is_in(shard, table, each)]
        return sorted(new, key=lambda each: each.name not in table.columns)

    def _is_in(self, shard: ShardColumns, table: pl.DataFrame, column: pl.Series) -> bool:
        name = column.name
        is_there = name in table.columns and shard.kinds.get(name) == self.kinds[name]
        return is_there and without_nan(column).equals(table[name], check_dtypes=True)

    def _change(self, matched: Matched, shard: ShardColumns, table: pl.DataFrame) -> Change | None:
        columns = self._changed(shard, table, matched)
        return self.change(columns, self.options.run) if columns else None


class ComputedColumns(Annotation):
    """Columns that a function makes of samples, batch by batch.

    Args:
        opened: The shards.
        selected: The samples that get values; None for all.
        options: How.
        function: Makes columns of a batch.
        read: Reads the samples at some places in batches of a size.
    """

    def __init__(
        self,
        opened: Opened,
        selected: Locations | None,
        options: AnnotateOptions,
        function: Callable[[SampleBatch[Any]], Any],
        read: Callable[[Locations, int], Iterator[SampleBatch[Any]]],
    ) -> None:
        super().__init__(opened, selected, options)
        self._function = function
        self._read = read
        # Another selection is another run, whatever its name.
        part = "" if selected is None else f" of {selected.digest()[:16]}"
        self._mark = None if options.run is None else f"{options.run}{part}"
        self._shards: list[ShardColumns] = []
        self._refusal: SchemaError | None = None
        self._progress = Progress(shown=options.progress is not False, doing="annotating")
        self._samples = self._begun = 0

    def done(self) -> Listing:
        """Add the columns; return the shards' files."""
        self._shards = self.work.read()
        some = self.concerned(self._shards)
        # Shards without samples come last: what the columns are is known by then.
        rest = sorted((each for each in some if not self._is_marked(each)), key=lambda shard: not shard.samples)
        run = self.options.run
        advice = (
            "Columns that take long are made with run='a name': the same call then does the rest. This one's can be "
            "made anew with replace=True."
            if run is None
            else f"The same call, with run={run!r}, does the rest."
        )
        self._progress.total = sum(each.samples for each in rest) if self.chosen is None else len(self.chosen.frame)
        with self.work.noting(advice, len(rest)), self._progress:
            for shard in rest:
                self.work.do(shard, self._change)
                if self._refusal is not None:  # it is of all shards
                    raise self._refusal
        self.work.finish()
        return self.listing()

    def _is_marked(self, shard: ShardColumns) -> bool:
        return self._mark is not None and self._mark in shard.marks.values()

    def _change(self, shard: ShardColumns, table: pl.DataFrame) -> Change | None:
        chosen = table
        if self.chosen is not None:
            chosen = table.join(self.chosen.keys(shard.number).to_frame(), on=KEY, how="semi", maintain_order="left")
        columns = self._computed(shard, chosen)
        if columns is None:
            return None
        return self.change(self.placed(table, columns.insert_column(0, chosen[KEY])), self._mark)

    def _computed(self, shard: ShardColumns, chosen: pl.DataFrame) -> pl.DataFrame | None:
        # What the table lacks of these is said there.
        place = chosen.select(pl.lit(shard.shard_id).alias(SHARD), *(LOCATION.keys() & set(chosen.columns)))
        parts = []
        for batch in self._read(self.opened.places.of_rows(place), self.options.batch_size):
            parts.append(batch_frame(self._function(batch), len(batch)))
            self._samples += len(batch)
            self._progress.show(samples=self._samples, shards=self._begun)
        self._begun += 1
        if not parts:
            return pl.DataFrame(schema=self.dtypes) if self.kinds else None
        columns = joined(parts)
        if not self.kinds:
            self._begin(columns)
        elif set(columns.columns) != self.kinds.keys():
            raise SchemaError(
                f"the function returned the columns {listed(columns.columns)} for shard {shard.shard_id!r}, and "
                f"{listed(self.kinds)} before; it gives the same for each batch"
            )
        return columns.select(*self.kinds)

    def _begin(self, columns: pl.DataFrame) -> None:
        """Check that the first columns that were made can be those of all shards."""
        some = self.concerned(self._shards)
        marked = [each for each in some if self._is_marked(each)]
        try:
            self._check_run(columns.columns, marked)
            rest = [each for each in some if each not in marked]
            self.check_new(
                [(each, name) for each in rest for name in columns.columns if name in each.dtypes], len(some)
            )
            self.settle(columns, self._shards, marked if self.chosen is None else self._shards)
        except SchemaError as error:
            self._refusal = error
            raise

    def _check_run(self, names: Sequence[str], marked: Sequence[ShardColumns]) -> None:
        for shard in marked:
            made = {name for name, run in shard.marks.items() if run == self._mark}
            if made != set(names):
                raise SchemaError(
                    f"the run {self.options.run!r} made the columns {listed(sorted(made))} of shard "
                    f"{shard.shard_id!r}, and the function returned {listed(names)}; give this run another name"
                )


#: Reads the samples at some places in batches of a size.
ReadBatches: TypeAlias = Callable[[Locations, int], Iterator[SampleBatch[Any]]]


def annotate(
    opened: Opened, selected: Locations | None, read: ReadBatches, columns: Any, options: AnnotateOptions
) -> Listing:
    """Add columns to manifests; return the shards' files as they are then.

    Args:
        opened: The shards.
        selected: The samples that get values; None for all.
        read: Reads samples, for a function of batches.
        columns: What the caller gives.
        options: How.

    Raises:
        AtdataError: As for :meth:`Dataset.annotate`.
        ValueError: An option has no such value.
    """
    _check_choice("missing", options.missing, get_args(Missing))
    _check_choice("extra", options.extra, get_args(Extra))
    _check_choice("on_error", options.on_error, get_args(OnError))
    check_limit("batch_size", options.batch_size)
    if options.run is not None and (not isinstance(options.run, str) or not options.run):
        raise ValueError(f"run is a name, or None; found {options.run!r}")
    enter_polars()
    if callable(columns):
        return ComputedColumns(opened, selected, options, columns, read).done()
    return Given(opened, selected, options, columns).done()


def drop_columns(opened: Opened, names: Sequence[str], on_error: OnError) -> Listing:
    """Remove columns from manifests; return the shards' files as they are then.

    Raises:
        SchemaError: A name is the manifest's own, or no shard's column.
        ManifestError: A manifest is damaged, gone, or was changed meanwhile.
        PartialFailureError: As for :meth:`Dataset.annotate`.
    """
    _check_choice("on_error", on_error, get_args(OnError))
    for name in names:
        check_name(name)
    enter_polars()
    work = Work(opened.store, opened.shards.listing.committed, on_error)
    shards = work.read()
    there = dict.fromkeys(name for shard in shards for name in shard.dtypes if name not in LOCATION)
    if unknown := [name for name in names if name not in there]:
        raise SchemaError(
            f"no shard has a column {unknown[0]!r}{near_misses(unknown[0], there)}; the columns are {listed(there)}"
        )
    dropped = frozenset(names)
    # A shard with more than one table is one whose old table a call before did not come to remove.
    some = [shard for shard in shards if dropped & shard.dtypes.keys() or len(shard.sidecars.tables) > 1]

    def without(_: ShardColumns, table: pl.DataFrame) -> Change | None:
        there = dropped & set(table.columns)
        return Change((), {}, dropped=there) if there else None

    with work.noting("The same call does the rest.", len(some)):
        for shard in some:
            work.do(shard, without)
    work.finish()
    return opened.shards.listing._replace(committed=tuple(work.sidecars))


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is one of {listed(choices)}; found {value!r}")
