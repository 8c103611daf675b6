"""Where a query's rows come from: sidecars in a store, and the index that was made from them."""

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np
import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, ManifestNotFoundError
from atdata._index import Headers, Index, checked_index, open_index
from atdata._manifest import (
    HEADER_SUFFIX,
    LOCATION,
    SHARD,
    FieldStatistics,
    Header,
    Listing,
    ShardManifest,
    ShardTable,
    as_union,
    columns_today,
    frame_today,
    parse_dtype,
    unified,
    value_dtype,
)
from atdata._polars import enter_polars
from atdata._pruning import survivors
from atdata._shards import LocationProblem, ShardFiles, table_problem
from atdata._storage import Store, scan_tables

from ._scans import FAILURES, IndexedRows, TableRows, TableScans
from ._source import ManifestSource, ShardFacts, predicate_failed

__all__ = ["HeaderStatistics", "StoredManifests"]

_NOTHING = FieldStatistics()


class HeaderStatistics:
    """Statistics of some shards, one row a shard, in their order.

    Args:
        shard_ids: The shards.
        headers: Gives each shard's header, or None where nothing may be concluded from it.
        schema: The columns' dtypes.
    """

    def __init__(
        self,
        shard_ids: Sequence[str],
        headers: Callable[[], Iterable[Header | None]],
        schema: Mapping[str, pl.DataType],
    ) -> None:
        self._shard_ids = shard_ids
        self._read = headers
        self._schema = schema

    @functools.cached_property
    def _headers(self) -> list[Header | None]:
        return list(self._read())

    def frame(self, fields: Sequence[str]) -> pl.DataFrame:
        """Return what is known of some fields: ``rows``, and ``min:`` ``max:`` ``nulls:`` ``values:`` of each."""
        columns = [
            pl.Series("rows", [None if header is None else header.num_samples for header in self._headers], pl.UInt32)
        ]
        for name in fields:
            if name == SHARD:
                columns.append(pl.Series(SHARD, self._shard_ids, pl.String))
            elif name in self._schema:
                columns += self._columns(name, self._schema[name])
        return pl.DataFrame(columns)

    def _columns(self, name: str, dtype: pl.DataType) -> list[pl.Series]:
        inner = value_dtype(dtype)
        proved = [_NOTHING if header is None else _proved(header, name) for header in self._headers]
        columns = [pl.Series(f"nulls:{name}", [field.nulls for field in proved], pl.UInt32)]
        if not isinstance(dtype, pl.List):
            columns += [_plain(f"min:{name}", [field.low for field in proved], inner)]
            columns += [_plain(f"max:{name}", [field.high for field in proved], inner)]
        return [*columns, _lists(f"values:{name}", [field.values for field in proved], inner)]


def _proved(header: Header, name: str) -> FieldStatistics:
    """Return what a header proves of a field: nothing where its aggregate is malformed or of an unknown kind."""
    if header.samples is None or not header.has_places:
        return FieldStatistics()
    if name not in header.samples.columns:
        return FieldStatistics(nulls=header.num_samples, values=())
    try:
        aggregate = header.aggregate(name)
    except DamagedManifestError:
        return FieldStatistics()  # what is wrong is said by who needs it
    if aggregate is None:
        return FieldStatistics()
    dtype = value_dtype(parse_dtype(header.samples.columns[name]))
    return aggregate.kind.statistics(aggregate.members, dtype, header.num_samples)


