"""Runs that are killed, that fail at any call, or that run at once: the answers stay right, and one more run heals."""

import contextlib
import errno
import itertools
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import pytest

from atdata._index import _compact, compact
from atdata._index._index import find
from atdata._index._plan import Limits
from atdata._storage import Disk, LocalStore
from tests.tiers import chance, rounds, slow_beyond

NAMES = [f"s-{number:03d}" for number in range(12)]
SMALL = Limits(rows=10)

COMPACT_FOR_EVER = """
    import random, sys
    from pathlib import Path
    from atdata._index import compact
    from atdata._index._plan import Limits
    from atdata._manifest._shard_names import read_listing
    from atdata._storage import LocalStore

    store = LocalStore(sys.argv[1], durable=False)
    chance = random.Random(int(sys.argv[2]))
    rounds = int(sys.argv[3])
    print("ready", flush=True)
    while rounds:
        rounds -= 1
        if sys.argv[4] == "toggle":  # a shard goes, or comes back
            path = chance.choice(sorted(Path(sys.argv[1]).glob("*.manifest.json*")))
            path.rename(path.with_suffix("") if path.suffix == ".away" else f"{path}.away")
        compact(store, read_listing(store.names()).committed, on_error="collect", limits=Limits(rows=10))
"""


def run(folder, seed, rounds, toggle="toggle"):
    program = textwrap.dedent(COMPACT_FOR_EVER)
    command = [sys.executable, "-c", program, folder.store.root, str(seed), str(rounds), toggle]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def bring_back(folder):
    for path in folder.store.root.glob("*.away"):
        path.rename(path.with_suffix(""))


@pytest.mark.soak
@pytest.mark.parametrize("seed", slow_beyond(4, range(rounds(20))))
def test_after_a_kill_the_answers_are_right_and_one_more_run_heals(folder, seed):
    folder.fill(12)
    numbers = chance(seed)
    process = run(folder, numbers.randrange(10**9), -1)
    ready, _, _ = select.select([process.stdout], [], [], 60)
    assert ready
    time.sleep(numbers.uniform(0, 0.4))
    process.send_signal(signal.SIGKILL)
    process.communicate()

    found = find(folder.store)
    assert found.damaged == {}
    if found.tables:
        folder.check()
    bring_back(folder)
    assert folder.compact(limits=SMALL).shards == 12
    folder.check(covered=NAMES)
    assert len(folder.files("shards")) == 1
    assert folder.compact(limits=SMALL).parts_written == 0


@pytest.mark.soak
def test_two_runs_at_once_both_end_and_readers_see_what_is_right(folder):
    folder.fill(12)
    folder.compact(limits=SMALL)
    processes = [run(folder, 0, rounds(4, soaking=150), "no") for _ in range(2)]
    numbers, seen = chance(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a part may go between the listing and the reading of it
        while any(process.poll() is None for process in processes):
            path = numbers.choice(sorted(folder.store.root.glob("*.manifest.json*")))
            path.rename(path.with_suffix("") if path.suffix == ".away" else f"{path}.away")
            with contextlib.suppress(FileNotFoundError):  # of a part that goes while it is read
                index = folder.open()
                if index is not None:
                    folder.check(index)
                    seen += 1
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert seen
    bring_back(folder)
    folder.compact(limits=SMALL)
    folder.check(covered=NAMES)
    assert len(folder.files("shards")) == 1


class FailingDisk(Disk):
    """Fails a call that changes something, by its number, or all from it on."""

    def __init__(self, fail_at, *, persistent=False):
        self.calls = 0
        self._fail_at, self._persistent = fail_at, persistent

    def _count(self):
        number = self.calls
        self.calls += 1
        if number == self._fail_at or (self._persistent and number > self._fail_at):
            raise OSError(errno.EIO, f"fault at call {number}")

    def create(self, path):
        self._count()
        return super().create(path)

    def write(self, descriptor, data):
        self._count()
        return super().write(descriptor, data)

    def sync(self, descriptor):
        self._count()
        super().sync(descriptor)

    def close(self, descriptor):
        super().close(descriptor)
        self._count()

    def link(self, source, target):
        self._count()
        super().link(source, target)

    def remove(self, path):
        self._count()
        super().remove(path)

    def sync_folder(self, path):
        self._count()
        super().sync_folder(path)


def changed(folder):
    """Make an index, and then a change that costs two parts and moves others."""
    folder.fill(8)
    folder.compact(limits=SMALL)
    folder.remove("s-001")
    folder.age("s-004", seconds=500)
    folder.fill(2, start=8)
    return [name for name in NAMES[:10] if name != "s-001"]


@pytest.mark.parametrize(("persistent", "first"), slow_beyond(2, [(False, 0), (True, 1), (False, 1), (True, 0)]))
def test_a_fault_at_any_call_leaves_right_answers_and_one_more_run_heals(folder, tmp_path, persistent, first):
    covered = changed(folder)
    faults = 0
    for number in itertools.count(first, 2):
        copy = type(folder)(LocalStore(tmp_path / "copy", durable=False))
        shutil.copytree(folder.store.root, copy.store.root)
        copy.compact(limits=Limits(rows=10, batch=10))  # an index of the copy, which has other inodes
        copy.remove("s-006")
        copy.fill(1, start=6, rows=4)
        disk = FailingDisk(number, persistent=persistent)
        with contextlib.suppress(OSError):
            compact(LocalStore(copy.store.root, disk=disk), copy.sidecars(), limits=SMALL)
        assert find(copy.store).damaged == {}
        copy.check()
        assert copy.compact(limits=SMALL).shards == len(covered)
        copy.check(covered=covered)
        assert len(copy.files("shards")) == 1
        shutil.rmtree(copy.store.root)
        if disk.calls <= number:
            break
        faults += 1
    assert faults > 7


def test_a_part_that_another_run_removed_is_made_again(folder, monkeypatch):
    folder.fill(4)
    removed = []

    def sabotage(store, facts):
        if not removed:
            removed.append(facts.parts[0].name)
            store.remove(f"_manifest_index/{facts.parts[0].name}")
        return all_there(store, facts)

    all_there = _compact.all_there
    monkeypatch.setattr(_compact, "all_there", sabotage)
    folder.compact(limits=SMALL)
    folder.check(covered=NAMES[:4])
    assert removed[0] in folder.files("part")
