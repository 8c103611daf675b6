"""The registry of aggregates: which kinds there are, by the name that a header has for them."""

import contextlib
import functools
import operator
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias, cast

import polars as pl

from atdata._errors import listed

from ._aggregate import Aggregate
from ._numeric import Numeric, NumericAggregate
from ._value_counts import Categorical, CategoricalAggregate, ElementSet, SetAggregate

__all__ = [
    "AggregateKind",
    "aggregate_kinds",
    "aggregate_of",
    "create_aggregate",
    "default_kind",
    "expected_columns",
    "find_aggregate",
    "fits",
    "members_type",
    "registered",
]

#: The names of the kinds, for type checkers: those of the registry.
AggregateKind: TypeAlias = Literal["categorical", "numeric", "set"]
RunningAggregate: TypeAlias = CategoricalAggregate | NumericAggregate | SetAggregate

_REGISTRY: Final[dict[str, Aggregate[Any]]] = {
    aggregate.kind: aggregate for aggregate in (Categorical(), Numeric(), ElementSet())
}


@contextlib.contextmanager
def registered(aggregate: Aggregate[Any]) -> Iterator[None]:
    """Return a context in which there is one more kind of aggregate: a kind is tried so, before it is built in.

    Raises:
        ValueError: There is a kind of that name.
    """
    if aggregate.kind in _REGISTRY:
        raise ValueError(f"there is an aggregate {aggregate.kind!r} already")
    _REGISTRY[aggregate.kind] = aggregate
    try:
        yield
    finally:
        del _REGISTRY[aggregate.kind]


def aggregate_kinds() -> list[str]:
    """Return the names of all kinds."""
    return list(_REGISTRY)


def find_aggregate(kind: str) -> Aggregate[Any] | None:
    """Return a kind of aggregate by its name; None for one that this version does not know."""
    return _REGISTRY.get(kind)


def members_type() -> Any:
    """Return the type of an aggregate of any kind in a header, for a decoder."""
    return functools.reduce(operator.or_, (aggregate.members for aggregate in _REGISTRY.values()))


def aggregate_of(kind: str) -> Aggregate[Any]:
    """Return a kind of aggregate by its name.

    Raises:
        ValueError: The kind is unknown.
    """
    if kind not in _REGISTRY:
        raise ValueError(f"unknown aggregate {kind!r}; expected one of {listed(_REGISTRY)}")
    return _REGISTRY[kind]


def fits(kind: str, dtype: pl.DataType) -> bool:
    """Return whether a column of a dtype can have an aggregate of a kind; no column can have one of an unknown kind."""
    aggregate = find_aggregate(kind)
    return aggregate is not None and aggregate.fits(dtype)


def default_kind(dtype: pl.DataType, *, by_codec: bool = False) -> AggregateKind:
    """Return the kind of aggregate that a column has where none was named.

    Args:
        dtype: The column's dtype.
        by_codec: Whether the values are names (of an enum, of a literal), whatever their dtype.
    """
    return cast(
        "AggregateKind",
        next(kind for kind, aggregate in _REGISTRY.items() if aggregate.is_default(dtype, by_codec=by_codec)),
    )


def expected_columns() -> str:
    """Return which columns each kind is for, in words."""
    first, *others = (f"{aggregate.kind!r} takes {aggregate.takes}" for aggregate in _REGISTRY.values())
    return ", ".join([first, *(text.replace(" takes", "", 1) for text in others)])


def create_aggregate(kind: AggregateKind) -> RunningAggregate:
    """Return an empty aggregate that takes values one at a time.

    Args:
        kind: ``"categorical"``, ``"numeric"`` or ``"set"``.

    Raises:
        ValueError: The kind is unknown.

    Examples:
        >>> create_aggregate("set")
        SetAggregate(all_values=set())
    """
    return cast("RunningAggregate", aggregate_of(kind).running())
