"""From an annotation to how its values are checked, written and read (docs/format.md, "Values in a typed sample").

A codec is made once for a type's field and then only called.
"""

import collections.abc
import dataclasses
import enum
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import numpy as np

from atdata._errors import DecodeError, SampleValueError, SchemaError

from ._array import bytes_to_array
from ._checks import (
    Codec,
    at_place,
    check_array,
    check_bool,
    check_bytes,
    check_each,
    check_float,
    check_int,
    check_key,
    check_none,
    check_str,
    name_of,
    to_natives,
)
from ._fields import bare_type, is_packable
from ._image import ImageField, image_codec
from ._record import nested_codec
from ._scalars import MOMENTS, PATHS, dtype_in, enum_codec, literal_codec, numpy_scalar, path_codec, refined

__all__ = ["codec_of"]

_LISTS = (list, collections.abc.Sequence, collections.abc.MutableSequence)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_UNIONS = (typing.Union, types.UnionType)
_UNION: Any = typing.Union

_SIMPLE: dict[Any, Codec] = {
    str: Codec(str, check_str),
    bytes: Codec(bytes, check_bytes),
    int: Codec(int, check_int),
    float: Codec(float, check_float),
    bool: Codec(bool, check_bool),
    None: Codec(None, check_none),
    type(None): Codec(None, check_none),
    Any: Codec(Any, to_natives),
    object: Codec(Any, to_natives),
    **MOMENTS,
}
_ARRAY = Codec(memoryview, check_array, bytes_to_array, is_array=True)


def codec_of(annotation: Any) -> Codec:
    """Return the codec of an annotation.

    Raises:
        SchemaError: Values of that type cannot be stored.
    """
    bare, metadata = bare_type(annotation)
    dtype, image = dtype_in(metadata), _image_in(metadata)
    if dtype is None and image is None:
        return _plain_codec(bare)
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin in _UNIONS and len(arguments) == len(("it", None)) and type(None) in arguments:
        inner = next(member for member in arguments if member is not type(None))
        return _optional(codec_of(Annotated[inner, *metadata]))
    if image is not None:
        if bare is not bytes:
            raise SchemaError(f"an image is stored as bytes, not as {name_of(bare)}: Annotated[bytes, ImageField()]")
        return image_codec(image)
    plain = _plain_codec(bare)
    return plain if dtype is None else refined(plain, bare, dtype)


def _image_in(metadata: tuple[Any, ...]) -> ImageField | None:
    for each in metadata:
        if each is ImageField:
            raise SchemaError("write ImageField with parentheses: Annotated[bytes, ImageField()]")
        if isinstance(each, ImageField):
            return each
    return None


def _plain_codec(bare: Any) -> Codec:
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
    if origin is typing.Literal:
        return literal_codec(arguments)
    return _class_codec(origin)


def _class_codec(kind: Any) -> Codec:
    if isinstance(kind, type):
        if issubclass(kind, enum.Enum):
            return enum_codec(kind)
        if issubclass(kind, pathlib.PurePath) and kind in PATHS:
            return path_codec(kind)
        if issubclass(kind, np.generic):
            return numpy_scalar(kind)
        if is_packable(kind):
            return nested_codec(kind, codec_of)
        if dataclasses.is_dataclass(kind):
            raise SchemaError(f"{name_of(kind)} is a plain dataclass; decorate it with @atdata.packable")
    raise SchemaError(
        f"values of type {name_of(kind)} cannot be stored; a field may be str, bytes, int, float, bool, None, Any, "
        "a datetime, date, time, timedelta, Decimal, UUID, Path, Enum or Literal, an ndarray, a NumPy number, another "
        "packable type, or list, tuple, dict, Optional and unions of these"
    )


def _each_read(read: Callable[[Any], Any] | None) -> Callable[[Any], list[Any]] | None:
    if read is None:
        return None

    def read_each(values: Any) -> list[Any]:
        try:
            return [read(value) for value in values]
        except DecodeError:
            return [_read_at(f"[{index}]", read, value) for index, value in enumerate(values)]

    return read_each


def _read_at(place: str, read: Callable[[Any], Any] | None, value: Any) -> Any:
    try:
        return value if read is None else read(value)
    except DecodeError as error:
        raise error.within(place) from error.__cause__


def _list(item: Any = Any) -> Codec:
    inner = codec_of(item)

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise SampleValueError.wrong_type(value, "a list")
        return check_each(value, inner.check)

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
            at_place(f"[{index}]", codec.check, item)
            for index, (codec, item) in enumerate(zip(codecs, value, strict=True))
        ]

    def read_all(values: Any) -> tuple[Any, ...]:
        return tuple(_read_at(f"[{i}]", c.read, v) for i, (c, v) in enumerate(zip(codecs, values, strict=True)))

    return Codec(types.GenericAlias(tuple, tuple(codec.wire for codec in codecs)), check, read_all)


def _dict(key: Any = Any, item: Any = Any) -> Codec:
    key, _ = bare_type(key)
    if key not in (str, int, Any):
        raise SchemaError(f"a dict's keys are stored as str or int, not as {name_of(key)}")
    keys = check_key if key is Any else _SIMPLE[key].check
    inner = codec_of(item)

    def check(value: Any) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise SampleValueError.wrong_type(value, "a dict")
        return {keys(k): at_place(f"[{k!r}]", inner.check, v) for k, v in value.items()}

    def read(values: Any) -> dict[Any, Any]:
        return {k: _read_at(f"[{k!r}]", inner.read, v) for k, v in values.items()}

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
    names = " | ".join(name_of(member) for member in members)
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
