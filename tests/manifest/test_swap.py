"""A sample table that takes another one's place: what readers can see, and which files go."""

import hashlib
import json

import polars as pl
import pytest

import atdata
from atdata import ManifestError, ShardExistsError
from atdata._manifest._publish import Change, amended, publish_manifest, swap_manifest, sweep_tables
from atdata._manifest._shard_names import read_listing
from atdata._query._stored import StoredManifests
from atdata._storage import LocalStore, MemoryStore
from atdata.manifest import QueryExecutor


@atdata.packable
class Photo:
    label: str


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path, manifest_of):
    store = LocalStore(tmp_path, durable=False) if request.param == "local" else MemoryStore()
    publish_manifest(store, "p", manifest_of([Photo("cat"), Photo("dog")], "p"))
    return store


def shard(store):
    (found,) = (each for each in read_listing(store.names()).committed if each.shard_id == "p")
    return found


def change(store, name="late", value=1):
    """Return the header as it is, and what would take its place with one more column."""
    old = store.read("p.manifest.json")
    facts = json.loads(old)["samples"]
    table = pl.read_parquet(store.read(facts["file"]))
    column = pl.Series(name, [value, value])
    return old, amended(old, table, facts["sha256"], "p", Change([column], {name: "numeric"}))


def late(store):
    rows = QueryExecutor(StoredManifests(store, read_listing(store.names()))).rows()
    return {name: rows[name][0] for name in rows.columns if name.startswith("late")}


def put(store, name, data):
    with store.create(name) as upload:
        upload.write(data)
        upload.commit()


def test_the_header_names_the_new_table_and_the_old_one_is_gone(store):
    old, new = change(store)
    found = swap_manifest(store, shard(store), old, new)
    assert store.names() == sorted([new.table_name, "p.manifest.json"])
    assert found == shard(store)
    assert late(store) == {"late": 1}


def test_a_table_that_replaced_one_is_replaced(store):
    for value in (1, 2, 1):
        swap_manifest(store, shard(store), *change(store, value=value))
        assert len(store.names()) == 2
        assert late(store) == {"late": value}


def test_a_header_that_another_writer_replaced_is_left(store):
    old, new = change(store, "late_a")
    swap_manifest(store, shard(store), *change(store, "late_b"))
    with pytest.raises(ManifestError, match="'p': another writer replaced its header .*p.manifest.json"):
        swap_manifest(store, shard(store), old, new)
    assert late(store) == {"late_b": 1}
    assert len(store.names()) == 2


def test_a_header_that_is_gone_is_not_made_again(store):
    old, new = change(store)
    before = shard(store)
    store.remove("p.manifest.json")
    with pytest.raises(ManifestError, match="another writer replaced its header"):
        swap_manifest(store, before, old, new)
    assert "p.manifest.json" not in store.names()


def test_a_table_that_a_broken_run_left_is_taken(store):
    old, new = change(store)
    put(store, new.table_name, new.table)
    assert late(store) == {}  # the header decides
    swap_manifest(store, shard(store), old, new)
    assert late(store) == {"late": 1}
    assert len(store.names()) == 2


def test_a_file_of_that_name_with_other_bytes_is_not_overwritten(store):
    old, new = change(store)
    put(store, new.table_name, b"something else")
    with pytest.raises(ShardExistsError, match="is there already, with other bytes; nothing was changed"):
        swap_manifest(store, shard(store), old, new)
    assert store.read(new.table_name) == b"something else"
    assert store.read("p.manifest.json") == old


def test_the_old_table_goes_where_a_run_was_killed_before_it_removed_it(store):
    old, new = change(store)
    put(store, new.table_name, new.table)
    assert store.swap("p.manifest.json", old, new.header)
    assert late(store) == {"late": 1}
    found = sweep_tables(store, shard(store))
    assert found.tables == (new.table_name,)
    assert store.names() == sorted([new.table_name, "p.manifest.json"])


def test_a_table_that_another_writer_is_about_to_name_stays(store):
    _, theirs = change(store, "late_b")
    put(store, theirs.table_name, theirs.table)
    assert set(sweep_tables(store, shard(store)).tables) == {"p.manifest.parquet", theirs.table_name}
    assert theirs.table_name in store.names()


def test_a_table_that_came_too_late_goes_with_the_next_change(store):
    _, theirs = change(store, "late_b")
    put(store, theirs.table_name, theirs.table)
    old, new = change(store, "late_a")
    swap_manifest(store, shard(store), old, new)
    assert store.names() == sorted([new.table_name, "p.manifest.json"])


@pytest.mark.parametrize("data", [b"no Parquet", None], ids=["other bytes", "another shard's table"])
def test_a_file_that_only_looks_like_a_table_of_the_shard_stays(store, data):
    # A shard p.20240101 that is being written has its table before its header.
    put(store, "p.20240101.manifest.parquet", store.read("p.manifest.parquet") if data is None else data)
    old, new = change(store)
    swap_manifest(store, shard(store), old, new)
    assert "p.20240101.manifest.parquet" in store.names()
    assert "p.manifest.parquet" not in store.names()


def test_no_table_goes_whose_header_is_gone(store):
    before = shard(store)
    store.remove("p.manifest.json")
    assert sweep_tables(store, before) == before
    assert store.names() == ["p.manifest.parquet"]


def test_the_digits_in_the_name_are_those_of_the_file(store):
    old, new = change(store)
    swap_manifest(store, shard(store), old, new)
    (table,) = shard(store).tables
    assert table == f"p.{hashlib.sha256(store.read(table)).hexdigest()[:8]}.manifest.parquet"


def test_a_table_that_went_since_it_was_listed_is_not_the_shards_any_more(store):
    before = shard(store).with_tables(("p.manifest.parquet", "p.0123abcd.manifest.parquet"))
    assert sweep_tables(store, before).tables == ("p.manifest.parquet",)


@pytest.mark.parametrize("folder", ["", "train/"])
def test_a_table_is_named_below_its_folder(tmp_path, manifest_of, folder):
    store = LocalStore(tmp_path, durable=False)
    publish_manifest(store, f"{folder}p", manifest_of([Photo("cat")], f"{folder}p"))
    (before,) = read_listing(store.names(recursive=True)).committed
    assert sweep_tables(store, before) == before
    assert store.names(recursive=True) == sorted([before.header, *before.tables])
