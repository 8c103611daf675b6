"""Windows as callers say them."""

import pytest

from atdata._epoch._split import Window


@pytest.mark.parametrize(
    ("given", "window"),
    [
        (None, Window()),
        (1, Window(shards=1)),
        (100, Window(shards=100)),
        ("1 B", Window(size=1)),
        ("256 MB", Window(size=256_000_000)),
        ("256MB", Window(size=256_000_000)),
        ("0.1 GB", Window(size=100_000_000)),
        ("1.5 KiB", Window(size=1536)),
        ("2 kB", Window(size=2000)),
        ("1 GiB", Window(size=1 << 30)),
        ("1 TB", Window(size=10**12)),
        ("1 TiB", Window(size=1 << 40)),
    ],
)
def test_a_window_is_everything_or_shards_or_bytes(given, window):
    assert Window.parse(given) == window


@pytest.mark.parametrize("given", [None, 3, "256 MB", "1 B", "0.5 KiB"])
def test_the_one_form_of_a_window_is_that_window(given):
    window = Window.parse(given)
    assert Window.parse(window.value) == window


@pytest.mark.parametrize(
    "given",
    [
        *("", "MB", "256", "256 mb", "256 KB", "256  MB", " 256 MB", "-1 MB", "1e3 MB", "0 MB", "0.0001 kB", "1 MBs"),
        *("٣ MB", "9999999999 TB"),
    ],
)
def test_other_text_is_refused_and_shown(given):
    with pytest.raises(ValueError, match="an amount of at least one byte, such as .256 MB.; found"):
        Window.parse(given)


@pytest.mark.parametrize("given", [0, -1, True, 1.5, b"1 MB"])
def test_other_numbers_and_things_are_refused(given):
    with pytest.raises(ValueError, match="window is a whole number from 1"):
        Window.parse(given)


def test_more_shards_than_there_can_be_are_refused():
    with pytest.raises(ValueError, match="window is at most 9223372036854775807 shards"):
        Window.parse(1 << 63)
