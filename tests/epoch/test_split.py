"""Ranks and workers: arithmetic over what is left of an epoch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atdata._epoch._order import Split
from tests.tiers import law

LEFT, WORLD, BATCH = st.integers(0, 60), st.integers(1, 5), st.integers(1, 7)
LAW = law(100)


def batches(split: Split, left: int) -> list[list[int]]:
    steps = range(split.steps(left))
    return [split.positions(left, np.array([step])).tolist() for step in steps]


def ranks(world_size: int, batch_size: int, *, drop: bool) -> list[Split]:
    return [Split(rank, world_size, batch_size, drop) for rank in range(world_size)]


@LAW
@given(LEFT, WORLD, BATCH, st.booleans())
def test_ranks_get_as_many_batches_as_long(left: int, world: int, size: int, drop: bool) -> None:  # noqa: FBT001 -- drawn
    lengths = [[len(batch) for batch in batches(split, left)] for split in ranks(world, size, drop=drop)]
    assert all(each == lengths[0] for each in lengths)
    assert all(length == size for length in lengths[0][:-1])
    assert sum(lengths[0]) == Split(0, world, size, drop).samples(left, len(lengths[0]))


@LAW
@given(LEFT, WORLD, BATCH)
def test_padding_repeats_less_than_one_sample_a_rank_from_the_start(left: int, world: int, size: int) -> None:
    given = sorted(each for split in ranks(world, size, drop=False) for batch in batches(split, left) for each in batch)
    assert set(given) == set(range(left))
    repeated = len(given) - left
    assert 0 <= repeated < world
    if left >= repeated:
        assert given == sorted([*range(left), *range(repeated)])


@LAW
@given(LEFT, WORLD, BATCH)
def test_dropping_gives_full_batches_each_sample_once_and_loses_less_than_a_step(
    left: int, world: int, size: int
) -> None:
    given = [batch for split in ranks(world, size, drop=True) for batch in batches(split, left)]
    assert all(len(batch) == size for batch in given)
    flat = sorted(each for batch in given for each in batch)
    assert flat == list(range(len(flat)))
    assert left - len(flat) < world * size


@LAW
@given(LEFT, BATCH)
def test_one_rank_alone_repeats_and_drops_nothing(left: int, size: int) -> None:
    assert [each for batch in batches(Split(batch_size=size), left) for each in batch] == list(range(left))


def test_a_step_takes_the_ranks_batches_side_by_side() -> None:
    assert batches(Split(0, 2, 3), 14) == [[0, 1, 2], [6, 7, 8], [12]]
    assert batches(Split(1, 2, 3), 14) == [[3, 4, 5], [9, 10, 11], [13]]
    assert batches(Split(1, 2, 3), 13) == [[3, 4, 5], [9, 10, 11], [0]]


@LAW
@given(LEFT, WORLD, BATCH, st.booleans(), st.data())
def test_some_steps_at_once_are_those_steps(
    left: int,
    world: int,
    size: int,
    drop: bool,  # noqa: FBT001 -- drawn
    data: st.DataObject,
) -> None:
    split = Split(data.draw(st.integers(0, world - 1)), world, size, drop)
    each = batches(split, left)
    some = sorted(data.draw(st.sets(st.integers(0, len(each) - 1)))) if each else []
    found = split.positions(left, np.array(some, np.int64))
    assert found.tolist() == [position for step in some for position in each[step]]


@LAW
@given(LEFT, WORLD, BATCH, st.data())
def test_after_some_steps_everything_before_is_done_and_nothing_after(
    left: int, world: int, size: int, data: st.DataObject
) -> None:
    steps = data.draw(st.integers(0, Split(0, world, size).steps(left)))
    given = {
        each for split in ranks(world, size, drop=False) for batch in batches(split, left)[:steps] for each in batch
    }
    assert given == set(range(Split(0, world, size).consumed(left, steps)))