def _plain(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    try:
        return pl.Series(name, values, dtype, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [None], dtype).new_from_index(0, len(values))


def _lists(name: str, lists: Sequence[Sequence[Any] | None], dtype: pl.DataType) -> pl.Series:
    """Return lists as a column; Polars takes thirty times as long for lists of lists."""
    flat = _plain("value", [value for values in lists for value in values or ()], dtype)
    if flat.null_count():
        return pl.Series(name, [None], pl.List(dtype)).new_from_index(0, len(lists))
    rows = pl.Series("row", np.repeat(np.arange(len(lists)), [len(values or ()) for values in lists]), pl.UInt32)
    every = pl.DataFrame({"known": [values is not None for values in lists]}).with_row_index("row")
    grouped = pl.DataFrame([rows, flat]).group_by("row", maintain_order=True).agg("value")
    joined = every.join(grouped, on="row", how="left", maintain_order="left")
    value = pl.when("known").then(pl.col("value").fill_null(pl.lit([], pl.List(dtype))))
    return joined.select(value.alias(name)).to_series()


T = TypeVar("T")

#: Of fewer shards no header is asked to rule some out: looking into their tables takes no longer.
_FEW = 200
#: Of how many shards at least, and of one in how many, the headers are asked whether a predicate rules any out, before
#: all are.
_TRIED, _ONE_IN = 16, 100
#: All headers are asked where at most this share of the shards tried may hold matches: to ask one takes half of what it
#: takes to look into a table.
_WORTH_IT = 0.5


class StoredManifests(ManifestSource):
    """Sidecars in a store, and the index beside them where there is one.

    Nothing is read before a query asks for it.

    Args:
        store: The folder of the sidecars.
        listing: The shards. Where it has their headers' stamps, the index answers for the shards that it knows.
        files: The files of these shards, or of more, with the headers that were read of them.
    """

    def __init__(self, store: Store, listing: Listing, files: ShardFiles | None = None) -> None:
        self._store = store
        self._sidecars = listing.committed
        self.uncommitted = listing.uncommitted
        #: The shards' files.
        self.files = ShardFiles(store, self._sidecars) if files is None else files
        self._scans = TableScans(self.files)

    @property
    def shard_ids(self) -> list[str]:
        """The shards, sorted."""
        return [each.shard_id for each in self._sidecars]

    @functools.cached_property
    def index(self) -> Index | None:
        """The index as far as it fits the shards that were listed; None where it does not, or there is none."""
        headers = self._stamped
        return open_index(self._store, headers) if any(headers.stamps) else None

    @property
    def indexed(self) -> int:
        """For how many shards the index answers."""
        return 0 if self.index is None else int((self.index.part_of >= 0).sum())

    def header(self, shard_id: str) -> Header:
        """Return a shard's header, read and checked on first use.

        Raises:
            DamagedManifestError: Its bytes are not what was written.
            UnsupportedFormatError: Its format is newer than this version reads.
            ManifestNotFoundError: Its file is gone.
        """
        return self.files.header(shard_id)

    @functools.cached_property
    def rows(self) -> TableRows:
        """All rows with all columns, which the index and the headers tell; where the shards differ, their union."""
        enter_polars()
        self._check_any()
        index = self.index
        uncovered = self.shard_ids if index is None else [*itertools.compress(self.shard_ids, index.part_of < 0)]
        tables = self._tables(uncovered)
        first_of_kind: dict[tuple[int, bool], ShardTable] = {}
        for table in tables:
            first_of_kind.setdefault((id(table.schema), table.has_rows), table)
        kinds = list(first_of_kind.values())
        for table in kinds:
            self._check_places(table)
        if index is not None:
            return IndexedRows(self._store, index, self.shard_ids, self._scans, tables).rows
        # Without a reference to this: what was opened closes with it.
        scans, shard_ids = self._scans, self.shard_ids
        first = dict(kinds[0].schema)
        if all(table.encoded is None and dict(table.schema) == first for table in kinds):
            columns = unified(kinds[:1])
            return TableRows(
                pl.Schema({SHARD: pl.String(), **columns}), lambda kept: scans.alike(_kept(shard_ids, kept), columns)
            )
        union = unified(kinds)
        schema = pl.Schema({SHARD: pl.String(), **union})

        def scan(kept: pl.Series | None) -> pl.LazyFrame:
            parts = scans.united(_kept(tables, kept), union)
            return pl.concat(parts) if parts else pl.LazyFrame(schema=schema)

        return TableRows(schema, scan)

    def pruned(self, pushed: Sequence[pl.Expr | None]) -> pl.Series | None:
        """Return which shards may hold rows that a predicate selects: by the index, else by headers.

        All headers are looked into where those of a few shards show that it pays.
        """
        schema, shard_ids = self.rows.schema, self.shard_ids
        if self.index is not None:
            return survivors(pushed, schema, _Indexed(self.index), len(shard_ids))
        if len(shard_ids) < _FEW:
            return None
        step = min(-(-len(shard_ids) // _TRIED), _ONE_IN)
        tried = self._survivors(pushed, shard_ids[::step])
        if tried is None or tried.mean() > _WORTH_IT:  # type: ignore[operator]  # a number: there are shards
            return None
        return self._survivors(pushed, shard_ids)

    def mended(self) -> bool:
        """Tell whether what made a question fail was the index, which does not answer then until it is made again."""
        if self.index is None:
            return False
        index = checked_index(self._store, self._stamped, self.index)
        if index is self.index:
            return False
        vars(self).pop("rows", None)
        self.index, self._planned = index, None
        return True

    @property
    def _stamped(self) -> Headers:
        return Headers(self.shard_ids, [each.stamp for each in self._sidecars])

    def _told(self, column: str) -> list[Any]:
        """Return what the index tells of each shard; None where it does not cover it."""
        return [None] * len(self._sidecars) if self.index is None else self.index.files()[column].to_list()

    def _survivors(self, pushed: Sequence[pl.Expr | None], shard_ids: Sequence[str]) -> pl.Series | None:
        statistics = HeaderStatistics(shard_ids, lambda: self.files.headers(shard_ids), self.rows.schema)
        return survivors(pushed, self.rows.schema, statistics, len(shard_ids))

    def manifests(self) -> list[ShardManifest]:
        """Return the manifests, sorted by shard; each header is read now, each table on first use."""
        return [self.files.manifest(each.shard_id) for each in self._sidecars]

    def failed(self, error: BaseException, kept: pl.Series | None = None) -> NoReturn:
        """Raise what a failed collect means: the tables that were read are checked to find the one that is wrong."""
        if self.mended():
            raise ManifestError(
                f"the index in {self._store.url()} was removed or made anew after a plan of its rows was made: make "
                "the plan again, from scan()"
            ) from error
        for shard_id in _kept(self.shard_ids, kept):
            self.files.table(shard_id)
        raise predicate_failed(error) from error

    def frames(self, kept: pl.Series | None = None) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table, one at a time, with the columns of all."""
        columns = self.rows.columns
        for shard_id in _kept(self.shard_ids, kept):
            try:
                fitted = _fitted(self._scans.frame(shard_id), columns)
            except ManifestError:  # a file that is not there, among others
                raise
            except FAILURES as error:
                self.failed(error, pl.Series(self.shard_ids) == shard_id)
            yield shard_id, fitted

    def facts(self) -> list[ShardFacts]:
        """Return what the headers say of the fields; no sample table is read, and no header that the index tells of."""
        told = None if self.index is None else self.index.facts()
        if self.index is None or told is None:
            return [_facts(self.header(each.shard_id)) for each in self._sidecars]
        # In shard order, which the fields' order depends on.
        place = {shard_id: number for number, shard_id in enumerate(self.shard_ids)}
        both = zip(self.index.tables, told, strict=True)
        found = [(place[first.shard_id], ShardFacts(*each)) for first, each in both]
        rest = itertools.compress(self.shard_ids, self.index.part_of < 0)
        found += [(place[shard_id], _facts(self.header(shard_id))) for shard_id in rest]
        return [each for _, each in sorted(found, key=operator.itemgetter(0))]

    def sample_counts(self) -> list[int]:
        """Return how many samples each shard has: by the index, else by its header."""
        told = self._told("rows")
        both = zip(self._sidecars, told, strict=True)
        return [self.header(each.shard_id).num_samples if rows is None else rows for each, rows in both]

    def tar_hashes(self) -> list[str | None]:
        """Return the SHA-256 of each shard's tar: by the index, else by its header; None where that tells none."""
        hashes: list[str | None] = []
        for each, rows, sha256 in zip(self._sidecars, self._told("rows"), self._told("tar_sha256"), strict=True):
            if rows is None:
                shard = self.header(each.shard_id).shard
                hashes.append(shard.sha256 if shard else None)
            else:
                hashes.append(sha256.hex() if sha256 else None)
        return hashes

    def value_counts(self, field: str) -> pl.DataFrame | None:
        """Return how many samples have each value of a field, null among them, from the index alone.

        Returns:
            The columns ``value`` and ``count``; None where the index does not tell.
        """
        index = self.index
        if index is None or (index.part_of < 0).any() or isinstance(self.rows.schema[field], pl.List):
            return None
        counts = index.value_counts(field)
        if counts is None:
            return None
        nulls = index.statistics([field])[f"nulls:{field}"].cast(pl.Int64).sum()
        return counts if not nulls else counts.extend(pl.DataFrame({"value": [None], "count": [nulls]}, counts.schema))

    def table_bytes(self) -> int:
        """Return how long the sample tables are together, in bytes."""
        lengths = self._told("table_size")
        for number, shard_id in enumerate(self.shard_ids):
            if lengths[number] is None:
                header = self.files.header_or_none(shard_id)
                facts = header and header.samples
                lengths[number] = facts.size_bytes if facts else self._store.size(self.files.table_name(shard_id))
        return sum(lengths)

    def places(self, shard_id: str) -> pl.DataFrame:
        """Return one shard's location columns, in tar order, from a table whose bytes are those that were written.

        Raises:
            ManifestError: Its sample table is damaged or gone.
        """
        return self.files.table(shard_id, list(LOCATION))

    def _check_any(self) -> None:
        if not self._sidecars:
            count = len(self.uncommitted)
            tars = f"; it holds {count} tar{'s'[: count > 1]} without one" if count else ""
            raise ManifestNotFoundError(
                f"{self._store.url()} holds no manifest (*{HEADER_SUFFIX}){tars}. "
                "Write shards with atdata.write_samples(..., manifest=True)"
            )

    def _tables(self, shard_ids: Sequence[str]) -> list[ShardTable]:
        """Return what headers promise of some tables, or, where they promise nothing, what the tables have."""
        headers = self.files.headers(shard_ids)
        tables = []
        for shard_id, header in zip(shard_ids, headers, strict=True):
            schema = None if header is None else self.files.promised(header)
            if header is None or schema is None:
                tables.append(self._described(shard_id))
            else:
                tables.append(ShardTable(shard_id, schema, header.num_samples > 0))
        return tables

    def _described(self, shard_id: str) -> ShardTable:
        """Return what a table's footer says of it."""
        try:
            footer = self.files.footer(shard_id)
            schema = pl.read_parquet_schema(footer)
            count = scan_tables([footer], schema).select(pl.len()).collect().item()
            table = ShardTable(shard_id, schema, has_rows=count > 0)
            self._check_places(table)
            name = self.files.table_name(shard_id)
            today = columns_today(schema, lambda: scan_tables([self._store.table(name)], schema))
            return table._replace(schema=today.schema, encoded=today.encoded)
        except ManifestError:  # as in frames()
            raise
        except FAILURES as error:
            self.failed(error, pl.Series(self.shard_ids) == shard_id)

    def damaged_locations(self, rows: pl.DataFrame, problem: LocationProblem) -> DamagedManifestError:
        """Describe rows that do not say where their samples are."""
        return self.files.damaged_locations(rows, problem)

    def _check_places(self, table: ShardTable) -> None:
        problem = table_problem(table.schema) if table.has_rows else None
        if problem is not None:
            raise self.files.damaged_locations(pl.DataFrame({SHARD: [table.shard_id]}), problem)


class _Indexed:
    """An index as statistics that pruning goes by."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def frame(self, fields: Sequence[str]) -> pl.DataFrame:
        return self._index.statistics(fields)


def _facts(header: Header) -> ShardFacts:
    columns = header.samples.columns if header.samples else {}
    dtypes = {name: parse_dtype(text) for name, text in columns.items()}
    return ShardFacts(header.num_samples, header.known_aggregates(), dtypes, header.has_places)


def _kept(shards: Sequence[T], kept: pl.Series | None) -> Sequence[T]:
    return shards if kept is None else list(itertools.compress(shards, kept))


def _fitted(frame: pl.DataFrame, columns: pl.Schema) -> pl.DataFrame:
    """Return one shard's table with the columns of all."""
    if frame.schema == columns:
        return frame
    if not len(frame):  # it may have any dtypes
        return columns.to_frame()
    frame = frame_today(frame, columns)
    return frame.select(*as_union(frame.schema, columns))
