"""What stays when a write ends in the middle: a kill, a full disk, a fault of any system call."""

import errno
import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import atdata
from atdata._storage import Disk, LocalStore
from atdata._write._metadata import Progress
from atdata._write._open_shard import HeaderFacts
from atdata._write._set_names import ShardNames
from atdata._write._set_writer import SetOptions, SetWriter
from tests.tiers import chance, rounds

Photos = Callable[..., list[Any]]

OPTIONS = SetOptions(
    names=ShardNames("p-", 6, ""),
    existing="refuse",
    facts=HeaderFacts(None, None, "2026-01-01T00:00:00+00:00"),
    maxcount=5,
)


class RecordingDisk(Disk):
    """Records what is done to which final name, and fails one call."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self._fail_at = fail_at

    def _record(self, call: str, name: str) -> None:
        self.calls.append((call, name))
        if len(self.calls) - 1 == self._fail_at:
            raise OSError(errno.ENOSPC, "no space left", name)

    def create(self, path: Path) -> int:
        self._record("create", path.name)
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        self._record("write", "")
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._record("sync", "")
        super().sync(descriptor)

    def link(self, source: Path, target: Path) -> None:
        self._record("link", target.name)
        super().link(source, target)

    def sync_folder(self, path: Path) -> None:
        self._record("sync_folder", "")
        super().sync_folder(path)


def write(folder: Path, samples: list[Any], disk: Disk) -> None:
    with SetWriter(LocalStore(folder, disk=disk), OPTIONS, Progress(shown=False)) as shards:
        for sample in samples:
            shards.write(sample)
        shards.finish()


def assert_every_header_tells_the_truth(folder: Path) -> list[str]:
    """Check each committed shard by its own header, without the library; return the shards' ids."""
    committed = []
    for path in sorted(folder.glob("*.manifest.json")):
        header = json.loads(path.read_bytes())
        for part in ("shard", "samples"):
            data = (folder / header[part]["file"]).read_bytes()
            assert len(data) == header[part]["size_bytes"]
            assert hashlib.sha256(data).hexdigest() == header[part]["sha256"]
        assert len(pl.read_parquet(folder / header["samples"]["file"])) == header["num_samples"]
        committed.append(header["shard_id"])
    return committed


def test_a_shard_is_published_tar_first_and_header_last(tmp_path: Path, photos: Photos) -> None:
    disk = RecordingDisk()
    write(tmp_path, photos(7), disk)
    published = [name for call, name in disk.calls if call == "link"]
    assert published == [
        "p-000000.tar",
        "p-000000.manifest.parquet",
        "p-000000.manifest.json",
        "p-000001.tar",
        "p-000001.manifest.parquet",
        "p-000001.manifest.json",
    ]


def test_each_name_is_durable_before_the_next_one_is_given(tmp_path: Path, photos: Photos) -> None:
    disk = RecordingDisk()
    write(tmp_path, photos(3), disk)
    steps = [call for call, _ in disk.calls if call in ("sync", "link", "sync_folder")]
    assert steps == ["sync", "link", "sync_folder"] * 3


def calls_of_a_write(folder: Path, samples: list[Any]) -> int:
    disk = RecordingDisk()
    write(folder, samples, disk)
    return len(disk.calls)


def test_a_fault_at_any_call_leaves_whole_shards_and_a_place_to_write_again(tmp_path: Path, photos: Photos) -> None:
    samples = photos(7)
    for fail_at in range(calls_of_a_write(tmp_path / "whole", samples)):
        folder = tmp_path / str(fail_at)
        with pytest.raises(OSError, match="no space left") as caught:
            write(folder, samples, RecordingDisk(fail_at))
        assert caught.value.errno == errno.ENOSPC
        committed = assert_every_header_tells_the_truth(folder)
        (note,) = caught.value.__notes__
        assert (f"in {len(committed)} finished shards stay" if committed else "no shard was finished") in note
        # Nothing of a shard that is not committed is left, so that its name is free.
        left = {path.name.split(".")[0] for path in folder.iterdir() if not path.name.startswith(".tmp-")}
        assert left == set(committed), fail_at


WRITER = """
import sys
import numpy as np, atdata

@atdata.packable
class Noise:
    data: np.ndarray
    index: int

def samples():
    for index in range(100_000):
        print(index, flush=True)
        yield Noise(np.full(3000, index % 251, np.uint8), index)

atdata.write_samples(samples(), sys.argv[1] + "/p.tar", maxcount=20, manifest=True)
"""


