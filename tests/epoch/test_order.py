"""The order of an epoch: a permutation for any window, whose windows hold together what they should."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from atdata._epoch._order import Order, ShuffleUnits, ShuffleWindow
from tests.tiers import law

#: Shard and size in bytes of each row.
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 50)), max_size=60)
WINDOWS = st.one_of(
    st.just(ShuffleWindow()),
    st.builds(ShuffleWindow, shards=st.integers(1, 7), size=st.none()),
    st.builds(ShuffleWindow, shards=st.none(), size=st.integers(1, 400)),
)


def order_of(rows: list[tuple[int, int]], window: ShuffleWindow, key: str | None = "a key") -> Order:
    shards = np.array([shard for shard, _ in rows], np.uint32)
    sizes = np.array([size for _, size in rows], np.int64)
    layout = None if window == ShuffleWindow() else ShuffleUnits.of(shards, sizes, window)
    return Order(len(rows), layout, window, key)


def whole(rows: list[tuple[int, int]], window: ShuffleWindow, key: str | None = "a key") -> NDArray[np.int64]:
    return order_of(rows, window, key).rows(np.arange(len(rows)))


def shards_of(count: int, per_shard: int, size: int = 10) -> list[tuple[int, int]]:
    return [(row // per_shard, size) for row in range(count)]


@law(100)
@given(ROWS, WINDOWS, st.text())
def test_every_row_comes_once_for_any_window(rows: list[tuple[int, int]], window: ShuffleWindow, key: str) -> None:
    assert sorted(whole(rows, window, key)) == list(range(len(rows)))


@law(100)
@given(ROWS, WINDOWS, st.data())
def test_a_position_gives_its_row_whatever_else_is_asked(
    rows: list[tuple[int, int]], window: ShuffleWindow, data: st.DataObject
) -> None:
    everything = whole(rows, window)
    positions = data.draw(st.lists(st.integers(0, len(rows) - 1)) if rows else st.just([]))
    found = order_of(rows, window).rows(np.array(positions, np.int64))
    assert found.tolist() == [everything[position] for position in positions]


@law(100)
@given(ROWS, st.integers(1, 4))
def test_a_window_of_shards_holds_all_rows_of_so_many_shards(rows: list[tuple[int, int]], count: int) -> None:
    order = order_of(rows, ShuffleWindow(shards=count))
    found = [rows[row][0] for row in order.rows(np.arange(len(rows)))]
    windows = [set(found[first:end]) for first, end in itertools.pairwise(order._windows.tolist())]
    assert all(len(window) == count for window in windows[:-1])
    assert sum(len(window) for window in windows) == len({shard for shard, _ in rows})  # no shard is in two


@law(100)
@given(ROWS, st.integers(1, 400))
def test_a_window_of_bytes_is_within_its_bytes_or_one_piece(rows: list[tuple[int, int]], size: int) -> None:
    order = order_of(rows, ShuffleWindow(size=size))
    sizes = np.array([rows[row][1] for row in order.rows(np.arange(len(rows)))])
    bounds = order._windows.tolist()
    assert bounds[0] == 0
    assert bounds[-1] == len(rows)
    largest = max((size for _, size in rows), default=0)
    for first, end in itertools.pairwise(bounds):
        assert sizes[first:end].sum() <= max(size, -(-size // 16) + largest)


def test_a_window_of_bytes_is_filled_from_many_places() -> None:
    rows = shards_of(4000, per_shard=1000)  # four shards of 10,000 bytes
    order = order_of(rows, ShuffleWindow(size=8000))
    first = order.rows(np.arange(order._windows[1]))
    assert 8000 - 500 < 10 * len(first) <= 8000
    assert len({row // 50 for row in first.tolist()}) == 16  # pieces of 500 bytes


def test_the_shards_of_a_window_are_mixed_and_drawn_from_all() -> None:
    rows = shards_of(10_000, per_shard=1000)
    first = [rows[row][0] for row in whole(rows, ShuffleWindow(shards=2))[:2000]]
    assert len({*first}) == 2
    assert 400 < first[:1000].count(first[0]) < 600


def test_pieces_of_many_rows_are_cut_where_their_bytes_say() -> None:
    sizes = np.random.default_rng(0).integers(1, 100, 300_000)
    layout = ShuffleUnits.of(np.zeros(300_000, np.uint32), sizes, ShuffleWindow(size=16_000))
    begins = np.cumsum(sizes) - sizes
    expected = [np.searchsorted(begins, stretch) for stretch in range(0, int(sizes.sum()), 1000)]
    assert layout.bounds.tolist() == [*np.unique(expected), 300_000]
    assert layout.sizes.sum() == sizes.sum()


def test_shards_come_in_a_shuffled_order() -> None:
    rows = shards_of(1000, per_shard=10)
    shards = [rows[row][0] for row in whole(rows, ShuffleWindow(shards=1))[::10]]
    assert sum(one + 1 == two for one, two in itertools.pairwise(shards)) < 10


def test_rows_of_a_shard_that_lie_apart_are_put_together() -> None:
    rows = [(row % 3, 10) for row in range(30)]
    found = [rows[row][0] for row in whole(rows, ShuffleWindow(shards=1))]
    assert sorted(found[:10]) == [found[0]] * 10
    assert sorted(found[10:20]) == [found[10]] * 10


def test_without_a_key_the_order_is_that_of_the_dataset() -> None:
    rows = shards_of(30, per_shard=10)
    for window in (ShuffleWindow(), ShuffleWindow(shards=1), ShuffleWindow(size=100)):
        assert whole(rows, window, None).tolist() == list(range(30))


@pytest.mark.parametrize("window", [ShuffleWindow(), ShuffleWindow(shards=2), ShuffleWindow(size=500)])
def test_another_key_is_another_order(window: ShuffleWindow) -> None:
    rows = shards_of(500, per_shard=100)
    one, two = whole(rows, window), whole(rows, window, "another key")
    assert not np.array_equal(one, two)
    assert (one == two).sum() < 20


def test_the_order_of_windows_differs_from_window_to_window() -> None:
    found = whole(shards_of(2000, per_shard=1000), ShuffleWindow(shards=1)) % 1000
    assert (found[:1000] == found[1000:]).sum() < 20


@pytest.mark.parametrize(
    ("window", "first"),
    [
        (ShuffleWindow(), [552, 706, 143, 250, 182, 497, 674, 880]),
        (ShuffleWindow(shards=2), [543, 582, 422, 527, 571, 479, 499, 568]),
        (ShuffleWindow(size=500), [203, 893, 139, 655, 140, 989, 972, 807]),
    ],
)
def test_the_order_never_changes(window: ShuffleWindow, first: list[int]) -> None:
    assert whole(shards_of(1000, per_shard=100), window, "golden")[: len(first)].tolist() == first
