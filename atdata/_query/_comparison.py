"""``F.label == "dog"``: comparisons of fields, written as Python, that Polars and pandas both can ask."""

import datetime as dt
import decimal
import enum
import functools
import math
import operator
import pathlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from msgspec import Struct

from atdata._errors import PredicateError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Between",
    "Comparison",
    "Contains",
    "FieldOperand",
    "IsIn",
    "IsNull",
    "Operand",
    "Predicate",
    "combined",
    "literal",
    "operand",
    "shown",
    "text_of",
]

_VALUES = (str, bytes, bool, int, float, decimal.Decimal, dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64)


class FieldOperand(NamedTuple):
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
    if isinstance(value, FieldOperand | str):
        return value if isinstance(value, FieldOperand) else str(value)
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
    if isinstance(value, FieldOperand):
        return pl.col(value.name)
    try:
        return pl.lit(value)
    except (pl.exceptions.PolarsError, OverflowError) as error:
        raise PredicateError(f"no column holds a value such as {value!r:.60}: {error}") from None


def shown(value: Operand) -> str:
    """Return an operand as it is written in Python."""
    if not isinstance(value, FieldOperand):
        return repr(value)
    plain = value.name.isidentifier() and not value.name.startswith("_")
    return f"F.{value.name}" if plain else f"F[{value.name!r}]"


#: What the methods of pandas and of Polars are named alike for.
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
#: Of up to so many numbers each is compared by itself, so that 1 finds 1.0.
_FEW = 64

#: A function from a pandas frame to a boolean Series.
Mask: TypeAlias = "Callable[[pd.DataFrame], pd.Series[bool]]"


class Predicate(Struct, frozen=True):
    """What selects rows, made by comparing fields: ``(F.label == "dog") & (F.confidence > 0.9)``.

    Immutable and hashable; it crosses processes. As a question to manifests it follows Polars: a comparison with null
    is null and selects nothing, nor does its opposite. Called with a pandas frame, it is the same comparison made by
    pandas, with pandas' semantics: there ``!=`` holds where a value is missing, and so does ``~`` of a comparison.

    Examples:
        >>> from atdata import F
        >>> (F.label == "dog") & ~F.confidence.between(0.2, 0.8)
        (F.label == 'dog') & ~F.confidence.between(0.2, 0.8)
        >>> import pandas as pd
        >>> (F.count > 1)(pd.DataFrame({"count": [1, 2]})).to_list()
        [False, True]
    """

    @property
    def expr(self) -> pl.Expr:
        """The same as a Polars expression."""
        raise NotImplementedError

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        """Return which rows of a pandas frame it selects, by pandas' own comparisons."""
        raise NotImplementedError

    def compile(self) -> Mask:
        """Return it as a plain function of a pandas frame; given as a question, that follows pandas."""
        return self.__call__

    def __and__(self, other: "Predicate") -> "Predicate":
        return _All((*_parts(_All, self), *_parts(_All, other))) if isinstance(other, Predicate) else NotImplemented

    def __or__(self, other: "Predicate") -> "Predicate":
        return _Any((*_parts(_Any, self), *_parts(_Any, other))) if isinstance(other, Predicate) else NotImplemented

    def __invert__(self) -> "Predicate":
        return _Not(self)

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} is neither true nor false before rows are asked: combine comparisons with & | ~ and "
            "parentheses, not with 'and', 'or', 'not', 'in' or a chain such as 0 < F.a < 1 (that is F.a.between(0, 1), "
            "which includes both ends)"
        )


class Comparison(Predicate, frozen=True):
    """Two operands, one of them a field."""

    left: FieldOperand
    sign: str
    right: Operand

    @property
    def expr(self) -> pl.Expr:
        """The comparison."""
        compared: pl.Expr = _COMPARE[self.sign](literal(self.left), literal(self.right))
        return compared

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        right = frame[self.right.name] if isinstance(self.right, FieldOperand) else self.right
        mask: pd.Series[bool] = _COMPARE[self.sign](frame[self.left.name], right)
        return mask

    def __repr__(self) -> str:
        return f"{shown(self.left)} {self.sign} {shown(self.right)}"


