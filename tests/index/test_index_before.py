"""The stamps of headers: which are old enough to count on, and how long younger ones are waited for."""

import os
import time

import pytest

from atdata._index._compact import settled_stamps
from atdata._manifest._shard_names import HEADER_SUFFIX, Sidecars

NOW = 1_800_000_000 * 10**9
SECOND = 10**9


@pytest.fixture
def waits(monkeypatch):
    """Stop the clock, and return what is waited for in seconds."""
    seconds = []
    monkeypatch.setattr(time, "time_ns", lambda: NOW)
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def aged(folder, *ages):
    """Write shards with headers of these ages in nanoseconds."""
    folder.fill(len(ages))
    for shard, age in zip(folder.sidecars(), ages, strict=True):
        os.utime(folder.store.path(shard.header), ns=(NOW - age, NOW - age))
    return folder.sidecars()


def test_headers_of_two_seconds_are_settled_and_not_waited_for(folder, waits):
    stamps = settled_stamps(folder.store, aged(folder, 2 * SECOND, 100 * SECOND))
    assert stamps.settled.tolist() == [True, True]
    assert waits == []


def test_a_younger_header_is_waited_for_until_it_is_two_seconds_old(folder, waits):
    stamps = settled_stamps(folder.store, aged(folder, SECOND // 2, 3 * SECOND, 3 * SECOND // 2))
    assert waits == [pytest.approx(1.51)]
    assert stamps.settled.tolist() == [False, True, False]  # the clock stands still


def test_a_header_that_is_two_seconds_old_after_the_wait_is_settled(folder, waits, monkeypatch):
    sidecars = aged(folder, SECOND // 2)
    monkeypatch.setattr(time, "sleep", lambda _: monkeypatch.setattr(time, "time_ns", lambda: NOW + 2 * SECOND))
    assert settled_stamps(folder.store, sidecars).settled.tolist() == [True]
    assert waits == []


def test_a_header_of_the_future_is_neither_settled_nor_waited_for(folder, waits):
    assert settled_stamps(folder.store, aged(folder, -1)).settled.tolist() == [False]
    assert waits == []


def test_a_header_of_this_very_moment_is_waited_for_longest(folder, waits):
    settled_stamps(folder.store, aged(folder, 0))
    assert waits == [pytest.approx(2.01)]


@pytest.mark.parametrize("shard_id", ["gone", "no/folder", "a file/below"])
def test_a_header_that_is_not_there_has_no_stamp(folder, waits, shard_id):
    sidecars = aged(folder, 3 * SECOND)
    (folder.store.root / "a file").write_bytes(b"")
    missing = Sidecars(shard_id, shard_id + HEADER_SUFFIX, ())
    stamps = settled_stamps(folder.store, [missing, *sidecars])
    assert [stamp is None for stamp in stamps.found] == [True, False]
    assert stamps.settled.tolist() == [False, True]
    assert waits == []
