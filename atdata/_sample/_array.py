"""Arrays as bytes (docs/format.md, "Arrays").

Plain dtypes take the compact form: ``u8`` length of the dtype string, the dtype string, ``u8`` ndim, ndim x ``<i8``
shape, the C-order bytes. Structured dtypes take an ``.npy`` file. Readers accept both for any array. Nothing is ever
pickled, and every length is checked against the bytes at hand before anything is allocated.
"""

import ast
import functools
import math
import operator
import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from atdata._errors import DecodeError, SampleValueError

__all__ = ["array_parts", "array_to_bytes", "bytes_to_array", "compact_header", "empty_stack"]

#: How an ``.npy`` file begins; no dtype string is as long as its first byte says.
_NPY_MAGIC = b"\x93NUMPY"
#: Magic, version, and a length of two or four bytes.
_NPY_START, _NPY_ALIGNMENT, _SHORT = 12, 64, 60_000
#: By version: where the header begins, and its encoding.
_NPY_LENGTHS = {1: (10, "latin-1"), 2: (12, "latin-1"), 3: (12, "utf-8")}
#: The longest header of an ``.npy`` file that is read, in bytes.
_MAX_NPY_HEADER = 1 << 20
#: Kinds of dtype whose elements are plain bytes: bool, integers, floats, complex, bytes, text, void, times.
_PLAIN_KINDS = frozenset("biufcSUVmM")
#: What `dtype.str` gives for them. An element of no bytes would make any number of them fit.
_PLAIN_DTYPE = re.compile(rb"[<>|=][biufcSUVmM][1-9][0-9]{0,9}(\[[0-9]*[A-Za-z]+\])?")
#: NumPy's own limit; the shape's length is one byte on disk.
_MAX_DIMENSIONS = 64
#: Nearly every header is shorter than the one, and none is longer than the other, in bytes.
_USUAL_HEADER, _MAX_HEADER = 64, 2 + 255 + 8 * 255
#: Below this many bytes a copy is no dearer than a view.
_COPY_BELOW = 1 << 10


def array_parts(array: np.ndarray[Any, Any]) -> tuple[bytes, bytes | memoryview]:
    """Return an array's header and its C-order bytes, not copied where that is possible.

    Raises:
        SampleValueError: The array holds Python objects, or values that a mask hides.
    """
    if type(array) is not np.ndarray:
        if isinstance(array, np.ma.MaskedArray):
            raise SampleValueError("a masked array would lose its mask; fill it first: array.filled(...)")
        array = np.asarray(array)
    if array.dtype.names is not None and not array.dtype.hasobject:
        return b"", _structured(array)
    header = _compact_header(array.dtype, array.shape)
    if array.nbytes < _COPY_BELOW or not array.flags.c_contiguous:
        return header, array.tobytes()
    try:
        return header, array.data.cast("B")  # a view in half the time, where Python knows the elements
    except (BufferError, TypeError, ValueError):
        return header, array.reshape(-1).view(np.uint8).data


def array_to_bytes(array: np.ndarray[Any, Any]) -> bytes:
    """Return an array as one run of bytes."""
    return b"".join(array_parts(array))


def bytes_to_array(data: bytes | memoryview) -> np.ndarray[Any, Any]:
    """Return the array that the bytes hold: a copy, writable, C-contiguous.

    Raises:
        DecodeError: The bytes are no array, or not as many as their header claims.
    """
    header = compact_header(data)
    if header is None:
        return _read_npy(data)
    dtype, shape, size = _parse_compact_header(header)
    start = len(header)
    if size == len(data) - start and size:
        return np.ndarray(shape, dtype, data, start).copy()
    return _take(data, start, dtype, shape, size)


def compact_header(data: bytes | memoryview) -> bytes | None:
    """Return the header of an array in the compact form; None where the bytes begin like an ``.npy`` file.

    Raises:
        DecodeError: There are too few bytes for a header.
    """
    head = bytes(data[:_USUAL_HEADER])
    if not head:
        raise DecodeError("an array of no bytes")
    length = head[0]
    if length == _NPY_MAGIC[0]:
        return None
    start = 2 + length + 8 * head[1 + length] if 1 + length < len(head) else _MAX_HEADER
    if start > len(head):
        head, start = _long_header(data)
    return head[:start]


def empty_stack(rows: int, header: bytes, size: int) -> np.ndarray[Any, Any] | None:
    """Return room for so many arrays with a header, along a new first axis.

    Returns:
        None where arrays with that header have not ``size`` bytes, or NumPy has no such stack.

    Raises:
        DecodeError: The header describes no array.
    """
    dtype, shape, claimed = _parse_compact_header(header)
    if claimed != size:
        return None
    try:
        return np.empty((rows, *shape), dtype)
    except ValueError:  # one dimension too many
        return None


def _long_header(data: bytes | memoryview) -> tuple[bytes, int]:
    length = data[0]
    if len(data) < 2 + length or len(data) < (start := 2 + length + 8 * data[1 + length]):
        raise DecodeError(f"{len(data)} bytes are too few for an array's header")
    return bytes(data[:start]), start


def _structured(array: np.ndarray[Any, Any]) -> bytes:
    if array.dtype.itemsize == 0:
        raise _without_width(array.dtype)
    try:
        return _npy_bytes(array)
    except ValueError as error:
        raise SampleValueError(f"an array of dtype {array.dtype} cannot be written: {error}") from error


