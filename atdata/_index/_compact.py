"""`compact`: compare with the index before, make what has changed, publish."""

import hashlib
import io
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from msgspec import structs
from numpy.typing import NDArray

from atdata._errors import ManifestError
from atdata._manifest import HEADER_SUFFIX, KEY, SHARD, Sidecars, dtype_text, now
from atdata._polars import enter_polars
from atdata._storage import Stamp, Store

from ._build import POSITION, Made, PartMaker
from ._format import INDEX_VERSION, NUMBER, ColumnSet, IndexFacts, PartFacts, part_name, table_name
from ._index import Found, all_there, encode_part, find, path, publish, sound_bytes, sweep
from ._plan import LIMITS, Item, Kept, Limits, LoadedShard, Lot, Sets, ShardRun, ahead, load, lots, plan, read_digest
from ._shards_table import COLUMNS, ShardsTable, encode_table, statistic_columns
from ._statistics import CodeBook, as_table, with_codes

__all__ = [
    "Before",
    "Compacted",
    "DamagedPartError",
    "Gathered",
    "OnShardError",
    "Stamps",
    "compact",
    "look_before",
    "settled_stamps",
]

#: How long to wait for stamps to settle, in seconds.
_LONGEST_WAIT = 2.1


class DamagedPartError(Exception):
    """A part that is gone, or not what was written."""


class Stamps(NamedTuple):
    """The stamps of shards' headers, as they were before anything was read."""

    #: One a shard; None where there is no such file.
    found: list[Stamp | None]
    #: Whether it says that the content is the one that was read since.
    settled: NDArray[np.bool_]


def settled_stamps(store: Store, sidecars: Sequence[Sidecars]) -> Stamps:
    """Return the stamps of all headers; where one is not settled, wait for it once."""
    seen = time.time_ns()
    found = _stamps(store, sidecars)
    waits = _waits(store, found, seen)
    unsettled = waits[(waits > 0) & np.isfinite(waits)]
    if len(unsettled):
        time.sleep(min(_LONGEST_WAIT, max(0.0, float(np.max(unsettled)) - (time.time_ns() - seen) / 10**9 + 0.01)))
        seen = time.time_ns()
        found = _stamps(store, sidecars)
        waits = _waits(store, found, seen)
    return Stamps(found, waits == 0)


def _waits(store: Store, stamps: Sequence[Stamp | None], seen: int) -> NDArray[np.float64]:
    """Return in how many seconds each stamp is settled; never where there is none."""
    return np.array([math.inf if stamp is None else store.seconds_to_settle(stamp, seen) for stamp in stamps])


def _stamps(store: Store, sidecars: Sequence[Sidecars]) -> list[Stamp | None]:
    known: dict[str, Stamp] = {}
    for folder in dict.fromkeys(each.header.rpartition("/")[0] for each in sidecars):
        try:
            known |= store.stamped(folder, suffix=HEADER_SUFFIX)[1]
        except (FileNotFoundError, NotADirectoryError):
            continue
    return [known.get(each.header) for each in sidecars]


