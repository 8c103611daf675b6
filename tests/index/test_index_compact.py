"""Making the index, and bringing it up to date: what is read, what is checked, what is left out."""

import json
import os
import shutil
import time
from pathlib import Path

import polars as pl
import pytest

import atdata
from atdata._index import Headers, _compact, compact, open_index
from atdata._index._plan import Limits
from atdata._manifest import ShardManifest
from atdata._manifest._manifest_header import encode_header
from atdata._manifest._publish import publish_manifest
from atdata._manifest._shard_names import HEADER_SUFFIX, TABLE_SUFFIX, read_listing
from atdata._storage import MemoryStore

#: Parts of at most ten rows.
SMALL = Limits(rows=10, batch=7)
NAMES = [f"s-{number:03d}" for number in range(40)]


def without(path):
    """Make a file unreadable as what it is, without another stamp of its header."""
    path.write_bytes(b"not what was written")


def test_parts_hold_as_many_rows_as_they_may(folder):
    folder.fill(7, rows=4)
    assert folder.compact(limits=SMALL).parts_written == 4
    assert [part.rows for part in folder.check(covered=NAMES[:7]).parts] == [8, 8, 8, 4]


def test_a_shard_is_never_cut(folder):
    folder.fill(2, rows=25)
    folder.compact(limits=SMALL)
    assert [part.rows for part in folder.check(covered=NAMES[:2]).parts] == [25, 25]


def test_a_second_run_opens_no_sidecar(folder):
    folder.fill(6)
    folder.compact(limits=SMALL)
    before = {name: folder.store.stamp(f"_manifest_index/{name}") for name in folder.files()}
    for name in NAMES[:6]:
        without(folder.store.path(name + TABLE_SUFFIX))
    made = folder.compact(limits=SMALL)
    assert (made.shards, made.rows, made.parts_written, made.parts_kept, made.tables_read) == (6, 30, 0, 3, 0)
    assert {name: folder.store.stamp(f"_manifest_index/{name}") for name in folder.files()} == before


def test_only_a_changed_shard_is_read_and_only_its_part_is_written(folder):
    folder.fill(8)
    folder.compact(limits=SMALL)
    folder.write("s-003", {"label": ["new"] * 3, "score": [1.0, 2.0, 3.0], "tags": [[], ["wide"], []]})
    others = [folder.store.path(name + TABLE_SUFFIX) for name in NAMES[:8] if name != "s-003"]
    for path in others:
        path.rename(path.with_suffix(".away"))
    made = folder.compact(limits=SMALL)
    assert (made.parts_written, made.parts_kept, made.tables_read) == (1, 3, 1)
    for path in others:
        path.with_suffix(".away").rename(path)
    folder.check(covered=NAMES[:8])


def test_new_shards_are_added_and_deleted_ones_vanish(folder):
    folder.fill(6)
    folder.compact(limits=SMALL)
    folder.remove("s-001")
    folder.fill(2, start=6)
    made = folder.compact(limits=SMALL)
    assert (made.shards, made.tables_read) == (7, 2)
    folder.check(covered=[name for name in NAMES[:8] if name != "s-001"])
    assert len(folder.files("shards")) == 1


def test_deleting_all_shards_leaves_no_index(folder):
    folder.fill(2)
    folder.compact()
    for name in NAMES[:2]:
        folder.remove(name)
    assert folder.compact().shards == 0
    assert folder.files() == []


def test_adding_one_shard_at_a_time_keeps_parts_few(folder):
    for number in range(24):
        folder.fill(1, rows=2, start=number)
        folder.compact(limits=Limits(rows=12))
    parts = [part.rows for part in folder.check(covered=NAMES[:24]).parts]
    assert len(parts) <= 3 * 48 / 12 + 1
    assert sum(parts) == 48


def test_a_run_after_many_small_changes_settles(folder):
    folder.fill(12, rows=3)
    folder.compact(limits=SMALL)
    for number in (2, 5, 6):
        folder.age(NAMES[number], seconds=500)
        folder.compact(limits=SMALL)
    before = folder.files()
    assert folder.compact(limits=SMALL).parts_written == 0
    assert folder.files() == before


