"""Least, greatest and mean value: the aggregate of numbers and times."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl
from msgspec import UNSET, UnsetType

from ._aggregate import (
    Aggregate,
    AggregateMembers,
    Bound,
    Count,
    FieldStatistics,
    FieldSummary,
    bound,
    known_values,
    none_where_unset,
    read_value,
)
from ._dtypes import is_number, text_value, value_text

__all__ = ["Numeric", "NumericAggregate", "NumericMembers"]

#: Beyond this, whole numbers that were kept as floats are rounded.
_EXACT = 2**53


class NumericMembers(AggregateMembers, frozen=True, kw_only=True, tag="numeric"):
    """A numeric aggregate in a header."""

    min: Bound
    max: Bound
    mean: float | None
    count: Count
    unbounded: bool | UnsetType = UNSET


class Numeric(Aggregate[NumericMembers]):
    """Minimum, maximum and mean of numbers and times."""

    kind: ClassVar[str] = "numeric"
    members: ClassVar[type[AggregateMembers]] = NumericMembers
    takes: ClassVar[str] = "numbers and times"
    lists_values: ClassVar[bool] = False
    index_columns: ClassVar[Mapping[str, pl.DataType]] = {}

    def fits(self, dtype: pl.DataType) -> bool:
        """Return whether a column of a dtype can have this aggregate."""
        return not isinstance(dtype, pl.List) and is_number(dtype)

    def is_default(self, dtype: pl.DataType, *, by_codec: bool) -> bool:
        """Return whether a column holds amounts; the integers of a literal are names."""
        return self.fits(dtype) and not by_codec

    def summarise(self, values: pl.Series) -> tuple[dict[str, Any], int]:
        """Return minimum, maximum, mean and count of a column, and the number of its NaN."""
        known, nans = known_values(values)
        if not len(known):
            return {"min": None, "max": None, "mean": None, "count": 0}, nans
        is_plain = known.dtype.is_integer() or known.dtype.is_float()
        summary: dict[str, Any] = {
            "min": bound(known.min(), known.dtype),
            "max": bound(known.max(), known.dtype),
            # The mean of times or decimals is no such value, and a float would not be exact.
            "mean": bound(known.mean(), known.dtype) if is_plain else None,
            "count": len(known),
        }
        if summary["min"] is None or summary["max"] is None:
            summary["unbounded"] = True
        return summary, nans

    def shortened(self, members: Mapping[str, Any], dtype: pl.DataType) -> None:
        """Return None: bounds cannot be shorter."""
        del members, dtype

    def statistics(self, members: NumericMembers, dtype: pl.DataType, samples: int) -> FieldStatistics:
        """Return the bounds, and the nulls where the counts account for every sample."""
        without = (none_where_unset(members.null_count) or 0) + (none_where_unset(members.nan_count) or 0)
        nulls = without if members.count + without == samples else None
        return FieldStatistics(nulls, read_value(members.min, dtype), read_value(members.max, dtype))

    def describe(self, parts: Sequence[FieldSummary], dtype: pl.DataType | None) -> dict[str, Any]:
        """Return minimum, maximum and mean over several shards."""
        filled = [part for part in parts if part.members.get("count")]
        return {
            "min": _bound_of(filled, "min", min, dtype),
            "max": _bound_of(filled, "max", max, dtype),
            "mean": _mean_of(filled),
        }

    def index_values(self, members: NumericMembers) -> dict[str, Any]:
        """Return the mean, which rows of an old part would give with another rounding."""
        return {} if members.mean is None else {"mean": float(members.mean)}

    def from_index(self, rows: pl.DataFrame, dtype: pl.DataType) -> dict[str, Any] | None:
        """Return minimum, maximum, mean and count of several shards."""
        del dtype
        counts = rows["rows"] - rows["nulls"]
        total = int(counts.sum())
        if not total:
            return {"min": None, "max": None, "mean": None, "count": 0}
        mean = None
        if "mean" in rows.columns and not rows["mean"].null_count():
            mean = math.fsum((rows["mean"] * (counts / total)).to_list())
        return {
            "min": None if _is_unbounded(rows["min"]) else bound(rows["min"].min(), rows["min"].dtype),
            "max": None if _is_unbounded(rows["max"]) else bound(rows["max"].max(), rows["max"].dtype),
            "mean": mean if mean is None or math.isfinite(mean) else None,
            "count": total,
        }

    def running(self) -> "NumericAggregate":
        """Return an empty :class:`NumericAggregate`."""
        return NumericAggregate()


def _is_unbounded(bounds: pl.Series) -> bool:
    # As in a header, which has no infinite bound: one shard without a bound leaves all of them without.
    return bounds.null_count() > 0 or (bounds.dtype.is_float() and not bounds.is_finite().all())


def _bound_of(
    parts: Sequence[FieldSummary], which: str, better: Callable[[Iterable[Any]], Any], dtype: pl.DataType | None
) -> str | None:
    bounds = [part.members[which] for part in parts]
    if not bounds or any(value is None or (isinstance(value, float) and math.isnan(value)) for value in bounds):
        return None
    if any(not part.counts_nulls and abs(part.members[which]) >= _EXACT for part in parts):
        return None
    if any(isinstance(value, str) for value in bounds):  # times and decimals, as text
        return None if dtype is None else value_text(better(text_value(value, dtype) for value in bounds), dtype)
    return str(better(bounds))


def _mean_of(parts: Sequence[FieldSummary]) -> float | None:
    means = [part.members["mean"] for part in parts]
    if not means or any(mean is None for mean in means):
        return None
    total = sum(part.members["count"] for part in parts)
    mean = math.fsum(part.members["mean"] * (part.members["count"] / total) for part in parts)
    return mean if math.isfinite(mean) else None


@dataclasses.dataclass
class NumericAggregate:
    """The least, the greatest and the mean of some numbers. NaN is none of them.

    Examples:
        >>> scores = NumericAggregate()
        >>> for score in [0.5, 1, 3]:
        ...     scores.add(score)
        >>> scores.min, scores.max, scores.mean, scores.count
        (0.5, 3, 1.5, 3)
        >>> NumericAggregate().to_dict()
        {'type': 'numeric', 'min': None, 'max': None, 'mean': None, 'count': 0}
    """

    _min: float = math.inf
    _max: float = -math.inf
    _sum: float = 0.0
    #: How many numbers were added.
    count: int = 0

    def add(self, value: Any) -> None:
        """Take a number; NaN is passed over.

        Raises:
            TypeError: It is no number.
            ValueError: It is text of no number.
        """
        number = int(value) if isinstance(value, int | np.integer) else float(value)
        if number != number:  # noqa: PLR0124 -- NaN, without making a float of a large integer
            return
        self._min, self._max = min(self._min, number), max(self._max, number)
        self._sum += number
        self.count += 1

    @property
    def min(self) -> float:
        """The least number; infinity where there is none."""
        return self._min

    @property
    def max(self) -> float:
        """The greatest number; minus infinity where there is none."""
        return self._max

    @property
    def mean(self) -> float:
        """The mean; 0.0 where there is no number."""
        return self._sum / self.count if self.count else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the aggregate as it stands in a header: null for what an infinite number, or none, leaves open."""
        low, high = _finite(self._min), _finite(self._max)
        mean = _finite(self.mean) if self.count else None
        summary = {"type": "numeric", "min": low, "max": high, "mean": mean, "count": self.count}
        return {**summary, "unbounded": True} if self.count and (low is None or high is None) else summary


def _finite(number: float) -> float | None:
    return None if isinstance(number, float) and not math.isfinite(number) else number
