"""One shard's statistics of one column, computed by Polars (docs/format.md, "Aggregates")."""

import math
from typing import Any

import polars as pl

from ._dtypes import text_value, value_text
from ._fields import Column

__all__ = ["MAX_BOUND", "MAX_VALUES", "aggregate", "bound", "truncated", "upper_bound", "without_nan"]

#: How many distinct values a header lists at most.
MAX_VALUES = 1000
#: How many characters of a text are enough to bound it.
MAX_BOUND = 64
_LAST_CHARACTER, _BEFORE_SURROGATES, _AFTER_SURROGATES = 0x10FFFF, 0xD7FF, 0xE000


def aggregate(column: Column, values: pl.Series) -> dict[str, Any]:
    """Return a column's aggregate as it stands in a header.

    Args:
        column: What the column is.
        values: Its values as written, NaN and null among them.
    """
    nulls = values.null_count()
    if column.aggregate == "set":
        summary, nans = _set(values)
    else:
        known = without_nan(values).drop_nulls()
        nans = len(values) - nulls - len(known)
        summary = _numeric(known) if column.aggregate == "numeric" else _categorical(known)
    if nulls:
        summary["null_count"] = nulls
    if nans:
        summary["nan_count"] = nans
    return summary


def truncated(summary: dict[str, Any], limit: int, dtype: pl.DataType) -> dict[str, Any]:
    """Return an aggregate that lists only its ``limit`` most frequent values, with bounds for all of them.

    Args:
        summary: A categorical aggregate, or one of a set.
        limit: How many values stay, at most.
        dtype: The dtype of the values.
    """
    counts: dict[str, int] = summary["value_counts"]
    if len(counts) <= limit:
        return summary
    kept = set(sorted(counts, key=counts.__getitem__, reverse=True)[:limit])
    shorter = {**summary, "value_counts": {text: n for text, n in counts.items() if text in kept}}
    if "all_values" in summary:
        both = zip(summary["all_values"], counts, strict=True)
        shorter["all_values"] = [value for value, text in both if text in kept]
        shorter.setdefault("cardinality", len(counts))
    if "min" not in summary:
        values = [text_value(text, dtype) for text in counts]
        shorter["min"] = _lower_bound(min(values), dtype)
        shorter["max"] = upper_bound(max(values), dtype)
    return {**shorter, "truncated": True}


def without_nan(values: pl.Series) -> pl.Series:
    """Return a column as the sample table holds it: null where it is NaN."""
    return values.fill_nan(None) if values.dtype.is_float() else values


def _numeric(known: pl.Series) -> dict[str, Any]:
    if not len(known):
        return {"type": "numeric", "min": None, "max": None, "mean": None, "count": 0}
    is_plain = known.dtype.is_integer() or known.dtype.is_float()
    summary: dict[str, Any] = {
        "type": "numeric",
        "min": bound(known.min(), known.dtype),
        "max": bound(known.max(), known.dtype),
        # The mean of times or decimals is no such value, and a float would not be exact.
        "mean": bound(known.mean(), known.dtype) if is_plain else None,
        "count": len(known),
    }
    if summary["min"] is None or summary["max"] is None:
        summary["unbounded"] = True
    return summary


def _categorical(known: pl.Series) -> dict[str, Any]:
    counted = _counted(known)
    counts = {value_text(value, known.dtype): n for value, n in counted.iter_rows()}
    summary = {"type": "categorical", "cardinality": len(counts), "value_counts": counts}
    return truncated(summary, MAX_VALUES, known.dtype)


def _set(values: pl.Series) -> tuple[dict[str, Any], int]:
    # An element counts once a sample, however often the sample repeats it.
    elements = values.list.unique().explode(empty_as_null=False).drop_nulls().rename("value")
    known = without_nan(elements).drop_nulls()
    counted = _counted(known).sort("value")
    found = counted["value"].to_list()
    counts = {value_text(value, known.dtype): n for value, n in zip(found, counted["n"].to_list(), strict=True)}
    listed = [value if _is_json(value) else value_text(value, known.dtype) for value in found]
    summary = {"type": "set", "all_values": listed, "value_counts": counts}
    return truncated(summary, MAX_VALUES, known.dtype), len(elements) - len(known)


def _counted(known: pl.Series) -> pl.DataFrame:
    return known.to_frame("value").group_by("value", maintain_order=True).agg(pl.len().alias("n"))


def _lower_bound(value: Any, dtype: pl.DataType) -> Any:
    return value[:MAX_BOUND] if isinstance(value, str) else bound(value, dtype)


def upper_bound(value: Any, dtype: pl.DataType) -> Any:
    """Return a value that none of a column is beyond, whose greatest is given; None where there is none so short."""
    if not isinstance(value, str) or len(value) <= MAX_BOUND:
        return bound(value, dtype)
    for end in range(MAX_BOUND - 1, -1, -1):
        if (point := ord(value[end])) < _LAST_CHARACTER:
            following = _AFTER_SURROGATES if point == _BEFORE_SURROGATES else point + 1
            return value[:end] + chr(following)
    return None


def bound(value: Any, dtype: pl.DataType) -> Any:
    """Return a bound as JSON holds it: null where it is infinite, text where JSON has no such value."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    is_plain = value is None or isinstance(value, bool | int | str)
    return value if is_plain else value_text(value, dtype)


def _is_json(value: Any) -> bool:
    return math.isfinite(value) if isinstance(value, float) else isinstance(value, bool | int | str)
