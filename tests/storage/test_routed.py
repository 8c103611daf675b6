"""Stores made of stores: manifests apart from their tars, and several roots as one."""

import pickle

import pytest

from atdata._storage import ApartStore, LocalStore, MemoryStore, UnionStore


def put(store, *names):
    for name in names:
        store.replace(name, name.encode())


@pytest.fixture
def apart():
    tars, others = MemoryStore("tars"), MemoryStore("others")
    put(tars, "a.tar", "a.manifest.json", "x/b.tar")
    put(others, "a.manifest.json", "z.tar", "y/c.manifest.json", "_manifest_index/part")
    return ApartStore(tars, others)


@pytest.fixture
def union():
    first, second = MemoryStore("first"), MemoryStore("second")
    put(first, "a.tar", "sub/b.tar", ".c/d.tar")
    put(second, "a.tar")
    return UnionStore({"one": first, "deep/two": second})


def test_each_kind_of_file_is_listed_of_its_own_store(apart):
    assert apart.names() == ["a.manifest.json", "a.tar"]
    assert apart.names(recursive=True) == ["a.manifest.json", "a.tar", "x/b.tar", "y/c.manifest.json"]
    assert apart.names("x") == ["x/b.tar"]
    assert apart.folders() == ["_manifest_index", "x", "y"]
    names, stamps = apart.stamped(suffix=".manifest.json")
    assert (sorted(names), stamps) == (apart.names(), {"a.manifest.json": apart.others.stamp("a.manifest.json")})
    for call in (apart.names, apart.folders):
        with pytest.raises(FileNotFoundError):
            call("nowhere")


def test_each_kind_of_file_is_read_and_written_in_its_own_store(apart):
    apart.replace("n.tar", b"tar")
    apart.replace("n.manifest.json", b"old")
    assert apart.swap("n.manifest.json", b"old", b"json")
    assert (apart.tars.read("n.tar"), apart.others.read("n.manifest.json")) == (b"tar", b"json")
    assert (apart.url("n.tar"), apart.url()) == ("memory://tars/n.tar", "memory://tars")
    assert apart.url("n.manifest.json") == "memory://others/n.manifest.json"
    assert apart.folder("x").names() == ["b.tar"]


def test_parts_are_filled_by_the_stores_that_opened_them(apart, tmp_path):
    both = UnionStore({"apart": apart, "local": LocalStore(tmp_path)})
    both.replace("local/a.tar", b"local")
    buffers = [memoryview(bytearray(size)) for size in (5, 5, 3)]
    files = [both.open(name) for name in ("apart/a.tar", "local/a.tar", "apart/a.manifest.json")]
    both.fill([(file, 0, buffer) for file, buffer in zip(files, buffers, strict=True)])
    assert [bytes(buffer) for buffer in buffers] == [b"a.tar", b"local", b"a.m"]
    assert [file.size for file in files] == [5, 5, 15]
    assert files[0].stamp == both.open("apart/a.tar").stamp != files[1].stamp


def test_a_union_has_its_parts_as_folders(union):
    assert union.names() == union.names("deep") == []
    assert union.folders() == ["deep", "one"]
    assert (union.folders("deep"), union.folders("one")) == (["two"], [".c", "sub"])
    assert union.names(recursive=True) == ["deep/two/a.tar", "one/a.tar", "one/sub/b.tar"]
    assert union.names("one") == ["one/a.tar"]
    assert union.names("one/sub") == ["one/sub/b.tar"]
    assert union.names("deep", recursive=True) == ["deep/two/a.tar"]
    assert union.stamped("one", suffix=".tar") == (["one/a.tar"], {"one/a.tar": union.stamp("one/a.tar")})
    assert union.folder("deep").names("two") == ["two/a.tar"]
    assert union.folder("one/sub").names() == ["b.tar"]
    assert union.folder("deep/two").names() == ["a.tar"]
    for name in ("deep/three", "on", "one/nowhere"):
        with pytest.raises(FileNotFoundError):
            union.names(name)


def test_a_union_reads_and_writes_in_its_parts(union):
    with union.create("deep/two/new.tar") as upload:
        upload.write(b"new")
        upload.commit()
    assert union.parts["deep/two"].read("new.tar") == union.read("deep/two/new.tar") == b"new"
    assert union.size("deep/two/new.tar") == 3
    assert union.url("deep/two/new.tar") == "memory://second/new.tar"
    assert union.url() == "memory://first + memory://second"
    union.remove("deep/two/new.tar", "one/a.tar")
    with pytest.raises(FileNotFoundError):
        union.read("one/a.tar")
    for call in (union.read, union.size, union.open, union.create):
        with pytest.raises(FileNotFoundError, match=r"'other/a\.tar' is in none of the folders 'one', 'deep/two'"):
            call("other/a.tar")


def test_stores_over_the_same_places_are_equal(apart, union):
    assert apart == ApartStore(apart.tars, apart.others) == pickle.loads(pickle.dumps(apart))
    assert apart != ApartStore(apart.others, apart.tars)
    assert union == UnionStore(dict(reversed(union.parts.items()))) == pickle.loads(pickle.dumps(union))
    assert union != UnionStore({"one": union.parts["one"]})
    assert len({apart, union, ApartStore(apart.tars, apart.others), UnionStore(union.parts)}) == 2
