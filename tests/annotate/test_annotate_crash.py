"""What readers see when annotating ends in the middle: a fault of any system call, a kill, another writer."""

import errno
import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import atdata
from atdata import Dataset
from atdata._annotate._annotation import AnnotateOptions, annotate, drop_columns
from atdata._manifest._shard_names import read_listing
from atdata._read import Opened
from atdata._shards import OpenShards
from atdata._storage import Disk, LocalStore
from tests.tiers import chance, rounds, slow_beyond

COUNT, SHARDS = 6, 2
#: What the column says before, if it is there, and after.
OLD, NEW = [100 + i for i in range(COUNT)], list(range(COUNT))


@atdata.packable
class Item:
    index: int


class FailingDisk(Disk):
    """Counts the calls, and fails one of them; from then on all, where it is broken for good."""

    def __init__(self, fail_at: int | None = None, *, for_good: bool = False) -> None:
        self.calls: list[str] = []
        self._fail_at = fail_at
        self._for_good = for_good

    def _record(self, call: str) -> None:
        self.calls.append(call)
        at = len(self.calls) - 1
        if self._fail_at is not None and (at == self._fail_at or (self._for_good and at > self._fail_at)):
            raise OSError(errno.EIO, f"failed at {call}")

    def create(self, path: Path) -> int:
        self._record("create")
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        self._record("write")
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._record("sync")
        super().sync(descriptor)

    def link(self, source: Path, target: Path) -> None:
        self._record("link")
        super().link(source, target)

    def lock(self, descriptor: int) -> None:
        self._record("lock")
        super().lock(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._record("rename")
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._record("remove")
        super().remove(path)

    def sync_folder(self, path: Path) -> None:
        self._record("sync_folder")
        super().sync_folder(path)


def written(folder: Path, *, annotated: bool) -> Path:
    items = (Item(i) for i in range(COUNT))
    ds = atdata.write_samples(items, folder / "p.tar", maxcount=COUNT // SHARDS, manifest=True, durable=False)
    if annotated:
        ds.annotate(frame(folder, OLD))
    return folder


def frame(folder: Path, values: list[int]) -> pl.DataFrame:
    return Dataset(folder).scan().select("__key__").collect().with_columns(late=pl.Series(values))


def run(folder: Path, disk: Disk, change: str) -> None:
    store = LocalStore(folder, disk=disk)
    opened = Opened(OpenShards(store, read_listing(store.names()), Item))
    if change == "drop":
        drop_columns(opened, ["late"], "raise")
    else:
        options = AnnotateOptions("__key__", change == "replace", "error", "error", {}, None, 256, "raise", None)
        annotate(opened, None, lambda _, __: iter(()), frame(folder, NEW), options)


def late(folder: Path) -> list[int | None]:
    """Return the column as a reader finds it, once every header tells the truth of its table."""
    for path in folder.glob("*.json"):
        text = path.read_bytes()
        header = json.loads(text)
        assert hashlib.sha256(text.rpartition(b',\n  "digest"')[0]).hexdigest() == header["digest"]
        table = (folder / header["samples"]["file"]).read_bytes()
        assert hashlib.sha256(table).hexdigest() == header["samples"]["sha256"]
    ds = Dataset[Item](folder)
    assert [item.index for item in ds] == list(range(COUNT))
    rows = ds.scan().collect()
    assert rows["index"].to_list() == list(range(COUNT))
    return rows["late"].to_list() if "late" in rows.columns else [None] * COUNT


def before_and_after(change: str) -> tuple[list[Any], list[Any]]:
    none = [None] * COUNT
    return {"add": (none, NEW), "replace": (OLD, NEW), "drop": (OLD, none)}[change]


@pytest.mark.parametrize(
    ("change", "for_good"),
    slow_beyond(
        3,
        [("add", False), ("replace", True), ("drop", False), ("add", True), ("replace", False), ("drop", True)],
    ),
)
def test_a_fault_at_any_call_leaves_each_shard_old_or_new_and_a_retry_ends_the_work(tmp_path, change, for_good):
    before, after = before_and_after(change)
    disk = FailingDisk()
    run(written(tmp_path / "whole", annotated=change != "add"), disk, change)
    assert late(tmp_path / "whole") == after
    assert len(disk.calls) > 20
    size = COUNT // SHARDS
    for fail_at, call in enumerate(disk.calls):
        folder = written(tmp_path / str(fail_at), annotated=change != "add")
        try:
            run(folder, FailingDisk(fail_at, for_good=for_good), change)
        except OSError as error:
            raised = error
        else:
            raised = None  # a second name that stays is no failure to publish
        assert raised is None or (raised.errno == errno.EIO and "of 2 shards were done" in raised.__notes__[0])
        found = late(folder)
        for start in range(0, COUNT, size):
            part = slice(start, start + size)
            assert found[part] in (before[part], after[part]), (fail_at, call)
        if change == "drop" and found == after:
            continue  # nothing is left to do but to remove a table
        run(folder, FailingDisk(), change)
        assert late(folder) == after
        names = [path.name for path in folder.iterdir() if not path.name.startswith(".tmp-")]
        assert len(names) == 3 * SHARDS, (fail_at, call, names)


def test_a_table_is_durable_before_the_header_names_it_and_the_old_one_goes_last(tmp_path):
    disk = FailingDisk()
    run(written(tmp_path, annotated=True), disk, "replace")
    publish = ["create", "write", "sync", "link", "remove", "sync_folder"]
    swap = ["create", "write", "sync", "lock", "rename", "sync_folder"]
    assert disk.calls == [*publish, *swap, "remove", "sync_folder"] * SHARDS


LOOP = """
import sys, atdata, polars as pl
folder = sys.argv[1]
frame = atdata.Dataset(folder).scan().select("__key__").collect()
print("ready", flush=True)
while True:
    for values in ([100 + i for i in range(60)], list(range(60))):
        atdata.Dataset(folder).annotate(frame.with_columns(late=pl.Series(values)), replace=True)
"""


@pytest.mark.soak
def test_after_a_kill_each_shard_is_old_or_new_and_the_same_call_ends_the_work(tmp_path):
    ds = atdata.write_samples(map(Item, range(60)), tmp_path / "p.tar", maxcount=10, manifest=True)
    keys = ds.scan().select("__key__").collect()
    numbers = chance()
    for _ in range(rounds(3)):
        with subprocess.Popen([sys.executable, "-c", LOOP, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(numbers.uniform(0.02, 0.32))
            child.send_signal(signal.SIGKILL)
        found = Dataset[Item](tmp_path).scan().collect()
        values = found["late"].to_list() if "late" in found.columns else [None] * 60
        for start in range(0, 60, 10):
            expected = list(range(start, start + 10))
            assert values[start : start + 10] in (expected, [100 + i for i in expected], [None] * 10)
        done = Dataset[Item](tmp_path).annotate(keys.with_columns(late=pl.Series(range(60))), replace=True)
        assert done.scan().collect()["late"].to_list() == list(range(60))
        done = done.annotate(lambda batch: {"late": batch.index}, replace=True)
    assert done.scan().collect()["late"].to_list() == list(range(60))
    assert len([path for path in tmp_path.iterdir() if not path.name.startswith(".tmp-")]) == 18


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(rounds(1)))
def test_of_many_that_annotate_at_once_no_column_is_lost(tmp_path, turn):  # noqa: ARG001 -- each turn is another race
    folder = written(tmp_path, annotated=False)
    keys = Dataset(folder).scan().select("__key__").collect()
    refused: list[str] = []

    def add(number: int) -> None:
        name = f"late_{number}"
        while True:
            try:
                Dataset(folder).annotate(keys.with_columns(pl.lit(number).alias(name)))
            except atdata.ManifestError as error:
                refused.append(str(error))
            else:
                return

    threads = [threading.Thread(target=add, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = Dataset(folder).scan().collect()
    assert {name: rows[name].unique().to_list() for name in rows.columns if name.startswith("late")} == {
        f"late_{number}": [number] for number in range(6)
    }
    assert len(list(folder.iterdir())) == 3 * SHARDS


@pytest.mark.soak
def test_who_reads_while_columns_are_replaced_gets_old_or_new_ones_or_is_told_to_open_again(tmp_path):
    folder = written(tmp_path, annotated=True)
    keys = Dataset(folder).scan().select("__key__").collect()
    stop, told = threading.Event(), []

    def replace() -> None:
        for round_ in range(rounds(24)):
            Dataset(folder).annotate(keys.with_columns(late=pl.Series([NEW, OLD][round_ % 2])), replace=True)
        stop.set()

    writer = threading.Thread(target=replace)
    writer.start()
    seen = {"old": 0, "new": 0}
    size = COUNT // SHARDS
    while not stop.is_set():
        try:
            ds = Dataset[Item](folder)
            indices = [item.index for item in ds]
            rows = ds.scan().collect()
        except atdata.ManifestError as error:
            told.append(str(error))
            continue
        except (FileNotFoundError, pl.exceptions.PolarsError) as error:  # of scan(), which Polars reads by itself
            told.append(f"{error} open the dataset again")
            continue
        assert indices == rows["index"].to_list() == list(range(COUNT))
        for start in range(0, COUNT, size):
            part = rows["late"].to_list()[start : start + size]
            assert part in (OLD[start : start + size], NEW[start : start + size])
            seen["old" if part[0] >= 100 else "new"] += 1
    writer.join()
    assert min(seen.values()) > 0
    assert [text for text in told if "pen the dataset again" not in text] == []
