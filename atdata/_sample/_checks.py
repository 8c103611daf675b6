"""How values are checked: what an annotation allows, what is coerced, and what msgpack gets.

Checking is strict: what the annotation does not allow is an error, but for four coercions: int to float, NumPy scalar
to Python, ``np.str_`` to str, tuple to list.
"""

import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import numpy as np

from atdata._errors import SampleValueError

from ._array import array_to_bytes

__all__ = [
    "Check",
    "Codec",
    "at_place",
    "check_array",
    "check_bool",
    "check_bytes",
    "check_each",
    "check_float",
    "check_int",
    "check_key",
    "check_none",
    "check_str",
    "name_of",
    "to_natives",
]

Check: TypeAlias = Callable[[Any], Any]

#: What msgpack's integers hold.
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1
#: Deeper values are refused; msgpack's own limit is 511.
_MAX_DEPTH = 100

#: What Python or NumPy count among the integers, and is none.
_NO_INTEGER = (bool, np.timedelta64)
#: What only an annotation can bring back from msgpack.
_TYPED = (dt.date, dt.time, dt.timedelta, np.datetime64, decimal.Decimal, enum.Enum, uuid.UUID, pathlib.PurePath)


class Codec(msgspec.Struct, frozen=True, gc=False):
    """How one annotation's values become msgpack and come back."""

    #: The type that msgspec demands of the payload's value.
    wire: Any
    #: Returns the value as msgpack holds it; raises SampleValueError.
    check: Check
    #: Returns the Python value from what msgspec gave; None where that is the value.
    read: Callable[[Any], Any] | None = None
    #: Whether the value is an array, whose bytes can be written without a copy.
    is_array: bool = False
    #: Returns the checked value as a column holds it; None where that is what `check` returns.
    cell: Check | None = None


def check_str(value: Any) -> str:
    """Return text as Python's own.

    Raises:
        SampleValueError: It is something else.
    """
    if type(value) is str:
        return value
    if isinstance(value, str):  # np.str_, and enums that are text
        return str.__str__(value)
    raise SampleValueError.wrong_type(value, "str")


def check_bytes(value: Any) -> bytes:
    """Return bytes as Python's own.

    Raises:
        SampleValueError: It is something else.
    """
    if isinstance(value, bytes):
        return bytes(value)
    raise SampleValueError.wrong_type(value, "bytes")


def check_int(value: Any) -> int:
    """Return an integer as Python's own.

    Raises:
        SampleValueError: It is something else.
    """
    if type(value) is not int and (isinstance(value, _NO_INTEGER) or not isinstance(value, int | np.integer)):
        raise SampleValueError.wrong_type(value, "int")
    number = int(value)
    if not _INT_MIN <= number <= _INT_MAX:
        raise SampleValueError(f"expected an int from -2**63 to 2**64-1, found {number}")
    return number


def check_float(value: Any) -> float:
    """Return a number as a float.

    Raises:
        SampleValueError: It is something else.
    """
    if type(value) is float:
        return value
    if isinstance(value, _NO_INTEGER) or not isinstance(value, float | int | np.floating | np.integer):
        raise SampleValueError.wrong_type(value, "float")
    exact = int(value) if isinstance(value, np.integer) else value  # NumPy would compare its own as floats
    try:
        number = float(exact)
    except OverflowError:
        number = math.nan
    if number == exact or exact != exact:  # noqa: PLR0124 -- NaN is no number's equal
        return number
    raise SampleValueError.wrong_type(value, "a number that a float can hold as it is")


def check_bool(value: Any) -> bool:
    """Return a boolean as Python's own.

    Raises:
        SampleValueError: It is something else.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise SampleValueError.wrong_type(value, "bool")


def check_none(value: Any) -> None:
    """Refuse everything but None.

    Raises:
        SampleValueError: It is something else.
    """
    if value is not None:
        raise SampleValueError.wrong_type(value, "None")


def check_array(value: Any) -> bytes:
    """Return an array as bytes.

    Raises:
        SampleValueError: It is something else.
    """
    if isinstance(value, np.ndarray):
        return array_to_bytes(value)
    raise SampleValueError.wrong_type(value, "a NumPy array", "np.asarray(...) makes one")


def to_natives(value: Any, *, arrays: bool = False, depth: int = 0) -> Any:
    """Return a value of unknown type as msgpack holds it.

    Args:
        value: None, a bool, number, text, bytes, or lists and dicts of these.
        arrays: Whether arrays may be written, to come back as bytes where no annotation says what they are.
        depth: How deep the value lies.

    Raises:
        SampleValueError: There is something else in it.
    """
    if value is None or type(value) in (str, bytes, float):
        return value
    if isinstance(value, np.ndarray) and arrays:
        return array_to_bytes(value)
    for types_, check in _NATIVE_CHECKS:
        if isinstance(value, types_):
            return check(value)
    if depth > _MAX_DEPTH:
        raise SampleValueError(f"the value is nested more than {_MAX_DEPTH} deep")
    if isinstance(value, list | tuple):
        return check_each(value, lambda item: to_natives(item, arrays=arrays, depth=depth + 1))
    if isinstance(value, dict):
        return {
            check_key(key): at_place(f"[{key!r}]", to_natives, item, arrays=arrays, depth=depth + 1)
            for key, item in value.items()
        }
    raise SampleValueError.wrong_type(
        value, "None, bool, int, float, str, bytes, or lists and dicts of these", _hint(value)
    )


def _hint(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "annotate the field as NDArray"
    if isinstance(value, _TYPED) or dataclasses.is_dataclass(value):
        return "read and write it through a packable type, whose annotation says what it is"
    return ""


_NATIVE_CHECKS: tuple[tuple[Any, Check], ...] = (
    (str, check_str),
    (bytes, check_bytes),
    (bool | np.bool_, check_bool),
    (int | np.integer, check_int),
    (float | np.floating, check_float),
)


def check_key(key: Any) -> str | int:
    """Return a dict's key.

    Raises:
        SampleValueError: It is something else.
    """
    return check_str(key) if isinstance(key, str) else check_int(key)


def at_place(place: str, check: Callable[..., Any], value: Any, **options: Any) -> Any:
    """Check what lies at a place in a value; an error names the place.

    Raises:
        SampleValueError: It is not what the check allows.
    """
    try:
        return check(value, **options)
    except SampleValueError as error:
        raise error.within(place) from None


def check_each(values: Any, check: Check) -> list[Any]:
    """Check each element; an error names its index.

    Raises:
        SampleValueError: One is not what the check allows.
    """
    checked: list[Any] = []
    try:
        for value in values:
            checked.append(check(value))  # noqa: PERF401 -- its length says which element is wrong
    except SampleValueError as error:
        raise error.within(f"[{len(checked)}]") from None
    return checked


def name_of(annotation: Any) -> str:
    """Return an annotation as a message names it."""
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
