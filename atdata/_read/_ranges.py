"""Byte ranges: planned for samples in any order, and read a window at a time into reused memory."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from atdata._shards import Locations, Tars
from atdata._storage import OpenFile, ReadInto, ReadLimits

__all__ = ["ByteRun", "Cost", "RangeReader", "ReadPlan", "cost_of", "plan", "windows"]

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


class ByteRun(NamedTuple):
    """Where the bytes of a window's samples are."""

    #: Holds until the next window is read.
    memory: memoryview
    #: For each sample, where in the memory it begins.
    starts: list[int]


class _Pinned(NamedTuple):
    """What a tar was when it was first opened for this reading."""

    stamp: Hashable
    #: In bytes.
    size: int


class RangeReader:
    """Reads windows. It holds what one reading needs: the tars as they were, and memory for one window.

    Args:
        tars: Where the samples are.
        open_tar: Opens a shard's tar and checks it; asked once a shard.
        outside: Describes a place that is not inside its tar: of some places, by its index, and the tar's length.
        limits: How much is read at once.
    """

    def __init__(
        self,
        tars: Tars,
        open_tar: Callable[[str], OpenFile],
        outside: Callable[[Locations, int, int], Exception],
        limits: ReadLimits,
    ) -> None:
        self._tars = tars
        self._open_tar = open_tar
        self._outside = outside
        self._limits = limits
        self._pinned: dict[str, _Pinned] = {}
        self._memory = memoryview(bytearray())

    def read(self, window: Locations, file: OpenFile | None = None) -> ByteRun:
        """Read a window's samples, of however many tars.

        Args:
            window: The samples.
            file: The one tar that they are in, where it is open and the places are known to lie in it.

        Raises:
            ShardChangedError: A place lies outside its tar, or a tar changed since it was first opened.
            DamagedManifestError: A place lies outside its tar, which is what its manifest promises.
        """
        files = self._first_files(window) if file is None else {window.shard_ids[0]: file}
        planned = plan(window.shards, window.offsets, window.sizes, self._limits)
        numbers, offsets, lengths, starts = (column.tolist() for column in planned)
        memory = self._room(sum(lengths))
        parts: list[ReadInto] = []
        opened: dict[str, OpenFile] = {}
        at = 0
        for number, offset, length in zip(numbers, offsets, lengths, strict=True):
            shard_id = window.shard_ids[number]
            if shard_id not in opened:
                if shard_id not in files and len(files) + len(opened) >= self._limits.files:
                    self._tars.fill(opened, parts)
                    parts, opened, files = [], {}, {}
                opened[shard_id] = files.pop(shard_id) if shard_id in files else self._again(shard_id)
            parts.append((opened[shard_id], offset, memory[at : at + length]))
            at += length
        self._tars.fill(opened, parts)
        return ByteRun(memory, starts)

    def check_inside(self, locations: Locations, tar_sizes: Ints) -> None:
        """Check that places lie in their tars, so that no length is believed before it is checked.

        Args:
            locations: The places.
            tar_sizes: The length of each sample's tar, or of the one tar of all, in bytes.

        Raises:
            ShardChangedError: One does not.
            DamagedManifestError: One does not, and the tar is what its manifest promises.
        """
        offsets, sizes = locations.offsets, locations.sizes
        inside = (offsets >= 0) & (sizes > 0) & (offsets <= tar_sizes - sizes)
        if not inside.all():
            index = int(np.argmin(inside))
            raise self._outside(locations, index, int(np.broadcast_to(tar_sizes, len(offsets))[index]))

    def _first_files(self, window: Locations) -> dict[str, OpenFile]:
        """Open and check the tars that were not read from before; return the first few, open as they are."""
        if len(window.shard_ids) == 1:
            numbers, inverse = [0], None
        else:
            unique, inverse = np.unique(window.shards, return_inverse=True)
            numbers = unique.tolist()
        shard_ids = [window.shard_ids[number] for number in numbers]
        files: dict[str, OpenFile] = {}
        for shard_id in shard_ids:
            if shard_id not in self._pinned:
                file = self._pin(shard_id)
                if len(files) < self._limits.files:
                    files[shard_id] = file
                del file  # before the next one is opened
        tar_sizes = np.array([self._pinned[shard_id].size for shard_id in shard_ids], np.int64)
        self.check_inside(window, tar_sizes if inverse is None else tar_sizes[inverse])
        return files

    def _pin(self, shard_id: str) -> OpenFile:
        file = self._open_tar(shard_id)
        self._pinned[shard_id] = _Pinned(file.stamp, file.size)
        return file

    def _again(self, shard_id: str) -> OpenFile:
        file = self._tars.open(shard_id, "none")
        if file.stamp != self._pinned[shard_id].stamp:
            self._tars.changed(shard_id)
        return file

    def _room(self, length: int) -> memoryview:
        if length > len(self._memory):
            self._memory = memoryview(bytearray(length))
        return self._memory
