"""One shard's statistics of one column: what every kind of aggregate does (docs/format.md, "Aggregates").

A kind is one class, a subclass of :class:`Aggregate`, and one entry in the registry (``_kinds.py``).
"""

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeVar

import polars as pl
from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError

from ._dtypes import text_value, value_text

__all__ = [
    "MAX_BOUND",
    "MAX_VALUES",
    "SHARED_INDEX_COLUMNS",
    "Aggregate",
    "AggregateMembers",
    "Bound",
    "Count",
    "FieldStatistics",
    "FieldSummary",
    "bound",
    "known_values",
    "lower_bound",
    "none_where_unset",
    "read_value",
    "upper_bound",
    "value_dtype",
    "without_nan",
]

#: The number of distinct values that a header lists at most.
MAX_VALUES = 1000
#: The number of characters of a text that are enough to bound it.
MAX_BOUND = 64
#: What the index keeps of fields of every kind: the names before the colon.
SHARED_INDEX_COLUMNS = ("min", "max", "nulls", "nans", "mean", "distinct", "values", "counts", "truncated")
_LAST_CHARACTER, _BEFORE_SURROGATES, _AFTER_SURROGATES = 0x10FFFF, 0xD7FF, 0xE000

Count = Annotated[int, Meta(ge=0)]
Bound = int | float | str | bool | None


class AggregateMembers(Struct, frozen=True, tag_field="type"):
    """The members of an aggregate in a header, checked; unknown ones are ignored. The tag is the kind."""

    null_count: Count | UnsetType = UNSET
    nan_count: Count | UnsetType = UNSET


Members = TypeVar("Members", bound=AggregateMembers)


class FieldStatistics(NamedTuple):
    """Statistics of one field in one shard, as its header proves them; None where unknown."""

    #: The rows of the table without a value, NaN among them.
    nulls: int | None = None
    low: Any = None
    high: Any = None
    #: All distinct values.
    values: Sequence[Any] | None = None


class FieldSummary(NamedTuple):
    """One shard's aggregate of one field, and what is needed to put it together with those of other shards."""

    #: The members, as in the header.
    members: Mapping[str, Any]
    samples: int
    #: False for format 1.0.0, which counts neither nulls nor NaN and keeps bounds as floats.
    counts_nulls: bool
    #: The dtype of its values, of sets that of their elements; None where the header does not name it.
    dtype: pl.DataType | None