def test_a_touched_header_costs_no_table(folder):
    folder.fill(4)
    folder.compact()
    folder.age("s-002", seconds=500)
    without(folder.store.path("s-001" + TABLE_SUFFIX))
    made = folder.compact()
    assert (made.tables_read, made.parts_kept, made.parts_written) == (0, 1, 0)
    assert len(folder.open()) == 4


def test_a_copied_folder_costs_no_table_and_its_parts_stay(folder, tmp_path):
    folder.fill(4)
    folder.compact()
    shutil.copytree(folder.store.root, tmp_path / "copy")
    copied = type(folder)(type(folder.store)(tmp_path / "copy", durable=False))
    for name in NAMES[:4]:
        copied.age(name, seconds=60)
    with pytest.warns(atdata.ManifestIndexWarning, match="of another dataset, or before a copy"):
        assert copied.open() is None
    parts = copied.files("part")
    made = copied.compact()
    assert (made.tables_read, made.parts_kept) == (0, 1)
    assert copied.files("part") == parts
    copied.check(covered=NAMES[:4])


def test_two_folders_of_the_same_sidecars_have_the_same_parts(folder, tmp_path):
    folder.fill(4)
    shutil.copytree(folder.store.root, tmp_path / "copy")
    copied = type(folder)(type(folder.store)(tmp_path / "copy", durable=False))
    for name in NAMES[:4]:
        copied.age(name, seconds=60)
    folder.compact()
    copied.compact()
    assert folder.parts() == copied.parts()


def test_rows_of_old_parts_give_the_bytes_that_sidecars_give(folder):
    folder.fill(6, rows=300)
    folder.compact(limits=Limits(rows=900))
    folder.fill(1, rows=300, start=6)
    made = folder.compact(limits=Limits(rows=9000))
    assert (made.parts_written, made.tables_read) == (1, 1)  # two old parts and a sidecar
    together = folder.parts()
    shutil.rmtree(folder.store.root / "_manifest_index")
    folder.compact(limits=Limits(rows=9000))
    assert folder.parts() == together


def test_rows_are_written_in_one_chunk_because_others_may_give_other_bytes(folder, monkeypatch):
    chunks = []
    encode = _compact.encode_part
    recording = lambda rows, names: chunks.append(rows.n_chunks("all")) or encode(rows, names)  # noqa: E731 -- one line
    monkeypatch.setattr(_compact, "encode_part", recording)
    folder.fill(6)
    folder.compact(limits=SMALL)
    folder.fill(1, start=6)
    folder.compact(limits=Limits(rows=100))
    assert {count for each in chunks for count in each} == {1}


@pytest.fixture
def waits(monkeypatch):
    """Return the list of how many seconds were slept, each time."""
    seconds, sleep = [], time.sleep
    monkeypatch.setattr(time, "sleep", lambda duration: seconds.append(duration) or sleep(duration))
    return seconds


def test_a_young_header_is_waited_for(folder, waits):
    folder.fill(1)
    os.utime(folder.store.path("s-000" + HEADER_SUFFIX))
    folder.compact()
    assert len(waits) == 1
    assert 0 < waits[0] <= 2.01
    assert len(folder.open()) == 1


def test_a_header_of_the_future_does_not_count_and_is_not_waited_for(folder, waits):
    folder.fill(2)
    folder.age("s-001", seconds=-3600)
    assert folder.compact().shards == 2
    assert waits == []
    folder.check(covered=["s-000"])


def test_a_stamp_that_was_recorded_counts_after_the_clock_went_back(folder, monkeypatch):
    folder.fill(2)
    folder.compact()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    folder.compact()
    assert len(folder.open()) == 2


def test_a_damaged_part_is_made_anew(folder):
    folder.fill(4)
    folder.compact(limits=SMALL)
    part = folder.files("part")[0]
    path = folder.store.path(f"_manifest_index/{part}")
    path.write_bytes(path.read_bytes()[:-5] + b"xxxxx")
    made = folder.compact(limits=SMALL)
    assert (made.parts_written, made.parts_kept) == (1, 1)
    assert part in folder.files()
    folder.check(covered=NAMES[:4])


