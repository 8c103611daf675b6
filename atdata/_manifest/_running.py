"""Aggregates that take values one at a time, for programs that make manifests by hand (docs/format.md, "Aggregates").

Shards are summed up column by column, by Polars: see ``_aggregate.py``.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from atdata._errors import listed

from ._fields import AggregateKind

__all__ = ["CategoricalAggregate", "NumericAggregate", "SetAggregate", "create_aggregate"]


@dataclasses.dataclass
class CategoricalAggregate:
    """How often each value occurs.

    Args:
        value_counts: The counts so far, by the values' text.

    Examples:
        >>> labels = CategoricalAggregate()
        >>> for label in ["dog", "cat", "dog"]:
        ...     labels.add(label)
        >>> labels.to_dict()
        {'type': 'categorical', 'cardinality': 2, 'value_counts': {'dog': 2, 'cat': 1}}
    """

    value_counts: dict[str, int] = dataclasses.field(default_factory=dict)

    def add(self, value: Any) -> None:
        """Count a value."""
        text = str(value)
        self.value_counts[text] = self.value_counts.get(text, 0) + 1

    @property
    def cardinality(self) -> int:
        """How many values there are that differ."""
        return len(self.value_counts)

    def to_dict(self) -> dict[str, Any]:
        """Return the aggregate as it stands in a header."""
        return {"type": "categorical", "cardinality": self.cardinality, "value_counts": dict(self.value_counts)}


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


@dataclasses.dataclass
class SetAggregate:
    """Which elements some lists hold.

    Args:
        all_values: The elements so far, as text.

    Examples:
        >>> tags = SetAggregate()
        >>> tags.add(["night", "blurry"])
        >>> tags.add(["blurry"])
        >>> tags.to_dict()
        {'type': 'set', 'all_values': ['blurry', 'night']}
    """

    all_values: set[str] = dataclasses.field(default_factory=set)

    def add(self, values: Iterable[Any]) -> None:
        """Take one list's elements."""
        self.all_values.update(map(str, values))

    def to_dict(self) -> dict[str, Any]:
        """Return the aggregate as it stands in a header."""
        return {"type": "set", "all_values": sorted(self.all_values)}


RunningAggregate: TypeAlias = CategoricalAggregate | NumericAggregate | SetAggregate

_CLASSES: dict[str, type[RunningAggregate]] = {
    "categorical": CategoricalAggregate,
    "numeric": NumericAggregate,
    "set": SetAggregate,
}


def create_aggregate(kind: AggregateKind) -> RunningAggregate:
    """Return an empty aggregate.

    Args:
        kind: ``"categorical"``, ``"numeric"`` or ``"set"``.

    Raises:
        ValueError: There is no such kind.

    Examples:
        >>> create_aggregate("set")
        SetAggregate(all_values=set())
    """
    if kind not in _CLASSES:
        raise ValueError(f"there is no aggregate {kind!r}; there are {listed(_CLASSES)}")
    return _CLASSES[kind]()


def _finite(number: float) -> float | None:
    return None if isinstance(number, float) and not math.isfinite(number) else number
