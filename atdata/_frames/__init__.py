"""Samples as tables: dicts, pandas and Polars frames, Parquet files."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._frames import row_of, to_dict, to_pandas, to_polars
    from ._parquet import to_parquet
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "row_of": "atdata._frames._frames",
            "to_dict": "atdata._frames._frames",
            "to_pandas": "atdata._frames._frames",
            "to_parquet": "atdata._frames._parquet",
            "to_polars": "atdata._frames._frames",
        },
    )

__all__ = [
    "row_of",
    "to_dict",
    "to_pandas",
    "to_parquet",
    "to_polars",
]
