"""``F``: fields by name, to be compared."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from atdata._errors import PredicateError, listed, near_misses
from atdata._manifest import PLACE, columns_of
from atdata._sample import DictSample

from ._comparison import Between, Comparison, Contains, FieldOperand, IsIn, IsNull, Operand, Predicate, operand

__all__ = ["F", "FieldNames", "FieldProxy", "query_fields"]


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