def test_a_part_that_is_damaged_behind_its_stamp_is_made_anew_from_sidecars(folder):
    folder.fill(4)
    folder.compact()
    path = folder.store.path(f"_manifest_index/{folder.files('part')[0]}")
    status = path.stat()
    path.write_bytes(path.read_bytes()[:-5] + b"xxxxx")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    folder.remove("s-003")
    assert folder.compact().tables_read == 3
    folder.check(covered=NAMES[:3])


def test_a_damaged_shards_table_is_replaced(folder):
    folder.fill(2)
    folder.compact()
    table = folder.files("shards")[0]
    folder.store.path(f"_manifest_index/{table}").write_bytes(b"PAR1")
    folder.compact()
    assert len(folder.files("shards")) == 1
    assert len(folder.open()) == 2


def test_files_that_nobody_names_stay_until_they_are_a_day_old(folder):
    folder.fill(2)
    folder.compact()
    young, old = "part-" + "0" * 32 + ".parquet", "part-" + "1" * 32 + ".parquet"
    now = time.time()
    for name, hours in {young: 23, old: 25, "notes.txt": 25, ".tmp-1": 25}.items():
        (folder.store.root / "_manifest_index" / name).write_bytes(b"")
        os.utime(folder.store.root / "_manifest_index" / name, (now - hours * 3600,) * 2)
    folder.compact()
    there = folder.files()
    assert young in there
    assert "notes.txt" in there
    assert old not in there
    assert ".tmp-1" not in there


def test_a_header_that_is_damaged_after_an_index_was_made_is_collected(folder):
    folder.fill(2)
    folder.compact()
    folder.store.replace("s-001" + HEADER_SUFFIX, b"{}")
    folder.age("s-001")
    done = folder.compact(on_error="collect")
    assert (done.shards, list(done.failures)) == (1, ["s-001"])


def test_progress_is_reported(folder):
    folder.fill(5)
    seen = []
    folder.compact(limits=SMALL, report=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


def test_keys_that_cannot_repeat_are_known_to_be_unique(folder):
    folder.fill(3)
    assert folder.compact().unique_keys is True
    folder.write("s-003", {"label": ["a"], "score": [1.0], "tags": [[]]}, first=2)
    assert folder.compact().unique_keys is None


def test_an_index_in_memory(manifest_of, photos):
    store = MemoryStore()
    for number in range(3):
        publish_manifest(store, f"s-{number}", manifest_of(photos(4, number), f"s-{number}"))
    listing = read_listing(store.names()).committed
    assert compact(store, listing).shards == 3
    headers = Headers([each.shard_id for each in listing], [store.stamp(each.header) for each in listing])
    index = open_index(store, headers)
    assert pl.read_parquet(store.read(index.parts[0].name)).height == 12
    assert store.names() == sorted(name for each in listing for name in (each.header, *each.tables))


def test_shards_in_folders_are_indexed_in_one_place(folder):
    for name in ("train/a-000", "test/a-000"):
        folder.write(name, {"label": ["x"], "score": [1.0], "tags": [["t"]]})
    folder.compact()
    folder.check(covered=["train/a-000", "test/a-000"])


DAMAGE = {
    "a repeated key": {"__key__": ["a", "b", "a"]},
    "an offset that is no multiple": {"__offset__": [0, 1025, 2560]},
    "an offset that falls": {"__offset__": [0, 2048, 1024]},
    "samples that overlap": {"__size__": [1536, 512, 512]},
    "a sample beyond the tar": {"__offset__": [0, 1024, 1 << 40]},
    "a sum beyond 64 bits": {"__size__": [1024, 1024, (1 << 63) - 1]},
    "an offset below 0": {"__offset__": [-512, 1024, 2048]},
    "a length below 0": {"__size__": [1024, 1024, -(1 << 63)]},
    "no length": {"__size__": [1024, 0, 1024]},
    "no offset": {"__offset__": [0, None, 2048]},
    "no key": {"__key__": ["a", None, "c"]},
}
FIELDS = {"label": ["a", "b", "c"], "score": [1.0, 2.0, 3.0], "tags": [[], [], []]}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE.keys())
def test_rows_that_cannot_be_those_of_a_shard_are_refused(folder, change):
    folder.fill(2)
    folder.write("s-001", FIELDS, **change)
    with pytest.raises(atdata.DamagedManifestError, match=r"s-001.manifest.parquet: its rows cannot be"):
        folder.compact()
    made = folder.compact(on_error="collect")
    assert list(made.failures) == ["s-001"]
    folder.check(covered=["s-000"])


