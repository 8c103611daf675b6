"""From samples to the requests that read them. Nothing here reads: numbers in, numbers out."""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from atdata._shards import Locations
from atdata._storage import ReadLimits

__all__ = ["Cost", "ReadPlan", "cost_of", "plan", "windows"]

Ints: TypeAlias = NDArray[np.integer[Any]]

#: How many samples a window holds at most; their sizes are looked at this many at a time.
_MOST = 2048
#: For how many samples a cost is reckoned at once.
_RECKONED = 1 << 20


class ReadPlan(NamedTuple):
    """The requests that read some samples, shard after shard, by ascending offset."""

    #: Each request's shard, as a number.
    shards: Ints
    #: In bytes from the start of the tar.
    offsets: Ints
    #: In bytes.
    lengths: Ints
    #: For each sample, in the order in which they were given: where its bytes begin among those of all requests.
    starts: Ints


class Cost(NamedTuple):
    """What reading some samples takes."""

    #: How many times a store is asked for a range.
    requests: int
    #: Bytes that are read, those between samples included.
    bytes: int


def windows(sizes: Ints, limits: ReadLimits) -> Iterator[tuple[int, int]]:
    """Cut samples into windows, each as large as its budget allows, and one sample at least.

    Args:
        sizes: Their lengths in bytes.
        limits: The budget is ``first_window`` at first, and doubles up to ``window``.

    Yields:
        A window's first sample, and the one after its last.
    """
    budget, start = limits.first_window, 0
    while start < len(sizes):
        ahead = np.cumsum(sizes[start : start + _MOST])
        end = start + max(int(np.searchsorted(ahead, budget, side="right")), 1)
        yield start, end
        budget, start = min(2 * budget, limits.window), end


def plan(shards: Ints, offsets: Ints, sizes: Ints, limits: ReadLimits) -> ReadPlan:
    """Plan how some samples are read, in which order so ever they are wanted.

    No byte is asked for twice. Samples that overlap, which those of one tar do not, are read by one request.

    Args:
        shards: Each sample's shard, as a number.
        offsets: In bytes from the start of the tar; not negative.
        sizes: In bytes; above 0. With the offsets, they stay within 64 bits.
        limits: What to join and where to cut.
    """
    if _side_by_side(shards, offsets, sizes, limits.longest):
        length = offsets[-1:] + sizes[-1:] - offsets[:1]
        return ReadPlan(shards[:1], offsets[:1], length, offsets - offsets[0])
    order = np.lexsort((offsets, shards))
    shard, offset = shards[order], offsets[order].astype(np.int64)
    end = _reach(shard, offset + sizes[order])
    first = _cut(_joined(shard, offset, end, limits), offset, end, limits.longest)
    last = _lasts(first, len(order))
    lengths = end[last] - offset[first]
    moved = np.cumsum(lengths) - lengths - offset[first]
    starts = np.empty(len(order), np.int64)
    starts[order] = offset + np.repeat(moved, last - first + 1)
    return ReadPlan(shard[first], offset[first], lengths, starts)


def cost_of(locations: Locations, limits: ReadLimits) -> Cost:
    """Return what it takes to read some samples in their order, window by window, without reading them."""
    requests = length = 0
    bounds = [0]
    for _, end in windows(locations.sizes, limits):
        bounds.append(end)
        if end - bounds[0] >= _RECKONED or end == len(locations):
            planned = _plan_apart(locations, np.array(bounds), limits)
            requests += len(planned.lengths)
            length += int(planned.lengths.sum())
            bounds = [end]
    return Cost(requests, length)


def _plan_apart(locations: Locations, bounds: Ints, limits: ReadLimits) -> ReadPlan:
    """Plan several windows at once, as if each had shards of its own."""
    part = slice(bounds[0], bounds[-1])
    window = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    apart = window * len(locations.shard_ids) + locations.shards[part]
    return plan(apart, locations.offsets[part], locations.sizes[part], limits)


def _side_by_side(shards: Ints, offsets: Ints, sizes: Ints, longest: int) -> bool:
    """Tell whether samples follow each other in one shard and are short enough for one request."""
    if not len(shards) or shards[0] != shards[-1] or offsets[-1] + sizes[-1] - offsets[0] > longest:
        return False
    return bool((offsets[1:] - offsets[:-1] == sizes[:-1]).all() and (shards == shards[0]).all())


def _reach(shard: Ints, end: Ints) -> Ints:
    """Return how far the samples up to each one reach in its shard: where none overlap, each to its own end."""
    back = np.flatnonzero((end[1:] < end[:-1]) & (shard[1:] == shard[:-1]))
    for number in np.unique(shard[back]):
        of_shard = shard == number
        end[of_shard] = np.maximum.accumulate(end[of_shard])
    return end


def _joined(shard: Ints, offset: Ints, end: Ints, limits: ReadLimits) -> Ints:
    """Return with which samples a request begins, were it as long as it likes."""
    begins = np.empty(len(shard), np.bool_)
    begins[:1] = True
    np.not_equal(shard[1:], shard[:-1], out=begins[1:])
    far = offset[1:] - end[:-1] > limits.gap
    if far.any():
        first = np.flatnonzero(begins)
        last = _lasts(first, len(shard))
        new = end - offset  # bytes that no sample before has
        new[1:] -= np.where(begins[1:], 0, np.maximum(end[:-1] - offset[1:], 0))
        dense = np.add.reduceat(new, first) >= limits.dense * (end[last] - offset[first])
        if dense.any():
            far &= ~np.repeat(dense, last - first + 1)[1:]
        begins[1:] |= far
    return np.flatnonzero(begins)


def _cut(first: Ints, offset: Ints, end: Ints, longest: int) -> Ints:
    """Cut requests that are too long, between samples that do not overlap; return with which samples they begin now."""
    last = _lasts(first, len(offset))
    cuts: list[int] = []
    for number in np.flatnonzero(end[last] - offset[first] > longest).tolist():
        at, stop = int(first[number]), int(last[number]) + 1
        while end[stop - 1] - offset[at] > longest:
            at += max(int(np.searchsorted(end[at:stop], offset[at] + longest, side="right")), 1)
            while at < stop and offset[at] < end[at - 1]:
                at += 1
            if at == stop:
                break
            cuts.append(at)
    return np.sort(np.append(first, np.array(cuts, first.dtype))) if cuts else first


def _lasts(first: Ints, count: int) -> Ints:
    """Return the last member of each run, of so many members in all, by the runs' first ones."""
    last = np.empty_like(first)
    last[:-1] = first[1:] - 1
    last[-1:] = count - 1
    return last