@pytest.mark.soak
def test_after_a_kill_every_committed_shard_is_whole_and_every_finished_one_is_there(tmp_path: Path) -> None:
    numbers = chance()
    for attempt in range(rounds(4)):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            first = child.stdout.readline()  # it has begun
            time.sleep(numbers.uniform(0, 0.4))
            child.send_signal(signal.SIGKILL)
            taken = int([first, *child.stdout.read().splitlines()][-1])
        committed = assert_every_header_tells_the_truth(folder)
        # Two shards may be in flight: one is finished before the second after it is begun.
        finished = max(0, (taken - 1) // 20 - 1)
        assert committed[:finished] == [f"p-{index:06d}" for index in range(finished)]
        if committed:
            shards = [folder / f"{shard}.tar" for shard in committed]
            indices = [sample.index for sample in atdata.Dataset(shards)]
            assert indices == list(range(20 * len(committed)))


@pytest.mark.soak
def test_two_writers_of_one_path_leave_one_writers_samples(tmp_path: Path) -> None:
    program = """
import sys, atdata

@atdata.packable
class Signed:
    writer: int

try:
    atdata.write_samples([Signed(int(sys.argv[2]))] * 50, sys.argv[1] + "/p.tar", manifest=True)
except atdata.ShardExistsError:
    sys.exit(7)
"""
    for round_ in range(rounds(1, soaking=30)):
        folder = tmp_path / str(round_)
        folder.mkdir()
        writers = [subprocess.Popen([sys.executable, "-c", program, str(folder), str(each)]) for each in range(4)]
        codes = [writer.wait() for writer in writers]
        assert sorted(codes) == [0, 7, 7, 7]
        assert assert_every_header_tells_the_truth(folder) == ["p"]
        assert {sample.writer for sample in atdata.Dataset(folder)} == {codes.index(0)}
        assert [path.name for path in folder.iterdir() if path.name.startswith(".tmp-")] == []


@pytest.mark.soak
def test_who_reads_while_a_set_is_replaced_gets_old_or_new_samples_or_an_error(
    tmp_path: Path, photos: Photos, photo_type: Any
) -> None:
    versions = [photos(40, seed=seed) for seed in (1, 2)]
    known = [{photo.packed for photo in version} for version in versions]
    stop, read, refused = threading.Event(), [0, 0], [0]

    def replace() -> None:
        for round_ in range(rounds(40)):
            atdata.write_samples(
                versions[round_ % 2], tmp_path / "p.tar", maxcount=10, manifest=True, overwrite=True, durable=False
            )
        stop.set()

    writer = threading.Thread(target=replace)
    writer.start()
    while not stop.is_set():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", atdata.UncommittedShardWarning)  # tars whose header is to come
                ds = atdata.Dataset[photo_type](tmp_path)
            samples = [sample.packed for sample in ds.fetch(ds.query(pl.col("label") != "bird"))]
        except atdata.AtdataError:
            refused[0] += 1
            continue
        for sample in samples:
            assert sample in known[0] or sample in known[1]
            read[sample in known[1]] += 1
    writer.join()
    assert min(read) > 0
    ds = atdata.Dataset[photo_type](tmp_path)
    assert [sample.packed for sample in ds] == [photo.packed for photo in versions[1]]


class SlowDisk(RecordingDisk):
    """Takes its time for what is slow, and records whether the file was closed meanwhile."""

    def __init__(self, slow: str) -> None:
        super().__init__()
        self.closed_meanwhile = False
        self._slow = slow
        self._open: set[int] = set()

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._open.add(descriptor)
        self._wait("create", descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        self._open.remove(descriptor)
        super().close(descriptor)

    def write(self, descriptor: int, data: memoryview) -> int:
        self._wait("write", descriptor)
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._wait("sync", descriptor)
        super().sync(descriptor)

    def _wait(self, call: str, descriptor: int) -> None:
        if call == self._slow:
            time.sleep(0.2)
            self.closed_meanwhile |= descriptor not in self._open


@pytest.mark.parametrize("slow", ["create", "write", "sync"])
def test_ctrl_c_waits_for_what_is_being_written(tmp_path: Path, photos: Photos, slow: str) -> None:
    disk = SlowDisk(slow)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(KeyboardInterrupt) as caught:
        write(tmp_path, photos(100), disk)
    assert not disk.closed_meanwhile
    committed = assert_every_header_tells_the_truth(tmp_path)
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == set(committed)
    (note,) = caught.value.__notes__
    assert f"{5 * len(committed)} samples in {len(committed)} finished shards stay" in note or not committed


@pytest.mark.parametrize("slow", ["write", "sync"])
def test_an_interrupt_that_is_caught_inside_the_block_publishes_no_shard_with_a_gap(
    tmp_path: Path, photos: Photos, slow: str
) -> None:
    samples = photos(40)
    for sample in samples:
        sample.pixels = np.zeros(400_000, np.uint8)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    shards = SetWriter(LocalStore(tmp_path, disk=SlowDisk(slow)), OPTIONS, Progress(shown=False))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(atdata.AtdataError, match="interrupted while a sample was written"), shards:  # noqa: PT012 -- the block's end raises
        try:
            for sample in samples:
                shards.write(sample)
        except KeyboardInterrupt:
            pass
        shards.finish()
    committed = assert_every_header_tells_the_truth(tmp_path)
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == set(committed)
