"""Executing plans: a window of samples at a time, from a few tars at a time, into memory that is used again."""

from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np

from atdata._shards import Locations, Tars
from atdata._storage import OpenFile, ReadInto, ReadLimits

from ._plan import Ints, plan

__all__ = ["ByteRun", "RangeReader"]


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
