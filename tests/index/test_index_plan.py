"""Which parts stay, and which shards make new ones."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atdata._index._plan import ShardRun, plan
from tests.tiers import law

#: Three parts of three, two and four shards.
STARTS = np.array([0, 3, 5, 9])
FULL = [1.0, 1.0, 1.0]


def planned(rows, filled=FULL):
    return plan(np.array(rows, np.int64), STARTS, filled)


def test_parts_of_which_nothing_changed_stay():
    assert planned(range(9)) == [ShardRun(0, 0, 3), ShardRun(1, 3, 5), ShardRun(2, 5, 9)]


def test_shards_at_the_end_make_parts_of_their_own():
    assert planned([*range(9), -1, -1]) == [
        ShardRun(0, 0, 3),
        ShardRun(1, 3, 5),
        ShardRun(2, 5, 9),
        ShardRun(-1, 9, 11),
    ]


def test_a_part_with_a_shard_that_changed_is_made_anew():
    assert planned([0, 1, 2, 3, -1, 5, 6, 7, 8]) == [ShardRun(0, 0, 3), ShardRun(-1, 3, 5), ShardRun(2, 5, 9)]


def test_a_part_that_lost_a_shard_is_made_anew():
    assert planned([0, 2, 3, 4, 5, 6, 7, 8]) == [ShardRun(-1, 0, 2), ShardRun(1, 2, 4), ShardRun(2, 4, 8)]


def test_a_part_into_which_a_shard_came_is_made_anew():
    assert planned([0, -1, 1, 2, 3, 4]) == [ShardRun(-1, 0, 4), ShardRun(1, 4, 6)]


def test_small_neighbours_are_put_together():
    assert planned(range(9), [1.0, 0.2, 0.3]) == [ShardRun(0, 0, 3), ShardRun(-1, 3, 9)]


def test_a_small_part_between_large_ones_stays():
    assert planned(range(9), [1.0, 0.1, 1.0]) == [ShardRun(0, 0, 3), ShardRun(1, 3, 5), ShardRun(2, 5, 9)]


def test_a_small_part_joins_shards_that_are_new():
    assert planned([*range(9), -1], [1.0, 1.0, 0.1]) == [ShardRun(0, 0, 3), ShardRun(1, 3, 5), ShardRun(-1, 5, 10)]


def test_shards_in_another_order_are_made_anew():
    assert planned([3, 4, 0, 2, 1]) == [ShardRun(1, 0, 2), ShardRun(-1, 2, 5)]


def test_no_shards_need_no_part():
    assert planned([]) == []


@law(100)
@given(
    st.lists(st.integers(-1, 8), max_size=14, unique_by=lambda row: row if row >= 0 else object()),
    st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
)
def test_every_shard_is_in_one_run_and_what_stays_is_a_whole_part(rows, filled):
    runs = planned(rows, filled)
    assert [position for run in runs for position in range(run.start, run.end)] == list(range(len(rows)))
    for run in runs:
        if run.part >= 0:
            assert rows[run.start : run.end] == list(range(STARTS[run.part], STARTS[run.part + 1]))
    assert not any(one.part < 0 and other.part < 0 for one, other in itertools.pairwise(runs))
