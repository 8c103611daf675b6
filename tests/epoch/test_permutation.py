"""Permutations: each number once, as if drawn by lot, and the same ones everywhere."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from atdata._epoch._order import Permutation
from tests.tiers import law

#: The two ways: numbers that are sorted, and numbers that are enciphered.
SMALL, LARGE = 1 << 16, (1 << 16) + 1


def whole(count: int, key: str = "a key") -> NDArray[np.int64]:
    return Permutation(count, key).at(np.arange(count))


def deviation(found: NDArray[np.integer]) -> float:
    """Return by how many standard deviations counts that chance makes equal on average differ from equal ones."""
    expected = found.sum() / found.size
    return float((((found - expected) ** 2 / expected).sum() - (found.size - 1)) / math.sqrt(2 * (found.size - 1)))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, SMALL, LARGE, LARGE + 1, 250 * 263, 256 * 257, 300_000])
def test_every_number_is_there_once(count: int) -> None:
    assert np.array_equal(np.sort(whole(count)), np.arange(count))


@law(30)
@given(st.one_of(st.integers(1, 2000), st.integers(LARGE, 10**12)), st.text(), st.data())
def test_numbers_at_different_positions_are_different_and_in_range(count: int, key: str, data: st.DataObject) -> None:
    positions = data.draw(st.lists(st.integers(0, count - 1), unique=True, max_size=50))
    found = Permutation(count, key).at(np.array(positions, np.int64))
    assert len(np.unique(found)) == len(positions)
    assert all(0 <= number < count for number in found.tolist())


@pytest.mark.parametrize("count", [SMALL, LARGE])
def test_a_position_gives_its_number_whatever_else_is_asked(count: int) -> None:
    everything = whole(count)
    some = np.array([count - 1, 7, 7, 0])
    assert np.array_equal(Permutation(count, "a key").at(some), everything[some])


@pytest.mark.parametrize(
    ("count", "first", "last"),
    [
        (10, [4, 1, 8, 9, 6, 3], [2, 5, 0]),
        (SMALL, [29582, 15640, 58571, 53410, 61374, 36379], [9664, 60245, 27442]),
        (LARGE, [41960, 59494, 8753, 55539, 65191, 56214], [26380, 28890, 24792]),
        (10_000_000_000, [6349564936, 2759895598, 4934072203, 9761682153], [33638347, 5035070799, 3375392351]),
    ],
)
def test_the_numbers_never_change(count: int, first: list[int], last: list[int]) -> None:
    permutation = Permutation(count, "golden")
    assert permutation.at(np.arange(len(first))).tolist() == first
    assert permutation.at(np.arange(count - len(last), count)).tolist() == last


def test_every_permutation_of_four_is_as_likely() -> None:
    found = Counter(tuple(whole(4, f"key {number}").tolist()) for number in range(4800))
    counts = np.array([found[each] for each in itertools.permutations(range(4))])
    assert abs(deviation(counts)) < 4


@pytest.mark.parametrize("count", [1000, LARGE])
def test_the_first_numbers_of_many_keys_are_spread_evenly(count: int) -> None:
    first = np.array([Permutation(count, f"key {number}").at(np.arange(2)) for number in range(3000)])
    assert abs(deviation(np.bincount(first[:, 0] * 30 // count, minlength=30))) < 4
    assert abs(deviation(np.bincount((first[:, 1] - first[:, 0]) % count * 30 // count, minlength=30))) < 4


@pytest.mark.parametrize("count", [SMALL, LARGE, 1_000_003])
def test_neither_positions_nor_neighbours_nor_another_key_tell_anything_of_a_number(count: int) -> None:
    numbers, others = whole(count), whole(count, "another key")
    for one, two in ((np.arange(count), numbers), (numbers[:-1], numbers[1:]), (numbers, others)):
        joint = np.bincount((one * 64 // count) * 64 + two * 64 // count, minlength=64 * 64)
        assert abs(deviation(joint)) < 4


@pytest.mark.parametrize("count", [SMALL, LARGE, 1_000_003])
def test_steps_from_a_number_to_the_next_have_no_pattern(count: int) -> None:
    steps = np.diff(whole(count)) % count
    assert abs(deviation(np.bincount(steps * 256 // count, minlength=256))) < 4
    assert np.bincount(steps).max() < 12  # chance gives one of a million steps at most ten times
