"""What a field may be compared with: a value that a column can hold, or another field."""

import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from atdata._errors import PredicateError

__all__ = ["Column", "Operand", "literal", "operand", "shown", "text_of"]

_VALUES = (str, bytes, bool, int, float, decimal.Decimal, dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64)


class Column(NamedTuple):
    """A field, by name, as an operand."""

    name: str


#: A column, or a plain value.
Operand: TypeAlias = Any


def operand(value: object, name: str = "a") -> Operand:
    """Return a value that a field is compared with as the value its column would hold.

    Args:
        value: What a caller gives.
        name: The field's name, for messages.

    Raises:
        PredicateError: No column holds such a value, or it is null there.
    """
    if isinstance(value, enum.Enum):
        return text_of(value)
    if isinstance(value, uuid.UUID | pathlib.PurePath):  # columns hold their text
        return value.as_posix() if isinstance(value, pathlib.PurePath) else str(value)
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if value is None:
        raise PredicateError(
            f"a comparison of {name!r} with None is null for every row and selects none; "
            "ask with .is_null() or .is_not_null()"
        )
    if isinstance(value, float) and math.isnan(value):
        raise PredicateError(
            f"a comparison of {name!r} with NaN selects nothing: NaN is null in the sample table; "
            "ask with .is_null() or .is_not_null()"
        )
    if isinstance(value, Column | str):
        return value if isinstance(value, Column) else str(value)
    if not isinstance(value, _VALUES):
        raise PredicateError(
            f"{name!r} is compared with a {type(value).__name__}, {value!r:.60}; expected text, a number, a boolean, a "
            "time or another field. One of several values is .isin([...]), an element of a list .contains(...)"
        )
    literal(value)  # raises for an integer that Polars does not hold
    return value


def text_of(member: enum.Enum) -> str:
    """Return an Enum member's text: its value where all values of its class are text, else its name."""
    values = [each.value for each in type(member)]
    return str(member.value) if all(isinstance(value, str) for value in values) else member.name


def literal(value: Operand) -> pl.Expr:
    """Return an operand as an expression.

    Raises:
        PredicateError: It is beyond what Polars holds.
    """
    if isinstance(value, Column):
        return pl.col(value.name)
    try:
        return pl.lit(value)
    except (pl.exceptions.PolarsError, OverflowError) as error:
        raise PredicateError(f"no column holds a value such as {value!r:.60}: {error}") from None


def shown(value: Operand) -> str:
    """Return an operand as it is written in Python."""
    if not isinstance(value, Column):
        return repr(value)
    plain = value.name.isidentifier() and not value.name.startswith("_")
    return f"F.{value.name}" if plain else f"F[{value.name!r}]"
