"""The local store: the order of its system calls, faults at each of them, kills, limits and races."""

import contextlib
import errno
import fcntl
import hashlib
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import polars as pl
import pytest

import atdata
from atdata._storage import Disk, LocalStore, Outcome, TablePath, is_leftover
from tests.tiers import chance, rounds, slow_beyond

DATA = bytes(range(256)) * 40
#: What a durable publish of two writes does.
PUBLISH = ["create", "write", "write", "sync", "close", "link", "remove", "sync_folder"]
#: The same where the file system has no hard links; the second create to the last remove are the lock's.
PUBLISH_LOCKED = [*PUBLISH[:6], "create", "close", "rename", "remove", "sync_folder"]


class RecordingDisk(Disk):
    """Records each call, and fails the chosen ones after whatever they do has been done or not."""

    def __init__(self, *, fail_at=None, code=errno.EIO, persistent=False, links=True):
        self.calls = []
        self.faults = []
        self._fail_at, self._code, self._persistent, self._links = fail_at, code, persistent, links

    @property
    def verbs(self):
        return [verb for verb, *_ in self.calls]

    def _fails(self, verb, *names):
        number = len(self.calls)
        self.calls.append((verb, *names))
        if self._fail_at is None or not (number == self._fail_at or (self._persistent and number > self._fail_at)):
            return
        self.faults.append(OSError(self._code, f"fault at call {number}, {verb}"))
        raise self.faults[-1]

    def create(self, path):
        self._fails("create", path.name)
        return super().create(path)

    def write(self, descriptor, data):
        try:
            self._fails("write")
        except OSError:
            super().write(descriptor, data[: len(data) // 2])  # some bytes are on the disk when it fills up
            raise
        return super().write(descriptor, data)

    def sync(self, descriptor):
        self._fails("sync")
        super().sync(descriptor)

    def close(self, descriptor):
        super().close(descriptor)  # closed whatever it answers
        self._fails("close")

    def link(self, source, target):
        self._fails("link", source.name, target.name)
        if not self._links:
            raise OSError(errno.EPERM, "no hard links here")
        super().link(source, target)

    def rename(self, source, target):
        self._fails("rename", source.name, target.name)
        super().rename(source, target)

    def remove(self, path):
        self._fails("remove", path.name)
        super().remove(path)

    def sync_folder(self, path):
        self._fails("sync_folder", path.name)
        super().sync_folder(path)


class SlowWriter(Disk):
    """Writes a few bytes a call, as a disk may."""

    def write(self, descriptor, data):
        return super().write(descriptor, data[:7])


def publish(store, name="a.bin", data=DATA):
    with store.create(name) as upload:
        upload.write(data[: len(data) // 2])
        upload.write(data[len(data) // 2 :])
        upload.commit()


def first_cause(error):
    while error.__context__ is not None:
        error = error.__context__
    return error


def run_python(script, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_durable_publish_syncs_the_file_before_and_the_folder_after_its_name(tmp_path):
    disk = RecordingDisk()
    publish(LocalStore(tmp_path, disk=disk))
    assert disk.verbs == PUBLISH


def test_a_publish_links_the_temporary_name_to_the_final_one_and_removes_it(tmp_path):
    disk = RecordingDisk()
    publish(LocalStore(tmp_path, disk=disk), "folder/a.bin")
    calls = {verb: names for verb, *names in disk.calls}
    [temporary] = calls["create"]
    assert is_leftover(temporary)
    assert calls["link"] == [temporary, "a.bin"]
    assert calls["remove"] == [temporary]
    assert calls["sync_folder"] == ["folder"]


def test_a_publish_that_need_not_be_durable_makes_the_same_calls_without_the_syncs(tmp_path):
    disk = RecordingDisk()
    publish(LocalStore(tmp_path, durable=False, disk=disk))
    assert disk.verbs == [verb for verb in PUBLISH if not verb.startswith("sync")]


def test_a_durable_replace_syncs_the_file_before_and_the_folder_after_the_rename(tmp_path):
    disk = RecordingDisk()
    LocalStore(tmp_path, disk=disk).replace("a.json", b"new")
    assert disk.verbs == ["create", "write", "sync", "close", "rename", "sync_folder"]


def test_a_disk_that_writes_a_few_bytes_a_call_gives_a_whole_file(tmp_path):
    store = LocalStore(tmp_path, disk=SlowWriter())
    publish(store)
    assert store.read("a.bin") == DATA


@pytest.mark.parametrize("persistent", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize(("number", "verb"), [call for call in enumerate(PUBLISH) if call[1] != "remove"])
class TestFaultAtEachCallOfAPublish:
    def test_the_final_name_holds_the_whole_file_or_nothing(self, tmp_path, number, verb, code, persistent):
        store = LocalStore(tmp_path, disk=RecordingDisk(fail_at=number, code=code, persistent=persistent))
        with pytest.raises(OSError):
            publish(store)
        published = verb == "sync_folder"
        assert (tmp_path / "a.bin").exists() is published
        assert not published or store.read("a.bin") == DATA

    def test_the_error_is_the_fault(self, tmp_path, number, verb, code, persistent):
        disk = RecordingDisk(fail_at=number, code=code, persistent=persistent)
        with pytest.raises(OSError, match="fault at call") as caught:
            publish(LocalStore(tmp_path, disk=disk))
        assert disk.verbs[number] == verb
        assert caught.value.errno == code
        assert first_cause(caught.value) is disk.faults[0]

    def test_a_retry_on_a_disk_that_works_gives_the_whole_file(self, tmp_path, number, verb, code, persistent):
        disk = RecordingDisk(fail_at=number, code=code, persistent=persistent)
        with pytest.raises(OSError, match="fault at call"):
            publish(LocalStore(tmp_path, disk=disk))
        assert disk.verbs[number] == verb
        store = LocalStore(tmp_path)
        if not (tmp_path / "a.bin").exists():
            publish(store)
        assert store.read("a.bin") == DATA


@pytest.mark.parametrize("number", range(PUBLISH.index("remove")))
def test_a_fault_that_passes_leaves_no_temporary_file(tmp_path, number):
    with pytest.raises(OSError, match="fault at call"):
        publish(LocalStore(tmp_path, disk=RecordingDisk(fail_at=number)))
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_name_that_stays_is_no_failure_to_publish(tmp_path):
    disk = RecordingDisk(fail_at=PUBLISH.index("remove"))
    publish(LocalStore(tmp_path, disk=disk))
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert disk.verbs[-1] == "sync_folder"


@pytest.mark.parametrize("number", range(6))
def test_a_fault_in_a_replace_leaves_the_old_file_or_the_new_whole(tmp_path, number):
    LocalStore(tmp_path).replace("a.json", b"old")
    with pytest.raises(OSError, match="fault at call"):
        LocalStore(tmp_path, disk=RecordingDisk(fail_at=number)).replace("a.json", b"new!")
    assert (tmp_path / "a.json").read_bytes() == (b"old" if number < 5 else b"new!")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_without_hard_links_a_publish_renames_under_a_lock(tmp_path):
    disk = RecordingDisk(links=False)
    publish(LocalStore(tmp_path, disk=disk))
    assert disk.verbs == PUBLISH_LOCKED
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_without_hard_links_an_upload_says_whether_it_is_published(tmp_path):
    with LocalStore(tmp_path, disk=RecordingDisk(links=False)).create("a.bin") as upload:
        assert upload.outcome is Outcome.NOT_PUBLISHED
        upload.commit()
        assert upload.outcome is Outcome.PUBLISHED


def test_without_hard_links_nothing_but_the_file_stays(tmp_path):
    publish(LocalStore(tmp_path, disk=RecordingDisk(links=False)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_without_hard_links_the_second_to_commit_loses_and_leaves_nothing(tmp_path):
    store = LocalStore(tmp_path, disk=RecordingDisk(links=False))
    with store.create("a.bin") as first, store.create("a.bin") as second:
        first.write(b"first")
        second.write(b"second")
        first.commit()
        with pytest.raises(FileExistsError, match=r"a\.bin"):
            second.commit()
    assert store.read("a.bin") == b"first"
    assert store.names() == ["a.bin"]


def test_without_hard_links_the_name_is_free_again_after_a_remove(tmp_path):
    store = LocalStore(tmp_path, disk=RecordingDisk(links=False))
    publish(store)
    store.remove("a.bin")
    publish(store, data=b"again")
    assert store.read("a.bin") == b"again"


@pytest.mark.parametrize(
    "number",
    [n for n, verb in enumerate(PUBLISH_LOCKED) if verb != "link"],
    ids=[f"{n}-{verb}" for n, verb in enumerate(PUBLISH_LOCKED) if verb != "link"],
)
def test_without_hard_links_a_publish_works_after_a_fault_at_any_call(tmp_path, number):
    disk = RecordingDisk(fail_at=number, links=False)
    with contextlib.suppress(OSError):
        publish(LocalStore(tmp_path, disk=disk))
    assert disk.faults
    store = LocalStore(tmp_path, disk=RecordingDisk(links=False))
    if not (tmp_path / "a.bin").exists():
        publish(store)
    assert store.read("a.bin") == DATA


@pytest.mark.soak
def test_without_hard_links_threads_racing_for_a_name_have_one_winner_each_round(tmp_path):
    store = LocalStore(tmp_path, durable=False, disk=RecordingDisk(links=False))
    turns, racers = rounds(30), 8
    barrier, wins = threading.Barrier(racers, timeout=30), []

    def race(racer):
        for number in range(turns):
            barrier.wait()
            try:
                publish(store, f"{number}.bin", bytes([racer]) * 1000)
            except FileExistsError:
                continue
            wins.append((number, racer))

    threads = [threading.Thread(target=race, args=(racer,)) for racer in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number, _ in wins) == list(range(turns))
    assert all(store.read(f"{number}.bin") == bytes([racer]) * 1000 for number, racer in wins)
    assert len(store.names()) == turns


PUBLISH_UNTIL_KILLED = """
    import hashlib, random, sys
    from atdata._storage import LocalStore

    store, numbers = LocalStore(sys.argv[1]), random.Random(int(sys.argv[2]))
    for number in range(100_000):
        data = numbers.randbytes(numbers.randrange(1, 200_000))
        with store.create(f"{number}.bin") as upload:
            upload.write(hashlib.sha256(data).digest())
            for start in range(0, len(data), 4096):
                upload.write(data[start : start + 4096])
            upload.commit()
        print(number, flush=True)
"""


@pytest.mark.soak
@pytest.mark.parametrize("seed", slow_beyond(4, range(rounds(10))))
def test_after_a_kill_every_visible_file_is_whole_and_every_acknowledged_one_is_there(tmp_path, seed):
    numbers = chance(seed)
    writer = run_python(PUBLISH_UNTIL_KILLED, tmp_path, numbers.randrange(10**9))
    ready, _, _ = select.select([writer.stdout], [], [], 30)
    assert ready, "the writer published nothing"
    time.sleep(numbers.uniform(0, 0.25))
    writer.send_signal(signal.SIGKILL)
    acknowledged = {f"{line}.bin" for line in writer.communicate()[0].split()}

    visible = {path.name for path in tmp_path.iterdir() if not is_leftover(path.name)}
    assert acknowledged
    assert acknowledged <= visible
    for name in visible:
        data = (tmp_path / name).read_bytes()
        assert hashlib.sha256(data[32:]).digest() == data[:32]


PUBLISH_UNDER_A_LIMIT = """
    import errno, os, resource, sys
    from atdata._storage import LocalStore

    store = LocalStore(sys.argv[1])
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, 1, 511, 4096, 65_537, 99_999, 100_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with store.create(f"{limit}.bin") as upload:
                upload.write(bytes(60_000))
                upload.write(bytes(40_000))
                upload.commit()
            outcome = "published"
        except OSError as error:
            outcome = errno.errorcode[error.errno]
        print(limit, outcome, *os.listdir(sys.argv[1]), flush=True)
"""


def test_a_file_larger_than_the_system_allows_is_an_error_and_leaves_nothing(tmp_path):
    writer = run_python(PUBLISH_UNDER_A_LIMIT, tmp_path)
    *refused, published = writer.communicate(timeout=60)[0].splitlines()
    assert refused == [f"{limit} EFBIG" for limit in (0, 1, 511, 4096, 65_537, 99_999)]
    assert published == "100000 published 100000.bin"
    assert (tmp_path / "100000.bin").read_bytes() == bytes(100_000)


RACE = """
    import sys
    from atdata._storage import LocalStore

    store = LocalStore(sys.argv[1], durable=False)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(sys.argv[3])):
        try:
            with store.create(f"{number}.bin") as upload:
                upload.write(sys.argv[2].encode() * 3000)
                upload.commit()
        except FileExistsError:
            continue
        print(number)
"""


@pytest.mark.soak
def test_processes_racing_for_a_name_have_one_winner_each_round(tmp_path):
    turns = rounds(100)
    racers = {str(racer): run_python(RACE, tmp_path, racer, turns) for racer in range(4)}
    for process in racers.values():
        assert process.stdout.readline() == "ready\n"
    for process in racers.values():
        process.stdin.write("go\n")
        process.stdin.flush()
    wins = [(int(number), racer) for racer, process in racers.items() for number in process.communicate()[0].split()]
    assert [process.returncode for process in racers.values()] == [0] * 4
    assert sorted(number for number, _ in wins) == list(range(turns))
    assert all((tmp_path / f"{number}.bin").read_bytes() == racer.encode() * 3000 for number, racer in wins)
    assert len(list(tmp_path.iterdir())) == turns


def test_writing_opens_no_more_descriptors_than_it_closes(tmp_path):
    store = LocalStore(tmp_path)
    publish(store)
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 -- names of descriptors, no files
    for _ in range(50):
        with pytest.raises(FileExistsError):
            store.create("a.bin")
        store.create("b.bin").abort()
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208 -- as above


def test_the_root_is_made_when_the_first_file_is_written(tmp_path):
    store = LocalStore(tmp_path / "not" / "yet")
    assert not (tmp_path / "not").exists()
    publish(store)
    assert (tmp_path / "not" / "yet" / "a.bin").read_bytes() == DATA


def test_a_relative_root_stays_where_it_was_when_the_working_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = LocalStore("data")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    publish(store)
    assert (tmp_path / "data" / "a.bin").exists()


def test_it_says_where_it_is(tmp_path):
    store = LocalStore(tmp_path)
    assert repr(store) == f"LocalStore({str(tmp_path)!r})"
    assert Path(store.url("folder/a")) == tmp_path / "folder" / "a"


def test_polars_gets_paths_of_it(tmp_path):
    (tmp_path / "a.parquet").touch()
    assert LocalStore(tmp_path).tables(["a.parquet"]) == [TablePath(str(tmp_path / "a.parquet"))]


def test_a_link_back_to_a_folder_above_is_not_followed(tmp_path):
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"a")
    (folder / "loop").symlink_to(tmp_path)
    (tmp_path / "elsewhere").symlink_to(folder)
    assert LocalStore(tmp_path).names(recursive=True) == ["elsewhere/a.bin", "sub/a.bin"]


def test_a_new_folder_is_made_durable_from_the_last_one_that_was_there(tmp_path):
    synced = []

    class Recording(Disk):
        def sync_folder(self, path):
            synced.append(path)
            super().sync_folder(path)

    store = LocalStore(tmp_path / "a" / "b", disk=Recording())
    with store.create("x.bin") as upload:
        upload.commit()
    assert synced == [tmp_path / "a", tmp_path, tmp_path / "a" / "b"]


def test_a_lock_that_stays_is_named_with_what_to_do(tmp_path):
    class NoLinks(Disk):
        def link(self, source, target):
            raise OSError(errno.EPERM, "no hard links here", str(source), None, str(target))

    (tmp_path / ".tmp-lock-x.bin").touch()
    store = LocalStore(tmp_path, disk=NoLinks())
    with (
        store.create("x.bin") as upload,
        pytest.raises(FileExistsError, match=r"\.tmp-lock-x\.bin; if none is running"),
    ):
        upload.commit()
    assert store.names() == [
        ".tmp-lock-x.bin",
        *(n for n in store.names() if n.startswith(".tmp-") and "lock" not in n),
    ]


def test_a_disk_that_reads_a_few_bytes_a_call_gives_whole_ranges(tmp_path):
    class Reluctant(Disk):
        def read_into(self, descriptor, buffer, offset):
            return super().read_into(descriptor, buffer[:3], offset)

        def read_at_hand(self, descriptor, buffer, offset):
            return super().read_into(descriptor, buffer[:2], offset)

    (tmp_path / "x.bin").write_bytes(bytes(range(100)))
    store = LocalStore(tmp_path, disk=Reluctant())
    parts = [(store.open("x.bin"), offset, memoryview(bytearray(length))) for offset, length in [(10, 50), (0, 2)]]
    store.fill(parts)
    store.fill(parts[:1])
    assert [bytes(buffer) for _, _, buffer in parts] == [bytes(range(10, 60)), b"\0\1"]


def test_a_file_that_another_process_is_swapping_is_left_to_it(tmp_path):
    (tmp_path / "a.json").write_bytes(b"old")
    with (tmp_path / "a.json").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not LocalStore(tmp_path).swap("a.json", b"old", b"new")
    assert LocalStore(tmp_path).swap("a.json", b"old", b"new")
    assert (tmp_path / "a.json").read_bytes() == b"new"


def test_a_file_that_was_replaced_before_it_could_be_locked_is_left(tmp_path):
    class Late(Disk):
        def lock(self, descriptor):
            if (tmp_path / "a.json").read_bytes() == b"old":  # another swaps first, and then swaps back
                LocalStore(tmp_path).replace("a.json", b"newer")
            super().lock(descriptor)

    (tmp_path / "a.json").write_bytes(b"old")
    assert not LocalStore(tmp_path, disk=Late()).swap("a.json", b"old", b"new")
    assert (tmp_path / "a.json").read_bytes() == b"newer"


def test_a_file_that_is_removed_before_it_could_be_locked_is_not_made_again(tmp_path):
    class Late(Disk):
        def lock(self, descriptor):
            (tmp_path / "a.json").unlink()
            super().lock(descriptor)

    (tmp_path / "a.json").write_bytes(b"old")
    assert not LocalStore(tmp_path, disk=Late()).swap("a.json", b"old", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_swaps_all_the_same(tmp_path):
    class NoLocks(Disk):
        def lock(self, descriptor):
            raise OSError(errno.ENOLCK, "no locks here", str(descriptor))

    (tmp_path / "a.json").write_bytes(b"old")
    assert LocalStore(tmp_path, disk=NoLocks()).swap("a.json", b"old", b"new")
    assert (tmp_path / "a.json").read_bytes() == b"new"


def test_a_swap_is_durable_before_and_after_the_new_name_is_given(tmp_path):
    steps = []

    class Recording(Disk):
        def sync(self, descriptor):
            steps.append("sync")
            super().sync(descriptor)

        def rename(self, source, target):
            steps.append("rename")
            super().rename(source, target)

        def sync_folder(self, path):
            steps.append("sync_folder")
            super().sync_folder(path)

    (tmp_path / "a.json").write_bytes(b"old")
    LocalStore(tmp_path, disk=Recording()).swap("a.json", b"old", b"new")
    assert steps == ["sync", "rename", "sync_folder"]


class ForgetfulDisk(RecordingDisk):
    """Does what it is asked, and then fails at the chosen call, as a disk behind a network may."""

    def _fails(self, verb, *names):
        self.calls.append((verb, *names))

    def _answer(self, number):
        if number == self._fail_at:
            self.faults.append(OSError(self._code, f"the answer to call {number} was lost"))
            raise self.faults[-1]


def _forgetful(verb):
    def call(self, *arguments):
        number = len(self.calls)
        answer = getattr(RecordingDisk, verb)(self, *arguments)
        self._answer(number)
        return answer

    return call


for _verb in ("create", "write", "sync", "close", "link", "rename", "remove", "sync_folder"):
    setattr(ForgetfulDisk, _verb, _forgetful(_verb))


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("over", [False, True])
def test_a_fault_after_any_call_leaves_an_outcome_that_is_true(tmp_path, links, over):
    disk = ForgetfulDisk(links=links)
    publish(LocalStore(tmp_path / "clean", disk=disk))
    outcomes, raised = [], []
    for number in range(len(disk.calls)):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = LocalStore(folder, disk=ForgetfulDisk(fail_at=number, links=links))
        upload = None
        try:
            with store.create("a.bin", over=over) as upload:
                upload.write(DATA[: len(DATA) // 2])
                upload.write(DATA[len(DATA) // 2 :])
                upload.commit()
        except OSError as error:
            raised.append(any(each in store.disk.faults for each in (error, error.__context__)))
        there = (folder / "a.bin").exists()
        assert not there or (folder / "a.bin").read_bytes() == DATA
        if upload is not None:
            assert upload.outcome is (Outcome.PUBLISHED if there else Outcome.NOT_PUBLISHED)
        outcomes.append(there)
    assert set(outcomes) == {True, False}
    assert all(raised)


def test_an_upload_whose_name_cannot_be_looked_at_after_a_lost_answer_is_unknown(tmp_path):
    class Gone(ForgetfulDisk):
        def link(self, source, target):
            super(ForgetfulDisk, self).link(source, target)
            tmp_path.joinpath("data").rename(tmp_path / "elsewhere")
            tmp_path.joinpath("data").write_bytes(b"no folder")  # looking below it fails
            raise OSError(errno.EIO, "the answer was lost")

    store = LocalStore(tmp_path / "data", disk=Gone())
    upload = store.create("a.bin")
    upload.write(DATA)
    with pytest.raises(atdata.UnknownOutcomeError, match=r"may be published.*a\.bin"):
        upload.commit()
    assert upload.outcome is Outcome.UNKNOWN
    assert (tmp_path / "elsewhere" / "a.bin").read_bytes() == DATA


READER = """
import sys
import polars as pl
from atdata._storage import LocalStore, scan_tables

store, seen = LocalStore(sys.argv[1]), 0
print("reading", flush=True)
for line in sys.stdin:
    if line == "stop\\n":
        break
    for _ in range(40):
        try:
            rows = scan_tables(store.tables(["a.parquet"]), {"number": pl.Int64()})
            seen += rows.filter(pl.col("number") >= 0).select(pl.len()).collect().item()
        except (pl.exceptions.PolarsError, OSError):
            pass
    print("more", flush=True)
print(seen)
"""


def test_a_process_that_reads_a_table_lives_while_the_table_is_cut_in_place(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"number": range(50_000)}).write_parquet(path)
    data = path.read_bytes()
    with run_python(READER, tmp_path) as reader:
        assert reader.stdout.readline() == "reading\n"
        with path.open("r+b") as file:
            for _ in range(rounds(20)):
                reader.stdin.write("go\n")
                reader.stdin.flush()
                while not select.select([reader.stdout], [], [], 0)[0]:
                    os.truncate(path, 0)
                    file.seek(0)
                    file.write(data)
                    file.flush()
                if reader.stdout.readline() != "more\n":
                    break
        answer = reader.communicate("stop\n", timeout=60)[0]
    assert reader.returncode == 0
    assert int(answer) > 0
