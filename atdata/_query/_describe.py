"""What headers say of a dataset's fields, put together over its shards."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from atdata._manifest import dtype_text, text_value, value_text, widened

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
#: Beyond this, whole numbers that were kept as floats are rounded.
_EXACT = 2**53


class ShardFacts(NamedTuple):
    """What one header says."""

    samples: int
    aggregates: Mapping[str, Mapping[str, Any]]
    #: The dtypes of the columns, where the header names them.
    dtypes: Mapping[str, pl.DataType]
    #: False for format 1.0.0, which counts neither nulls nor NaN and keeps bounds as floats.
    counts_nulls: bool = True


class _Part(NamedTuple):
    """One shard's aggregate of one field."""

    said: Mapping[str, Any]
    samples: int
    counts_nulls: bool
    #: The dtype of its values, of sets that of their elements; None where the header does not name it.
    dtype: pl.DataType | None

    @property
    def has_values(self) -> bool:
        return bool(self.said.get("count") or self.said.get("value_counts") or self.said.get("all_values"))


def describe(shards: Sequence[ShardFacts]) -> pl.DataFrame:
    """Return one row a field; null is what the headers do not tell."""
    names = dict.fromkeys(name for shard in shards for name in shard.aggregates)
    return pl.DataFrame([_row(name, shards) for name in names], schema=_COLUMNS, orient="row")


def _row(name: str, shards: Sequence[ShardFacts]) -> dict[str, Any]:
    having = [shard for shard in shards if name in shard.aggregates]
    parts = [
        _Part(shard.aggregates[name], shard.samples, shard.counts_nulls, _inner(shard.dtypes.get(name)))
        for shard in having
    ]
    kinds = {part.said["type"] for part in parts}
    samples = sum(shard.samples for shard in shards)
    known = all(part.counts_nulls for part in parts)
    absent = samples - sum(shard.samples for shard in having)
    dtype = _dtype([shard.dtypes.get(name) for shard in having])
    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {
        "field": name,
        "dtype": None if dtype is None else dtype_text(dtype),
        "aggregate": kinds.pop() if len(kinds) == 1 else None,
        "samples": samples,
        "nulls": absent + sum(part.said.get("null_count", 0) for part in parts) if known else None,
        "nans": sum(part.said.get("nan_count", 0) for part in parts) if known else None,
    }
    filled = [part for part in parts if part.has_values]
    if row["aggregate"] == "numeric":
        row |= {
            "min": _bound(filled, "min", min, dtype),
            "max": _bound(filled, "max", max, dtype),
            "mean": _mean(filled),
        }
    elif row["aggregate"] is not None:
        inner = _inner(dtype)
        row |= _counted_as_text(filled) if inner is None else _counted(filled, inner)
    return row


def _inner(dtype: pl.DataType | None) -> pl.DataType | None:
    return dtype.inner if isinstance(dtype, pl.List) else dtype  # type: ignore[return-value]  # an instance


def _dtype(dtypes: Sequence[pl.DataType | None]) -> pl.DataType | None:
    found: pl.DataType | None = pl.Null()
    for dtype in dtypes:
        found = None if found is None or dtype is None else widened(found, dtype)
    return found


def _bound(
    parts: Sequence[_Part], which: str, better: Callable[[Iterable[Any]], Any], dtype: pl.DataType | None
) -> str | None:
    bounds = [part.said[which] for part in parts]
    if not bounds or any(bound is None or (isinstance(bound, float) and math.isnan(bound)) for bound in bounds):
        return None
    if any(not part.counts_nulls and abs(part.said[which]) >= _EXACT for part in parts):
        return None
    if any(isinstance(bound, str) for bound in bounds):  # times and decimals, as text
        return None if dtype is None else value_text(better(text_value(bound, dtype) for bound in bounds), dtype)
    return str(better(bounds))


def _mean(parts: Sequence[_Part]) -> float | None:
    means = [part.said["mean"] for part in parts]
    if not means or any(mean is None for mean in means):
        return None
    total = sum(part.said["count"] for part in parts)
    mean = math.fsum(part.said["mean"] * (part.said["count"] / total) for part in parts)
    return mean if math.isfinite(mean) else None


def _counted_as_text(parts: Sequence[_Part]) -> dict[str, Any]:
    """Return what is known of values of unknown dtype: of format 1.0.0, or of shards that do not go together."""
    row = _counted(parts, pl.String())
    numbers = [number for text in {text for part in parts for text in _texts(part)} if (number := _number(text))]
    if len(set(numbers)) < len(numbers):  # 1 and 1.0 may be one value, or two
        return {}
    if numbers:  # 9 and 10 have another order as numbers than as text
        row |= {"min": None, "max": None}
    return row


def _number(text: str) -> str | None:
    """Return what is the same for texts that may be the same number; None for text that is none."""
    try:
        return repr(float(text) + 0.0)
    except ValueError:
        return None


def _counted(parts: Sequence[_Part], dtype: pl.DataType) -> dict[str, Any]:
    """Return what values there are and which is the most frequent, of lists of all of them."""
    if any(part.said.get("truncated") for part in parts):
        alone = parts[0].said.get("cardinality") if len(parts) == 1 else None
        return {"distinct": alone}
    if any(not part.counts_nulls and "nan" in part.said.get("value_counts", ()) for part in parts):
        return {}  # text, or NaN counted as a value: nothing tells
    # By value: shards may write one number as 1 and as 1.0.
    values = {_value(text, part, dtype) for part in parts for text in _texts(part)}
    counts: dict[Any, int] = {}
    for part in parts:
        for text, count in part.said.get("value_counts", {}).items():
            value = _value(text, part, dtype)
            counts[value] = counts.get(value, 0) + count
    row: dict[str, Any] = {"distinct": len(values)}
    if values:
        row |= {"min": value_text(min(values), dtype), "max": value_text(max(values), dtype)}
    if counts and all("value_counts" in part.said for part in parts):
        # Of values as frequent the least: which is seen first depends on how shards are put together.
        most = max(counts.values())
        top = min(value for value, count in counts.items() if count == most)
        row |= {"top": value_text(top, dtype), "top_count": counts[top]}
    return row


def _value(text: str, part: _Part, dtype: pl.DataType) -> Any:
    """Return a value of a shard as a column of all shards holds it."""
    if part.dtype == pl.Float32:  # 0.1 stands for 0.10000000149011612 there
        return float(np.float32(text))
    return text_value(text, dtype)


def _texts(part: _Part) -> Iterator[str]:
    listed = part.said.get("value_counts", part.said.get("all_values", ()))
    yield from map(str, listed)
