"""From an annotation to how its values are checked, written and read (docs/format.md, "Values in a typed sample").

A codec is made once for a type's field and then only called. Checking is strict: what the annotation does not allow is
an error, but for four coercions: int to float, NumPy scalar to Python, ``np.str_`` to str, tuple to list.
"""

import collections.abc
import dataclasses
import math
import types
import typing
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import numpy as np

from atdata._errors import DecodeError, SampleValueError, SchemaError

from ._array import array_to_bytes, bytes_to_array
from ._fields import bare_type

__all__ = ["Codec", "codec_of", "to_natives"]

Check: TypeAlias = Callable[[Any], Any]

#: What msgpack's integers hold.
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1
#: Deeper values are refused; msgpack's own limit is 511.
_MAX_DEPTH = 100

#: What Python or NumPy count among the integers, and is none.
_NO_INTEGER = (bool, np.timedelta64)

_LISTS = (list, collections.abc.Sequence, collections.abc.MutableSequence)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_UNIONS = (typing.Union, types.UnionType)
_UNION: Any = typing.Union


@dataclasses.dataclass(frozen=True, slots=True)
class Codec:
    """How one annotation's values become msgpack and come back."""

    #: The type that msgspec demands of the payload's value.
    wire: Any
    #: Returns the value as msgpack holds it; raises SampleValueError.
    check: Check
    #: Returns the Python value from what msgspec gave; None where that is the value.
    read: Callable[[Any], Any] | None = None
    #: Whether the value is an array, whose bytes can be written without a copy.
    is_array: bool = False


def codec_of(annotation: Any) -> Codec:
    """Return the codec of an annotation.

    Raises:
        SchemaError: Values of that type cannot be stored.
    """
    bare, _ = bare_type(annotation)
    if simple := _SIMPLE.get(bare) if isinstance(bare, collections.abc.Hashable) else None:
        return simple
    origin = typing.get_origin(bare) or bare
    arguments = typing.get_args(bare)
    if origin is np.ndarray:
        return _ARRAY
    if origin in _UNIONS:
        return _union(arguments)
    if origin in _LISTS:
        return _list(*arguments)
    if origin in _DICTS:
        return _dict(*arguments)
    if origin is tuple:
        return _tuple(arguments)
    if isinstance(origin, type) and issubclass(origin, np.generic):
        return _numpy_scalar(origin)
    raise SchemaError(
        f"values of type {_name(bare)} cannot be stored; a field may be str, bytes, int, float, bool, None, Any, "
        "an ndarray, a NumPy number, or list, tuple, dict, Optional and unions of these"
    )


def _check_str(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, str):  # np.str_, and enums that are text
        return str.__str__(value)
    raise SampleValueError.wrong_type(value, "str")


def _check_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    raise SampleValueError.wrong_type(value, "bytes")


def _check_int(value: Any) -> int:
    if type(value) is not int and (isinstance(value, _NO_INTEGER) or not isinstance(value, int | np.integer)):
        raise SampleValueError.wrong_type(value, "int")
    number = int(value)
    if not _INT_MIN <= number <= _INT_MAX:
        raise SampleValueError(f"expected an int from -2**63 to 2**64-1, found {number}")
    return number


def _check_float(value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, _NO_INTEGER) or not isinstance(value, float | int | np.floating | np.integer):
        raise SampleValueError.wrong_type(value, "float")
    try:
        return float(value)
    except OverflowError:
        raise SampleValueError.wrong_type(value, "a number that a float can hold") from None


def _check_bool(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise SampleValueError.wrong_type(value, "bool")


def _check_none(value: Any) -> None:
    if value is not None:
        raise SampleValueError.wrong_type(value, "None")


def _check_array(value: Any) -> bytes:
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
        return _each(value, lambda item: to_natives(item, arrays=arrays, depth=depth + 1))
    if isinstance(value, dict):
        return {
            _check_key(key): _at(f"[{key!r}]", to_natives, item, arrays=arrays, depth=depth + 1)
            for key, item in value.items()
        }
    hint = "annotate the field as NDArray" if isinstance(value, np.ndarray) else ""
    raise SampleValueError.wrong_type(value, "None, bool, int, float, str, bytes, or lists and dicts of these", hint)


_NATIVE_CHECKS: tuple[tuple[Any, Check], ...] = (
    (str, _check_str),
    (bytes, _check_bytes),
    (bool | np.bool_, _check_bool),
    (int | np.integer, _check_int),
    (float | np.floating, _check_float),
)

_SIMPLE: dict[Any, Codec] = {
    str: Codec(str, _check_str),
    bytes: Codec(bytes, _check_bytes),
    int: Codec(int, _check_int),
    float: Codec(float, _check_float),
    bool: Codec(bool, _check_bool),
    None: Codec(None, _check_none),
    type(None): Codec(None, _check_none),
    Any: Codec(Any, to_natives),
    object: Codec(Any, to_natives),
}

_ARRAY = Codec(memoryview, _check_array, bytes_to_array, is_array=True)


def _check_key(key: Any) -> str | int:
    return _check_str(key) if isinstance(key, str) else _check_int(key)


def _at(place: str, check: Callable[..., Any], value: Any, **options: Any) -> Any:
    try:
        return check(value, **options)
    except SampleValueError as error:
        raise error.within(place) from None


def _each(values: Any, check: Check) -> list[Any]:
    checked: list[Any] = []
    try:
        for value in values:
            checked.append(check(value))  # noqa: PERF401 -- its length says which element is wrong
    except SampleValueError as error:
        raise error.within(f"[{len(checked)}]") from None
    return checked


def _each_read(read: Callable[[Any], Any] | None) -> Callable[[Any], list[Any]] | None:
    return None if read is None else lambda values: [read(value) for value in values]


def _list(item: Any = Any) -> Codec:
    inner = codec_of(item)

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise SampleValueError.wrong_type(value, "a list")
        return _each(value, inner.check)

    return Codec(types.GenericAlias(list, (inner.wire,)), check, _each_read(inner.read))


def _tuple(items: tuple[Any, ...]) -> Codec:
    if not items or items[-1] is Ellipsis:
        inner = _list(*items[:1])
        read = inner.read or (lambda values: values)
        return Codec(inner.wire, inner.check, lambda values: tuple(read(values)))
    codecs = [codec_of(item) for item in items]

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple) or len(value) != len(codecs):
            raise SampleValueError.wrong_type(value, f"a tuple of {len(codecs)}")
        return [
            _at(f"[{index}]", codec.check, item) for index, (codec, item) in enumerate(zip(codecs, value, strict=True))
        ]

    def read_all(values: Any) -> tuple[Any, ...]:
        return tuple(c.read(v) if c.read else v for c, v in zip(codecs, values, strict=True))

    return Codec(types.GenericAlias(tuple, tuple(codec.wire for codec in codecs)), check, read_all)


