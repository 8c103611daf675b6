"""``F.label == "dog"``: comparisons of fields, written as Python, that Polars and pandas can evaluate."""

import datetime as dt
import decimal
import enum
import functools
import math
import operator
import pathlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from msgspec import Struct

from atdata._errors import PredicateError, listed, near_misses
from atdata._manifest import PLACE, columns_of
from atdata._sample import DictSample

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Between",
    "Comparison",
    "Contains",
    "F",
    "FieldNames",
    "FieldOperand",
    "FieldProxy",
    "IsIn",
    "IsNull",
    "Operand",
    "Predicate",
    "combined",
    "literal",
    "operand",
    "query_fields",
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


class FieldProxy:
    """A field, by name; comparing it makes a :class:`Predicate`.

    The other side may be a value that a column holds, an Enum member, UUID or path (their text), or another field.
    None and NaN are refused: null is asked for by :meth:`is_null`.

    Args:
        name: The field's name.

    Raises:
        PredicateError: While comparing: no column holds such a value.

    Examples:
        >>> FieldProxy("confidence") > 0.9
        F.confidence > 0.9
    """

    __slots__ = ("name",)
    __hash__ = None  # type: ignore[assignment]  # == makes a predicate

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a field's name is text, not {name!r}")
        self.name: Final = name

    def __repr__(self) -> str:
        return f"FieldProxy({self.name!r})"

    def __eq__(self, other: object) -> Predicate:  # type: ignore[override]  # a question, not an answer
        return self._compared("==", other)

    def __ne__(self, other: object) -> Predicate:  # type: ignore[override]  # as above
        return self._compared("!=", other)

    def __gt__(self, other: object) -> Predicate:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Predicate:
        return self._compared(">=", other)

    def __lt__(self, other: object) -> Predicate:
        return self._compared("<", other)

    def __le__(self, other: object) -> Predicate:
        return self._compared("<=", other)

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} is neither true nor false before rows are asked; compare it: F.{self.name} == True")

    def isin(self, values: Iterable[Any]) -> Predicate:
        """Select the rows where the field equals one of the values.

        More than 64 numbers must be of the column's own kind: integers for integers, floats for floats.
        """
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise PredicateError(
                f"isin takes several values, such as a list; found {type(values).__name__} {values!r:.60}"
            )
        return IsIn(FieldOperand(self.name), tuple(self._value(each, "isin") for each in values))

    def between(self, low: object, high: object) -> Predicate:
        """Select the rows where the field is between two values, both included."""
        return Between(FieldOperand(self.name), self._operand(low), self._operand(high))

    def contains(self, value: object) -> Predicate:
        """Select the rows where the field is a list that holds the value."""
        return Contains(FieldOperand(self.name), self._value(value, "contains"))

    def is_null(self) -> Predicate:
        """Select the rows where the field has no value, or NaN."""
        return IsNull(FieldOperand(self.name))

    def is_not_null(self) -> Predicate:
        """Select the rows where the field has a value."""
        return IsNull(FieldOperand(self.name), negated=True)

    def _compared(self, sign: str, other: object) -> Predicate:
        return Comparison(FieldOperand(self.name), sign, self._operand(other))

    def _value(self, value: object, method: str) -> Operand:
        if isinstance(value, FieldProxy):
            raise PredicateError(f"{method} takes values, not the field {value.name!r}; ask with a Polars expression")
        return self._operand(value)

    def _operand(self, value: object) -> Operand:
        return FieldOperand(value.name) if isinstance(value, FieldProxy) else operand(value, self.name)


class FieldNames:
    """Gives fields by name: ``F.label``, or ``F["a field"]`` where the name is no identifier or begins with ``_``.

    The columns of a location, such as ``F.__key__``, are there too.
    """

    __slots__ = ("_names", "_of")

    def __init__(self, names: Iterable[str] | None = None, of: str = "") -> None:
        self._names = None if names is None else tuple(names)
        self._of = of

    def __getattr__(self, name: str) -> FieldProxy:
        # Copies, pickles and notebooks look for names with an underscore, and must not find fields.
        if name.startswith("_") and name not in PLACE:
            raise AttributeError(f"fields whose names begin with an underscore are had by F[{name!r}]")
        return self._field(name)

    def __getitem__(self, name: str) -> FieldProxy:
        if not isinstance(name, str):
            raise TypeError(f"a field's name is text, not {name!r}")
        return self._field(name)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("fields are had by name: F.label")

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *PLACE, *(self._names or ())]

    def __repr__(self) -> str:
        return f"query_fields({self._of})" if self._of else "F"

    def _field(self, name: str) -> FieldProxy:
        if self._names is not None and name not in (*PLACE, *self._names):
            raise AttributeError(
                f"{self._of} has no manifest field {name!r}{near_misses(name, self._names)}; "
                f"it has {listed(self._names)}"
            )
        return FieldProxy(name)


#: Any field, by name; whether there is one is known when rows are asked.
F = FieldNames()


def query_fields(sample_type: type) -> FieldNames:
    """Return the manifest fields of a sample type, to be compared; an unknown one is an AttributeError at once.

    Raises:
        SchemaError: The type is no dataclass, or a field cannot be what its annotation says.

    Examples:
        >>> import atdata
        >>> @atdata.packable
        ... class Photo:
        ...     label: str
        ...     confidence: float
        >>> photo = query_fields(Photo)
        >>> (photo.label == "dog") & (photo.confidence > 0.9)
        (F.label == 'dog') & (F.confidence > 0.9)
        >>> photo.labell
        Traceback (most recent call last):
        ...
        AttributeError: Photo has no manifest field 'labell' (did you mean 'label'?); it has 'label', 'confidence'...
    """
    columns = columns_of(sample_type)
    if isinstance(sample_type, type) and issubclass(sample_type, DictSample):
        return F  # nobody declared its fields
    return FieldNames((column.name for column in columns), sample_type.__name__)
