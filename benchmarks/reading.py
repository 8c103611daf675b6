"""What the limits of reading rest on (atdata/_read/_ranges.py): the gap, the dense share, and how a cold disk is read.

``python -m benchmarks.reading [--folder FOLDER]`` writes tars there once and prints tables. "Cold" is after
``posix_fadvise(POSIX_FADV_DONTNEED)``, which drops what is clean; each figure is a median over the rounds.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import atdata
from atdata._read import Opened
from atdata._read._ranges import cost_of
from atdata._read._read import SampleReader
from atdata._shards import Locations, open_shards
from atdata._storage import LOCAL, Disk, LocalStore, ReadLimits

_SHARDS, _PER_SHARD = 10, 5000
_ROUNDS = 5
_NEVER = 1 << 40


@atdata.packable
class Image:
    """A sample of 12 KB."""

    pixels: NDArray


class PatientDisk(Disk):
    """Tells the system nothing, and waits for each read in turn."""

    def read_at_hand(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """Read whether or not the bytes are in memory."""
        return self.read_into(descriptor, buffer, offset)

    def expect(self, descriptor: int, offset: int, length: int) -> None:
        """Do nothing."""


class Bench:
    """The tars, and what is measured of them."""

    def __init__(self, folder: Path) -> None:
        if not list(folder.glob("*.tar")):
            random = np.random.default_rng(0)
            images = (Image(random.integers(0, 256, (64, 64, 3), np.uint8)) for _ in range(_SHARDS * _PER_SHARD))
            atdata.write_samples(images, folder / "images.tar", maxcount=_PER_SHARD, manifest=True)
        self.tars = sorted(folder.glob("*.tar"))
        self.shards = open_shards(folder)
        self.everything = Opened(self.shards).locations
        self.random = np.random.default_rng(1)

    def drop(self) -> None:
        """Have the tars dropped from the page cache."""
        os.sync()
        for path in self.tars:
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)

    def share(self, part: float, shards: int = 2) -> Locations:
        """Return a random share of the first shards' samples, in order."""
        count = shards * _PER_SHARD
        return self.everything[np.sort(self.random.permutation(count)[: int(count * part)])]

    def reader(self, limits: ReadLimits, disk: Disk | None = None) -> SampleReader:
        """Return a reader, by other system calls where given."""
        opened = Opened(self.shards._replace(store=LocalStore(self.tars[0].parent, disk=disk)))
        return SampleReader(opened.places, Image, limits)

    def time(self, run: Callable[[], Iterator[object]], *, cold: bool) -> float:
        """Return the seconds that it takes to drain an iterator."""
        if cold:
            self.drop()
        begun = time.perf_counter()
        collections.deque(run(), maxlen=0)
        return time.perf_counter() - begun


def _table(title: str, rows: dict[str, dict[str, list[float]]], unit: str) -> None:
    columns = list(next(iter(rows.values())))
    print(f"\n{title} ({unit})\n")
    print("| |", " | ".join(columns), "|")
    print("|---|" + "--:|" * len(columns))
    for name, cells in rows.items():
        print(f"| {name} |", " | ".join(f"{statistics.median(cell):.1f}" for cell in cells.values()), "|")


def gaps(bench: Bench, *, cold: bool) -> None:
    """Print what a sample costs by the gap that is read over, for shares of a shard."""
    choices = {
        f"{gap >> 10} KiB": dataclasses.replace(LOCAL, gap=gap, dense=2.0)
        for gap in (0, 1 << 12, 1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18)
    }
    choices["one pass"] = dataclasses.replace(LOCAL, gap=_NEVER, dense=2.0)
    rows: dict[str, dict[str, list[float]]] = {}
    for _ in range(_ROUNDS):
        for part in (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75):
            locations = bench.share(part)
            for name, limits in choices.items():
                reader = bench.reader(limits)
                seconds = bench.time(lambda: reader.runs(locations, verify="none"), cold=cold)  # noqa: B023 -- run at once
                rows.setdefault(f"{part:.0%}", {}).setdefault(name, []).append(seconds / len(locations) * 1e6)
    _table(f"A share of two shards, {'cold' if cold else 'warm'}, by gap", rows, "µs a sample")


def waits(bench: Bench) -> None:
    """Print how random samples of all shards are read from a cold disk and a warm one."""
    count = 3000
    rows: dict[str, dict[str, list[float]]] = {}
    for _ in range(_ROUNDS):
        locations = bench.everything[bench.random.permutation(len(bench.everything))[:count]]
        for cold in (True, False):
            name = "cold" if cold else "warm"
            for how, disk in (("one by one", PatientDisk()), ("told ahead", None)):
                reader = bench.reader(LOCAL, disk)
                seconds = bench.time(lambda: reader.runs(locations, verify="none"), cold=cold)  # noqa: B023 -- run at once
                rows.setdefault(name, {}).setdefault(how, []).append(seconds / count * 1e6)
            for threads in (2, 4, 8):
                seconds = bench.time(lambda: _threads(bench, locations, threads), cold=cold)  # noqa: B023 -- run at once
                rows[name].setdefault(f"{threads} threads", []).append(seconds / count * 1e6)
    _table("Random samples of ten shards", rows, "µs a sample")


def _threads(bench: Bench, locations: Locations, threads: int) -> Iterator[object]:
    descriptors = [os.open(path, os.O_RDONLY) for path in bench.tars]
    places = list(zip(locations.shards.tolist(), locations.offsets.tolist(), locations.sizes.tolist(), strict=True))

    def one(place: tuple[int, int, int]) -> bytes:
        shard, offset, size = place
        return os.pread(descriptors[shard], size, offset)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(places), 150):  # a window of 2 MiB
            yield from pool.map(one, places[start : start + 150])
    for descriptor in descriptors:
        os.close(descriptor)


def streams(bench: Bench) -> None:
    """Print how whole shards are read span by span, and whether it helps to tell the system of the next span."""
    rows: dict[str, dict[str, list[float]]] = {}
    for _ in range(_ROUNDS):
        for cold in (True, False):
            for how, ahead in (("span by span", 0), ("told of the next", LOCAL.longest)):
                seconds = bench.time(lambda: _spans(bench.tars[:3], ahead), cold=cold)  # noqa: B023 -- run at once
                cell = rows.setdefault("cold" if cold else "warm", {}).setdefault(how, [])
                cell.append(seconds / (3 * _PER_SHARD) * 1e6)
    _table("Whole shards in order, 6 µs of other work a sample", rows, "µs a sample")


def _spans(tars: Sequence[Path], ahead: int) -> Iterator[object]:
    memory = memoryview(bytearray(LOCAL.longest))
    for path in tars:
        descriptor, at = os.open(path, os.O_RDONLY), 0
        while read := os.preadv(descriptor, [memory], at):
            at += read
            if ahead:
                os.posix_fadvise(descriptor, at, ahead, os.POSIX_FADV_WILLNEED)
            until = time.perf_counter() + 6e-6 * read / 13_312
            while time.perf_counter() < until:
                pass
            yield read
        os.close(descriptor)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory(dir=".") as temporary:
        bench = Bench(folder or Path(temporary))
        gaps(bench, cold=False)
        gaps(bench, cold=True)
        waits(bench)
        streams(bench)
        tenth = bench.share(0.1)
        print(f"\n{len(tenth):,} samples in order take {cost_of(tenth, LOCAL)}")


if __name__ == "__main__":
    main()
