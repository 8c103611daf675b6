"""Files that stay open between reads: how many, how long, and what is noticed of changes."""

import errno
import gc
import multiprocessing
import pickle
import time
from pathlib import Path

import pytest

from atdata._storage import ChangedFileError, Disk, LocalStore

DESCRIPTORS = Path("/proc/self/fd")
needs_proc = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors where Linux lists them")


class CountingDisk(Disk):
    """Counts what it opens, and fails to open when told to."""

    def __init__(self):
        self.opened = []
        self.failures = []

    def open(self, path):
        if self.failures:
            raise OSError(self.failures.pop(), "told to fail", path)
        self.opened.append(Path(path).name)
        return super().open(path)


class UncachedDisk(Disk):
    """Has nothing at hand, and records what it is told to expect and what it reads."""

    def __init__(self, at_hand=0):
        self.calls = []
        self._at_hand = at_hand

    def read_at_hand(self, descriptor, buffer, offset):
        self.calls.append(("try", offset))
        if self._at_hand:
            self._at_hand -= 1
            return super().read_into(descriptor, buffer[: len(buffer) // 2 + 1], offset)
        return -1

    def expect(self, descriptor, offset, length):
        self.calls.append(("expect", offset, length))
        super().expect(descriptor, offset, length)

    def read_into(self, descriptor, buffer, offset):
        self.calls.append(("read", offset, len(buffer)))
        return super().read_into(descriptor, buffer, offset)


def names_open(folder):
    """Return which files below a folder this process holds open, by name, as often as it does."""
    found = []
    for descriptor in DESCRIPTORS.iterdir():
        try:
            path = descriptor.readlink()
        except OSError:  # the listing's own
            continue
        if path.is_relative_to(folder):
            found.append(path.name.removesuffix(" (deleted)"))
    return sorted(found)


def write(folder, count, size=100):
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number:03d}").write_bytes(bytes([number % 256]) * size)


def read(store, name, offset=0, length=10):
    buffer = memoryview(bytearray(length))
    store.fill([(store.open(name), offset, buffer)])
    return bytes(buffer)


def test_a_file_is_opened_once_for_many_reads(tmp_path):
    write(tmp_path, 3)
    disk = CountingDisk()
    store = LocalStore(tmp_path, disk=disk)
    assert [read(store, f"00{number % 3}")[0] for number in range(30)] == [0, 1, 2] * 10
    assert disk.opened == ["000", "001", "002"]


@needs_proc
def test_no_more_than_32_files_stay_open(tmp_path):
    write(tmp_path, 200)
    store = LocalStore(tmp_path)
    for number in range(200):
        assert read(store, f"{number:03d}") == bytes([number]) * 10
        assert len(names_open(tmp_path)) <= 32
    assert names_open(tmp_path) == [f"{number:03d}" for number in range(168, 200)]


@needs_proc
def test_the_file_that_was_not_used_for_longest_is_closed_first(tmp_path):
    write(tmp_path, 33)
    store = LocalStore(tmp_path)
    for number in range(32):
        store.open(f"{number:03d}")
    store.open("000")
    store.open("032")
    assert "000" in names_open(tmp_path)
    assert "001" not in names_open(tmp_path)


@needs_proc
def test_a_file_is_never_closed_under_its_reader(tmp_path):
    write(tmp_path, 100)
    store = LocalStore(tmp_path)
    first = store.open("000")
    for number in range(1, 100):
        store.open(f"{number:03d}")
    assert "000" in names_open(tmp_path)
    buffer = memoryview(bytearray(100))
    store.fill([(first, 0, buffer)])
    assert set(buffer) == {0}
    del first
    assert "000" not in names_open(tmp_path)


@needs_proc
def test_the_limit_is_that_of_all_stores_together(tmp_path):
    write(tmp_path, 5)
    stores = [LocalStore(tmp_path) for _ in range(50)]
    for store in stores:
        read(store, "003")
    assert names_open(tmp_path) == ["003"] * 32


@needs_proc
def test_files_are_closed_with_their_store(tmp_path):
    write(tmp_path, 5)
    first, second = LocalStore(tmp_path), LocalStore(tmp_path)
    read(first, "001")
    read(second, "002")
    del first
    gc.collect()
    assert names_open(tmp_path) == ["002"]


def test_a_file_that_was_replaced_is_opened_anew(tmp_path):
    write(tmp_path, 1)
    store = LocalStore(tmp_path)
    assert read(store, "000") == bytes(10)
    (tmp_path / "other").write_bytes(b"x" * 100)
    (tmp_path / "other").replace(tmp_path / "000")
    assert read(store, "000") == b"x" * 10


def test_a_file_that_was_written_to_is_opened_anew(tmp_path):
    write(tmp_path, 1)
    store = LocalStore(tmp_path)
    old = store.open("000")
    time.sleep(0.02)  # a clock tick of the file system
    (tmp_path / "000").write_bytes(b"x" * 100)
    assert store.open("000") is not old
    assert read(store, "000") == b"x" * 10


def test_a_file_that_is_gone_is_gone_although_it_was_open(tmp_path):
    write(tmp_path, 1)
    store = LocalStore(tmp_path)
    read(store, "000")
    (tmp_path / "000").unlink()
    with pytest.raises(FileNotFoundError, match="000"):
        store.open("000")


@pytest.mark.parametrize("data", [b"x" * 100, b"x" * 200, b""], ids=["same length", "longer", "cut"])
def test_what_was_read_while_somebody_wrote_is_an_error(tmp_path, data):
    write(tmp_path, 1)
    store = LocalStore(tmp_path)
    file = store.open("000")
    time.sleep(0.02)
    with (tmp_path / "000").open("r+b") as target:  # into the same inode
        target.truncate(len(data))
        target.write(data)
    with pytest.raises(ChangedFileError, match="changed after it was opened.*000"):
        store.fill([(file, 0, memoryview(bytearray(10)))])


def test_a_store_crosses_processes_without_its_files(tmp_path):
    write(tmp_path, 1)
    store = LocalStore(tmp_path)
    read(store, "000")
    again = pickle.loads(pickle.dumps(store))
    assert len(pickle.dumps(store)) < 1000
    assert read(again, "000") == bytes(10)


def _read_in_child(store, queue):
    queue.put([read(store, f"00{number}") for number in (0, 1, 2)])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_reads_and_leaves_its_parents_files_alone(tmp_path):
    write(tmp_path, 3)
    store = LocalStore(tmp_path)
    file = store.open("000")
    read(store, "001")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(store, queue))
    child.start()
    assert queue.get(timeout=30) == [bytes([number]) * 10 for number in range(3)]
    child.join()
    buffer = memoryview(bytearray(10))
    store.fill([(file, 0, buffer)])
    assert bytes(buffer) == bytes(10)
    assert read(store, "001") == bytes([1]) * 10


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_where_no_more_files_can_be_opened_those_that_nobody_reads_are_given_back(tmp_path, code):
    write(tmp_path, 3)
    disk = CountingDisk()
    store = LocalStore(tmp_path, disk=disk)
    read(store, "000")
    disk.failures = [code]
    assert read(store, "001") == bytes([1]) * 10
    assert read(store, "000") == bytes(10)
    assert disk.opened == ["000", "001", "000"]