def _without_width(dtype: np.dtype[Any]) -> SampleValueError:
    return SampleValueError(f"an array of dtype {dtype} has elements of no bytes; give it a width")


@functools.lru_cache(maxsize=1024)
def _compact_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    if dtype.hasobject or dtype.kind not in _PLAIN_KINDS:
        raise SampleValueError(
            f"an array of dtype {dtype} holds Python objects, which are never written; convert it first, "
            "for example with array.astype('U') or array.astype(float)"
        )
    if dtype.itemsize == 0:
        raise _without_width(dtype)
    name = dtype.str.encode("ascii")
    return struct.pack(f"<B{len(name)}sB{len(shape)}q", len(name), name, len(shape), *shape)


@functools.lru_cache(maxsize=1024)
def _parse_compact_header(header: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    length = header[0]
    name = header[1 : 1 + length]
    if not _PLAIN_DTYPE.fullmatch(name):
        raise DecodeError(f"an array's header names {name!r}, which is no plain dtype")
    try:
        dtype = np.dtype(name.decode("ascii"))
    except (TypeError, ValueError) as error:
        raise DecodeError(f"an array's header names {name!r}, which NumPy does not know") from error
    shape = struct.unpack_from(f"<{header[1 + length]}q", header, 2 + length)
    return dtype, shape, _size(dtype, shape)


def _size(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    if len(shape) > _MAX_DIMENSIONS or any(n < 0 for n in shape):
        raise DecodeError(f"an array's header claims the shape {shape}, which no array has")
    return math.prod(shape) * dtype.itemsize


def _take(
    data: bytes | memoryview, start: int, dtype: np.dtype[Any], shape: tuple[int, ...], size: int
) -> np.ndarray[Any, Any]:
    if size != len(data) - start:
        raise DecodeError(
            f"an array's header claims shape {shape} of {dtype} ({size} bytes), and {len(data) - start} bytes follow it"
        )
    try:
        return np.ndarray(shape, dtype, data, start).copy() if size else np.empty(shape, dtype)
    except ValueError as error:
        raise DecodeError(f"an array's header claims the shape {shape}, which NumPy cannot make") from error


def _npy_bytes(array: np.ndarray[Any, Any]) -> bytes:
    descr: Any = np.lib.format.dtype_to_descr(array.dtype)
    if _descr_dtype(descr) != array.dtype:
        raise SampleValueError(f"the fields of an array of dtype {array.dtype} do not lie one after the other")
    text = repr({"descr": descr, "fortran_order": False, "shape": array.shape})
    version, length, encoding = (1, "<H", "latin-1") if text.isascii() and len(text) < _SHORT else (3, "<I", "utf-8")
    start = _NPY_MAGIC + bytes([version, 0])
    header = text.encode(encoding) + b"\n"
    missing = -(len(start) + struct.calcsize(length) + len(header)) % _NPY_ALIGNMENT
    header = header[:-1] + b" " * missing + b"\n"
    clean = np.zeros(array.shape, array.dtype)
    _copy_fields(clean, array)
    return start + struct.pack(length, len(header)) + header + clean.tobytes()


def _copy_fields(target: np.ndarray[Any, Any], source: np.ndarray[Any, Any]) -> None:
    # Field by field: what lies between the fields is whatever the memory held.
    for name in target.dtype.names or ():
        if target[name].dtype.names:
            _copy_fields(target[name], source[name])
        else:
            target[name][...] = source[name]


def _read_npy(data: bytes | memoryview) -> np.ndarray[Any, Any]:
    start = bytes(data[:_NPY_START])
    version = start[len(_NPY_MAGIC)] if start.startswith(_NPY_MAGIC) and len(start) == _NPY_START else 0
    if version not in _NPY_LENGTHS:
        raise DecodeError("the bytes begin like an .npy file and are none")
    begin, encoding = _NPY_LENGTHS[version]
    end = begin + int.from_bytes(start[len(_NPY_MAGIC) + 2 : begin], "little")
    if end > min(len(data), _MAX_NPY_HEADER):
        raise DecodeError(f"an .npy header claims to end at byte {end}, and there are {len(data)}")
    try:
        described = ast.literal_eval(bytes(data[begin:end]).decode(encoding).strip())
        dtype = _descr_dtype(described["descr"])
        fortran, shape = bool(described["fortran_order"]), tuple(map(operator.index, described["shape"]))
    except (ValueError, TypeError, KeyError, IndexError, SyntaxError, RecursionError, MemoryError) as error:
        raise DecodeError(f"an .npy header cannot be read: {error}") from error
    array = _take(data, end, dtype, shape[::-1] if fortran else shape, _size(dtype, shape))
    return np.ascontiguousarray(array.T).reshape(shape) if fortran else array


def _descr_dtype(descr: Any) -> np.dtype[Any]:
    """Return the dtype that an ``.npy`` header describes; ValueError where it holds anything but plain elements."""
    for text in _element_texts(descr):
        if not _PLAIN_DTYPE.fullmatch(text.encode()):
            raise ValueError(f"{text!r} is no plain dtype")
    dtype: np.dtype[Any] = np.lib.format.descr_to_dtype(descr)
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"the dtype {dtype} has objects for elements, or nothing")
    return dtype


def _element_texts(descr: Any) -> Iterator[str]:
    if isinstance(descr, str):
        yield descr
    elif isinstance(descr, list):
        for field in descr:
            yield from _element_texts(field[1])
    else:  # an element type with a shape of its own
        yield from _element_texts(descr[0])
