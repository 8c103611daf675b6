"""The limits: what the machine can do when nothing is checked, described or typed."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import SLICE, Sample, Setup, Task, read_task, samples, write_task
from foreign import foreign
from minimal import decode, encode
from ours import places, tars

_HEADER = 512
_MANY = 256


def write(setup: Setup) -> Task:
    """Write payloads that are packed already to one file."""
    packed = [encode(each) for each in samples(setup.samples, Sample)]

    def run(folder: Path) -> None:
        with (folder / "payloads").open("wb", buffering=0) as file:
            for begin in range(0, len(packed), _MANY):
                os.writev(file.fileno(), packed[begin : begin + _MANY])

    return write_task(setup, run, None, count=len(packed))


def read(setup: Setup) -> Task:
    """Read the bytes of our tars."""
    paths = sorted(tars(setup).glob("*.tar"))
    buffer = bytearray(1 << 20)

    def run() -> int:
        for path in paths:
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass
        return setup.samples

    return Task(run, lambda count: (count, None))


def slice_(setup: Setup) -> Task:
    """Read the ranges of a tenth of the samples, in shuffled order, and keep none."""
    count = -(-setup.samples // SLICE)
    ranges = _ranges(dataclasses.replace(setup, picks=setup.samples))[:count]

    def run() -> int:
        for file, size, offset in ranges:
            os.pread(file, size, offset)
        return count

    return Task(run, lambda found: (found, None))


def headers(setup: Setup) -> Task:
    """Read the header of each member of the foreign tars, and hop to the next."""
    paths = sorted(foreign(setup).glob("*.tar"))

    def run() -> int:
        count = 0
        for path in paths:
            file, at = os.open(path, os.O_RDONLY), 0
            while (header := os.pread(file, _HEADER, at))[:1] > b"\0":
                at += _HEADER + -(-int(header[124:135], 8) // _HEADER) * _HEADER
                count += 1
            os.close(file)
        return count

    return Task(run, lambda count: (count, None))


def draw(setup: Setup) -> Task:
    """Draw the order of a whole epoch."""

    def run() -> int:
        return len(np.random.default_rng(0).permutation(setup.samples))

    return Task(run, lambda count: (count, None))


def _ranges(setup: Setup) -> list[tuple[int, int, int]]:
    _, locations = places(setup)
    files = {path.stem: os.open(path, os.O_RDONLY) for path in tars(setup).glob("*.tar")}
    return [(files[each.shard], each.size, each.offset) for each in locations]


def fetch(setup: Setup) -> Task:
    """Read the ranges of the samples, as bytes."""
    ranges = _ranges(setup)

    def run() -> list[bytes]:
        return [os.pread(file, size, offset) for file, size, offset in ranges]

    return Task(run, lambda found: (len(found), None))


def fetch_dropped(setup: Setup) -> Task:
    """Read the ranges of the samples, and keep none, so that the allocator gives the same memory again."""
    ranges = _ranges(setup)

    def run() -> int:
        for file, size, offset in ranges:
            os.pread(file, size, offset)
        return len(ranges)

    return Task(run, lambda count: (count, None))


def fetch_decoded(setup: Setup) -> Task:
    """Read the ranges of the samples and decode them, unchecked."""
    ranges = _ranges(setup)

    def run() -> Iterator[Sample]:
        for file, size, offset in ranges:
            member = os.pread(file, size, offset)
            length = int(member[124:135], 8)
            yield decode(memoryview(member)[_HEADER : _HEADER + length])

    return read_task(run)
