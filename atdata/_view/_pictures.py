"""Values that look like images, as small pictures."""

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["picture_of"]

#: The longest side of a picture in pixels; larger arrays are thinned out.
_SIDE = 64
#: Encoded images of more bytes are left out.
_ENCODED = 12 << 10
#: Arrays that are narrower, or whose sides differ more, are taken for tables of numbers.
_NARROW, _RATIO = 4, 8
#: Greys of which none is brighter than this are stretched, or nothing would be seen.
_DARK = 63
#: How encoded images begin, and their types.
_SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"GIF8": "gif"}
#: PNG's colour types, by channels.
_COLOURS = {1: 0, 3: 2, 4: 6}
#: What may follow height and width.
_SHAPES = ((), *((channels,) for channels in _COLOURS))


def picture_of(value: Any) -> str | None:
    """Return a value as a data URI where it looks like an image and is small enough; else None.

    Images are 8-bit arrays of (height, width) or (height, width, 1, 3 or 4), and bytes of a JPEG, PNG, GIF or WebP.
    """
    if isinstance(value, bytes):
        kind = _kind_of(value)
        return _uri(kind, value) if kind is not None and len(value) <= _ENCODED else None
    if not isinstance(value, np.ndarray) or not _looks_like_pixels(value):
        return None
    return _uri("png", _png(_thinned(value)))


def _kind_of(data: bytes) -> str | None:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), None)


def _looks_like_pixels(array: NDArray[Any]) -> bool:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in _SHAPES:
        return False
    short, long = sorted(array.shape[:2])
    return bool(short >= _NARROW and long <= _RATIO * short)


def _thinned(array: NDArray[Any]) -> NDArray[np.uint8]:
    step = -(-max(array.shape[:2]) // _SIDE)
    pixels: NDArray[np.uint8] = array[::step, ::step].reshape(
        -(-array.shape[0] // step), -(-array.shape[1] // step), -1
    )
    brightest = int(np.max(pixels))
    if pixels.shape[2] == 1 and 0 < brightest <= _DARK:
        pixels = (pixels * (255.0 / brightest)).astype(np.uint8)
    return pixels


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels of (height, width, channels) as a PNG."""
    height, width, channels = pixels.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
