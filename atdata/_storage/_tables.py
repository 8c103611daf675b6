"""Scanning tables without mapping them into memory."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._base import TablePath

if TYPE_CHECKING:
    import polars as pl

__all__ = ["scan_tables"]


def scan_tables(
    tables: Sequence[bytes | TablePath], schema: "Mapping[str, pl.DataType]", **options: Any
) -> "pl.LazyFrame":
    """Scan Parquet files whose columns are known.

    Polars maps a file into memory to learn its columns, and a mapped file that is cut in place kills the process
    (SIGBUS). With a schema it reads by calls that fail as errors (docs/design/tables-and-maps.md).

    Args:
        tables: What ``Store.tables`` of one store returned, in order.
        schema: The columns.
        **options: What ``pl.scan_parquet`` takes besides.
    """
    import polars as pl  # noqa: PLC0415 -- the seam is used without it

    if not tables:
        return pl.LazyFrame(schema=dict(schema))
    sources: Any = [table.path if isinstance(table, TablePath) else table for table in tables]
    storage_options = next(
        (dict(table.options) for table in tables if isinstance(table, TablePath) and table.options), None
    )
    return pl.scan_parquet(
        sources,
        schema=dict(schema),
        storage_options=storage_options,
        glob=False,
        hive_partitioning=False,
        **options,
    )
