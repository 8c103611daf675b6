"""Where a query's rows come from: sidecars in a store, and the index that was made from them."""

import functools
import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, ManifestNotFoundError
from atdata._index import Headers, Index, checked_index, open_index
from atdata._manifest import (
    HEADER_SUFFIX,
    LOCATION,
    SHARD,
    Header,
    Listing,
    ShardManifest,
    Sidecars,
    Table,
    as_union,
    dtype_text,
    is_old,
    json_columns,
    list_dtypes,
    normalised,
    parse_dtype,
    unified,
)
from atdata._polars import enter_polars
from atdata._pruning import survivors
from atdata._shards import LocationProblem, ShardFiles, table_problem
from atdata._storage import Store

from ._describe import ShardFacts
from ._header_statistics import HeaderStatistics
from ._indexed import IndexedRows
from ._scans import TableScans, scan_alike
from ._source import FAILURES, ManifestSource, Rows, predicate_failed

__all__ = ["StoredManifests"]

#: Of fewer shards no header is read to rule some out: looking into their tables takes no longer.
_FEW = 200
#: Of how many shards at least, and of one in how many, the headers are read to find out whether a predicate rules any
#: out, before all are read.
_TRIED, _ONE_IN = 16, 100
#: Headers are read where at most this share of the shards tried may hold matches: to read one takes half of what it
#: takes to look into a table.
_WORTH_IT = 0.5


