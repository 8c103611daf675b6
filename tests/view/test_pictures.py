"""Arrays and encoded images as pictures, read back by Pillow."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from atdata._view import picture_of
from tests.tiers import law

pillow = pytest.importorskip("PIL.Image")


def read(uri: str | None) -> NDArray[Any]:
    assert uri is not None
    head, _, data = uri.partition(";base64,")
    assert head.startswith("data:image/")
    return np.array(pillow.open(io.BytesIO(base64.b64decode(data))))


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@law(100)
@given(st.integers(4, 64), st.integers(4, 64), st.sampled_from([(), (1,), (3,), (4,)]))
def test_small_pictures_are_the_array(height: int, width: int, channels: tuple[int, ...]) -> None:
    array = noise(height, width, *channels)
    array[0, 0] = 255
    if max(height, width) > 8 * min(height, width):
        assert picture_of(array) is None
    else:
        assert np.array_equal(
            read(picture_of(array)), array.reshape(height, width, *(channels if channels != (1,) else ()))
        )


@law(100)
@given(st.integers(65, 700), st.integers(65, 700))
def test_large_arrays_are_thinned_out(height: int, width: int) -> None:
    array = noise(height, width, 3)
    step = -(-max(height, width) // 64)
    if max(height, width) <= 8 * min(height, width):
        assert np.array_equal(read(picture_of(array)), array[::step, ::step])


def test_a_view_of_an_array_is_a_picture_too() -> None:
    array = noise(20, 30)
    assert np.array_equal(read(picture_of(array.T[::-1])), array.T[::-1])


def test_dark_greys_are_stretched() -> None:
    array = np.zeros((8, 8), np.uint8)
    array[0, 0], array[1, 1] = 16, 8
    found = read(picture_of(array))
    assert (found[0, 0], found[1, 1], found[2, 2]) == (255, 127, 0)
    assert read(picture_of(np.zeros((8, 8), np.uint8))).max() == 0


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((8, 8), np.float32),
        np.zeros((8, 8), np.int8),
        np.zeros(64, np.uint8),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros((3, 100), np.uint8),
        np.zeros((8, 100), np.uint8),
        np.zeros((0, 0), np.uint8),
        "text",
        b"no image",
        None,
        3,
    ],
    ids=lambda each: str(getattr(each, "shape", each)) + str(getattr(each, "dtype", "")),
)
def test_what_does_not_look_like_an_image_is_no_picture(value: Any) -> None:
    assert picture_of(value) is None


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp"])
def test_encoded_images_are_shown_as_they_are(kind: str) -> None:
    file = io.BytesIO()
    pillow.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, kind)
    uri = picture_of(file.getvalue())
    assert uri == f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def test_large_encoded_images_are_left_out() -> None:
    assert picture_of(b"\xff\xd8\xff" + bytes(12 << 10)) is None