class Before:
    """An earlier index, held against the shards that there are.

    Attributes:
        table: Its shards table.
        parts: Its parts with their stamps of today; None where one is damaged or gone.
        rows: For each shard its row in the table; -1 where its sidecars have to be read.
        fits: For each shard whether its header's stamp is the recorded one.
        sets: The sets of columns of the shards that did not change; those of others join them.
    """

    def __init__(
        self,
        store: Store,
        table: ShardsTable,
        parts: list[PartFacts | None],
        rows: NDArray[np.int64],
        fits: NDArray[np.bool_],
    ) -> None:
        self._store = store
        self.table, self.parts, self.rows, self.fits = table, parts, rows, fits
        self.sets = Sets([])
        numbers = np.zeros(len(table.facts.sets), np.uint32)
        old = table.frame["set"].to_numpy()
        for number in np.unique(old[rows[rows >= 0]]).tolist():
            added = self.sets.add(table.facts.sets[number])
            if isinstance(added, str):
                raise AssertionError("sets that went together do so still")  # noqa: TRY004 -- no caller's value
            numbers[number] = added
        numbered = numbers[old]
        facts = table.frame.select("rows", "table_size")
        # As lists: each shard is asked by itself.
        self._facts = list(zip(numbered.tolist(), *(column.to_list() for column in facts), strict=True))
        self._told = table.read([*table.columns]).with_columns(pl.Series("set", numbered))

    @property
    def unlisted(self) -> list[str]:
        """Fields whose values the shards that did not change do not list."""
        return self.table.facts.unlisted if (self.rows >= 0).any() else []

    @property
    def filled(self) -> list[NDArray[np.int64]]:
        """How many rows of samples, and bytes of sample tables, each part is made of."""
        sizes = np.concatenate([[0], np.cumsum(self.table.frame["table_size"].to_numpy())])
        return [np.array([part.rows for part in self.table.facts.parts], np.int64), np.diff(sizes[self.table.starts])]

    def kept(self, position: int) -> Kept:
        """Return a shard that did not change."""
        row = int(self.rows[position])
        return Kept(position, row, *self._facts[row])

    def told(self, kept: Sequence[Kept]) -> pl.DataFrame:
        """Return what the table says of some shards, with their new positions and sets."""
        positions = pl.Series(POSITION, [each.position for each in kept], pl.Int64)
        return self._told[[each.row for each in kept]].insert_column(0, positions)

    def whole(self, kept: Sequence[Kept]) -> int | None:
        """Return the part whose shards are exactly these, in its order; None where there is none."""
        starts = self.table.starts
        part = int(np.searchsorted(starts, kept[0].row, side="right")) - 1
        rows = range(int(starts[part]), int(starts[part + 1]))
        return part if [each.row for each in kept] == list(rows) else None

    def read(self, kept: Sequence[Kept]) -> Iterator[tuple[Sequence[Kept], pl.DataFrame]]:
        """Yield some shards with their rows, numbered by place among these, part by part.

        Raises:
            DamagedPartError: A part's bytes are not what was written.
        """
        parts = self.table.frame["part"]
        for part, group in itertools.groupby(kept, key=lambda each: parts[each.row]):
            some = list(group)
            facts = self.table.facts.parts[part]
            data = sound_bytes(self._store, facts)
            if data is None:
                raise DamagedPartError(facts.name)
            names = self.table.ids.gather([each.row for each in some])
            rows = pl.scan_parquet(data).filter(pl.col(SHARD).is_in(names.implode())).collect()
            place = pl.col(SHARD).replace_strict(names, np.arange(len(some)), return_dtype=pl.UInt32)
            yield some, rows.select(place.alias(NUMBER), *facts.columns)


def look_before(
    store: Store, sidecars: Sequence[Sidecars], stamps: Stamps, found: Found, damaged: set[str]
) -> Before | None:
    """Return the earlier index that tells most of the shards; None where there is none.

    Args:
        store: The folder that holds the sidecars.
        sidecars: The shards, in order.
        stamps: The stamps of their headers.
        found: The index's files.
        damaged: Parts that are known not to be what was written.
    """
    ids = [each.shard_id for each in sidecars]
    there = np.array([stamp is not None for stamp in stamps.found], np.bool_)
    known = [(table, np.where(there, table.rows_of(ids), -1)) for table in found.tables]
    fitting = [(table, rows, table.fits(stamps.found, rows)) for table, rows in known]
    if not fitting:
        return None
    # Where no stamp fits (a copied folder), the newest: its digests may.
    table, rows, fits = max(fitting, key=lambda each: (each[2].sum(), each[0].facts.created_at))
    parts = [_sound(store, found, part, damaged) for part in table.facts.parts]
    lost = np.array([part is None for part in parts], np.bool_)
    rows = rows.copy()
    if len(table):
        rows[lost[table.frame["part"].to_numpy()[np.maximum(rows, 0)]]] = -1
    digests = table.frame["header_digest"]
    for position in np.flatnonzero((rows >= 0) & ~fits).tolist():
        if digests[int(rows[position])] != _digest(store, sidecars[position]):
            rows[position] = -1
    return Before(store, table, parts, rows, fits)


def _sound(store: Store, found: Found, part: PartFacts, damaged: set[str]) -> PartFacts | None:
    """Return a part with its stamp of today; None where it is not what was written."""
    stamp = found.stamps.get(part.name)
    if stamp is None or part.name in damaged:
        return None
    if stamp == (part.size, part.time, part.tag):
        return part
    if sound_bytes(store, part) is None:
        return None
    return structs.replace(part, time=stamp.time, tag=stamp.tag)


def _digest(store: Store, files: Sidecars) -> bytes | None:
    try:
        return read_digest(store, files)
    except (ManifestError, OSError):
        return None  # it is read again, and its error told


