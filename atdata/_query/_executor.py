"""`QueryExecutor`: which samples, and where their bytes are."""

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias, get_args

import msgspec
import polars as pl

import atdata._index as indexes
from atdata._display import display_html
from atdata._errors import ManifestError, PredicateError
from atdata._manifest import PLACE, SHARD, SIZE, SampleLocation, ShardManifest
from atdata._polars import enter_polars
from atdata._shards import OpenShards, is_slice, location_problem, open_shards, report_ignored
from atdata._storage import absolute_url

from ._loaded import LoadedManifests, LoadedTable
from ._predicate import Question, Where, parse_where
from ._source import GivenManifests, ManifestSource, count, describe, select
from ._stored import StoredManifests

__all__ = ["Explanation", "QueryExecutor", "explain", "result_columns"]


class Explanation(msgspec.Struct, frozen=True):
    """What a question selects, and what it reads; ``print`` it.

    Examples:
        >>> print(Explanation("label = 'dog'", 10, 3, 1000, 40, 40_960, 1_024_000, 20_480, "Parquet SCAN ..."))
        predicate     label = 'dog'
        shards        3 of 10 hold matches
        rows          40 of 1,000 (4.00 %)
        samples       40,960 of 1,024,000 bytes
        sample tables 20,480 bytes to scan
        plan
          Parquet SCAN ...
    """

    #: The predicate as text; None where every row was asked for.
    predicate: str | None
    #: Shards that there are.
    shards: int
    #: Shards that hold selected rows.
    shards_selected: int
    #: Rows that there are.
    rows: int
    rows_selected: int
    #: Bytes of the selected samples in their tars, headers and padding included.
    bytes_selected: int
    #: Bytes of all samples.
    bytes: int
    #: Length of the sample tables in bytes (of manifests in memory: of their frames).
    table_bytes: int
    #: Polars' optimised plan for the locations.
    plan: str
    #: Range requests that reading the samples takes; None where no reading was planned.
    requests: int | None = None
    #: Bytes that these requests read.
    bytes_requested: int | None = None

    #: Shards that were not scanned, because their statistics prove that they hold no match.
    shards_ruled_out: int = 0
    #: Shards that the index answers for; the others' sample tables are scanned one by one.
    shards_indexed: int = 0

    def planned(self, requests: int, length: int) -> "Explanation":
        """Return the same with what reading the samples takes: a number of requests, and their bytes."""
        return msgspec.structs.replace(self, requests=requests, bytes_requested=length)

    def _repr_html_(self) -> str:
        return display_html(self)

    def __str__(self) -> str:
        share = f" ({self.rows_selected / self.rows:.2%})".replace("%", " %") if self.rows else ""
        lines = {
            "predicate": self.predicate or "none: every row",
            "shards": f"{self.shards_selected:,} of {self.shards:,} hold matches",
            "rows": f"{self.rows_selected:,} of {self.rows:,}{share}",
            "samples": f"{self.bytes_selected:,} of {self.bytes:,} bytes",
            "sample tables": f"{self.table_bytes:,} bytes to scan",
        }
        if self.shards_ruled_out:
            lines["ruled out"] = f"{self.shards_ruled_out:,} shards, by their statistics"
        if self.shards_indexed:
            lines["index"] = f"answers for {self.shards_indexed:,} shards"
        if self.requests is not None:
            lines["reading"] = f"{self.requests:,} requests of {self.bytes_requested:,} bytes together"
        plan = "\n".join(f"  {line}".rstrip() for line in self.plan.splitlines())
        return "\n".join([*(f"{name:<13} {text}" for name, text in lines.items()), "plan", plan])


def explain(source: ManifestSource, question: Question) -> Explanation:
    """Return what a question selects and reads; it is asked for it.

    Raises:
        PredicateError: The question cannot be asked.
        ManifestError: A manifest is damaged or gone.
        SchemaError: The shards' columns do not go together.
    """
    _, all_rows, all_size = everything = _totals(source, Question())
    shards, rows, size = _totals(source, question) if question.texts else everything
    asked = source.asked(question)
    ruled_out = 0 if asked.kept is None else len(asked.kept) - int(asked.kept.sum())
    after = [f"\nthen, shard by shard: {question}"] if question.functions else []
    return Explanation(
        predicate=str(question) or None,
        shards=len(source.shard_ids),
        shards_selected=shards,
        rows=all_rows,
        rows_selected=rows,
        bytes_selected=size,
        bytes=all_size,
        table_bytes=source.table_bytes(),
        plan="".join([asked.plan().select(PLACE).explain(), *after]),
        shards_ruled_out=ruled_out,
        shards_indexed=source.indexed,
    )


