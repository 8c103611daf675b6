"""What a caller's path or URL becomes."""

import os
import pickle
import sys
from pathlib import Path

import pytest

import atdata
import atdata._storage
from atdata._storage import LocalStore, MemoryStore, StorePath, local_path, open_store, register_scheme


@pytest.fixture
def bucket():
    """Register a scheme over one place in memory, and return its root."""
    place = MemoryStore("bucket")
    roots = []

    def factory(url, options):
        roots.append((url, dict(options)))
        below = url.removeprefix("kept://bucket").strip("/")
        return place.folder(below) if below else place

    register_scheme("kept", factory)
    place.roots = roots
    return place


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_a_name_in_the_store_of_its_folder(tmp_path, kind):
    store, name = open_store(kind(tmp_path / "set" / "p.tar"))
    assert (store, name) == (LocalStore(tmp_path / "set"), "p.tar")
    assert store.url(name) == str(tmp_path / "set" / "p.tar")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("text", ["set/p.tar", "./set/p.tar", "~/p.tar", "set/", "."])
def test_a_relative_path_is_taken_from_the_working_folder_and_a_tilde_is_a_name(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    assert StorePath.parse(text).url == str(Path.cwd() / text).removesuffix("/.").replace("/./", "/").rstrip("/")


def test_the_root_of_a_disk_is_a_folder_like_any_other():
    assert StorePath.parse("/").url == "/"
    assert StorePath.parse("/").folder() == LocalStore("/")


@pytest.mark.parametrize(
    "url", ["file:///data/a%20b/p.tar", "file://localhost/data/a%20b/p.tar", "FILE:///data/a%20b/p.tar"]
)
def test_a_file_url_is_a_local_path(url):
    assert open_store(url) == (LocalStore("/data/a b"), "p.tar")
    assert local_path(url) == "/data/a b/p.tar"


@pytest.mark.parametrize(
    "path",
    [
        "s3://b/x",
        "S3://b/x",
        "s3://",
        "s3:/b/x",
        Path("s3://b/x"),
        Path("s3://"),
        "hf+x://b",
        "file://host/x",
        "x-y:/b",
    ],
    ids=repr,
)
def test_an_unsupported_url_is_refused_by_one_error_that_says_what_works(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(atdata.UnsupportedSchemeError, match=r"local paths and file://.*Copy the files") as caught:
        open_store(path)
    assert os.fspath(path) in str(caught.value)
    with pytest.raises(atdata.UnsupportedSchemeError):
        local_path(path)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), ValueError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["./s3:/x", "a:b/x.tar", "run-1:2.tar", "c:/x", "/data/s3:/x", "a/b://c"])
def test_a_path_that_only_looks_like_a_url_is_a_path(path):
    assert StorePath.parse(path).url == str(Path.cwd() / path).replace("//", "/")


def test_a_registered_scheme_opens_at_the_folder_with_the_options(bucket):
    bucket.replace("set/p.tar", b"bytes")
    path = StorePath.parse("kept://bucket/set/p.tar", {"key": "secret"})
    assert (path.store, path.name, path.store.read(path.name)) == (bucket.folder("set"), "p.tar", b"bytes")
    assert bucket.roots == [("kept://bucket/set", {"key": "secret"})]
    assert StorePath.parse("KEPT://bucket/set/").folder().read("p.tar") == b"bytes"
    with pytest.raises(atdata.UnsupportedSchemeError, match=r"pathlib.*kept://"):
        open_store(Path("kept://bucket/x"))


def test_a_bucket_alone_is_a_root_without_a_name(bucket):
    assert open_store("kept://bucket") == open_store("kept://bucket/") == (bucket, "")


@pytest.mark.parametrize("scheme", ["", "s", "file", "FILE", "s3://", "1s", "a b"])
def test_what_is_no_scheme_cannot_be_registered(scheme):
    with pytest.raises(ValueError, match="scheme of a URL"):
        register_scheme(scheme, lambda *_: MemoryStore())


def test_a_local_path_takes_no_options():
    with pytest.raises(ValueError, match=r"takes no storage options.*'key'"):
        open_store("set/p.tar", {"key": "secret"})


def test_a_path_of_bytes_is_refused():
    with pytest.raises(TypeError, match="as text"):
        open_store(b"set/p.tar")


def test_a_path_is_extended_below_and_is_a_root_of_its_own(tmp_path):
    path = StorePath.parse(tmp_path / "set") / "deep" / "p.tar"
    path.store.replace(path.name, b"bytes")
    assert path.url == str(path) == str(tmp_path / "set" / "deep" / "p.tar")
    assert StorePath.parse(tmp_path / "set" / "deep").folder().read("p.tar") == b"bytes"
    root = StorePath(LocalStore(tmp_path), "")
    assert root.folder() is root.store
    assert (root / "a").name == "a"


def test_paths_are_values(tmp_path):
    path = StorePath.parse(tmp_path / "a")
    assert path == pickle.loads(pickle.dumps(path)) == StorePath.parse(str(tmp_path / "a"))
    assert len({path, StorePath.parse(tmp_path / "a"), StorePath.parse(tmp_path / "b")}) == 2
    with pytest.raises(AttributeError):
        path.name = "b"


def test_a_path_says_whether_what_is_written_is_durable(tmp_path):
    assert StorePath.parse(tmp_path / "a", durable=False).folder().durable is False
    assert StorePath.parse(tmp_path / "a").folder().durable is True


def test_the_module_of_a_scheme_is_imported_with_its_first_url(tmp_path, monkeypatch):
    imports = "from atdata._storage import MemoryStore, register_scheme\n"
    (tmp_path / "_shelf_store.py").write_text(f"{imports}register_scheme('shelf', lambda *_: MemoryStore('shelf'))\n")
    monkeypatch.setattr(atdata._storage, "__path__", [*atdata._storage.__path__, str(tmp_path)])
    assert "atdata._storage._shelf_store" not in sys.modules
    store, name = open_store("shelf://box/a")
    assert (store.url(), name) == (MemoryStore("shelf").url(), "a")