#: What a listed value takes beside its text, in bytes.
_VALUE = 16
_STAMP = ("header_size", "header_time", "header_tag")
_TOLD = ("rows", "set", "header_digest", "table_size", "table_sha256", "size_bytes", "tar_size", "tar_sha256")


class Gathered:
    """Parts and what the shards table says of their shards.

    Args:
        before: The earlier index.
        limits: How much is listed.

    Attributes:
        unlisted: The fields whose values are not listed, because there are too many.
    """

    def __init__(self, before: Before | None, limits: Limits) -> None:
        self.unlisted = set(before.unlisted if before else ())
        self._codes = CodeBook(before.table.codes if before else {})
        self._limit = limits.values
        self._sizes: dict[str, int] = {}
        self._parts: list[PartFacts] = []
        #: Small files, because frames of 100,000 shards take as much memory as the rest of a run.
        self._told: list[bytes] = []

    def add(
        self, part: PartFacts, told: Iterable[pl.DataFrame], codes: Mapping[str, pl.DataFrame] | None = None
    ) -> None:
        """Add a part, and what there is to say of its shards.

        Args:
            part: The part.
            told: The shards table's columns, of its shards.
            codes: By field, which list each of its codes is; None for a part that stays.
        """
        if codes is None:
            self._codes.keep(part)
        else:
            self._codes.add(codes)
        for each in told:
            for column in each.columns:
                if column.startswith("values:"):
                    self._count(column.removeprefix("values:"), each[column])
            buffer = io.BytesIO()
            each.with_columns(pl.lit(len(self._parts), pl.UInt32).alias("part")).write_parquet(buffer, statistics=False)
            self._told.append(buffer.getvalue())
        self._parts.append(part)

    def table(
        self, sidecars: Sequence[Sidecars], stamps: Stamps, before: Before | None, sets: Sequence[ColumnSet]
    ) -> ShardsTable | None:
        """Return the shards table; None where it has no shard, and the earlier one where it says the same.

        Args:
            sidecars: All shards.
            stamps: The stamps of their headers.
            before: The earlier index.
            sets: The sets of columns of the shards that were added.
        """
        if not self._told:
            return None
        columns = statistic_columns(sets)
        hidden = [f"{kind}:{field}" for field in self.unlisted for kind in ("values", "counts")]
        told = (pl.read_parquet(data).drop(hidden, strict=False) for data in self._told)
        frame = pl.concat([as_table(each, columns, [POSITION, "part", *_TOLD]) for each in told])
        frame = frame if frame[POSITION].is_sorted() else frame.sort(POSITION)
        frame = frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).over("part").alias("number"))
        nothing = (pl.lit(None, columns[name]).alias(name) for name in hidden if name in columns)
        frame = frame.with_columns(nothing)  # also where a shard has no value
        frame = pl.concat([_stamped(frame[POSITION].to_list(), sidecars, stamps, before), frame], how="horizontal")
        frame = frame.select(*COLUMNS, *columns)
        unlisted = sorted(name for name in self.unlisted if f"values:{name}" in columns)
        parts, codes = self._codes.settled(self._parts)
        if before and _is_same(before.table, frame, parts, sets):
            return before.table
        facts = IndexFacts(
            index_version=INDEX_VERSION, created_at=now(), parts=parts, sets=list(sets), unlisted=unlisted, codes=codes
        )
        data = encode_table(frame, facts)
        return ShardsTable(path(table_name(data)), data)

    def _count(self, name: str, values: pl.Series) -> None:
        size = int(values.list.len().sum()) * _VALUE
        if values.dtype == pl.List(pl.String):
            size += int(values.explode().str.len_bytes().sum())
        self._sizes[name] = self._sizes.get(name, 0) + size
        if self._sizes[name] > self._limit:
            self.unlisted.add(name)


def _stamped(
    positions: Sequence[int], sidecars: Sequence[Sidecars], stamps: Stamps, before: Before | None
) -> pl.DataFrame:
    """Return shards' names, and the stamps of their headers as far as they count."""
    # A stamp that was recorded counts, whatever the clock says today.
    counts = stamps.settled | before.fits if before else stamps.settled
    found = [stamps.found[position] if counts[position] else None for position in positions]
    columns = {name: [None if each is None else each[index] for each in found] for index, name in enumerate(_STAMP)}
    names = [sidecars[position].shard_id for position in positions]
    return pl.DataFrame({SHARD: names, **columns}, schema={name: COLUMNS[name] for name in (SHARD, *_STAMP)})


