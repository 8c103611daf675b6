"""Arrays as bytes (docs/format.md, "Arrays").

Plain dtypes take the compact form: ``u8`` length of the dtype string, the dtype string, ``u8`` ndim, ndim x ``<i8``
shape, the C-order bytes. Structured dtypes take an ``.npy`` file. Readers accept both for any array. Nothing is ever
pickled, and every length is checked against the bytes at hand before anything is allocated.
"""

import functools
import io
import math
import re
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from atdata._errors import DecodeError, SampleValueError

__all__ = ["array_parts", "array_to_bytes", "bytes_to_array"]

#: The first byte of an ``.npy`` file; no dtype string is that long.
_NPY_MAGIC = 0x93
#: Kinds of dtype whose elements are plain bytes: bool, integers, floats, complex, bytes, text, void, times.
_PLAIN_KINDS = frozenset("biufcSUVmM")
#: What `dtype.str` gives for them. An element of no bytes would make any number of them fit.
_PLAIN_DTYPE = re.compile(rb"[<>|=][biufcSUVmM][1-9][0-9]{0,9}(\[[0-9]*[A-Za-z]+\])?")
#: NumPy's own limit; the shape's length is one byte on disk.
_MAX_DIMENSIONS = 64
#: Below this many bytes a copy is no dearer than a view.
_COPY_BELOW = 1 << 15


def array_parts(array: npt.NDArray[Any]) -> tuple[bytes, bytes | memoryview]:
    """Return an array's header and its C-order bytes, not copied where that is possible.

    Raises:
        SampleValueError: The array holds Python objects, or values that a mask hides.
    """
    dtype = array.dtype
    if dtype.hasobject or dtype.kind not in _PLAIN_KINDS:
        raise SampleValueError(
            f"an array of dtype {dtype} holds Python objects, which are never written; convert it first, "
            "for example with array.astype('U') or array.astype(float)"
        )
    if type(array) is not np.ndarray and isinstance(array, np.ma.MaskedArray):
        raise SampleValueError("a masked array would lose its mask; fill it first: array.filled(...)")
    if dtype.names is not None or dtype.subdtype is not None:
        return b"", _npy_bytes(array)
    if dtype.itemsize == 0:
        raise SampleValueError(f"an array of dtype {dtype} has elements of no bytes; give it a width")
    header = _compact_header(dtype.str, array.shape)
    if array.nbytes < _COPY_BELOW or not array.flags.c_contiguous:
        return header, array.tobytes()
    return header, array.reshape(-1).view(np.uint8).data


def array_to_bytes(array: npt.NDArray[Any]) -> bytes:
    """Return an array as one run of bytes."""
    return b"".join(array_parts(array))


def bytes_to_array(data: bytes | memoryview) -> npt.NDArray[Any]:
    """Return the array that the bytes hold: a copy, writable, C-contiguous.

    Raises:
        DecodeError: The bytes are no array, or not as many as their header claims.
    """
    if not len(data):
        raise DecodeError("an array of no bytes")
    length = data[0]
    if length == _NPY_MAGIC:
        return _read_npy(data)
    if len(data) < 2 + length or len(data) < (start := 2 + length + 8 * data[1 + length]):
        raise DecodeError(f"{len(data)} bytes are too few for an array's header")
    dtype, shape, size = _parse_compact_header(bytes(data[:start]))
    return _take(data, start, dtype, shape, size)


@functools.lru_cache(maxsize=1024)
def _compact_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    name = dtype.encode("ascii")
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
) -> npt.NDArray[Any]:
    if size != len(data) - start:
        raise DecodeError(
            f"an array's header claims shape {shape} of {dtype} ({size} bytes), and {len(data) - start} bytes follow it"
        )
    try:
        return np.ndarray(shape, dtype, data, start).copy() if size else np.empty(shape, dtype)
    except ValueError as error:
        raise DecodeError(f"an array's header claims the shape {shape}, which NumPy cannot make") from error


def _npy_bytes(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    return buffer.getvalue()


def _read_npy(data: bytes | memoryview) -> npt.NDArray[Any]:
    # The header is a few hundred bytes; only as much is copied out.
    file = io.BytesIO(bytes(data[:20_000]))
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise DecodeError(f"the bytes begin like an .npy file and are none: {error}") from error
    if dtype.hasobject or dtype.itemsize == 0:
        raise DecodeError(f"an .npy file of dtype {dtype} holds pickled objects or nothing, which is never read")
    array = _take(data, file.tell(), dtype, shape[::-1] if fortran else shape, _size(dtype, shape))
    return array.T if fortran else array