def _dict(key: Any = Any, item: Any = Any) -> Codec:
    key, _ = bare_type(key)
    if key not in (str, int, Any):
        raise SchemaError(f"a dict's keys are stored as str or int, not as {_name(key)}")
    keys = _check_key if key is Any else _SIMPLE[key].check
    inner = codec_of(item)

    def check(value: Any) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise SampleValueError.wrong_type(value, "a dict")
        return {keys(k): _at(f"[{k!r}]", inner.check, v) for k, v in value.items()}

    def read(values: Any) -> dict[Any, Any]:
        return {k: inner.read(v) for k, v in values.items()} if inner.read else values

    key_wire = str | int if key is Any else key
    return Codec(types.GenericAlias(dict, (key_wire, inner.wire)), check, read if inner.read else None)


def _union(members: tuple[Any, ...]) -> Codec:
    others = [member for member in members if member is not type(None)]
    if len(others) == 1:
        return _optional(codec_of(others[0]))
    codecs = [codec_of(member) for member in members]
    wire = _UNION[tuple(codec.wire for codec in codecs)]
    try:
        msgspec.msgpack.Decoder(wire)
        separable = all(codec.read is None for codec in codecs)
    except TypeError:
        separable = False
    names = " | ".join(_name(member) for member in members)
    if not separable:
        raise SchemaError(f"values of the union {names} cannot be told apart when they are read; use one type")

    exact = {codec.wire: codec for codec in codecs}

    def check(value: Any) -> Any:
        if (codec := exact.get(type(value))) is not None:
            return codec.check(value)
        for codec in codecs:
            try:
                return codec.check(value)
            except SampleValueError:  # another member may take it
                continue
        raise SampleValueError.wrong_type(value, names)

    return Codec(wire, check)


def _optional(inner: Codec) -> Codec:
    def check(value: Any) -> Any:
        return None if value is None else inner.check(value)

    def read(value: Any) -> Any:
        return None if value is None or inner.read is None else inner.read(value)

    wire = _UNION[inner.wire, None]
    return Codec(wire, check, read if inner.read else None, inner.is_array)


def _numpy_scalar(scalar: type[np.generic]) -> Codec:
    if issubclass(scalar, np.bool_):
        return Codec(bool, _check_bool, scalar)
    if issubclass(scalar, np.str_):
        return Codec(str, _check_str, scalar)
    if issubclass(scalar, np.integer) and not issubclass(scalar, _NO_INTEGER):
        return _numpy_integer(scalar)
    if scalar in (np.float16, np.float32, np.float64):
        return _numpy_float(scalar)
    raise SchemaError(f"values of type {_name(scalar)} cannot be stored; use one of NumPy's sized numbers")


def _numpy_integer(scalar: type[np.integer[Any]]) -> Codec:
    limits = np.iinfo(scalar)

    def check(value: Any) -> int:
        number = _check_int(value)
        if not limits.min <= number <= limits.max:
            raise SampleValueError(f"expected a {scalar.__name__}, found {number}")
        return number

    def read(value: int) -> Any:
        try:
            return scalar(value)
        except OverflowError as error:
            raise DecodeError(f"expected a {scalar.__name__}, found {value}") from error

    return Codec(int, check, read)


def _numpy_float(scalar: Any) -> Codec:
    def check(value: Any) -> float:
        number = _check_float(value)
        with np.errstate(over="ignore"):
            rounded = float(scalar(number))
        if math.isinf(rounded) and not math.isinf(number):
            raise SampleValueError(f"expected a {scalar.__name__}, found {number}, which is beyond its range")
        return rounded

    return Codec(float, check, scalar)


def _name(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