def _is_same(table: ShardsTable, frame: pl.DataFrame, parts: Sequence[PartFacts], sets: Sequence[ColumnSet]) -> bool:
    facts = table.facts
    return (
        facts.parts == list(parts)
        and facts.sets == list(sets)
        and table.frame.equals(frame.select(table.frame.columns))
    )


OnShardError: TypeAlias = Literal["raise", "collect"]
#: How often others may remove what a run builds on before it gives up.
_ATTEMPTS = 5


class Compacted(NamedTuple):
    """What a run made."""

    #: How many shards the index covers, and how many samples they have.
    shards: int
    rows: int
    #: Length of the index's files, in bytes.
    size: int
    parts_written: int
    parts_kept: int
    #: How many sample tables were read.
    tables_read: int
    #: What is wrong with shards that could not be read, by id. Questions that reach them fail.
    failures: Mapping[str, Exception]
    #: Why the index does not hold other shards, by id. Questions are answered from their sidecars.
    left_out: Mapping[str, str]
    #: True where no key is in two shards; None where the bounds of their keys do not tell.
    unique_keys: bool | None


def compact(
    store: Store,
    sidecars: Sequence[Sidecars],
    *,
    on_error: OnShardError = "raise",
    report: Callable[[int, int], object] | None = None,
    limits: Limits = LIMITS,
) -> Compacted:
    """Make the index of some shards, or bring it up to date; only what has changed is read.

    It is published whole. Until then, and wherever it is not up to date, questions are answered from sidecars.

    Args:
        store: The folder that holds the sidecars.
        sidecars: The shards, in order.
        on_error: ``"raise"`` at the first shard that cannot be read, or ``"collect"`` such shards and leave them out.
        report: Called with how many shards are done, and how many there are.
        limits: How large parts become.

    Raises:
        ManifestError: A shard's sidecars are damaged or gone; or others kept removing what this built on.
        OSError: A file cannot be read or written.
    """
    enter_polars()
    damaged: set[str] = set()
    for _ in range(_ATTEMPTS):
        found = find(store)
        run = _Compaction(store, sidecars, found, damaged, limits, on_error)
        try:
            table = run.table(report or _silent)
        except DamagedPartError as error:
            damaged.add(str(error))
            continue
        if table is None or all_there(store, table.facts):
            sweep(store, table, found)
            return run.result(table)
    raise ManifestError(
        f"{store.url(path(''))}: others removed what was built on, {_ATTEMPTS} times. Compact again when they are done"
    )


def _silent(done: int, of: int) -> None:
    """Report nothing."""


