"""The least code that makes a sample of a payload, for what brings no decoder of its own, and for limits."""

import struct

import msgspec
import numpy as np
from common import SHAPE, Sample

#: How the compact form of an array begins: its dtype and its shape.
_PREFIX = b"\x03|u1" + struct.pack("<B3q", len(SHAPE), *SHAPE)
_encode = msgspec.msgpack.Encoder().encode


class _Packed(msgspec.Struct, gc=False):
    image: memoryview
    label: str
    confidence: float


_decode = msgspec.msgpack.Decoder(_Packed).decode


def decode(payload: bytes | memoryview) -> Sample:
    """Return the sample; its image is a view that cannot be written to.

    Raises:
        ValueError: The image is not of the one shape that is measured.
    """
    packed = _decode(payload)
    if packed.image[: len(_PREFIX)] != _PREFIX:
        raise ValueError("another dtype or shape than the benchmark's")
    return Sample(np.ndarray(SHAPE, np.uint8, packed.image, len(_PREFIX)), packed.label, packed.confidence)


def encode(sample: Sample) -> bytes:
    """Return the payload."""
    image = _PREFIX + sample.image.tobytes()
    return _encode({"image": image, "label": sample.label, "confidence": sample.confidence})