class IsIn(Predicate, frozen=True):
    """A field that is one of some values."""

    field: FieldOperand
    values: tuple[Any, ...]

    @property
    def expr(self) -> pl.Expr:
        """``is_in``; of a few numbers each is compared, so that 1 finds 1.0."""
        field = literal(self.field)
        kinds = set(map(type, self.values))
        if not kinds or (len(kinds) == 1 and (kinds - {int, float} or len(self.values) > _FEW)):
            return field.is_in(list(self.values))
        return pl.any_horizontal([field == literal(value) for value in self.values])

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        return frame[self.field.name].isin(list(self.values))

    def __repr__(self) -> str:
        return f"{shown(self.field)}.isin([{', '.join(map(shown, self.values))}])"


class Between(Predicate, frozen=True):
    """A field between two operands, both included."""

    field: FieldOperand
    low: Operand
    high: Operand

    @property
    def expr(self) -> pl.Expr:
        """Both bounds."""
        return self._both.expr

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        return self._both(frame)

    @property
    def _both(self) -> Predicate:
        return Comparison(self.field, ">=", self.low) & Comparison(self.field, "<=", self.high)

    def __repr__(self) -> str:
        return f"{shown(self.field)}.between({shown(self.low)}, {shown(self.high)})"


class Contains(Predicate, frozen=True):
    """A field of lists that hold a value."""

    field: FieldOperand
    value: Any

    @property
    def expr(self) -> pl.Expr:
        """``list.contains``."""
        return literal(self.field).list.contains(literal(self.value))

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        mask: pd.Series[bool] = frame[self.field.name].map(self._is_held).astype("bool")
        return mask

    def _is_held(self, cell: object) -> bool:
        # A missing list is None, or NaN where pandas made it so.
        return isinstance(cell, Iterable) and self.value in cell

    def __repr__(self) -> str:
        return f"{shown(self.field)}.contains({shown(self.value)})"


class IsNull(Predicate, frozen=True):
    """A field that has no value; NaN has none, in a manifest."""

    field: FieldOperand
    negated: bool = False

    @property
    def expr(self) -> pl.Expr:
        """``is_null`` or ``is_not_null``."""
        field = literal(self.field)
        return field.is_not_null() if self.negated else field.is_null()

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        series = frame[self.field.name]
        return series.notna() if self.negated else series.isna()

    def __repr__(self) -> str:
        return f"{shown(self.field)}.is_{'not_' * self.negated}null()"


class _Several(Predicate, frozen=True):
    """Flat, however many parts are joined one after another: programs join hundreds, and Python nests no deeper."""

    parts: tuple[Predicate, ...]

    def _joined(self, sign: str) -> str:
        return f" {sign} ".join(map(_wrapped, self.parts))


class _All(_Several, frozen=True):
    @property
    def expr(self) -> pl.Expr:
        return combined([part.expr for part in self.parts], operator.and_)

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        return functools.reduce(operator.and_, (part(frame) for part in self.parts))

    def __repr__(self) -> str:
        return self._joined("&")


class _Any(_Several, frozen=True):
    @property
    def expr(self) -> pl.Expr:
        return combined([part.expr for part in self.parts], operator.or_)

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        return functools.reduce(operator.or_, (part(frame) for part in self.parts))

    def __repr__(self) -> str:
        return self._joined("|")


def _parts(kind: type[_Several], predicate: Predicate) -> tuple[Predicate, ...]:
    return predicate.parts if isinstance(predicate, kind) else (predicate,)


def combined(expressions: Sequence[pl.Expr], join: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> pl.Expr:
    """Return expressions joined as a shallow tree; a long chain takes Polars a time that grows by its square."""
    if len(expressions) == 1:
        return expressions[0]
    middle = (len(expressions) + 1) // 2
    return join(combined(expressions[:middle], join), combined(expressions[middle:], join))


class _Not(Predicate, frozen=True):
    part: Predicate

    @property
    def expr(self) -> pl.Expr:
        return ~self.part.expr

    def __call__(self, frame: "pd.DataFrame") -> "pd.Series[bool]":
        return ~self.part(frame)

    def __repr__(self) -> str:
        return f"~{_wrapped(self.part)}"


def _wrapped(part: Predicate) -> str:
    return f"({part!r})" if isinstance(part, Comparison | _Several) else repr(part)