def test_an_error_that_giving_back_files_cannot_mend_is_raised(tmp_path):
    write(tmp_path, 3)
    disk = CountingDisk()
    store = LocalStore(tmp_path, disk=disk)
    read(store, "000")
    disk.failures = [errno.EACCES]
    with pytest.raises(PermissionError):
        store.open("001")


# -- a disk that must be waited for


def test_a_disk_that_must_be_waited_for_is_told_of_all_parts_at_once(tmp_path):
    write(tmp_path, 1, size=1000)
    disk = UncachedDisk()
    store = LocalStore(tmp_path, disk=disk)
    file = store.open("000")
    store.fill([(file, offset, memoryview(bytearray(10))) for offset in (500, 0, 900)])
    assert disk.calls == [
        ("try", 500),
        *(("expect", offset, 10) for offset in (500, 0, 900)),
        *(("read", offset, 10) for offset in (500, 0, 900)),
    ]


def test_what_is_in_memory_is_read_without_telling_the_disk(tmp_path):
    write(tmp_path, 1, size=1000)
    disk = UncachedDisk(at_hand=1)
    store = LocalStore(tmp_path, disk=disk)
    parts = [(store.open("000"), offset, memoryview(bytearray(1))) for offset in (500, 0)]
    store.fill(parts)
    assert disk.calls == [("try", 500), ("try", 0), ("expect", 0, 1), ("read", 0, 1)]


def test_the_rest_of_a_part_that_is_in_memory_by_half_is_waited_for(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(100)))
    disk = UncachedDisk(at_hand=1)
    store = LocalStore(tmp_path, disk=disk)
    parts = [(store.open("a"), offset, memoryview(bytearray(20))) for offset in (10, 50)]
    store.fill(parts)
    assert [bytes(buffer) for _, _, buffer in parts] == [bytes(range(10, 30)), bytes(range(50, 70))]
    assert ("read", 21, 9) in disk.calls


def test_one_part_alone_is_simply_read(tmp_path):
    write(tmp_path, 1)
    disk = UncachedDisk()
    read(LocalStore(tmp_path, disk=disk), "000")
    assert disk.calls == [("read", 0, 10)]