def _totals(source: ManifestSource, question: Question) -> tuple[int, int, int]:
    """Return the shards, the rows and the bytes of samples that a question selects."""
    sums = pl.col(SHARD).n_unique(), pl.len(), pl.col(SIZE).sum()
    if question.functions:
        shards, rows, size = select(source, question, PLACE).select(*sums).row(0)
    else:
        shards, rows, size = source.collect(question, lambda found: found.select(*sums)).row(0)
    return int(shards), int(rows), int(size)


#: Whether an index answers.
IndexUse: TypeAlias = Literal["auto", "never"]


class QueryExecutor:
    """Answers questions about samples from their manifests alone; no tar is opened.

    A question is a Polars expression over the manifest's columns, an SQL condition, a comparison such as
    ``F.label == "dog"``, a function from one shard's rows, as a pandas frame, to a boolean Series, or a list of these,
    all of which must hold. It decides each row by that row alone.
    Answers come in shard order, then in tar order.

    Args:
        manifests: Manifests in memory. Use :meth:`from_directory` for those on disk.

    Attributes:
        uncommitted: Ids of tars that have no manifest and are left out, sorted.
    """

    def __init__(self, manifests: Iterable[ShardManifest] | ManifestSource) -> None:
        self._shards: OpenShards[Any] | None = None
        self._strict = False
        self._folder: Callable[[], OpenShards[Any]] | None = None
        self._source = manifests if isinstance(manifests, ManifestSource) else GivenManifests(list(manifests))
        self.uncommitted = list(self._source.uncommitted)

    @classmethod
    def from_directory(
        cls,
        directory: str | os.PathLike[str],
        *,
        recursive: bool = False,
        manifests: str | os.PathLike[str] | None = None,
        index: IndexUse = "auto",
        strict: bool = False,
    ) -> Self:
        """Open the manifests in a folder: one listing, and nothing is read but the index, where there is one.

        Args:
            directory: The folder. Where it holds no shard itself, the folders below it are searched.
            recursive: Whether to search the folders below it too, where it holds shards itself; a shard's id is its
                path below ``directory``.
            manifests: The folder that holds the manifests, under the same names, where they are kept apart from the
                tars; manifests beside the tars are then ignored.
            index: Whether the index that :meth:`compact` made answers for the shards that have not changed since:
                ``"auto"``, or ``"never"``.
            strict: Raise where a tar has no manifest, instead of leaving it out with a warning.

        Raises:
            ManifestNotFoundError: There is no such folder, or a header has no sample table beside it.
            ShardError: With ``strict``: a tar has no manifest.
            ValueError: ``index`` is something else.
        """
        if index not in get_args(IndexUse):
            raise ValueError(f"index is one of {', '.join(map(repr, get_args(IndexUse)))}; found {index!r}")
        folder = functools.partial(
            open_shards,
            absolute_url(directory),
            manifests=None if manifests is None else absolute_url(manifests),
            recursive=recursive,
            folder_only=True,
        )
        return cls._over(folder(index=index == "auto"), strict=strict, folder=folder)

    @classmethod
    def from_shard_urls(
        cls,
        urls: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
        *,
        manifests: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Open the manifests of what is named, as ``Dataset`` does; only names and the index are read.

        The root is the deepest folder that the tars share.

        Args:
            urls: Tars, globs, brace patterns or folders; one, or several in a list.
            manifests: The folder that holds the manifests, under the same names, where they are kept apart from the
                tars.

        Raises:
            ManifestNotFoundError: A tar is not there and has no manifest, or a header has no sample table.
            DuplicateShardError: A tar is named twice.
            ValueError: A name is not that of a tar, or of a slice, which is a selection.
        """
        if is_slice(urls):
            raise ValueError(
                "a slice is a selection of samples, and an executor answers for whole shards: "
                f"Dataset({str(urls)!r}) answers for the slice's samples"
            )
        return cls._over(open_shards(urls, manifests=manifests))

    @classmethod
    def _over(
        cls, shards: OpenShards[Any], *, strict: bool = False, folder: Callable[[], OpenShards[Any]] | None = None
    ) -> Self:
        report_ignored(shards, strict=strict)
        source = StoredManifests(shards.store, shards.listing)
        source.index  # noqa: B018 -- read now, so that questions need not wait for it
        opened = cls(source)
        opened._shards, opened._strict, opened._folder = shards, strict, folder
        return opened

    def __repr__(self) -> str:
        loaded = "" if self.loaded is None else f", {self.loaded} loaded"
        return f"QueryExecutor({len(self._source.shard_ids)} shards{loaded})"

    def refresh(self) -> Self:
        """Open again what was opened, by one listing: new shards are there, removed ones are not, files are read anew.

        This executor stays as it is; one over manifests in memory is returned itself.

        Raises:
            ManifestNotFoundError: The folder is gone, or a header has no sample table beside it.
            ShardError: It was opened with ``strict``, and a tar has no manifest.
        """
        if self._shards is None:
            return self
        return self._over(self._shards.reopened(), strict=self._strict, folder=self._folder)

    def compact(
        self,
        *,
        on_error: Literal["raise", "collect"] = "raise",
        progress: Callable[[int, int], None] | None = None,
    ) -> "indexes.Compacted":
        """Make the index of the folder, or bring it up to date; from then on it answers, here and where it is opened.

        The index is a cache beside the manifests, in ``_manifest_index``: it can be removed at any time. Shards that
        change later are answered from their own manifests, until this is called again; then only these are read.
        The executor sees the folder as it is by then, and lets go of what it had loaded.

        Args:
            on_error: What to do about a shard whose manifest is damaged: ``"raise"``, or ``"collect"``, which leaves it
                out and names it in the result.
            progress: Called now and then with how many shards are done, and how many there are.

        Returns:
            What was read, written and left as it was.

        Raises:
            ManifestError: A manifest is damaged, or the manifests are not those of a folder.
            OSError: The folder cannot be written to.
        """
        if self._folder is None:
            raise ManifestError(
                "an index is made of a folder; open it whole: QueryExecutor.from_directory(folder).compact()"
            )
        enter_polars()
        shards = self._folder()
        done = indexes.compact(shards.store, shards.listing.committed, on_error=on_error, report=progress)
        again = self.refresh()
        self._source, self.uncommitted = again._source, again.uncommitted  # noqa: SLF001 -- of one class
        return done

    def load(self, columns: Sequence[str] | None = None, *, max_bytes: int = 4 << 30) -> Self:
        """Hold columns in memory, so that questions about them are answered from there; return the executor itself.

        The location columns are loaded too, and gathered for matching rows alone. Columns of few distinct values are
        held as numbers. Questions about other columns, and functions, are asked of the manifests as before.
        What is held is the manifests as they were when they were opened.

        Args:
            columns: The fields; None for all.
            max_bytes: How many bytes may be held.

        Raises:
            MemoryLimitError: The columns take more; nothing is held.
            PredicateError: There is no such column.
            ManifestError: A manifest is damaged or gone.
            SchemaError: The shards' columns do not go together.
        """
        enter_polars()
        base, schema = self._source, self.schema
        named = [columns] if isinstance(columns, str) else list(schema if columns is None else columns)
        if unknown := [name for name in named if name not in schema]:
            raise PredicateError.unknown_column(unknown[0], list(schema))
        self._source = LoadedManifests(base.base if isinstance(base, LoadedManifests) else base, named, max_bytes)
        return self

    @property
    def loaded(self) -> LoadedTable | None:
        """What :meth:`load` holds in memory: rows, bytes by column, seconds; None where nothing is held."""
        return self._source.loaded if isinstance(self._source, LoadedManifests) else None

    @property
    def _manifests(self) -> list[ShardManifest]:
        return self._source.manifests()

    @property
    def manifests(self) -> list[ShardManifest]:
        """The manifests, one a shard; headers are read now, sample tables on first use."""
        return self._source.manifests()

    @property
    def schema(self) -> pl.Schema:
        """The columns of :meth:`scan` and their dtypes, those of all shards together.

        Asked for the first time, all footers are read.

        Raises:
            ManifestNotFoundError: There is no manifest.
            SchemaError: The shards' columns do not go together.
        """
        return self._source.rows.schema

    def scan(self) -> pl.LazyFrame:
        """Return all rows as a Polars LazyFrame: ``__shard__ __key__ __offset__ __size__ __crc32__`` and the fields.

        Only the columns and row groups that the query needs are read.

        Raises:
            ManifestNotFoundError: There is no manifest.
            SchemaError: The shards' columns do not go together.
        """
        enter_polars()
        return self._source.scan()

    def query(self, where: Where | None = None, **equalities: object) -> list[SampleLocation]:
        """Return the locations of the samples that a predicate selects, in shard order, then tar order.

        Args:
            where: The predicate: a Polars expression, an SQL condition, a comparison such as ``F.label == "dog"``, a
                function of a pandas frame, or several of these in a list, all of which must hold.
            **equalities: Columns and the value that each must have: ``label="dog"``.

        Raises:
            PredicateError: The predicate cannot be asked; the error says why.
            ManifestError: A manifest is damaged or gone.
            SchemaError: The shards' columns do not go together.
        """
        # None would select everything, and is more likely a slip.
        places = select(self._source, parse_where(where, equalities), PLACE)
        problem = location_problem(places, PLACE, PLACE[:-1])
        if problem is not None:
            raise self._source.damaged_locations(places, problem)
        return list(map(SampleLocation, *(places[name].to_list() for name in PLACE)))

    def rows(
        self, where: Where | None = None, columns: Sequence[str] | None = None, **equalities: object
    ) -> pl.DataFrame:
        """Return the rows that a predicate selects, in shard order, then tar order.

        Args:
            where: The predicate, as for :meth:`query`; None selects every row.
            columns: Which fields to return beside ``__shard__`` and the location columns; None for all.
            **equalities: Columns and the value that each must have.

        Raises:
            PredicateError: The predicate cannot be asked, or there is no such column.
            ManifestError: A manifest is damaged or gone.
            SchemaError: The shards' columns do not go together.
        """
        question = self._question(where, equalities)
        return select(self._source, question, result_columns(self._source, columns))

    def count(self, where: Where | None = None, **equalities: object) -> int:
        """Return how many samples a predicate selects, given as for :meth:`query`; all of them for None.

        Raises:
            PredicateError: The predicate cannot be asked.
            ManifestError: A manifest is damaged or gone.
            SchemaError: The shards' columns do not go together.
        """
        return count(self._source, self._question(where, equalities))

    def explain(self, where: Where | None = None, **equalities: object) -> Explanation:
        """Return what a predicate, given as for :meth:`query`, selects and reads; the question is asked for it.

        Raises:
            PredicateError: The predicate cannot be asked.
            ManifestError: A manifest is damaged or gone.
            SchemaError: The shards' columns do not go together.
        """
        return explain(self._source, self._question(where, equalities))

    def describe(self) -> pl.DataFrame:
        """Return what the headers say of the fields, one row a field; no sample table and no tar is read.

        Its columns, where null is what the headers do not tell (a list of values that was cut short, a header of
        format 1.0.0):

        - ``field``, ``dtype``, ``aggregate``: the field, the dtype of its column, how it is summed up;
        - ``samples``: rows of all shards; ``nulls``: those without a value, also for want of the column; ``nans``:
          those that are NaN (of sets: elements), which are null in the sample table;
        - ``min``, ``max``: bounds of the values as text, of sets those of the elements; ``mean``: of numeric fields;
        - ``distinct``: different values, or elements of sets; ``top``, ``top_count``: the most frequent one as text,
          and how many samples have it.

        Raises:
            ManifestError: A header is damaged or gone.
        """
        enter_polars()
        return describe(self._source.facts())

    def statistics(self) -> pl.DataFrame:
        """Return what :meth:`describe` returns: the frame that :meth:`Dataset.statistics` returns, too.

        Raises:
            ManifestError: A header is damaged or gone.
        """
        return self.describe()

    def _repr_html_(self) -> str:
        return display_html(self)

    def _question(self, where: Where | None, equalities: Mapping[str, object]) -> Question:
        return Question() if where is None and not equalities else parse_where(where, equalities)


def result_columns(source: ManifestSource, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns of a result: the location columns, then those that are named; all for None.

    Raises:
        PredicateError: There is no such column.
    """
    if columns is None:
        columns = list(source.rows.schema)
    named = [columns] if isinstance(columns, str) else columns
    if unknown := [name for name in named if name not in source.rows.schema]:
        raise PredicateError.unknown_column(unknown[0], list(source.rows.schema))
    return tuple(dict.fromkeys([*PLACE, *named]))
