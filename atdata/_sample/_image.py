"""Encoded images as field values: stored as they are, measured by their head, decoded when a sample is read.

Pillow is imported here, when an image's size or pixels are wanted, and nowhere else.
"""

import io
import struct
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import numpy as np

from atdata._errors import DecodeError, MissingPackageError, SampleValueError, SchemaError

from ._checks import Codec

if TYPE_CHECKING:
    from types import ModuleType

    from PIL.Image import Image

__all__ = ["ImageField", "ImageHead", "check_encoded", "image_codec", "image_head"]

#: What Pillow raises for bytes that are no image.
_UNREADABLE = (SyntaxError, OSError, ValueError, TypeError, LookupError, EOFError, struct.error, OverflowError)


class ImageField(msgspec.Struct, frozen=True):
    """Says that a ``bytes`` field holds an encoded image: a JPEG, a PNG or a WebP.

    The bytes are stored as they are. Manifests get the columns ``<field>_width`` and ``<field>_height`` in pixels and
    ``<field>_mode``, Pillow's name of the pixel format; they are those of the image as stored, before any rotation
    that its EXIF data asks for. Sizes and pixels need Pillow: ``pip install 'atdata-polars[images]'``.

    Args:
        decode: What a sample that is read holds: None for the bytes, ``"numpy"`` for an array of (height, width) or
            (height, width, channels), ``"pil"`` for a Pillow image. Written are always bytes.

    Raises:
        SchemaError: There is no such form.

    Examples:
        >>> from typing import Annotated
        >>> import atdata
        >>> @atdata.packable
        ... class Photo:
        ...     image: Annotated[bytes, atdata.ImageField()]
        ...     label: str
        >>> list(atdata.manifest.resolve_manifest_fields(Photo))
        ['image_width', 'image_height', 'image_mode', 'label']
    """

    decode: Literal["numpy", "pil"] | None = None

    def __post_init__(self) -> None:
        if self.decode not in (None, "numpy", "pil"):
            raise SchemaError(f"an image is decoded as 'numpy' or 'pil', or not at all (None); found {self.decode!r}")


class ImageHead(NamedTuple):
    """What an image's first bytes say of it."""

    #: In pixels.
    width: int
    #: In pixels.
    height: int
    #: Pillow's name of the pixel format: RGB, L, RGBA, P, …
    mode: str


def image_head(data: bytes) -> ImageHead | None:
    """Return an image's size and mode; only its head is read. None where Pillow cannot read it.

    Raises:
        MissingPackageError: Pillow is not installed.
    """
    try:
        image = _opened(data)
    except _UNREADABLE:
        return None
    with image:
        return ImageHead(image.width, image.height, image.mode)


def image_codec(field: ImageField) -> Codec:
    """Return the codec of an image: the bytes as they are, decoded when they are read where the field says so."""
    reads = {None: None, "numpy": _read_array, "pil": _read_image}
    return Codec(bytes, check_encoded, reads[field.decode])


def check_encoded(value: Any) -> bytes:
    """Return an image's encoded bytes.

    Raises:
        SampleValueError: It is something else; a decoded image is never encoded.
    """
    if isinstance(value, bytes):
        return bytes(value)
    raise SampleValueError.wrong_type(
        value,
        "the bytes of a JPEG, PNG or WebP",
        "a decoded image is not encoded again: write the bytes it came from, read through ImageField() without decode",
    )


def _opened(data: bytes) -> "Image":
    """Open an image by its own reader: `PIL.Image.open` would warn of large ones, whose pixels nobody asked for."""
    jpeg, png, webp = _plugins()
    if data.startswith(b"\xff\xd8\xff"):
        opened: Image = jpeg.JpegImageFile(io.BytesIO(data))
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        opened = png.PngImageFile(io.BytesIO(data))
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        opened = _opened_webp(data, webp)
    else:
        raise ValueError(f"no JPEG, PNG or WebP: the bytes begin with {data[:12]!r}")
    return opened


def _opened_webp(data: bytes, webp: "ModuleType") -> "Image":
    from PIL.Image import DecompressionBombError  # noqa: PLC0415 -- imported by its reader already

    try:
        opened: Image = webp.WebPImageFile(io.BytesIO(data))
    except DecompressionBombError as error:  # this reader refuses large ones before it knows their mode
        raise ValueError(str(error)) from error
    return opened


def _plugins() -> "tuple[ModuleType, ModuleType, ModuleType]":
    try:
        from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise MissingPackageError.named(
            "Pillow", extra="images", purpose="the size or the pixels of an image"
        ) from error
    return JpegImagePlugin, PngImagePlugin, WebPImagePlugin


def _read_image(data: bytes) -> "Image":
    try:
        image = _opened(data)
        _check_pixels(image)
        image.load()
    except _UNREADABLE as error:
        raise DecodeError(f"the image cannot be decoded: {error}") from error
    return image


def _check_pixels(image: "Image") -> None:
    from PIL import Image as pillow  # noqa: N813, PLC0415 -- imported by its reader already

    limit, pixels = pillow.MAX_IMAGE_PIXELS, image.width * image.height
    if limit is not None and pixels > 2 * limit:  # where Pillow itself refuses
        raise ValueError(f"{pixels} pixels; Pillow decodes at most twice PIL.Image.MAX_IMAGE_PIXELS ({limit})")


def _read_array(data: bytes) -> np.ndarray[Any, Any]:
    image = _read_image(data)
    if image.mode == "P":  # its pixels are numbers of colours
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    return np.array(image)
