"""Plans of sidecars' sample tables: of tables that are alike, and of tables as the union of their columns."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Literal

import polars as pl

from atdata._manifest import SHARD, TABLE_SUFFIX, Sidecars, Table, normalised
from atdata._polars import scan_widened
from atdata._shards import ShardFiles

__all__ = ["TableScans", "scan_alike"]


class TableScans:
    """Makes plans of some shards' sample tables, with the shard as the first column.

    Args:
        files: The shards' sidecars.
    """

    def __init__(self, files: ShardFiles) -> None:
        self._files = files

    def source(self, shard_id: str) -> str | IO[bytes]:
        """Return what Polars reads a shard's table from."""
        return self._files.store.scan_source(self._files.table_name(shard_id))

    def alike(self, some: Sequence[Sidecars], schema: pl.Schema | None = None) -> pl.LazyFrame:
        """Scan tables that have the columns of the first, or of a known schema; another one makes the plan fail."""
        if schema is None:
            return self._scan(some, scan_alike)
        columns = {name: dtype for name, dtype in schema.items() if name != SHARD}
        return self._scan(some, functools.partial(scan_alike, schema=columns)) if some else pl.LazyFrame(schema=schema)

    def united(self, tables: Sequence[tuple[Sidecars, Table]], union: Mapping[str, pl.DataType]) -> list[pl.LazyFrame]:
        """Scan tables as the union of their columns: one plan for each run of tables of one kind."""
        runs = itertools.groupby((each for each in tables if each[1].has_rows), lambda both: both[1].encoded)
        return [self._run([sidecars for sidecars, _ in run], encoded, union) for encoded, run in runs]

    def _run(
        self, some: Sequence[Sidecars], encoded: frozenset[str] | None, union: Mapping[str, pl.DataType]
    ) -> pl.LazyFrame:
        if encoded is None:
            return self._scan(some, functools.partial(scan_widened, schema=union))
        stored = {name: pl.Binary() if name in encoded else dtype for name, dtype in union.items()}
        rows = self._scan(some, functools.partial(scan_widened, schema=stored))
        return normalised(rows, {SHARD: pl.String(), **stored}, union).select(SHARD, *union)

    def _scan(self, some: Sequence[Sidecars], scan: Callable[[Any, str | None], pl.LazyFrame]) -> pl.LazyFrame:
        sources = [self.source(each.shard_id) for each in some]
        paths = [source for source in sources if isinstance(source, str)]
        if len(paths) == len(sources):
            return scan(paths, SHARD).select(self._shard_of_path(some, paths).alias(SHARD), pl.exclude(SHARD))
        each_alone = zip(some, sources, strict=True)
        return pl.concat(
            scan(source, None).select(pl.lit(each.shard_id).alias(SHARD), pl.all()) for each, source in each_alone
        )

    def _shard_of_path(self, some: Sequence[Sidecars], paths: Sequence[str]) -> pl.Expr:
        root = self._files.store.url()
        prefix = root if root.endswith("/") else f"{root}/"
        both = zip(some, paths, strict=True)
        if all(path == f"{prefix}{each.shard_id}{TABLE_SUFFIX}" for each, path in both):
            return pl.col(SHARD).str.strip_prefix(prefix).str.strip_suffix(TABLE_SUFFIX)
        return pl.col(SHARD).replace_strict(list(paths), [each.shard_id for each in some], return_dtype=pl.String)


def scan_alike(
    sources: list[str] | str | IO[bytes],
    file_paths: str | None,
    schema: Mapping[str, pl.DataType] | None = None,
    others: Literal["raise", "ignore"] = "raise",
) -> pl.LazyFrame:
    """Scan Parquet files that have the columns of the first, or of a schema.

    Args:
        sources: The files, in order.
        file_paths: The name of a column for the files' paths, or None.
        schema: Their columns, where they are known.
        others: What becomes of columns that are not in a known schema.
    """
    return pl.scan_parquet(
        sources,
        schema=None if schema is None else dict(schema),
        extra_columns=others,
        include_file_paths=file_paths,
        glob=False,
        hive_partitioning=False,
    )