def test_places_of_a_manifest_without_a_tar_may_be_any(folder):
    folder.write("s-000", FIELDS, tar=False, __offset__=[7, 3, 3], __size__=[1, 1, 1])
    assert folder.compact().shards == 1


def test_a_key_that_repeats_is_refused_without_a_tar_too(folder):
    folder.write("s-000", FIELDS, tar=False, __key__=["a", "a", "b"])
    with pytest.raises(atdata.DamagedManifestError, match="1 keys that repeat"):
        folder.compact()


def test_a_table_that_is_not_the_headers_is_refused(folder):
    folder.fill(3)
    one, other = (folder.store.path(name + TABLE_SUFFIX) for name in NAMES[:2])
    both = one.read_bytes(), other.read_bytes()
    one.write_bytes(both[1])
    with pytest.raises(atdata.DamagedManifestError, match="s-000.manifest.parquet: the header promises"):
        folder.compact()
    assert list(folder.compact(on_error="collect").failures) == ["s-000"]


def test_sidecars_that_are_gone_are_named(folder):
    folder.fill(3)
    listed = folder.sidecars()
    folder.store.path("s-000" + TABLE_SUFFIX).unlink()
    folder.store.path("s-002" + HEADER_SUFFIX).unlink()
    made = compact(folder.store, listed, on_error="collect")
    assert {name: type(error) for name, error in made.failures.items()} == dict.fromkeys(
        ["s-000", "s-002"], atdata.ManifestNotFoundError
    )
    with pytest.raises(atdata.ManifestNotFoundError, match="s-000.manifest.parquet was there .* and is gone"):
        compact(folder.store, listed)


def test_a_damaged_header_is_named(folder):
    folder.fill(2)
    path = folder.store.path("s-001" + HEADER_SUFFIX)
    path.write_bytes(path.read_bytes().replace(b'"num_samples": 5', b'"num_samples": 6'))
    folder.age("s-001")
    with pytest.raises(atdata.DamagedManifestError, match="s-001.manifest.json"):
        folder.compact()
    assert list(folder.compact(on_error="collect").failures) == ["s-001"]


def swap_promise(folder, shard_id, change):
    """Write a header with other promises and a digest that is right."""
    path = folder.store.path(shard_id + HEADER_SUFFIX)
    members = json.loads(path.read_bytes())
    del members["digest"]
    change(members)
    path.write_bytes(encode_header(members, {}))
    folder.age(shard_id)


def test_a_count_of_rows_that_is_not_the_tables_is_refused_also_where_neighbours_make_up_for_it(folder):
    folder.fill(3)
    swap_promise(folder, "s-000", lambda members: members.update(num_samples=6))
    swap_promise(folder, "s-001", lambda members: members.update(num_samples=4))
    made = folder.compact(on_error="collect")
    assert sorted(made.failures) == ["s-000", "s-001"]
    assert "promises 6 samples, and the table has 5 rows" in str(made.failures["s-000"])
    folder.check(covered=["s-002"])


HUGE = 1 << 70
NUMBERS = {
    "size": lambda members: members.update(size_bytes=HUGE),
    "tar": lambda members: members["shard"].update(size_bytes=HUGE),
    "rows": lambda members: members.update(num_samples=HUGE),
    "NaN": lambda members: members["aggregates"]["score"].update(nan_count=HUGE),
    "mean": lambda members: members["aggregates"]["score"].update(mean=10**400),
}


