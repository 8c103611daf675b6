"""Windows as callers say them."""

import pytest

from atdata._epoch._order import ShuffleWindow


@pytest.mark.parametrize(
    ("given", "window"),
    [
        (None, ShuffleWindow()),
        (1, ShuffleWindow(shards=1)),
        (100, ShuffleWindow(shards=100)),
        ("1 B", ShuffleWindow(size=1)),
        ("256 MB", ShuffleWindow(size=256_000_000)),
        ("256MB", ShuffleWindow(size=256_000_000)),
        ("0.1 GB", ShuffleWindow(size=100_000_000)),
        ("1.5 KiB", ShuffleWindow(size=1536)),
        ("2 kB", ShuffleWindow(size=2000)),
        ("1 GiB", ShuffleWindow(size=1 << 30)),
        ("1 TB", ShuffleWindow(size=10**12)),
        ("1 TiB", ShuffleWindow(size=1 << 40)),
    ],
)
def test_a_window_is_everything_or_shards_or_bytes(given, window):
    assert ShuffleWindow.parse(given) == window


@pytest.mark.parametrize("given", [None, 3, "256 MB", "1 B", "0.5 KiB"])
def test_the_one_form_of_a_window_is_that_window(given):
    window = ShuffleWindow.parse(given)
    assert ShuffleWindow.parse(window.value) == window


@pytest.mark.parametrize(
    "given",
    [
        *("", "MB", "256", "256 mb", "256 KB", "256  MB", " 256 MB", "-1 MB", "1e3 MB", "0 MB", "0.0001 kB", "1 MBs"),
        *("٣ MB", "9999999999 TB"),
    ],
)
def test_other_text_is_refused_and_shown(given):
    with pytest.raises(ValueError, match="an amount of at least one byte, such as .256 MB.; found"):
        ShuffleWindow.parse(given)


@pytest.mark.parametrize("given", [0, -1, True, 1.5, b"1 MB"])
def test_other_numbers_and_things_are_refused(given):
    with pytest.raises(ValueError, match="window is a whole number from 1"):
        ShuffleWindow.parse(given)


def test_more_shards_than_there_can_be_are_refused():
    with pytest.raises(ValueError, match="window is at most 9223372036854775807 shards"):
        ShuffleWindow.parse(1 << 63)
