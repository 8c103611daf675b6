"""Samples as tables: dicts, pandas and Polars frames, Parquet files."""

from ._frames import row_of, to_dict, to_pandas, to_polars
from ._parquet import to_parquet

__all__ = [
    "row_of",
    "to_dict",
    "to_pandas",
    "to_parquet",
    "to_polars",
]
