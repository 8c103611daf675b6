"""Planning what to read, without reading."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata._read._ranges import Cost, cost_of, plan, windows
from atdata._shards._locations import NO_CRC, Locations
from atdata._storage import LOCAL, ReadLimits
from tests.tiers import law

#: Places of small numbers, so that they meet: shard, offset, size. They may overlap and repeat.
PLACES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300), st.integers(1, 40)), max_size=60)
LIMITS = st.builds(
    ReadLimits,
    gap=st.integers(0, 60),
    longest=st.integers(1, 200),
    dense=st.sampled_from([0.0, 0.3, 0.7, 1.0, 2.0]),
    first_window=st.integers(1, 100),
    window=st.integers(100, 400),
    files=st.just(8),
)
#: Samples as a tar holds them: side by side or apart, never overlapping; then any of them, in any order.
TARS = st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 40)), min_size=1, max_size=25), max_size=3)
LAW = law(150, soaking=3_000)


def columns(places):
    shards, offsets, sizes = zip(*places, strict=True) if places else ((), (), ())
    return np.array(shards, np.uint32), np.array(offsets, np.int64), np.array(sizes, np.int64)


def requests(planned):
    return list(zip(planned.shards.tolist(), planned.offsets.tolist(), planned.lengths.tolist(), strict=True))


def in_tars(tars):
    places = []
    for shard, tar in enumerate(tars):
        at = 0
        for gap, size in tar:
            places.append((shard, at + gap, size))
            at += gap + size
    return places


@st.composite
def picked(draw):
    """Draw some samples of some tars, in any order, as often as it likes."""
    places = in_tars(draw(TARS))
    return draw(st.lists(st.sampled_from(places), max_size=60)) if places else []


def content(shard, offset, length):
    """Return what stands at a place: no two places of a few hundred bytes hold the same."""
    return [(shard, at) for at in range(offset, offset + length)]


@LAW
@given(PLACES, LIMITS)
def test_each_sample_gets_the_bytes_that_a_naive_reader_would_read(places, limits):
    planned = plan(*columns(places), limits)
    together = [byte for request in requests(planned) for byte in content(*request)]
    found = [together[at : at + size] for at, (_, _, size) in zip(planned.starts.tolist(), places, strict=True)]
    assert found == [content(*place) for place in places]


@LAW
@given(PLACES, LIMITS)
def test_no_byte_is_asked_for_twice(places, limits):
    asked = [byte for request in requests(plan(*columns(places), limits)) for byte in content(*request)]
    assert len(asked) == len(set(asked))


@LAW
@given(PLACES, LIMITS)
def test_requests_go_shard_by_shard_by_ascending_offset(places, limits):
    planned = requests(plan(*columns(places), limits))
    assert planned == sorted(planned)


@LAW
@given(picked(), LIMITS)
def test_a_request_is_no_longer_than_the_limit_unless_one_sample_is(places, limits):
    sizes = {(shard, offset): size for shard, offset, size in places}
    for shard, offset, length in requests(plan(*columns(places), limits)):
        assert length <= limits.longest or length == sizes[shard, offset]


@LAW
@given(picked(), LIMITS)
def test_a_request_begins_and_ends_with_a_wanted_byte(places, limits):
    begins = {(shard, offset) for shard, offset, _ in places}
    ends = {(shard, offset + size) for shard, offset, size in places}
    for shard, offset, length in requests(plan(*columns(places), limits)):
        assert (shard, offset) in begins
        assert (shard, offset + length) in ends


@LAW
@given(picked(), LIMITS.map(lambda limits: dataclasses.replace(limits, dense=2.0)))
def test_only_gaps_within_the_limit_are_read(places, limits):
    wanted = {byte for place in places for byte in content(*place)}
    for request in requests(plan(*columns(places), limits)):
        for is_wanted, run in itertools.groupby(content(*request), wanted.__contains__):
            assert is_wanted or len(list(run)) <= limits.gap


@LAW
@given(picked(), LIMITS.map(lambda limits: dataclasses.replace(limits, dense=2.0)))
def test_neighbours_within_the_gap_are_one_request_unless_it_would_be_too_long(places, limits):
    sizes = {(shard, offset): size for shard, offset, size in places}
    for one, other in itertools.pairwise(requests(plan(*columns(places), limits))):
        far = one[0] != other[0] or other[1] - one[1] - one[2] > limits.gap
        assert far or other[1] + sizes[other[:2]] - one[1] > limits.longest


def alternating(count, wanted):
    """Return ``count`` samples of 10 bytes, of which every ``wanted``-th is asked for."""
    return [(0, 10 * row, 10) for row in range(0, count, wanted)]


def limits_with(**knobs):
    return dataclasses.replace(LOCAL, **{"gap": 0, "longest": 10**9, "dense": 2.0, **knobs})


def test_a_shard_of_which_much_is_wanted_is_read_in_one_pass():
    places = alternating(101, 2)  # 51 of 101
    assert requests(plan(*columns(places), limits_with(dense=0.5))) == [(0, 0, 1010)]
    assert len(requests(plan(*columns(places), limits_with(dense=0.6)))) == 51


def test_one_shard_is_read_in_one_pass_and_the_other_is_not():
    places = [*alternating(101, 2), *((1, 1000 * row, 10) for row in range(5))]
    planned = requests(plan(*columns(places), limits_with(dense=0.5)))
    assert planned == [(0, 0, 1010), *((1, 1000 * row, 10) for row in range(5))]


def test_one_pass_is_cut_at_the_longest_request():
    planned = requests(plan(*columns(alternating(101, 2)), limits_with(dense=0.5, longest=100)))
    assert all(length <= 100 for _, _, length in planned)
    assert len(planned) == 11


def test_samples_that_repeat_do_not_make_a_shard_dense():
    places = [(0, 0, 10)] * 9 + [(0, 100, 10)]
    assert len(requests(plan(*columns(places), limits_with(dense=0.5)))) == 2


@pytest.mark.parametrize(("gap", "count"), [(19, 2), (20, 1), (21, 1)])
def test_a_gap_of_the_limit_is_read_over_and_a_longer_one_is_not(gap, count):
    assert len(requests(plan(*columns([(0, 0, 10), (0, 30, 10)]), limits_with(gap=gap)))) == count


@pytest.mark.parametrize(("longest", "count"), [(39, 2), (40, 1), (41, 1)])
def test_a_request_of_the_limit_is_one_and_a_longer_one_is_not(longest, count):
    for places in ([(0, 0, 10), (0, 30, 10)], [(0, 0, 10), (0, 10, 30)]):
        assert len(requests(plan(*columns(places), limits_with(gap=20, longest=longest)))) == count


def test_offsets_of_two_shards_that_follow_each_other_are_not_side_by_side():
    places = [(0, 0, 10), (1, 10, 10), (0, 20, 10)]
    assert requests(plan(*columns(places), limits_with())) == [(0, 0, 10), (0, 20, 10), (1, 10, 10)]


def test_samples_that_repeat_are_read_once():
    places = [(0, 100, 50), (0, 0, 50), (0, 100, 50), (0, 100, 50)]
    planned = plan(*columns(places), limits_with())
    assert requests(planned) == [(0, 0, 50), (0, 100, 50)]
    assert planned.starts.tolist() == [50, 0, 50, 50]


def test_samples_side_by_side_are_one_request():
    places = [(3, 10 * row, 10) for row in range(5, 50)]
    planned = plan(*columns(places), limits_with())
    assert requests(planned) == [(3, 50, 450)]
    assert planned.starts.tolist() == list(range(0, 450, 10))


def test_nothing_takes_no_request():
    planned = plan(*columns([]), LOCAL)
    assert requests(planned) == []
    assert planned.starts.tolist() == []


# -- windows


@LAW
@given(st.lists(st.integers(0, 100)), LIMITS)
def test_windows_take_everything_in_order_and_within_their_budget(sizes, limits):
    budget, at = limits.first_window, 0
    for start, end in windows(np.array(sizes, np.int64), limits):
        assert start == at
        assert sum(sizes[start:end]) <= budget or end == start + 1
        assert end == len(sizes) or sum(sizes[start : end + 1]) > budget
        budget, at = min(2 * budget, limits.window), end
    assert at == len(sizes)


def test_windows_double_from_the_first_to_the_last():
    limits = limits_with(first_window=20, window=80)
    assert [end - start for start, end in windows(np.full(31, 10), limits)] == [2, 4, 8, 8, 8, 1]


def test_a_window_of_tiny_samples_is_bounded_by_their_number():
    counts = [end - start for start, end in windows(np.ones(10_000, np.int64), limits_with())]
    assert sum(counts) == 10_000
    assert max(counts) < 5000


# -- cost


def locations_of(places, shards=4):
    shard, offset, size = columns(places)
    return Locations([f"s{number}" for number in range(shards)], shard, offset, size, np.full(len(shard), NO_CRC), None)


@LAW
@given(PLACES, LIMITS)
def test_the_cost_is_what_the_windows_plans_add_up_to(places, limits):
    locations = locations_of(places)
    plans = [
        plan(locations.shards[start:end], locations.offsets[start:end], locations.sizes[start:end], limits)
        for start, end in windows(locations.sizes, limits)
    ]
    expected = Cost(sum(len(each.lengths) for each in plans), sum(int(each.lengths.sum()) for each in plans))
    assert cost_of(locations, limits) == expected


def test_the_cost_of_many_samples_is_reckoned_part_by_part(monkeypatch):
    locations = locations_of([(row % 4, 100 * row, 50) for row in range(1000)])
    limits = limits_with(first_window=500, window=1000)
    monkeypatch.setattr("atdata._read._ranges._RECKONED", 7)
    assert cost_of(locations, limits) == Cost(1000, 50_000)


def test_nothing_costs_nothing():
    assert cost_of(locations_of([]), LOCAL) == Cost(0, 0)


@pytest.mark.parametrize("name", ["gap", "longest", "dense", "first_window", "window", "files"])
def test_limits_do_not_change(name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(LOCAL, name, 1)
