"""Exported shards: the same samples, the same columns, as tars that could have been written from samples."""

import errno
import io
import json
import tarfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

import atdata
from atdata import Dataset, ManifestField, SampleValueError
from atdata._dataset import _export
from atdata._manifest._builder import _parents
from atdata._storage import Disk, LocalStore, register_scheme
from tests.tiers import law


@atdata.packable
class Item:
    data: NDArray[np.uint8]
    label: Annotated[str, ManifestField("categorical")]
    index: Annotated[int, ManifestField("categorical")]
    score: float | None
    tags: list[str]


def make_items(count: int, first: int = 0) -> list[Item]:
    return [
        Item(np.full(i % 7 * 100, i % 251, np.uint8), "abc"[i % 3], i, None if i % 5 == 0 else i / 2, ["x"] * (i % 2))
        for i in range(first, first + count)
    ]


@pytest.fixture
def ds(tmp_path: Path) -> Dataset[Item]:
    """25 items in three shards."""
    atdata.write_samples(
        make_items(25),
        tmp_path / "source" / "items.tar",
        maxcount=10,
        manifest=True,
        content_metadata={"camera": "rooftop"},
        durable=False,
    )
    return Dataset[Item](tmp_path / "source")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def header(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def fields(ds: Dataset[Any]) -> pl.DataFrame:
    return ds.scan().select(pl.exclude("__shard__", "__key__", "__offset__", "__size__", "__crc32__")).collect()


def keys(ds: Dataset[Any]) -> list[str]:
    found: list[str] = ds.scan().select("__key__").collect()["__key__"].to_list()
    return found


def indices(samples: Any) -> list[int]:
    return [sample.index for sample in samples]


def test_what_is_exported_is_the_selection_in_its_order(tmp_path, ds):
    some = ds.where(pl.col("label") != "b").sort("index", descending=True)
    out = some.export(tmp_path / "out" / "some.tar", maxcount=6)
    for each in (out, Dataset[Item](tmp_path / "out")):
        assert [item.packed for item in each] == [item.packed for item in some]
        assert_frame_equal(fields(each), fields(some))
        assert keys(each) == keys(some)
    assert out.sample_type is Item
    assert len(out.list_shards()) == 3


def test_exported_tars_are_those_that_write_samples_would_write(tmp_path, ds):
    some = ds.where(pl.col("label") != "b").sort("index", descending=True)
    for limits in ({"maxcount": 6}, {"maxsize": 8192}, {}):
        folder = tmp_path / str(limits)
        out = some.export(folder / "out" / "some.tar", **limits)
        atdata.write_samples(
            list(some), folder / "written" / "some.tar", **limits, manifest=True, keys=keys(some), durable=False
        )
        tars = {name: data for name, data in contents(folder / "out").items() if name.endswith(".tar")}
        assert tars == {name: data for name, data in contents(folder / "written").items() if name.endswith(".tar")}
        assert out.digest == Dataset[Item](folder / "written").digest
        tables = (folder / each / "some.manifest.parquet" for each in ("out", "written"))
        if not limits:
            assert len({path.read_bytes() for path in tables}) == 1


def test_plain_tar_reads_what_was_exported(tmp_path, ds):
    ds.export(tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert tar.getnames() == [f"{key}.msgpack" for key in keys(ds)]
        assert {(member.mode, member.mtime, member.uid, member.type) for member in tar} == {(0o444, 0, 0, b"0")}


def test_the_same_export_gives_the_same_bytes(tmp_path, ds):
    for name in ("a", "b"):
        ds.where(label="a").export(tmp_path / name / "x.tar", maxcount=4, created_at="2026-01-01T00:00:00+00:00")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_source_stays_as_it_is(tmp_path, ds):
    before = contents(tmp_path / "source")
    ds.where(label="a").export(tmp_path / "out" / "some.tar")
    assert contents(tmp_path / "source") == before


def test_headers_say_what_the_samples_are_and_where_they_come_from(tmp_path, ds):
    out = ds.where(pl.col("index") > 8).export(
        tmp_path / "out.tar", maxcount=11, provenance={"source_job_id": "nightly-7"}
    )
    first, second = (header(path) for path in sorted(tmp_path.glob("*.json")))
    assert first["provenance"] == {
        "parent_shards": ["items-000000", "items-000001"],
        "parent_dataset": ds.digest,
        "predicate": '[(col("index")) > (dyn int: 8)]',
        "source_job_id": "nightly-7",
    }
    assert second["provenance"]["parent_shards"] == ["items-000002"]
    assert first["content_metadata"] == out.content_metadata == {"camera": "rooftop"}
    assert (first["schema_type"], first["num_samples"]) == ("Item", 11)
    assert first["aggregates"]["index"]["type"] == "categorical"  # as in the source, where its dtype would not say so
    assert first["aggregates"]["label"]["value_counts"] == {"a": 4, "b": 4, "c": 3}
    assert first["aggregates"]["score"] == {
        "type": "numeric",
        "min": 4.5,
        "max": 9.5,
        "mean": pytest.approx(sum(i / 2 for i in range(9, 20) if i % 5) / 9),
        "count": 9,
        "null_count": 2,
    }


def test_of_too_many_parents_a_number_and_a_hash_are_kept():
    few, many = [f"shard-{i:06d}" for i in range(100)], [f"shard-{i:06d}" for i in range(5000)]
    assert _parents(few) == {"parent_shards": few}
    told = _parents(many)
    assert told.keys() == {"parent_shards_count", "parent_shards_sha256"}
    assert told["parent_shards_count"] == 5000
    assert _parents(many[::-1]) == told != _parents([*many[1:], "other"])


def test_late_columns_are_taken_over(tmp_path, ds):
    late = ds.annotate(lambda batch: {"late": [f"late {i}" for i in batch.index]}, run="one")
    out = late.where(pl.col("late").str.ends_with("3")).export(tmp_path / "out.tar")
    assert fields(out)["late"].to_list() == ["late 3", "late 13", "late 23"]
    assert "annotated" not in header(tmp_path / "out.manifest.json")["provenance"]


def test_shards_with_other_columns_are_put_together(tmp_path, ds):
    some = ds.where(pl.col("index") < 5)
    some.annotate(some.scan().select("__key__", late=pl.col("index") * 2).collect())
    mixed = ds.refresh()
    out = mixed.export(tmp_path / "out" / "x.tar", maxcount=12)
    assert_frame_equal(fields(out), fields(mixed))
    assert header(tmp_path / "out" / "x-000001.manifest.json")["samples"]["columns"]["late"] == "Int64"


@law(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_selection_exports_as_it_is_fetched(tmp_path_factory, ds, data):
    rows = data.draw(st.lists(st.integers(0, 24), min_size=1, max_size=40))
    maxcount = data.draw(st.none() | st.integers(1, 12))
    maxsize = data.draw(st.none() | st.integers(1, 9000))
    some = ds.take(rows)
    folder = tmp_path_factory.mktemp("out")
    out = some.export(folder / "x.tar", maxcount=maxcount, maxsize=maxsize, keys="renew", durable=False)
    assert indices(out) == rows
    assert_frame_equal(fields(out), fields(some))
    assert len(set(keys(out))) == len(rows)
    counts = [header(path)["num_samples"] for path in folder.glob("*.json")]
    assert maxcount is None or max(counts) <= maxcount
    sizes = [(path.stat().st_size, header(path.with_suffix(".manifest.json"))) for path in folder.glob("*.tar")]
    assert maxsize is None or all(size <= maxsize or each["num_samples"] == 1 for size, each in sizes)


def test_rows_of_more_than_one_window_are_put_together(tmp_path, ds, monkeypatch):
    monkeypatch.setattr(_export, "_WINDOW", 4)
    some = ds.sort("index", descending=True)
    out = some.export(tmp_path / "out" / "x.tar", maxcount=7)
    assert indices(out) == list(range(24, -1, -1))
    assert_frame_equal(fields(out), fields(some))
    parents = [header(path)["provenance"]["parent_shards"] for path in sorted((tmp_path / "out").glob("*.json"))]
    assert parents == [
        ["items-000002", "items-000001"],
        ["items-000001"],
        ["items-000001", "items-000000"],
        ["items-000000"],
    ]


# Keys


def test_renewed_keys_number_the_samples(tmp_path, ds):
    out = ds.take([3, 3, 20]).export(tmp_path / "out" / "x.tar", maxcount=2, keys="renew")
    assert keys(out) == ["000000-000000", "000000-000001", "000001-000000"]
    assert indices(out) == [3, 3, 20]
    assert out["000001-000000"].index == 20


def test_a_sample_that_would_be_in_a_shard_twice_is_refused_before_anything_is_written(tmp_path, ds):
    with pytest.raises(SampleValueError, match="'000000-000003' would be in one shard twice.*keys='renew'") as caught:
        ds.take([3, 5, 3]).export(tmp_path / "out" / "x.tar")
    assert caught.value.position == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("limits", "fits"), [({"maxcount": 2}, True), ({"maxcount": 3}, False)])
def test_a_sample_may_be_in_two_shards(tmp_path, ds, limits, fits):
    some = ds.take([3, 5, 3])
    if fits:
        assert indices(some.export(tmp_path / "out" / "x.tar", **limits)) == [3, 5, 3]
    else:
        with pytest.raises(SampleValueError, match="would be in one shard twice"):
            some.export(tmp_path / "out" / "x.tar", **limits)
        assert not (tmp_path / "out").exists()


def test_where_shards_end_by_size_is_known_before_anything_is_written(tmp_path, ds):
    rows = [7, 5, 4, 3, 2, 7]  # all but the last fit into what one shard takes; it is as long as a tar's end
    size = sum(location.size for location in ds.take(rows[:-1]).query(pl.lit(value=True))) + 1024
    out = ds.take(rows).export(tmp_path / "out" / "x.tar", maxsize=size)
    assert [header(path)["num_samples"] for path in sorted((tmp_path / "out").glob("*.json"))] == [5, 1]
    assert indices(out) == rows
    with pytest.raises(SampleValueError, match="'000000-000007' would be in one shard twice"):
        ds.take(rows).export(tmp_path / "more" / "x.tar", maxsize=size + 4096)
    assert not (tmp_path / "more").exists()


def test_two_shards_samples_of_one_key_are_told(tmp_path):
    for stem in ("a", "b"):
        atdata.write_samples(make_items(2), tmp_path / "two" / f"{stem}.tar", manifest=True, durable=False)
    with pytest.raises(SampleValueError, match="two shards have samples of this key"):
        Dataset[Item](tmp_path / "two").export(tmp_path / "out.tar")


# Sources of all kinds


def test_shards_without_manifests_get_manifests_of_places(tmp_path):
    atdata.write_samples(make_items(5), tmp_path / "bare" / "x.tar", durable=False)
    bare = Dataset[Item](tmp_path / "bare")
    out = bare.export(tmp_path / "out" / "x.tar")
    assert indices(out) == list(range(5))
    assert out.scan().collect_schema().names() == ["__shard__", "__key__", "__offset__", "__size__", "__crc32__"]
    assert out.scan().collect()["__crc32__"].null_count() == 0
    told = header(tmp_path / "out" / "x.manifest.json")
    assert (told["schema_type"], told["aggregates"], told["provenance"]["parent_shards"]) == ("Item", {}, ["x"])
    assert (tmp_path / "out" / "x.tar").read_bytes() == (tmp_path / "bare" / "x.tar").read_bytes()


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["PAX", "GNU"])
def test_extended_headers_of_other_writers_are_left_behind(tmp_path, format_):
    items = make_items(6)
    (tmp_path / "foreign").mkdir()
    with tarfile.open(tmp_path / "foreign" / "x.tar", "w", format=format_) as tar:
        for number, item in enumerate(items):
            member = tarfile.TarInfo(f"{number:03d}.msgpack")
            member.size, member.mtime, member.uname = len(item.packed), 1.5 if format_ == tarfile.PAX_FORMAT else 1, "é"
            tar.addfile(member, io.BytesIO(item.packed))
    out = Dataset[Item](tmp_path / "foreign").export(tmp_path / "out" / "x.tar")
    assert [item.packed for item in out] == [item.packed for item in items]
    atdata.write_samples(items, tmp_path / "written" / "x.tar", keys=lambda i, _: f"{i:03d}", durable=False)
    assert (tmp_path / "out" / "x.tar").read_bytes() == (tmp_path / "written" / "x.tar").read_bytes()


def test_shards_of_version_1_0_are_refused_with_what_to_do(tmp_path):
    golden = Path(__file__).parents[1] / "golden" / "1.0.0"
    with pytest.raises(atdata.UnsupportedFormatError, match=r"write it again.*write_samples"):
        Dataset(golden).export(tmp_path / "out" / "x.tar", keys="renew")
    assert not (tmp_path / "out").exists()


def test_a_slice_is_exported(tmp_path, ds):
    ds.where(label="c").save_slice(tmp_path / "c.slice.parquet")
    out = Dataset[Item](tmp_path / "c.slice.parquet").export(tmp_path / "out.tar")
    assert indices(out) == list(range(2, 25, 3))
    assert "label" in header(tmp_path / "out.manifest.json")["provenance"]["predicate"]


# What goes wrong


def test_a_damaged_sample_ends_the_export_and_whole_shards_stay(tmp_path, ds):
    tar = tmp_path / "source" / "items-000001.tar"
    data = bytearray(tar.read_bytes())
    data[600] ^= 1
    tar.write_bytes(data)
    with pytest.raises(atdata.ShardChangedError, match="items-000001") as caught:
        ds.export(tmp_path / "out" / "x.tar", maxcount=4)
    assert "export stopped at sample 10: 8 samples in 2 finished shards stay" in caught.value.__notes__[0]
    assert indices(Dataset[Item](tmp_path / "out")) == list(range(8))


class FullDisk(Disk):
    def write(self, descriptor: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, f"no space left for {len(data)} bytes of {descriptor}")


def test_a_full_disk_leaves_nothing(tmp_path, ds):
    register_scheme("full", lambda *_: LocalStore(tmp_path / "out", disk=FullDisk()))
    with pytest.raises(OSError, match="no space left"):
        ds.export("full://out/x.tar")
    assert [path.name for path in (tmp_path / "out").iterdir()] == []


def test_what_is_there_is_not_overwritten_unasked(tmp_path, ds):
    ds.where(label="a").export(tmp_path / "out" / "x.tar")
    before = contents(tmp_path / "out")
    with pytest.raises(atdata.ShardExistsError, match=r"choose another path, or replace them \(overwrite=True\)$"):
        ds.where(label="b").export(tmp_path / "out" / "x.tar")
    assert contents(tmp_path / "out") == before
    out = ds.where(label="b").export(tmp_path / "out" / "x.tar", overwrite=True)
    assert {item.label for item in out} == {"b"}


def test_the_source_is_never_replaced(tmp_path, ds):
    before = contents(tmp_path / "source")
    (tmp_path / "link").symlink_to(tmp_path / "source")
    for folder in ("source", "link"):
        with pytest.raises(ValueError, match="would replace .*items-000000.tar, which the samples are read from"):
            ds.where(label="a").export(tmp_path / folder / "items.tar", maxcount=5, overwrite=True)
    assert contents(tmp_path / "source") == before
    beside = ds.where(label="a").export(tmp_path / "source" / "others.tar", overwrite=True)
    assert len(beside) == 9


def test_an_empty_selection_is_not_exported(tmp_path, ds):
    with pytest.raises(ValueError, match="no sample to export; nothing was written"):
        ds.where(pl.col("index") < 0).export(tmp_path / "out" / "x.tar")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"keys": "new"}, "keys is one of 'keep', 'renew'; found 'new'"),
        ({"maxcount": 0}, "maxcount is a whole number from 1"),
        ({"maxsize": -1}, "maxsize is a whole number from 1"),
        ({"path": "out.zip"}, "samples are written to .tar files"),
        ({"created_at": "yesterday"}, "created_at is a datetime"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(tmp_path, ds, options, problem):
    path = options.pop("path", tmp_path / "out" / "x.tar")
    with pytest.raises(ValueError, match=problem):
        ds.export(path, **options)
    assert not (tmp_path / "out").exists()


def test_a_provenance_that_is_no_json_is_refused(tmp_path, ds):
    with pytest.raises(TypeError, match="provenance holds what JSON cannot"):
        ds.export(tmp_path / "out" / "x.tar", provenance={"by": object()})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("step", ["filter", "map"])
def test_samples_that_pass_through_steps_are_not_exported(tmp_path, ds, step):
    with pytest.raises(TypeError, match=r"copies samples as they are stored.*write_samples\(ds, path"):
        getattr(ds, step)(lambda item: item).export(tmp_path / "x.tar")
