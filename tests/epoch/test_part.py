"""Every sample exactly once: any ranks, any workers, left anywhere and taken up by any others."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata import SampleBatch, SampleIndexError, StateError
from atdata._epoch._epoch import RankPart, StateDict
from atdata._epoch._order import Split
from atdata._read._read import Step, batched
from atdata._shards._locations import NO_CRC, Locations, PlainKeys
from tests.tiers import law

DIGEST = "d" * 64


class Numbers:
    """Reads numbers: each sample is its own offset. Remembers how many were asked for at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def read(self, locations: Locations) -> Iterator[int]:
        self.asked.append(len(locations))
        return iter(locations.offsets.tolist())

    def read_batches(self, locations: Locations, batch_size: int) -> Iterator[SampleBatch[int]]:
        return batched(self.read(locations), batch_size)

    def runs(self, locations: Locations) -> Iterator[memoryview]:
        raise AssertionError(locations)


def locations_of(count: int) -> Locations:
    rows = np.arange(count)
    return Locations(["a", "b"], (rows // max(1, count // 2) % 2).astype(np.uint32), rows, rows % 5 + 1, rows, None)


def part_of(count: int, split: Split | None = None, *, batched: bool = True, steps: tuple[Step, ...] = ()) -> RankPart:
    return RankPart(locations_of(count), Numbers(), DIGEST, steps=steps, split=split or Split(), batched=batched)


def begun(part: RankPart, window: Any = None, seed: int | None = 0) -> StateDict:
    return part.fresh(seed=seed, epoch=0, window=window)


def flat(items: Any) -> list[int]:
    return [each for item in items for each in (item if isinstance(item, SampleBatch) else [item])]


def loaded(part: RankPart, state: StateDict, workers: int) -> Iterator[Any]:
    """Take from workers in turns, as DataLoader does: who has no more is passed over."""
    walks = {worker: part.begin(state, worker, max(1, workers)) for worker in range(max(1, workers))}
    while walks:
        for worker, walk in list(walks.items()):
            try:
                yield next(walk)
            except StopIteration:
                del walks[worker]


def taken(items: Iterator[Any], count: int) -> list[int]:
    return flat(next(items) for _ in range(count))


WINDOWS = st.sampled_from([None, 1, 2, "20 B", "1 kB"])
WORLDS, WORKERS, SIZES = st.integers(1, 4), st.integers(0, 5), st.integers(1, 6)


@law(300)
@given(st.data())
def test_each_sample_exactly_once_however_an_epoch_is_left_and_taken_up(data: st.DataObject) -> None:
    count, window = data.draw(st.integers(0, 50)), data.draw(WINDOWS)
    state = begun(part_of(count), window)
    found: Counter[int] = Counter()
    repeats = 0
    for _ in range(data.draw(st.integers(0, 3))):
        world, workers, size = data.draw(WORLDS), data.draw(WORKERS), data.draw(SIZES)
        parts = [part_of(count, Split(rank, world, size)) for rank in range(world)]
        left = state["samples"] - state["position"]
        steps = data.draw(st.integers(0, parts[0].split.steps(left)))
        for part in parts:
            found.update(taken(loaded(part, part.checked(state, begun(part)), workers), steps))
        after = {json.dumps(part.after(state, steps)) for part in parts}
        assert len(after) == 1
        repeats += world - 1
        state = json.loads(after.pop())
    rest = flat(loaded(part_of(count, Split(batch_size=3)), state, data.draw(WORKERS)))
    assert len(set(rest)) == len(rest)
    found.update(rest)
    assert set(found) == set(range(count))
    assert found.total() - count <= repeats  # what a last step that did not come out even was filled up with


@law(200)
@given(st.data())
def test_ranks_and_workers_together_give_the_order_of_one_alone(data: st.DataObject) -> None:
    count, window, size = data.draw(st.integers(0, 60)), data.draw(WINDOWS), data.draw(SIZES)
    world, workers = data.draw(WORLDS), data.draw(WORKERS)
    alone = flat(part_of(count, batched=False).begin(begun(part_of(count), window)))
    ranks = [part_of(count, Split(rank, world, size)) for rank in range(world)]
    given = [list(loaded(part, begun(part, window), workers)) for part in ranks]
    assert len({len(batches) for batches in given}) == 1
    together = flat(batch for step in zip(*given, strict=True) for batch in step)
    assert together[:count] == alone
    assert len(together) - count < world


@law(200)
@given(st.data())
def test_a_worker_goes_on_where_its_own_state_was_saved(data: st.DataObject) -> None:
    count, size, workers = data.draw(st.integers(0, 60)), data.draw(SIZES), data.draw(st.integers(1, 4))
    keep = data.draw(st.sampled_from([(), (Step("filter", lambda number: number % 3 != 1),)]))
    in_batches, world = data.draw(st.booleans()), data.draw(WORLDS)
    split = Split(data.draw(st.integers(0, world - 1)), world, size if in_batches else 1)
    part = part_of(count, split, batched=in_batches, steps=keep)
    worker = data.draw(st.integers(0, workers - 1))
    everything = flat(part.begin(begun(part), worker, workers))
    walk = part.begin(begun(part), worker, workers)
    items = list(itertools.islice(walk, data.draw(st.integers(0, 20))))
    state = part.checked(json.loads(json.dumps(walk.state_dict())), begun(part))
    if workers > 1 or world == 1 or keep:
        assert flat(items) + flat(part.begin(state, worker, workers)) == everything


@law(100)
@given(st.integers(0, 60), SIZES, st.integers(0, 20), WINDOWS)
def test_filtered_and_mapped_samples_come_once_and_batches_stay_full(
    count: int, size: int, kill: int, window: Any
) -> None:
    steps = (Step("map", lambda number: 10 * number), Step("filter", lambda number: number % 30 != 10))
    part = part_of(count, Split(batch_size=size), steps=steps)
    walk = part.begin(begun(part, window))
    first = list(itertools.islice(walk, kill))
    rest = list(part.begin(walk.state_dict()))
    assert all(len(batch) == size for batch in [*first, *rest][:-1])
    assert sorted(flat(first) + flat(rest)) == [10 * number for number in range(count) if number % 3 != 1]


def test_rows_are_asked_for_in_runs_of_bounded_length_that_begin_small() -> None:
    part = part_of(300_000, Split(batch_size=100))
    assert sum(len(batch) for batch in part.begin(begun(part))) == 300_000
    assert part.reader.asked[0] <= 1024
    assert max(part.reader.asked) <= 1 << 16
    assert len(part.reader.asked) < 15


def test_a_batch_larger_than_a_run_is_one_batch() -> None:
    part = part_of(5000, Split(batch_size=2000))
    assert [len(batch) for batch in part.begin(begun(part))] == [2000, 2000, 1000]


def test_dropping_leaves_out_the_last_step_and_the_state_says_that_it_is_left() -> None:
    part = part_of(10, Split(batch_size=4, drop=True))
    walk = part.begin(begun(part))
    assert [len(batch) for batch in walk] == [4, 4]
    assert walk.state_dict()["position"] == 8
    assert part.length() == 2


@pytest.mark.parametrize(("batched", "length"), [(True, 3), (False, 10)])
def test_the_length_is_what_a_rank_gets(batched: bool, length: int) -> None:  # noqa: FBT001 -- a parameter
    part = part_of(20, Split(1, 2, 4 if batched else 1), batched=batched)
    assert part.length() == length == len(list(part.begin(begun(part))))


def test_a_filter_makes_length_and_numbers_of_batches_unknown() -> None:
    part = part_of(20, Split(batch_size=4), steps=(Step("filter", bool),))
    with pytest.raises(TypeError, match="known once they are read"):
        part.length()
    with pytest.raises(ValueError, match="a filter decides how long they are"):
        part.after(begun(part), 1)


def test_samples_one_by_one_are_no_batches() -> None:
    with pytest.raises(ValueError, match="samples come one by one"):
        part_of(20, batched=False).after(begun(part_of(20)), 1)


@pytest.mark.parametrize("batches", [-1, 6, True])
def test_more_batches_than_there_were_are_refused(batches: int) -> None:
    with pytest.raises(ValueError, match="from 0 to the 5 that the epoch still had"):
        part_of(20, Split(batch_size=4)).after(begun(part_of(20)), batches)


def test_a_state_of_other_samples_is_refused() -> None:
    state = RankPart(locations_of(20), Numbers(), "e" * 64, split=Split(), batched=True).fresh(
        seed=0, epoch=0, window=None
    )
    with pytest.raises(StateError, match="the state is of other samples"):
        part_of(20).checked(state, begun(part_of(20)))


def test_the_state_of_one_worker_is_refused_by_others() -> None:
    part = part_of(20, Split(batch_size=2))
    state = part.begin(begun(part), 1, 3).state_dict()
    with pytest.raises(StateError, match="of worker 1 of 3, .* and this is worker 0 of 1"):
        part.begin(part.checked(state, begun(part)))
    with pytest.raises(StateError, match="and this is rank 1 of 2 with batches of 2"):
        part_of(20, Split(1, 2, 2)).checked(state, begun(part))


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1", 1 << 64])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed is a whole number from 0"):
        part_of(3).fresh(seed=seed, epoch=0, window=None)


def test_a_numpy_number_is_a_number_that_json_holds() -> None:
    state = part_of(3).fresh(seed=np.int64(3), epoch=np.int32(2), window=None)  # type: ignore[arg-type]
    assert json.loads(json.dumps(state)) == state == part_of(3).fresh(seed=3, epoch=2, window=None)


def test_samples_are_taken_by_position_through_maps() -> None:
    part = part_of(10, steps=(Step("map", lambda number: -number),))
    assert part.take([3, -1, 3]) == [-3, -9, -3]
    with pytest.raises(SampleIndexError):
        part.take([10])


def test_who_reads_elsewhere_gets_no_polars_and_keys_only_without_checksums() -> None:
    keys = pl.Series([f"k{row}" for row in range(4)])
    with_keys = Locations(["a"], np.zeros(4, np.uint32), np.arange(4), np.ones(4, np.int64), np.arange(4), keys)
    assert with_keys.plain().keys is None
    lacking = Locations(["a"], np.zeros(4, np.uint32), np.arange(4), np.ones(4, np.int64), np.full(4, NO_CRC), keys)
    plain = lacking.plain()
    assert isinstance(plain.keys, PlainKeys)
    assert plain[np.array([2, 0])].keys.to_list() == ["k2", "k0"]
    assert plain.to_frame()["__key__"].to_list() == keys.to_list()
    with pytest.raises(ValueError, match="keys were left out"):
        with_keys.plain().to_frame()
