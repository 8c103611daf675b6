"""Pipes, sockets and devices where files are expected: an error that names them, at once, and never a hang."""

import contextlib
import os
import shutil
import signal
import socket

import pytest

import atdata
from atdata import DamagedManifestError, F, NotAFileError, QueryExecutor, ShardManifest
from atdata._storage import LocalStore


@atdata.packable
class Caption:
    text: str


@contextlib.contextmanager
def soon(seconds=10):
    """Fail where something is waited for."""

    def hang(*_):
        raise AssertionError("still waiting")

    old = signal.signal(signal.SIGALRM, hang)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(f"/proc/self/fd/{os.open(path.parent, os.O_RDONLY)}/{path.name}")  # a path may be too long
    finally:
        listener.close()


def make_device(path):
    path.symlink_to("/dev/zero")


KINDS = {"pipe": make_pipe, "socket": make_socket, "device": make_device}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "set"
    atdata.write_samples([Caption(text) for text in "abcdef"], folder / "p.tar", maxcount=2, manifest=True)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "set")


def put(folder, name, kind):
    (folder / name).unlink(missing_ok=True)
    KINDS[kind](folder / name)


def opened(folder):
    return atdata.Dataset[Caption](folder)


#: What is done with a dataset, by what it reads of each shard.
CALLS = {
    "len": ("json", lambda folder: len(opened(folder))),
    "iterate": ("json tar", lambda folder: list(opened(folder))),
    "where": ("json parquet tar", lambda folder: list(opened(folder).where(F.text >= "a"))),
    "query": ("parquet", lambda folder: opened(folder).query(F.text >= "a")),
    "fetch": (
        "json parquet tar",
        lambda folder: list(opened(folder).fetch(QueryExecutor.from_directory(folder).query(F.text >= "a"))),
    ),
    "item": ("json tar", lambda folder: opened(folder)[0]),
    "compact": ("json parquet", lambda folder: QueryExecutor.from_directory(folder).compact()),
    "annotate": (
        "json parquet tar",
        lambda folder: opened(folder).annotate(lambda batch: {"length": [len(text) for text in batch.text]}),
    ),
    "save_slice": (
        "json parquet",
        lambda folder: opened(folder).where(text="a").save_slice(folder / "a.slice.parquet"),
    ),
    "append": (
        "json",
        lambda folder: atdata.write_samples([Caption("x")], folder / "p.tar", maxcount=2, manifest=True, append=True),
    ),
    "from_json_only": ("json", lambda folder: ShardManifest.from_json_only(folder / "p-000000.manifest.json")),
    "from_files": (
        "json parquet",
        lambda folder: (
            ShardManifest.from_files(folder / "p-000000.manifest.json", folder / "p-000000.manifest.parquet").samples
        ),
    ),
}
FILES = {"json": "p-000000.manifest.json", "parquet": "p-000000.manifest.parquet", "tar": "p-000000.tar"}
CASES = [(call, file) for call, (reads, _) in CALLS.items() for file in reads.split()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("call", "file"), CASES, ids=map("-".join, CASES))
def test_what_is_not_a_file_is_named_at_once(folder, call, file, kind):
    put(folder, FILES[file], kind)
    with soon(), pytest.raises(atdata.AtdataError, match="p-000000"):
        CALLS[call][1](folder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lone_tar_that_is_not_a_file_is_named_at_once(tmp_path, kind):
    put(tmp_path, "x.tar", kind)
    with soon(), pytest.raises(NotAFileError, match=r"expected a regular file, found a .*x\.tar"):
        list(opened(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", ["read", "open", "table", "read_many"])
def test_no_verb_of_the_store_waits_for_what_is_not_a_file(tmp_path, verb, kind):
    store = LocalStore(tmp_path)
    put(tmp_path, "x", kind)
    with soon():
        if verb == "read_many":
            assert isinstance(store.read_many(["x"])[0], NotAFileError)
            return
        with pytest.raises(NotAFileError, match=r"found a (pipe \(FIFO\)|socket|character device).*Remove it"):
            getattr(store, verb)("x")


def test_a_folder_where_a_file_is_expected_is_named(tmp_path):
    (tmp_path / "x").mkdir()
    for verb in ("read", "open", "table"):
        with pytest.raises(IsADirectoryError, match="x"):
            getattr(LocalStore(tmp_path), verb)("x")


@pytest.mark.parametrize("call", [call for call, (reads, _) in CALLS.items() if "json" in reads])
def test_a_header_of_a_gibibyte_is_refused_before_it_is_read(folder, call, monkeypatch):
    os.truncate(folder / FILES["json"], 1 << 30)  # of holes: nothing is written
    lengths = []
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, length: lengths.append(length) or read(descriptor, length))
    with (
        soon(),
        pytest.raises(DamagedManifestError, match=r"p-000000\.manifest\.json.*67108864 bytes, found 1073741824"),
    ):
        CALLS[call][1](folder)
    assert max(lengths, default=0) < 1 << 26
