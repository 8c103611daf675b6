"""Counts of distinct values: the aggregates of text and names, and of lists of these."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl
from msgspec import UNSET, UnsetType

from ._aggregate import (
    MAX_VALUES,
    Aggregate,
    AggregateMembers,
    Bound,
    Count,
    FieldStatistics,
    FieldSummary,
    Members,
    known_values,
    lower_bound,
    none_where_unset,
    read_value,
    upper_bound,
    value_dtype,
    without_nan,
)
from ._dtypes import is_number, text_value, value_text

__all__ = [
    "Categorical",
    "CategoricalAggregate",
    "CategoricalMembers",
    "ElementSet",
    "SetAggregate",
    "SetMembers",
    "merged_counts",
    "truncated",
]


class CategoricalMembers(AggregateMembers, frozen=True, kw_only=True, tag="categorical"):
    """A categorical aggregate in a header."""

    cardinality: Count
    value_counts: dict[str, Count]
    truncated: bool | UnsetType = UNSET
    min: Bound | UnsetType = UNSET
    max: Bound | UnsetType = UNSET


class SetMembers(AggregateMembers, frozen=True, kw_only=True, tag="set"):
    """The aggregate of a column of lists in a header."""

    all_values: list[int | float | str | bool]
    value_counts: dict[str, Count] | UnsetType = UNSET
    cardinality: Count | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    min: Bound | UnsetType = UNSET
    max: Bound | UnsetType = UNSET


class _ValueCounts(Aggregate[Members]):
    """An aggregate that lists distinct values with their counts, the most frequent ones where they are many."""

    lists_values: ClassVar[bool] = True
    index_columns: ClassVar[Mapping[str, pl.DataType]] = {}

    def shortened(self, members: Mapping[str, Any], dtype: pl.DataType) -> dict[str, Any] | None:
        """Return an aggregate that lists half as many values; None where it lists none."""
        counts = members.get("value_counts")
        return truncated(members, len(counts) // 2, dtype) if counts else None

    def describe(self, parts: Sequence[FieldSummary], dtype: pl.DataType | None) -> dict[str, Any]:
        """Return the number of values, their bounds and the most frequent one over several shards."""
        filled = [part for part in parts if part.members.get("value_counts") or part.members.get("all_values")]
        return _counted_as_text(filled) if dtype is None else _counted(filled, value_dtype(dtype))

    def index_values(self, members: Members) -> dict[str, Any]:
        """Return whether the header lists only some of the values."""
        return {"truncated": getattr(members, "truncated", None) is True}

    def from_index(self, rows: pl.DataFrame, dtype: pl.DataType) -> dict[str, Any] | None:
        """Return the counts of several shards together."""
        if rows["truncated"].any():
            # Several shards' values may be the same ones.
            alone = {"cardinality": rows["distinct"].item()} if len(rows) == 1 else {}
            return {"truncated": True, "value_counts": {"": 1}, **alone}
        grouped = merged_counts(rows)
        if grouped is None:
            return None
        value = value_dtype(dtype)
        texts = [value_text(item, value) for item in grouped["value"].cast(value)]
        counts = dict(zip(texts, grouped["count"].to_list(), strict=True))
        return {"value_counts": counts, **self._listed_values(texts)}

    def _listed_values(self, texts: list[str]) -> dict[str, Any]:
        return {"cardinality": len(texts)}


class Categorical(_ValueCounts[CategoricalMembers]):
    """Distinct values of a column with their counts."""

    kind: ClassVar[str] = "categorical"
    members: ClassVar[type[AggregateMembers]] = CategoricalMembers
    takes: ClassVar[str] = "text, booleans, numbers, times, enums and literals"

    def fits(self, dtype: pl.DataType) -> bool:
        """Return whether a column of a dtype can have this aggregate."""
        return not isinstance(dtype, pl.List)

    def is_default(self, dtype: pl.DataType, *, by_codec: bool) -> bool:
        """Return whether a column holds names."""
        return self.fits(dtype) and (by_codec or not is_number(dtype))

    def summarise(self, values: pl.Series) -> tuple[dict[str, Any], int]:
        """Return the values of a column, first seen first, with their counts, and the number of its NaN."""
        known, nans = known_values(values)
        counts = {value_text(value, known.dtype): n for value, n in _value_counts(known).iter_rows()}
        return truncated({"cardinality": len(counts), "value_counts": counts}, MAX_VALUES, known.dtype), nans

    def statistics(self, members: CategoricalMembers, dtype: pl.DataType, samples: int) -> FieldStatistics:
        """Return the bounds and, where all are listed, the values, and the nulls if the counts cover every sample."""
        without = (none_where_unset(members.null_count) or 0) + (none_where_unset(members.nan_count) or 0)
        low, high = (read_value(none_where_unset(value), dtype) for value in (members.min, members.max))
        if members.truncated is not UNSET:
            return FieldStatistics(None if members.null_count is UNSET else without, low, high)
        is_complete = sum(members.value_counts.values()) + without == samples
        values = [read_value(text, dtype) for text in members.value_counts]
        return FieldStatistics(without if is_complete else None, low, high, values)

    def running(self) -> "CategoricalAggregate":
        """Return an empty :class:`CategoricalAggregate`."""
        return CategoricalAggregate()


class ElementSet(_ValueCounts[SetMembers]):
    """The distinct elements of a column of lists, and the number of samples that hold each."""

    kind: ClassVar[str] = "set"
    members: ClassVar[type[AggregateMembers]] = SetMembers
    takes: ClassVar[str] = "lists of these"

    def fits(self, dtype: pl.DataType) -> bool:
        """Return whether a column of a dtype can have this aggregate."""
        return isinstance(dtype, pl.List)

    def is_default(self, dtype: pl.DataType, *, by_codec: bool) -> bool:
        """Return whether a column holds lists."""
        del by_codec
        return self.fits(dtype)

    def summarise(self, values: pl.Series) -> tuple[dict[str, Any], int]:
        """Return the elements of a column, sorted, with their counts, and the number of NaN among them."""
        # An element counts once a sample, however often the sample repeats it.
        elements = values.list.unique().explode(empty_as_null=False).drop_nulls().rename("value")
        known = without_nan(elements).drop_nulls()
        counted = _value_counts(known).sort("value")
        distinct = counted["value"].to_list()
        texts = [value_text(value, known.dtype) for value in distinct]
        listed = [value if _is_json(value) else text for value, text in zip(distinct, texts, strict=True)]
        summary = {"all_values": listed, "value_counts": dict(zip(texts, counted["n"].to_list(), strict=True))}
        return truncated(summary, MAX_VALUES, known.dtype), len(elements) - len(known)

    def statistics(self, members: SetMembers, dtype: pl.DataType, samples: int) -> FieldStatistics:
        """Return the bounds of the elements and, where all are listed, the elements."""
        del samples
        without = (none_where_unset(members.null_count) or 0) + (none_where_unset(members.nan_count) or 0)
        low, high = (read_value(none_where_unset(value), dtype) for value in (members.min, members.max))
        nulls = None if members.null_count is UNSET else without
        is_listed = members.truncated is UNSET
        return FieldStatistics(
            nulls, low, high, [read_value(value, dtype) for value in members.all_values] if is_listed else None
        )

    def running(self) -> "SetAggregate":
        """Return an empty :class:`SetAggregate`."""
        return SetAggregate()

    def _listed_values(self, texts: list[str]) -> dict[str, Any]:
        return {"all_values": texts}


def merged_counts(rows: pl.DataFrame) -> pl.DataFrame | None:
    """Return the values of several shards with their counts, first seen first; None where a shard lists none.

    Args:
        rows: One row per shard, with the lists ``values`` and ``counts``.
    """
    if rows["values"].null_count():
        return None
    pairs = rows.select(value="values", count="counts").explode("value", "count", empty_as_null=False)
    return pairs.group_by("value", maintain_order=True).agg(pl.col("count").sum().cast(pl.Int64))


def truncated(members: Mapping[str, Any], limit: int, dtype: pl.DataType) -> dict[str, Any]:
    """Return an aggregate that lists only its ``limit`` most frequent values, with bounds for all of them."""
    counts: dict[str, int] = members["value_counts"]
    if len(counts) <= limit:
        return dict(members)
    frequent = set(sorted(counts, key=counts.__getitem__, reverse=True)[:limit])
    shorter = {**members, "value_counts": {text: n for text, n in counts.items() if text in frequent}}
    if "all_values" in members:
        both = zip(members["all_values"], counts, strict=True)
        shorter["all_values"] = [value for value, text in both if text in frequent]
        shorter.setdefault("cardinality", len(counts))
    if "min" not in members:
        values = [text_value(text, dtype) for text in counts]
        shorter["min"] = lower_bound(min(values), dtype)
        shorter["max"] = upper_bound(max(values), dtype)
    return {**shorter, "truncated": True}


def _value_counts(known: pl.Series) -> pl.DataFrame:
    return known.to_frame("value").group_by("value", maintain_order=True).agg(pl.len().alias("n"))


def _is_json(value: Any) -> bool:
    return math.isfinite(value) if isinstance(value, float) else isinstance(value, bool | int | str)


def _counted_as_text(parts: Sequence[FieldSummary]) -> dict[str, Any]:
    """Return what is known of values of unknown dtype: of format 1.0.0, or of incompatible shards."""
    row = _counted(parts, pl.String())
    numbers = [number for text in {text for part in parts for text in _texts(part)} if (number := _number(text))]
    if len(set(numbers)) < len(numbers):  # 1 and 1.0 may be one value, or two
        return {}
    if numbers:  # 9 and 10 have another order as numbers than as text
        row |= {"min": None, "max": None}
    return row


def _number(text: str) -> str | None:
    """Return a text that is equal for texts that may be the same number; None for text that is not a number."""
    try:
        return repr(float(text) + 0.0)
    except ValueError:
        return None


def _counted(parts: Sequence[FieldSummary], dtype: pl.DataType) -> dict[str, Any]:
    """Return the number of values and the most frequent one, of lists of all elements."""
    if any(part.members.get("truncated") for part in parts):
        alone = parts[0].members.get("cardinality") if len(parts) == 1 else None
        return {"distinct": alone}
    if any(not part.counts_nulls and "nan" in part.members.get("value_counts", ()) for part in parts):
        return {}  # text, or NaN counted as a value: nothing tells
    # By value: shards may write one number as 1 and as 1.0.
    values = {_value(text, part, dtype) for part in parts for text in _texts(part)}
    counts: dict[Any, int] = {}
    for part in parts:
        for text, count in part.members.get("value_counts", {}).items():
            value = _value(text, part, dtype)
            counts[value] = counts.get(value, 0) + count
    row: dict[str, Any] = {"distinct": len(values)}
    if values:
        row |= {"min": value_text(min(values), dtype), "max": value_text(max(values), dtype)}
    if counts and all("value_counts" in part.members for part in parts):
        # Of values as frequent the least: which is seen first depends on how shards are put together.
        most = max(counts.values())
        top = min(value for value, count in counts.items() if count == most)
        row |= {"top": value_text(top, dtype), "top_count": counts[top]}
    return row


def _value(text: str, part: FieldSummary, dtype: pl.DataType) -> Any:
    """Return a value of a shard as a column of all shards holds it."""
    if part.dtype == pl.Float32:  # 0.1 stands for 0.10000000149011612 there
        return float(np.float32(text))
    return text_value(text, dtype)


def _texts(part: FieldSummary) -> Iterator[str]:
    yield from map(str, part.members.get("value_counts", part.members.get("all_values", ())))


@dataclasses.dataclass
class CategoricalAggregate:
    """Distinct values with their counts.

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
        """Number of distinct values."""
        return len(self.value_counts)

    def to_dict(self) -> dict[str, Any]:
        """Return the aggregate as it stands in a header."""
        return {"type": "categorical", "cardinality": self.cardinality, "value_counts": dict(self.value_counts)}


@dataclasses.dataclass
class SetAggregate:
    """Distinct elements of lists.

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