class Aggregate(abc.ABC, Generic[Members]):
    """One kind of aggregate: how a column is summarised, stored, pruned by, described and indexed.

    Attributes:
        kind: The member ``type`` in a header.
        members: The other members in a header, with their types.
        takes: The columns that it is for, in words.
        lists_values: Whether the index counts, and lists, the distinct values of such a field.
        index_columns: What the index keeps for this kind alone: the name before the colon, and the dtype.
    """

    kind: ClassVar[str]
    members: ClassVar[type[AggregateMembers]]
    takes: ClassVar[str]
    lists_values: ClassVar[bool]
    index_columns: ClassVar[Mapping[str, pl.DataType]]

    def __init__(self) -> None:
        missing = [name for name in Aggregate.__annotations__ if not hasattr(self, name)]
        if missing:
            raise TypeError(f"the aggregate {type(self).__name__} lacks {', '.join(missing)}")
        if taken := [name for name in self.index_columns if name in SHARED_INDEX_COLUMNS]:
            raise TypeError(
                f"the aggregate {type(self).__name__} names index columns that every field may have: {', '.join(taken)}"
            )
        if (tag := self.members.__struct_config__.tag) != self.kind:
            raise TypeError(f"the members of {type(self).__name__} have the tag {tag!r}; expected {self.kind!r}")

    @abc.abstractmethod
    def fits(self, dtype: pl.DataType) -> bool:
        """Return whether a column of a dtype can have this aggregate."""

    @abc.abstractmethod
    def is_default(self, dtype: pl.DataType, *, by_codec: bool) -> bool:
        """Return whether a column has this aggregate where no aggregate was named.

        Args:
            dtype: The column's dtype.
            by_codec: Whether the values are names (of an enum, of a literal), whatever their dtype.
        """

    @abc.abstractmethod
    def summarise(self, values: pl.Series) -> tuple[dict[str, Any], int]:
        """Return the members of a column's aggregate, and the number of its NaN.

        Args:
            values: The values as written, NaN and null among them.
        """

    @abc.abstractmethod
    def shortened(self, members: Mapping[str, Any], dtype: pl.DataType) -> dict[str, Any] | None:
        """Return an aggregate that takes less room and is still true; None where it cannot be shorter.

        Args:
            members: The aggregate, as in a header.
            dtype: The dtype of the values.
        """

    @abc.abstractmethod
    def statistics(self, members: Members, dtype: pl.DataType, samples: int) -> FieldStatistics:
        """Return what an aggregate proves of its field; pruning goes by it.

        Args:
            members: The aggregate.
            dtype: The dtype of the values.
            samples: The number of samples in the shard.
        """

    @abc.abstractmethod
    def describe(self, parts: Sequence[FieldSummary], dtype: pl.DataType | None) -> dict[str, Any]:
        """Return the row of ``describe()`` for the aggregates of several shards together.

        Args:
            parts: One aggregate per shard, all of this kind.
            dtype: The dtype of the column in all shards; None where it is unknown or differs.

        Returns:
            Some of ``min``, ``max``, ``mean``, ``distinct``, ``top``, ``top_count``.
        """

    @abc.abstractmethod
    def index_values(self, members: Members) -> dict[str, Any]:
        """Return what the index keeps of an aggregate: values of ``mean``, ``truncated`` and ``index_columns``."""

    @abc.abstractmethod
    def from_index(self, rows: pl.DataFrame, dtype: pl.DataType) -> dict[str, Any] | None:
        """Return the members for several shards together, from the index; None where the index does not tell.

        Args:
            rows: One row per shard that has values: ``rows``, ``nulls``, ``min``, … as far as the index has them.
            dtype: The column's dtype.
        """

    @abc.abstractmethod
    def running(self) -> Any:
        """Return an empty aggregate that takes values one at a time."""

    def of(self, values: pl.Series) -> dict[str, Any]:
        """Return a column's aggregate as it stands in a header.

        Args:
            values: The values as written, NaN and null among them.
        """
        members, nans = self.summarise(values)
        summary = {"type": self.kind, **members}
        if nulls := values.null_count():
            summary["null_count"] = nulls
        if nans:
            summary["nan_count"] = nans
        return summary


def without_nan(values: pl.Series) -> pl.Series:
    """Return a column as the sample table holds it: null where it is NaN."""
    return values.fill_nan(None) if values.dtype.is_float() else values


def known_values(values: pl.Series) -> tuple[pl.Series, int]:
    """Return the values of a column that are neither null nor NaN, and the number of NaN."""
    known = without_nan(values).drop_nulls()
    return known, len(values) - values.null_count() - len(known)


def value_dtype(dtype: pl.DataType) -> pl.DataType:
    """Return the dtype of a column's values: of a list, that of its elements."""
    return dtype.inner if isinstance(dtype, pl.List) else dtype  # type: ignore[return-value]  # an instance


def lower_bound(value: Any, dtype: pl.DataType) -> Any:
    """Return a value that is not above the given one, short enough for a header."""
    return value[:MAX_BOUND] if isinstance(value, str) else bound(value, dtype)


def upper_bound(value: Any, dtype: pl.DataType) -> Any:
    """Return a value that is not below the given one, short enough for a header; None where there is none."""
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


def none_where_unset(value: Any) -> Any:
    """Return a member's value; None where the header does not have the member."""
    return None if value is UNSET else value


def read_value(stored: Any, dtype: pl.DataType) -> Any:
    """Return a value of a column as a header stores it; None for text that stands for no value of the column."""
    try:
        return text_value(stored, dtype) if isinstance(stored, str) else stored
    except (ValueError, ArithmeticError, ValidationError):
        return None