@pytest.mark.parametrize("change", NUMBERS.values(), ids=NUMBERS.keys())
def test_numbers_that_no_shard_has_are_refused(folder, change):
    folder.fill(2)
    swap_promise(folder, "s-001", change)
    assert [type(error) for error in folder.compact(on_error="collect").failures.values()] == [
        atdata.DamagedManifestError
    ]
    folder.check(covered=["s-000"])


def test_columns_that_are_not_those_promised_are_refused(folder):
    folder.fill(3)
    swap_promise(folder, "s-001", lambda members: members["samples"]["columns"].update(score="Int64"))
    made = folder.compact(on_error="collect")
    assert "promises the columns" in str(made.failures["s-001"])
    folder.check(covered=["s-000", "s-002"])


def test_a_column_that_is_promised_and_missing_is_refused(folder):
    folder.fill(2)
    swap_promise(folder, "s-001", lambda members: members["samples"]["columns"].update(more="Int64"))
    assert list(folder.compact(on_error="collect").failures) == ["s-001"]


def test_shards_of_version_1_0_are_left_out(folder):
    folder.fill(1)
    golden = next((Path(__file__).parents[1] / "golden" / "1.0.0").rglob("*.manifest.json"))
    stem = golden.name.removesuffix(HEADER_SUFFIX)
    for suffix in (HEADER_SUFFIX, TABLE_SUFFIX):
        shutil.copy(golden.with_name(stem + suffix), folder.store.path(stem + suffix))
    folder.age(stem)
    made = folder.compact()
    assert "version 1.0" in made.left_out[stem]
    folder.check(covered=["s-000"])


def test_columns_that_do_not_go_together_leave_a_shard_out(folder):
    folder.fill(2)
    folder.write("s-001", {"label": [1, 2]}, kinds={"label": "numeric"}, dtypes={"label": pl.Int64()})
    made = folder.compact()
    assert "do not go together" in made.left_out["s-001"]
    folder.check(covered=["s-000"])


def test_a_column_of_another_width_begins_another_part_so_that_no_value_is_rounded(folder):
    big = 2**53 + 1
    folder.write("s-000", {"n": [big]}, kinds={"n": "numeric"}, dtypes={"n": pl.Int64()})
    folder.write("s-001", {"n": [0.5]}, kinds={"n": "numeric"}, dtypes={"n": pl.Float64()})
    folder.write("s-002", {"n": [big]}, kinds={"n": "numeric"}, dtypes={"n": pl.Int64()})
    folder.compact()
    assert len(folder.check(covered=NAMES[:3]).parts) == 3
    assert folder.compact().parts_written == 0


def test_columns_that_some_shards_lack_share_a_part(folder):
    folder.write("s-000", {"label": ["a"], "score": [1.0]})
    folder.write("s-001", {"label": ["b"], "tags": [["x"]]})
    folder.compact()
    index = folder.check(covered=NAMES[:2])
    assert len(index.parts) == 1
    assert index.columns.names()[4:] == ["label", "score", "tags"]


def test_a_shard_without_rows_has_no_say(folder):
    folder.write("s-000", {"n": []}, kinds={"n": "categorical"}, dtypes={"n": pl.String()})
    folder.write("s-001", {"n": [1]}, kinds={"n": "numeric"}, dtypes={"n": pl.Int64()})
    assert folder.compact().shards == 2
    index = folder.open()
    assert (len(index.parts), index.columns["n"]) == (1, pl.Int64())
    assert index.statistics(["n"])["rows"].to_list() == [0, 1]


def test_only_shards_without_rows(folder):
    folder.write("s-000", {"n": []}, kinds={"n": "numeric"}, dtypes={"n": pl.Int64()})
    assert folder.compact().shards == 1
    folder.check(covered=["s-000"])
    assert folder.compact().parts_written == 0


def test_nan_in_a_column_leaves_a_shard_out(folder):
    folder.fill(1)
    frame = folder.tables()["s-000"].with_columns(score=pl.lit(float("nan")))
    publish_manifest(folder.store, "s-001", ShardManifest("s-001", "Photo", "1.0.0", 5, 0, "2026", {}, frame))
    folder.age("s-001")
    assert "'score' holds NaN" in folder.compact().left_out["s-001"]
    folder.check(covered=["s-000"])
