"""Where a query's rows come from: sidecars in a store."""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, NoReturn

import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, ManifestNotFoundError, listed
from atdata._sidecars._dtypes import dtype_text, parse_dtype
from atdata._sidecars._header import Header, parse_header
from atdata._sidecars._manifest import ShardManifest, checked_table
from atdata._sidecars._names import HEADER_SUFFIX, TABLE_SUFFIX, Listing, Sidecars
from atdata._sidecars._old import is_old, json_columns, list_dtypes, normalised
from atdata._sidecars._process import enter_polars
from atdata._sidecars._table import CRC32, LOCATION, SHARD
from atdata._sidecars._union import Table, as_union, unified
from atdata._store import Store
from atdata._unstable import scan_widened

from ._describe import ShardFacts
from ._rows import FAILURES, ManifestSource, Rows, predicate_failed

__all__ = ["StoredManifests"]


class StoredManifests(ManifestSource):
    """Sidecars in a store. Nothing is read before a query asks for it."""

    def __init__(self, store: Store, listing: Listing) -> None:
        self._store = store
        self._sidecars = listing.committed
        self.uncommitted = listing.uncommitted
        self._headers: dict[str, Header] = {}
        self._by_shard = {each.shard_id: each for each in self._sidecars}
        for each in self._sidecars:
            if not each.tables:
                raise ManifestNotFoundError(
                    f"the header {store.url(each.header)} has no sample table beside it (expected "
                    f"{store.url(each.shard_id + TABLE_SUFFIX)}): its shard can be neither searched nor left out. "
                    "Restore the file from a copy, or write the shard and its manifest again"
                )

    @property
    def shard_ids(self) -> list[str]:
        """The shards, sorted."""
        return [each.shard_id for each in self._sidecars]

    def header(self, shard_id: str) -> Header:
        """Return a shard's header, read and checked on first use.

        Raises:
            DamagedManifestError: Its bytes are not what was written.
            UnsupportedFormatError: Its format is newer than this version reads.
            ManifestNotFoundError: Its file is gone.
        """
        if shard_id not in self._headers:
            name = self._by_shard[shard_id].header
            self._headers[shard_id] = parse_header(self._read(name), self._store.url(name))
        return self._headers[shard_id]

    @property
    def known(self) -> Rows:
        """The rows as far as they are known: once all columns are, all of them."""
        whole: Rows | None = vars(self).get("whole")
        return whole or (self.plain if self._has_paths else self.whole)

    @functools.cached_property
    def plain(self) -> Rows:
        """One scan of all sample tables with the columns of the first; it fails where another table differs."""
        enter_polars()
        try:
            rows = self._scan(self._sidecars, _scan_alike)
            return Rows(rows, rows.collect_schema())
        except FAILURES as error:
            self.failed(error)

    @functools.cached_property
    def whole(self) -> Rows:
        """All rows with all columns: where the tables differ, one scan of what they have together."""
        one_scan = self._has_paths
        try:
            tables = [Table(each.shard_id, self._footer(each)) for each in self._sidecars]
            first = dict(tables[0].schema)
            if is_old(first) or any(dict(each.schema) != first for each in tables):
                tables = self._described(tables)
            elif one_scan:
                return self.plain
        except FAILURES as error:
            self.failed(error)
        union = unified(tables)
        whole = pl.Schema({SHARD: pl.String(), **union})
        runs = itertools.groupby((each for each in tables if each.has_rows), lambda table: table.encoded)
        parts = [self._scan_union(list(run), union) for _, run in runs]
        return Rows(pl.concat(parts) if parts else pl.LazyFrame(schema=whole), whole)

    def manifests(self) -> list[ShardManifest]:
        """Return the manifests, sorted by shard; each header is read now, each table on first use."""
        return [self._manifest(each) for each in self._sidecars]

    def failed(self, error: BaseException) -> NoReturn:
        """Raise what a failed collect means: every sidecar is checked to find the one that is wrong."""
        frames = [(each.shard_id, self._checked(each)) for each in self._sidecars]
        unified([Table(shard_id, frame.schema, len(frame) > 0) for shard_id, frame in frames])
        raise predicate_failed(error) from error

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table, one at a time, with the columns of all."""
        columns, alike = self.whole.columns, self.whole is vars(self).get("plain")
        for each in self._sidecars:
            try:
                frame = _scan_alike(self._source(each), None).collect()
                if not alike:
                    frame = _fitted(frame, columns)
            except FAILURES as error:
                self.failed(error)
            if dict(frame.schema) != dict(columns):
                self.failed(pl.exceptions.SchemaError("the columns changed while the dataset was open"))
            yield each.shard_id, frame.select(columns.names())

    def facts(self) -> list[ShardFacts]:
        """Return what the headers say of the fields; no sample table is read."""
        return [_facts(self.header(each.shard_id)) for each in self._sidecars]

    def table_bytes(self) -> int:
        """Return how long the sample tables are together, in bytes."""
        return sum(self._store.size(self._table(each)) for each in self._sidecars)

    def places(self, shard_id: str) -> pl.DataFrame:
        """Return one shard's location columns, in tar order, from a table whose bytes are those that were written.

        Raises:
            ManifestError: Its sample table is damaged or gone.
        """
        return self._checked(self._by_shard[shard_id], list(LOCATION))

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
            return isinstance(self._source(self._sidecars[0]), str)
        except OSError as error:
            self.failed(error)

    def _scan(self, some: Sequence[Sidecars], scan: Callable[[Any, str | None], pl.LazyFrame]) -> pl.LazyFrame:
        sources = [self._source(each) for each in some]
        paths = [source for source in sources if isinstance(source, str)]
        if len(paths) == len(sources):
            return scan(paths, SHARD).select(self._shard_of_path(some, paths).alias(SHARD), pl.exclude(SHARD))
        each_alone = zip(some, sources, strict=True)
        return pl.concat(
            scan(source, None).select(pl.lit(each.shard_id).alias(SHARD), pl.all()) for each, source in each_alone
        )

    def _scan_union(self, tables: Sequence[Table], union: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """Scan tables of one kind as the union of their columns."""
        some = [self._by_shard[table.shard_id] for table in tables]
        encoded = tables[0].encoded
        if encoded is None:
            return self._scan(some, functools.partial(scan_widened, schema=union))
        stored = {name: pl.Binary() if name in encoded else dtype for name, dtype in union.items()}
        rows = self._scan(some, functools.partial(scan_widened, schema=stored))
        return normalised(rows, {SHARD: pl.String(), **stored}, union).select(SHARD, *union)

    def _footer(self, sidecars: Sidecars) -> Mapping[str, pl.DataType]:
        return pl.read_parquet_schema(self._source(sidecars))

    def _described(self, tables: Sequence[Table]) -> list[Table]:
        """Return tables that differ with what is known of their rows, once their headers promise these columns."""
        scans = [_scan_alike(self._source(self._by_shard[each.shard_id]), None) for each in tables]
        lengths = pl.collect_all(scan.select(pl.len()) for scan in scans)
        known = [each._replace(has_rows=bool(length.item())) for each, length in zip(tables, lengths, strict=True)]
        for each in known:
            self._check_places(each)
            self._check_columns(each)
        both = zip(known, scans, strict=True)
        return [_as_today(table, scan) if is_old(table.schema) else table for table, scan in both]

    def _check_places(self, table: Table) -> None:
        missing = LOCATION.keys() - table.schema - {CRC32}
        if missing and table.has_rows:
            url = self._store.url(self._table(self._by_shard[table.shard_id]))
            found = f"expected the columns {listed(sorted(missing))}, found {listed(table.schema)}"
            raise DamagedManifestError.because(url, found)

    def _check_columns(self, table: Table) -> None:
        facts = self.header(table.shard_id).samples  # None in format 1.0.0, which promises nothing
        found = {name: dtype_text(dtype) for name, dtype in table.schema.items()}
        if facts is not None and facts.columns != found:
            sidecars = self._by_shard[table.shard_id]
            self._checked(sidecars)
            raise DamagedManifestError.because(
                self._store.url(self._table(sidecars)),
                f"the header promises the columns {facts.columns}, found {found}",
            )

    def _source(self, sidecars: Sidecars) -> str | IO[bytes]:
        return self._store.scan_source(self._table(sidecars))

    def _shard_of_path(self, some: Sequence[Sidecars], paths: Sequence[str]) -> pl.Expr:
        root = self._store.url()
        prefix = root if root.endswith("/") else f"{root}/"
        both = zip(some, paths, strict=True)
        if all(path == f"{prefix}{each.shard_id}{TABLE_SUFFIX}" for each, path in both):
            return pl.col(SHARD).str.strip_prefix(prefix).str.strip_suffix(TABLE_SUFFIX)
        return pl.col(SHARD).replace_strict(list(paths), [each.shard_id for each in some], return_dtype=pl.String)

    def _table(self, sidecars: Sidecars) -> str:
        if len(sidecars.tables) == 1:
            return sidecars.tables[0]
        facts = self.header(sidecars.shard_id).samples
        folder, slash, _ = sidecars.header.rpartition("/")
        named = f"{folder}{slash}{facts.file}" if facts else sidecars.shard_id + TABLE_SUFFIX
        if named not in sidecars.tables:
            raise ManifestNotFoundError(
                f"the header {self._store.url(sidecars.header)} names the sample table {named}, which is not there"
            )
        return named

    def _manifest(self, sidecars: Sidecars) -> ShardManifest:
        header = self.header(sidecars.shard_id)
        return ShardManifest.from_header(header, sidecars.shard_id, lambda: self._checked(sidecars))

    def _checked(self, sidecars: Sidecars, columns: list[str] | None = None) -> pl.DataFrame:
        name, header = self._table(sidecars), self.header(sidecars.shard_id)
        try:
            return checked_table(self._read(name), header, self._store.url(name), columns)
        except DamagedManifestError as error:
            self._report_replaced(sidecars, name, header, error)
            raise

    def _report_replaced(self, sidecars: Sidecars, table: str, header: Header, cause: DamagedManifestError) -> None:
        """Say that a table is not damaged but replaced, where the header that was read names another one."""
        folder, slash, _ = sidecars.header.rpartition("/")
        named = f"{folder}{slash}{header.samples.file}" if header.samples else table
        try:
            if named == table or not self._store.size(named):
                return
        except FileNotFoundError:
            return
        raise ManifestError(
            f"the columns of shard {sidecars.shard_id!r} were changed after the dataset was opened: its header names "
            f"{named} by now, in place of {table}. Open the dataset again (refresh())"
        ) from cause

    def _read(self, name: str) -> bytes:
        try:
            return self._store.read(name)
        except FileNotFoundError:
            raise ManifestNotFoundError(
                f"the manifest file {self._store.url(name)} was there when the dataset was opened and is gone; "
                "open the dataset again (refresh())"
            ) from None


def _facts(header: Header) -> ShardFacts:
    columns = header.samples.columns if header.samples else {}
    dtypes = {name: parse_dtype(text) for name, text in columns.items()}
    return ShardFacts(header.num_samples, header.plain_aggregates(), dtypes, not header.is_old)


def _scan_alike(sources: list[str] | str | IO[bytes], file_paths: str | None) -> pl.LazyFrame:
    return pl.scan_parquet(sources, include_file_paths=file_paths, glob=False, hive_partitioning=False)


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
