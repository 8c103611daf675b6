"""Summary of a dataset's fields: the aggregates of all headers together."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from atdata._manifest import FieldSummary, dtype_text, find_aggregate, value_dtype, widened

__all__ = ["ShardFacts", "describe"]

_COLUMNS: dict[str, pl.DataType] = {
    "field": pl.String(),
    "dtype": pl.String(),
    "aggregate": pl.String(),
    "samples": pl.Int64(),
    "nulls": pl.Int64(),
    "nans": pl.Int64(),
    "min": pl.String(),
    "max": pl.String(),
    "mean": pl.Float64(),
    "distinct": pl.Int64(),
    "top": pl.String(),
    "top_count": pl.Int64(),
}


class ShardFacts(NamedTuple):
    """Aggregates of one header, with its number of samples."""

    samples: int
    aggregates: Mapping[str, Mapping[str, Any]]
    #: The dtypes of the columns, where the header names them.
    dtypes: Mapping[str, pl.DataType]
    #: False for format 1.0.0, which counts neither nulls nor NaN and keeps bounds as floats.
    counts_nulls: bool = True


def describe(shards: Sequence[ShardFacts]) -> pl.DataFrame:
    """Return one row a field; null is what the headers do not tell."""
    names = dict.fromkeys(name for shard in shards for name in shard.aggregates)
    return pl.DataFrame([_row(name, shards) for name in names], schema=_COLUMNS, orient="row")


def _row(name: str, shards: Sequence[ShardFacts]) -> dict[str, Any]:
    having = [shard for shard in shards if name in shard.aggregates]
    parts = [_summary(name, shard) for shard in having]
    names = {part.members["type"] for part in parts}
    aggregates = [find_aggregate(kind) for kind in names]
    samples = sum(shard.samples for shard in shards)
    # What an aggregate of an unknown kind says of nulls may be anything.
    known = None not in aggregates and all(part.counts_nulls for part in parts)
    absent = samples - sum(shard.samples for shard in having)
    dtype = _dtype([shard.dtypes.get(name) for shard in having])
    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {
        "field": name,
        "dtype": None if dtype is None else dtype_text(dtype),
        "aggregate": names.pop() if len(names) == 1 else None,
        "samples": samples,
        "nulls": absent + sum(part.members.get("null_count", 0) for part in parts) if known else None,
        "nans": sum(part.members.get("nan_count", 0) for part in parts) if known else None,
    }
    only = aggregates[0] if len(aggregates) == 1 else None
    return row if only is None else row | only.describe(parts, dtype)


def _summary(name: str, shard: ShardFacts) -> FieldSummary:
    dtype = shard.dtypes.get(name)
    inner = None if dtype is None else value_dtype(dtype)
    return FieldSummary(shard.aggregates[name], shard.samples, shard.counts_nulls, inner)


def _dtype(dtypes: Sequence[pl.DataType | None]) -> pl.DataType | None:
    joint: pl.DataType | None = pl.Null()
    for dtype in dtypes:
        joint = None if joint is None or dtype is None else widened(joint, dtype)
    return joint