class _Compaction:
    """One attempt at a new index."""

    def __init__(
        self,
        store: Store,
        sidecars: Sequence[Sidecars],
        found: Found,
        damaged: set[str],
        limits: Limits,
        on_error: OnShardError,
    ) -> None:
        self._store, self._sidecars, self._limits, self._on_error = store, sidecars, limits, on_error
        self._stamps = settled_stamps(store, sidecars)
        self._before = look_before(store, sidecars, self._stamps, found, damaged)
        self._sets = self._before.sets if self._before else Sets([])
        self._gathered = Gathered(self._before, limits)
        self._failures: dict[str, Exception] = {}
        self._left_out: dict[str, str] = {}
        self._kept: list[Kept] = []
        self._maker = PartMaker()
        self._parts_written = self._parts_kept = self._read = 0

    def table(self, report: Callable[[int, int], object]) -> ShardsTable | None:
        """Publish what there is to publish; return the shards table that is current then, if there is any shard.

        Raises:
            DamagedPartError: An old part has to be made anew.
        """
        done = 0
        for lot in ahead(self._lots()):
            self._add(lot)
            done += len(lot.items)
            report(done, len(self._sidecars))
        table = self._gathered.table(self._sidecars, self._stamps, self._before, self._sets.sets)
        if table is not None and (self._before is None or table.name != self._before.table.name):
            publish(self._store, table.name.rpartition("/")[2], table.data)
        return table

    def result(self, table: ShardsTable | None) -> Compacted:
        """Say what was made."""
        parts = table.facts.parts if table else []
        return Compacted(
            shards=len(table) if table else 0,
            rows=sum(part.rows for part in parts),
            size=sum(part.size for part in parts) + (len(table.data) if table else 0),
            parts_written=self._parts_written,
            parts_kept=self._parts_kept,
            tables_read=self._read,
            failures=self._failures,
            left_out=self._left_out,
            unique_keys=_unique_keys(table) if table else None,
        )

    def _lots(self) -> Iterator[Lot]:
        """Yield the shards of each part, read as far as they have changed."""
        before = self._before
        if before is None:
            runs = [ShardRun(-1, 0, len(self._sidecars))]
        else:
            rows, sizes = before.filled
            filled = np.maximum(rows / self._limits.rows, sizes / self._limits.size)
            runs = plan(before.rows, before.table.starts, filled.tolist())
        for run in runs:
            if run.part >= 0 and before is not None:
                yield Lot([before.kept(position) for position in range(run.start, run.end)], ends=True)
            else:
                yield from lots(self._items(run.start, run.end), self._sets.sets, self._limits)

    def _items(self, start: int, end: int) -> Iterator[Item]:
        for position in range(start, end):
            if self._before is not None and self._before.rows[position] >= 0:
                yield self._before.kept(position)
                continue
            shard = self._sidecars[position]
            try:
                found = load(self._store, shard, position, self._sets)
            except (ManifestError, OSError) as error:
                self._failed(shard.shard_id, error)
                continue
            if isinstance(found, str):
                self._left_out[shard.shard_id] = found
            else:
                self._read += 1
                yield found

    def _add(self, lot: Lot) -> None:
        """Read more of a part; where it ends, keep the old one of the same shards, or make and publish a new one."""
        self._kept += [each for each in lot.items if isinstance(each, Kept)]
        if loaded := [each for each in lot.items if isinstance(each, LoadedShard)]:
            wrong, left_out = self._maker.add(loaded, self._sets.sets, self._gathered.unlisted)
            for position, error in wrong.items():
                self._failed(self._sidecars[position].shard_id, error)
            self._left_out |= {self._sidecars[position].shard_id: why for position, why in left_out.items()}
        if lot.ends:
            self._end_part(self._kept, self._maker)
            self._kept, self._maker = [], PartMaker()

    def _end_part(self, kept: list[Kept], maker: PartMaker) -> None:
        before = self._before
        told = [*maker.told, *([before.told(kept)] if before and kept else [])]
        part = before.whole(kept) if before and kept and not maker.told else None
        if before and part is not None and (facts := before.parts[part]) is not None:
            self._parts_kept += 1
            self._gathered.add(facts, told)
            return
        for some, rows in before.read(kept) if before else ():
            maker.add_kept(some, rows)
        if told:
            self._parts_written += 1
            new, codes = self._publish(maker.made(self._sets.sets), told)
            self._gathered.add(new, told, codes)

    def _publish(self, made: Made, told: Sequence[pl.DataFrame]) -> tuple[PartFacts, dict[str, pl.DataFrame]]:
        digests = dict(
            itertools.chain.from_iterable(each.select(POSITION, "header_digest").iter_rows() for each in told)
        )
        name = part_name((self._sidecars[each].shard_id, digests[each]) for each in made.positions)
        columns = {each: dtype_text(dtype) for each, dtype in made.rows.schema.items() if each != NUMBER}
        count = len(made.rows)
        rows, codes = with_codes(made.rows)
        data = encode_part(rows, [self._sidecars[each].shard_id for each in made.positions])
        publish(self._store, name, data)
        try:
            stamp = self._store.stamp(path(name))
        except FileNotFoundError:
            raise DamagedPartError(name) from None  # another run removed it already
        sha256 = hashlib.sha256(data).hexdigest()
        return PartFacts(name, count, len(data), sha256, stamp.time, stamp.tag, columns, list(codes)), codes

    def _failed(self, shard_id: str, error: Exception) -> None:
        if self._on_error == "raise":
            raise error
        self._failures[shard_id] = error


def _unique_keys(table: ShardsTable) -> bool | None:
    """Tell whether no two shards can have a key in common, by the bounds of their keys."""
    bounds = table.read([f"min:{KEY}", f"max:{KEY}", "rows"]).filter(pl.col("rows") > 0).sort(f"min:{KEY}")
    apart = bounds[f"max:{KEY}"].shift(1) < bounds[f"min:{KEY}"]
    known = not bounds[f"max:{KEY}"].null_count()
    return True if known and apart[1:].all() else None