class StoredManifests(ManifestSource):
    """Sidecars in a store, and the index beside them where there is one.

    Nothing is read before a query asks for it.

    Args:
        store: The folder of the sidecars.
        listing: The shards. Where it has their headers' stamps, the index answers for the shards that it knows.
    """

    def __init__(self, store: Store, listing: Listing) -> None:
        self._store = store
        self._sidecars = listing.committed
        self.uncommitted = listing.uncommitted
        #: The shards' files.
        self.files = ShardFiles(store, self._sidecars)
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

    @property
    def known(self) -> Rows:
        """The rows as far as they are known: once all columns are, all of them."""
        whole: Rows | None = vars(self).get("whole")
        if whole is not None:
            return whole
        return self.plain if self.index is None and self._has_paths else self.whole

    @functools.cached_property
    def plain(self) -> Rows:
        """One scan of all sample tables with the columns of the first; it fails where another table differs."""
        enter_polars()
        try:
            lazy = self._scans.alike(self._sidecars)
            schema = lazy.collect_schema()
        except FAILURES as error:
            self.failed(error)
        # Without a reference to this: what was opened closes with it.
        scans, sidecars = self._scans, self._sidecars

        def scan(kept: pl.Series | None) -> pl.LazyFrame:
            return lazy if kept is None else scans.alike(list(itertools.compress(sidecars, kept)), schema)

        return Rows(schema, scan)

    @functools.cached_property
    def whole(self) -> Rows:
        """All rows with all columns: where the tables differ, one scan of what they have together."""
        has_paths, index = self._has_paths, self.index
        rest = [each for each, part in zip(self._sidecars, index.part_of, strict=True) if part < 0] if index else None
        try:
            tables = [Table(each.shard_id, self._footer(each)) for each in (self._sidecars if rest is None else rest)]
            known = [] if index is None else index.tables
            first = dict((known or tables)[0].schema)
            if any(is_old(each.schema) or dict(each.schema) != first for each in tables):
                tables = self._described(tables)
            elif index is None and has_paths:
                return self.plain
        except FAILURES as error:
            self.failed(error)
        if index is not None and rest is not None:
            return IndexedRows(
                self._store, index, self.shard_ids, self._scans, list(zip(rest, tables, strict=True))
            ).rows
        union = unified(tables)
        whole = pl.Schema({SHARD: pl.String(), **union})
        scans, sidecars = self._scans, self._sidecars  # as above

        def scan(kept: pl.Series | None) -> pl.LazyFrame:
            both = zip(sidecars, tables, strict=True)
            parts = scans.united(list(both if kept is None else itertools.compress(both, kept)), union)
            return pl.concat(parts) if parts else pl.LazyFrame(schema=whole)

        return Rows(whole, scan)

    def pruned(self, pushed: Sequence[pl.Expr | None], rows: Rows) -> pl.Series | None:
        """Return which shards may hold rows that a predicate selects: by the index, else by headers.

        Headers are read where those of a few shards show that it pays.
        """
        if self.index is not None:
            return survivors(pushed, rows.schema, _Indexed(self.index), len(self._sidecars))
        if len(self._sidecars) < _FEW:
            return None
        step = min(-(-len(self._sidecars) // _TRIED), _ONE_IN)
        kept = self._survivors(pushed, rows, self._sidecars[::step])
        if kept is None or kept.mean() > _WORTH_IT:  # type: ignore[operator]  # a number: there are shards
            return None
        kept = self._survivors(pushed, rows, self._sidecars)
        # Of shards that differ, those that are left may have other columns than all of them together.
        return kept if rows is vars(self).get("whole") or self._are_alike() else None

    def mended(self) -> bool:
        """Tell whether what made a question fail was the index, which does not answer then until it is made again."""
        if self.index is None:
            return False
        index = checked_index(self._store, self._stamped, self.index)
        if index is self.index:
            return False
        vars(self).pop("whole", None)
        self.index = index
        return True

    @property
    def _stamped(self) -> Headers:
        return Headers(self.shard_ids, [each.stamp for each in self._sidecars])

    def _told(self, column: str) -> list[Any]:
        """Return what the index tells of each shard; None where it does not cover it."""
        return [None] * len(self._sidecars) if self.index is None else self.index.files()[column].to_list()

    def _survivors(self, pushed: Sequence[pl.Expr | None], rows: Rows, some: Sequence[Sidecars]) -> pl.Series | None:
        shard_ids = [each.shard_id for each in some]
        statistics = HeaderStatistics(shard_ids, lambda: map(self.files.sound_header, shard_ids), rows.schema)
        return survivors(pushed, rows.schema, statistics, len(some))

    def _are_alike(self) -> bool:
        headers = [self.files.sound_header(each.shard_id) for each in self._sidecars]
        columns = [each and each.samples and each.samples.columns for each in headers]
        return columns[0] is not None and all(each == columns[0] for each in columns)

    def _some(self, kept: pl.Series) -> list[Sidecars]:
        return list(itertools.compress(self._sidecars, kept))

    def manifests(self) -> list[ShardManifest]:
        """Return the manifests, sorted by shard; each header is read now, each table on first use."""
        return [self.files.manifest(each.shard_id) for each in self._sidecars]

    def failed(self, error: BaseException) -> NoReturn:
        """Raise what a failed collect means: every sidecar is checked to find the one that is wrong."""
        if self.mended():
            raise ManifestError(
                f"the index in {self._store.url()} was removed or made anew after a plan of its rows was made: make "
                "the plan again, from scan()"
            ) from error
        frames = [(each.shard_id, self.files.checked(each.shard_id)) for each in self._sidecars]
        tables = [Table(shard_id, frame.schema, len(frame) > 0) for shard_id, frame in frames]
        for table in tables:
            self._check_places(table)
        unified(tables)
        raise predicate_failed(error) from error

    def frames(self, kept: pl.Series | None = None) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table, one at a time, with the columns of all."""
        columns, alike = self.whole.columns, self.whole is vars(self).get("plain")
        for each in self._sidecars if kept is None else self._some(kept):
            try:
                frame = scan_alike(self._scans.source(each.shard_id), None).collect()
                if not alike:
                    frame = _fitted(frame, columns)
            except FAILURES as error:
                self.failed(error)
            if dict(frame.schema) != dict(columns):
                self.failed(pl.exceptions.SchemaError("the columns changed while the dataset was open"))
            yield each.shard_id, frame.select(columns.names())

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
        if index is None or (index.part_of < 0).any() or isinstance(self.whole.schema[field], pl.List):
            return None
        counts = index.value_counts(field)
        if counts is None:
            return None
        nulls = index.statistics([field])[f"nulls:{field}"].cast(pl.Int64).sum()
        return counts if not nulls else counts.extend(pl.DataFrame({"value": [None], "count": [nulls]}, counts.schema))

    def table_bytes(self) -> int:
        """Return how long the sample tables are together, in bytes."""
        return sum(self._store.size(self.files.table_name(each.shard_id)) for each in self._sidecars)

    def places(self, shard_id: str) -> pl.DataFrame:
        """Return one shard's location columns, in tar order, from a table whose bytes are those that were written.

        Raises:
            ManifestError: Its sample table is damaged or gone.
        """
        return self.files.checked(shard_id, list(LOCATION))

    @functools.cached_property
    def _has_paths(self) -> bool:
        """Tell whether Polars reads the tables by path, many in one scan."""
        if not self._sidecars:
            count = len(self.uncommitted)
            tars = f"; it holds {count} tar{'s'[: count > 1]} without one" if count else ""
            raise ManifestNotFoundError(
                f"{self._store.url()} holds no manifest (*{HEADER_SUFFIX}){tars}. "
                "Write shards with atdata.write_samples(..., manifest=True)"
            )
        try:
            return isinstance(self._scans.source(self._sidecars[0].shard_id), str)
        except OSError as error:
            self.failed(error)

    def _footer(self, sidecars: Sidecars) -> Mapping[str, pl.DataType]:
        source = self._scans.source(sidecars.shard_id)
        if isinstance(source, str) and not {"*", "?", "["}.isdisjoint(source):  # which Polars takes for a pattern
            return scan_alike(source, None).collect_schema()
        return pl.read_parquet_schema(source)

    def _described(self, tables: Sequence[Table]) -> list[Table]:
        """Return tables that differ with what is known of their rows, once their headers promise these columns."""
        scans = [scan_alike(self._scans.source(each.shard_id), None) for each in tables]
        lengths = pl.collect_all(scan.select(pl.len()) for scan in scans)
        known = [each._replace(has_rows=bool(length.item())) for each, length in zip(tables, lengths, strict=True)]
        for each in known:
            self._check_places(each)
            self._check_columns(each)
        both = zip(known, scans, strict=True)
        return [_as_today(table, scan) if is_old(table.schema) else table for table, scan in both]

    def damaged_locations(self, rows: pl.DataFrame, problem: LocationProblem) -> DamagedManifestError:
        """Describe rows that do not say where their samples are."""
        return self.files.damaged_locations(rows, problem)

    def _check_places(self, table: Table) -> None:
        problem = table_problem(table.schema) if table.has_rows else None
        if problem is not None:
            raise self.files.damaged_locations(pl.DataFrame({SHARD: [table.shard_id]}), problem)

    def _check_columns(self, table: Table) -> None:
        facts = self.header(table.shard_id).samples  # None in format 1.0.0, which promises nothing
        found = {name: dtype_text(dtype) for name, dtype in table.schema.items()}
        if facts is not None and facts.columns != found:
            self.files.checked(table.shard_id)
            raise DamagedManifestError.because(
                self._store.url(self.files.table_name(table.shard_id)),
                f"the header promises the columns {facts.columns}, found {found}",
            )


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


def _as_today(table: Table, rows: pl.LazyFrame) -> Table:
    """Describe a table of format 1.0.0 by the columns that it has once it is read as today's."""
    stored, lists = table.schema, list_dtypes(rows, table.schema)
    today = normalised(pl.LazyFrame(schema=dict(stored)), stored, lists).collect_schema()
    return table._replace(schema={**today, **lists}, encoded=frozenset(json_columns(stored)))


def _fitted(frame: pl.DataFrame, columns: pl.Schema) -> pl.DataFrame:
    """Return one shard's table with the columns of all."""
    if not len(frame):  # it may have any dtypes
        return columns.to_frame()
    if is_old(frame.schema):
        frame = normalised(frame.lazy(), frame.schema, columns).collect()
    return frame.select(*as_union(frame.schema, columns))
