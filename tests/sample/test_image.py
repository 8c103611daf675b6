"""Encoded images: stored as they are, decoded when they are read, measured by their head."""

import io
import struct
import sys
import warnings
import zlib
from typing import Annotated

import msgpack
import numpy as np
import pytest

import atdata
from atdata._sample import image_head

pillow = pytest.importorskip("PIL.Image")

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
BYTES = Annotated[bytes, atdata.ImageField()]
ARRAY = Annotated[bytes, atdata.ImageField("numpy")]
IMAGE = Annotated[bytes, atdata.ImageField(decode="pil")]


def encoded(kind="PNG", mode="RGB", size=(3, 2), **options):
    file = io.BytesIO()
    pillow.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def png_of(pixels):
    file = io.BytesIO()
    pillow.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def png_that_claims(width, height):
    """Return the head of a PNG of any size, without its pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", len(head) - 4) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunks + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_bytes_are_stored_and_read_as_they_are(kind, one):
    data = encoded(kind)
    assert one(BYTES).stored(data) == data
    assert one(BYTES).back(data) == data


def test_a_decoded_array_holds_the_pixels_and_may_be_written_to(one):
    array = one(ARRAY).back(png_of(PIXELS))
    assert (array.dtype, array.tolist()) == (np.uint8, PIXELS.tolist())
    array[0, 0, 0] = 9
    assert array[0, 0, 0] == 9


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("RGB", (2, 3, 3)), ("RGBA", (2, 3, 4)), ("L", (2, 3)), ("LA", (2, 3, 2)), ("1", (2, 3)), ("P", (2, 3, 3))],
)
def test_an_array_has_a_channel_axis_where_the_image_has_channels(mode, shape, one):
    array = one(ARRAY).back(encoded(mode=mode))
    assert (array.shape, array.dtype) == (shape, np.uint8)


def test_a_palette_with_transparency_has_four_channels(one):
    assert one(ARRAY).back(encoded(mode="P", transparency=0)).shape == (2, 3, 4)


def test_a_decoded_image_is_pillows_and_loaded(one):
    image = one(IMAGE).back(png_of(PIXELS))
    assert isinstance(image, pillow.Image)
    assert np.asarray(image).tolist() == PIXELS.tolist()


@pytest.mark.parametrize("annotation", [ARRAY | None, Annotated[bytes | None, atdata.ImageField("numpy")]], ids=str)
def test_an_optional_image_is_none_or_decoded(annotation, one):
    assert one(annotation).back(None) is None
    assert one(annotation).back(png_of(PIXELS)).shape == (2, 3, 3)


@pytest.mark.parametrize(
    "value", [PIXELS, pillow.new("RGB", (1, 1)), "x.png", bytearray(b"x")], ids=lambda v: type(v).__name__
)
@pytest.mark.parametrize("annotation", [BYTES, ARRAY, IMAGE], ids=["bytes", "numpy", "pil"])
def test_only_bytes_are_written(annotation, value, one):
    with pytest.raises(atdata.SampleValueError, match="(?s)'value': expected the bytes of .*not encoded again"):
        one(annotation).stored(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        encoded()[:20],
        encoded("JPEG")[:200],
        encoded("GIF"),
        b"RIFF\0\0\0\0WEBPjunk",
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=["empty", "junk", "cut PNG", "cut JPEG", "GIF", "no WebP", "no PNG"],
)
@pytest.mark.parametrize("annotation", [ARRAY, IMAGE], ids=["numpy", "pil"])
def test_an_image_that_cannot_be_decoded_is_refused_by_field(annotation, data, one):
    field = one(annotation)
    with pytest.raises(atdata.DecodeError, match="Holder: field 'value': the image cannot be decoded"):
        field.back(data)


def test_more_pixels_than_pillow_decodes_are_refused_before_they_are_made(one):
    with pytest.raises(atdata.DecodeError, match=r"10000000000 pixels; .*MAX_IMAGE_PIXELS"):
        one(ARRAY).back(png_that_claims(100_000, 100_000))


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGB"), ("PNG", "P"), ("PNG", "1"), ("JPEG", "L"), ("JPEG", "CMYK"), ("WEBP", "RGBA")]
)
def test_the_head_says_width_height_and_mode(kind, mode):
    assert image_head(encoded(kind, mode, (7, 5))) == (7, 5, mode)


def test_the_head_is_enough_for_the_size():
    data = encoded("JPEG", size=(700, 500))
    assert image_head(data[: len(data) // 2]) == (700, 500, "RGB")


def test_the_size_of_a_huge_image_is_read_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert image_head(png_that_claims(100_000, 100_000)) == (100_000, 100_000, "RGB")


@pytest.mark.parametrize("data", [b"", b"junk", encoded()[:20], encoded("GIF"), b"RIFF\0\0\0\0WEBPjunk"])
def test_what_is_no_image_has_no_head(data):
    assert image_head(data) is None


@pytest.mark.parametrize("wanted", ["array", "", True])
def test_an_unknown_form_is_refused(wanted):
    with pytest.raises(atdata.SchemaError, match="decoded as 'numpy' or 'pil'"):
        atdata.ImageField(wanted)


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (Annotated[str, atdata.ImageField()], "stored as bytes, not as str"),
        (Annotated[bytes, atdata.ImageField], "with parentheses"),
    ],
)
def test_an_image_that_is_no_bytes_is_refused(annotation, problem, one):
    with pytest.raises(atdata.SchemaError, match=rf"Holder\.value: .*{problem}"):
        one(annotation)


def test_without_pillow_the_error_says_what_to_install(one, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.setitem(sys.modules, name, None)
    field, payload = one(ARRAY), msgpack.packb({"value": encoded.__name__.encode()})
    with pytest.raises(atdata.MissingPackageError, match=r"Pillow.*pip install 'atdata-polars\[images\]'") as caught:
        field.type.from_bytes(payload)
    assert isinstance(caught.value, ImportError)
    assert one(BYTES).back(b"x") == b"x"  # nothing is asked of the image
