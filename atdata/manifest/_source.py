"""Where a query's rows come from: sidecars in a store, or manifests in memory."""

import abc
import functools
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import polars as pl

from atdata._errors import (
    DamagedManifestError,
    ManifestError,
    ManifestNotFoundError,
    PredicateError,
    SchemaError,
    first_line,
)
from atdata._store import Store

from ._header import Header, parse_header
from ._manifest import ShardManifest, checked_table
from ._names import HEADER_SUFFIX, TABLE_SUFFIX, Listing, Sidecars
from ._process import enter_polars
from ._table import LOCATION, SHARD

__all__ = ["GivenManifests", "ManifestSource", "StoredManifests"]


class ManifestSource(abc.ABC):
    """The sample tables of some shards, in shard order.

    Attributes:
        uncommitted: The ids of tars that have no manifest, sorted.
    """

    uncommitted: Sequence[str] = ()

    @property
    @abc.abstractmethod
    def shard_ids(self) -> Sequence[str]:
        """The shards."""

    @property
    @abc.abstractmethod
    def rows(self) -> pl.LazyFrame:
        """All rows, lazily: ``__shard__``, the location columns, the fields.

        Raises:
            ManifestNotFoundError: There is no manifest.
        """

    @abc.abstractmethod
    def manifests(self) -> list[ShardManifest]:
        """Return the manifests, one a shard, each read on first use."""

    @abc.abstractmethod
    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table, one at a time."""

    @abc.abstractmethod
    def failed(self, error: BaseException) -> NoReturn:
        """Raise what a failed collect really means."""

    def collect(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Collect what was made from :attr:`rows`.

        Raises:
            ManifestError: A sidecar is damaged or gone; the error names it.
            SchemaError: The shards' columns differ.
            PredicateError: The rows are fine, and the predicate fails on them.
        """
        enter_polars()
        try:
            return rows.collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            self.failed(error)

    def __getstate__(self) -> dict[str, Any]:
        # Plans are made anew in another process.
        return {name: value for name, value in vars(self).items() if name not in ("rows", "schema")}

    def checked(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return one shard's table, once its columns are those of all.

        Raises:
            SchemaError: They are not.
        """
        if [(SHARD, pl.String()), *frame.schema.items()] != list(self.schema.items()) or LOCATION.keys() - frame.schema:
            self.failed(pl.exceptions.SchemaError("the columns differ between shards"))
        return frame

    @functools.cached_property
    def schema(self) -> pl.Schema:
        """The columns of :attr:`rows`."""
        enter_polars()
        rows = self.rows
        try:
            return rows.collect_schema()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            self.failed(error)


class GivenManifests(ManifestSource):
    """Manifests in memory. A shard is what its manifest calls it."""

    def __init__(self, manifests: Sequence[ShardManifest]) -> None:
        self._manifests = list(manifests)

    @property
    def shard_ids(self) -> list[str]:
        """The shards, in the order given."""
        return [manifest.shard_id for manifest in self._manifests]

    @functools.cached_property
    def rows(self) -> pl.LazyFrame:
        """All rows, lazily."""
        if not self._manifests:
            raise ManifestNotFoundError("there is no manifest to query; give at least one")
        return _one_after_the_other([(each.shard_id, each.frame.lazy()) for each in self._manifests])

    def manifests(self) -> list[ShardManifest]:
        """Return the manifests."""
        return self._manifests

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table."""
        for each in self._manifests:
            yield each.shard_id, self.checked(each.frame)

    def failed(self, error: BaseException) -> NoReturn:
        """Raise what a failed collect means: the frames were read already, so it is the schemas or the predicate."""
        schemas = [(each.shard_id, each.frame.schema) for each in self._manifests]
        _check_schemas(schemas, error)
        raise _predicate_failed(error) from error


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

    @functools.cached_property
    def rows(self) -> pl.LazyFrame:
        """All rows, as one lazy scan of all sample tables."""
        if not self._sidecars:
            count = len(self.uncommitted)
            tars = f"; it holds {count} tar{'s'[: count > 1]} without one" if count else ""
            raise ManifestNotFoundError(
                f"{self._store.url()} holds no manifest (*{HEADER_SUFFIX}){tars}. "
                "Write shards with atdata.write_samples(..., manifest=True)"
            )
        sources = [self._store.scan_source(self._table(each)) for each in self._sidecars]
        paths = [source for source in sources if isinstance(source, str)]
        if len(paths) < len(sources):
            return _one_after_the_other(
                [(each.shard_id, pl.scan_parquet(source)) for each, source in zip(self._sidecars, sources, strict=True)]
            )
        rows = pl.scan_parquet(paths, include_file_paths=SHARD, glob=False, hive_partitioning=False)
        shard = self._shard_of_path(paths).alias(SHARD)
        return rows.select(shard, pl.exclude(SHARD))

    def manifests(self) -> list[ShardManifest]:
        """Return the manifests, sorted by shard; each header is read now, each table on first use."""
        return [self._manifest(each) for each in self._sidecars]

    def failed(self, error: BaseException) -> NoReturn:
        """Raise what a failed collect means: every sidecar is checked to find the one that is wrong."""
        schemas = []
        for each in self._sidecars:
            frame = self._checked(each)
            schemas.append((each.shard_id, frame.schema))
        _check_schemas(schemas, error)
        raise _predicate_failed(error) from error

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table, one at a time."""
        for each in self._sidecars:
            yield each.shard_id, self.checked(self.collect(self._scan(each)))

    def places(self, shard_id: str) -> pl.DataFrame:
        """Return one shard's location columns, in tar order, from a table whose bytes are those that were written.

        Raises:
            ManifestError: Its sample table is damaged or gone.
        """
        return self._checked(self._by_shard[shard_id], list(LOCATION))

    def _scan(self, sidecars: Sidecars) -> pl.LazyFrame:
        source = self._store.scan_source(self._table(sidecars))
        return pl.scan_parquet(source, glob=False, hive_partitioning=False)

    def _shard_of_path(self, paths: Sequence[str]) -> pl.Expr:
        root = self._store.url()
        prefix = root if root.endswith("/") else f"{root}/"
        plain = zip(self._sidecars, paths, strict=True)
        if all(path == f"{prefix}{each.shard_id}{TABLE_SUFFIX}" for each, path in plain):
            return pl.col(SHARD).str.strip_prefix(prefix).str.strip_suffix(TABLE_SUFFIX)
        return pl.col(SHARD).replace_strict(list(paths), self.shard_ids, return_dtype=pl.String)

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
        name = self._table(sidecars)
        return checked_table(self._read(name), self.header(sidecars.shard_id), self._store.url(name), columns)

    def _read(self, name: str) -> bytes:
        try:
            return self._store.read(name)
        except FileNotFoundError:
            raise ManifestNotFoundError(
                f"the manifest file {self._store.url(name)} was there when the dataset was opened and is gone; "
                "open the dataset again"
            ) from None


def _one_after_the_other(tables: Sequence[tuple[str, pl.LazyFrame]]) -> pl.LazyFrame:
    return pl.concat([rows.select(pl.lit(shard_id).alias(SHARD), pl.all()) for shard_id, rows in tables])


def _check_schemas(schemas: Sequence[tuple[str, pl.Schema]], error: BaseException) -> None:
    first_id, first = schemas[0]
    for shard_id, schema in schemas[1:]:
        if list(schema.items()) != list(first.items()):
            names = sorted(name for name in first.keys() | schema.keys() if first.get(name) != schema.get(name))
            differences = ", ".join(
                f"{name!r} is {first.get(name, 'absent')} and {schema.get(name, 'absent')}" for name in names
            )
            raise SchemaError(
                f"the manifests of {first_id!r} and {shard_id!r} differ in their columns: "
                f"{differences or 'their order'}"
            ) from error
    missing = LOCATION.keys() - first.keys()
    if missing:
        raise DamagedManifestError(f"the sample table of {first_id!r} lacks the columns {sorted(missing)}") from error


def _predicate_failed(error: BaseException) -> PredicateError | ManifestError:
    return PredicateError(f"the manifests are sound, and the query fails on their rows: {first_line(error)}")
