"""Executing plans over a store in memory: the right bytes, a few files at a time, and tars that stay what they were."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata import ShardChangedError
from atdata._read._ranges import RangeReader
from atdata._shards import NO_CRC, Locations, Tars
from atdata._shards._locations import PlainKeys
from atdata._storage import LOCAL, MemoryStore
from tests.tiers import law

SHARDS = 12
SIZE = 400


class RecordingStore(MemoryStore):
    """Records what it is asked for, and can be told to do something before the next fill."""

    def __init__(self):
        super().__init__()
        self.fills = []
        self.before = None

    def fill(self, parts):
        if self.before is not None:
            before, self.before = self.before, None
            before()
        self.fills.append([(id(file), offset, len(buffer)) for file, offset, buffer in parts])
        super().fill(parts)


def content(shard, version=0):
    return np.random.default_rng([shard, version]).bytes(SIZE)


@pytest.fixture(name="store")
def _store():
    store = RecordingStore()
    for shard in range(SHARDS):
        store.replace(f"s{shard}.tar", content(shard))
    return store


def reader_of(store, **limits):
    tars = Tars(store, lambda _: None)
    return RangeReader(
        tars, lambda shard_id: tars.open(shard_id, "fetch"), outside, dataclasses.replace(LOCAL, **limits)
    )


def outside(locations, index, tar_size):
    """Describe a place that is not inside its tar, as what is known of a dataset would."""
    return ShardChangedError.at_location(
        locations.shard_ids[locations.shards[index]],
        None if locations.keys is None else locations.keys[index],
        int(locations.offsets[index]),
        expected=f"a place inside the tar's {tar_size} bytes",
        found=f"{locations.sizes[index]} bytes",
    )


def window_of(places, keys=None):
    shards, offsets, sizes = (np.array(column, np.int64) for column in zip(*places, strict=True))
    names = None if keys is None else PlainKeys(np.array(keys, object))
    crcs = np.full(len(places), NO_CRC, np.int64)
    return Locations([f"s{shard}" for shard in range(SHARDS)], shards, offsets, sizes, crcs, names)


def bytes_of(run, places):
    return [bytes(run.memory[at : at + size]) for at, (_, _, size) in zip(run.starts, places, strict=True)]


def expected(places):
    return [content(shard)[offset : offset + size] for shard, offset, size in places]


@law(100)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, SHARDS - 1), st.integers(0, 350), st.integers(1, 50)), min_size=1, max_size=30
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 40),
    st.integers(1, 300),
    st.integers(1, 4),
)
def test_windows_hold_the_bytes_that_are_there(several, gap, longest, files):
    store = RecordingStore()
    for shard in range(SHARDS):
        store.replace(f"s{shard}.tar", content(shard))
    reader = reader_of(store, gap=gap, longest=longest, files=files)
    for places in several:
        assert bytes_of(reader.read(window_of(places)), places) == expected(places)
    assert all(len({file for file, _, _ in fill}) <= files for fill in store.fills)


def test_all_requests_of_a_few_tars_are_made_at_once(store):
    places = [(shard, offset, 10) for offset in (300, 0, 100) for shard in range(6)]
    reader_of(store, gap=0, dense=2.0, files=4).read(window_of(places))
    assert [[(offset, length) for _, offset, length in fill] for fill in store.fills] == [
        [(0, 10), (100, 10), (300, 10)] * 4,
        [(0, 10), (100, 10), (300, 10)] * 2,
    ]


def test_memory_is_used_again(store):
    reader = reader_of(store)
    first = reader.read(window_of([(0, 0, 400)])).memory
    second = reader.read(window_of([(1, 0, 100)]))
    assert second.memory is first
    assert bytes(first[:100]) == content(1)[:100]


@pytest.mark.parametrize("place", [(2, 0, 401), (2, 400, 1), (2, 399, 2), (2, -1, 5), (2, 5, 0), (2, 5, -3)])
@pytest.mark.parametrize("others", [[], [(1, 0, 10), (3, 0, 10)]], ids=["alone", "among others"])
def test_a_place_outside_its_tar_is_refused_before_anything_is_read(store, place, others):
    window = window_of([*others, place], keys=[*"ab"[: len(others)], "odd"])
    with pytest.raises(
        ShardChangedError, match=r"'s2': the sample 'odd' at offset .* a place inside the tar's 400 bytes"
    ):
        reader_of(store).read(window)
    assert store.fills == []


@pytest.mark.parametrize(
    "place", [(2, 2**62, 2**62), (2, 0, 2**63 - 1), (2, 2**63 - 1, 2**63 - 1), (2, 2**63 - 1, 5), (2, -(2**63), 1)]
)
def test_places_that_would_overflow_are_refused(store, place):
    with pytest.raises(ShardChangedError, match="a place inside the tar's 400 bytes"):
        reader_of(store).read(window_of([(1, 0, 10), place]))


def test_a_missing_tar_is_named(store):
    store.remove("s3.tar")
    with pytest.raises(ShardChangedError, match="'s3': its tar .*s3.tar is gone"):
        reader_of(store).read(window_of([(1, 0, 10), (3, 0, 10)]))


@pytest.mark.parametrize(
    "new", [content(3, 1), content(3), content(3)[:200], content(3) * 2], ids=["other", "same", "cut", "longer"]
)
def test_a_tar_that_is_replaced_between_two_windows_is_refused(store, new):
    reader = reader_of(store)
    places = [(3, 0, 10), (4, 0, 10)]
    assert bytes_of(reader.read(window_of(places)), places) == expected(places)
    store.replace("s3.tar", new)
    with pytest.raises(ShardChangedError, match="'s3': its tar .*s3.tar was replaced or written to while"):
        reader.read(window_of(places))


def test_a_tar_that_is_gone_between_two_windows_is_refused(store):
    reader = reader_of(store)
    reader.read(window_of([(3, 0, 10)]))
    store.remove("s3.tar")
    with pytest.raises(ShardChangedError, match="'s3': its tar .* is gone"):
        reader.read(window_of([(3, 20, 10)]))


def test_a_tar_that_is_replaced_between_its_check_and_its_read_gives_the_bytes_that_were_checked(store):
    places = [(shard, 0, 10) for shard in (5, 6)]
    store.before = lambda: store.replace("s6.tar", content(6, 1))
    assert bytes_of(reader_of(store).read(window_of(places)), places) == expected(places)


def test_a_tar_that_is_replaced_before_its_turn_is_refused(store):
    store.before = lambda: store.replace("s6.tar", content(6, 1))
    with pytest.raises(ShardChangedError, match="'s6': its tar .* was replaced"):
        reader_of(store, files=1).read(window_of([(5, 0, 10), (6, 0, 10)]))


def test_an_opened_tar_that_is_replaced_is_read_to_its_end(store):
    reader = reader_of(store)
    file = store.open("s4.tar")
    store.replace("s4.tar", content(4, 1))
    window = dataclasses.replace(window_of([(0, 30, 10), (0, 90, 5)]), shard_ids=["s4"])
    assert bytes_of(reader.read(window, file), [(4, 30, 10), (4, 90, 5)]) == expected([(4, 30, 10), (4, 90, 5)])
