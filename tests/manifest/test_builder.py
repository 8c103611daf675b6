import datetime as dt
import pickle
from typing import Annotated

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import atdata
from atdata._manifest._columns import value_reader
from atdata.manifest import ManifestBuilder, ManifestField


@atdata.packable
class Photo:
    label: str
    score: float
    tags: list[str]
    pixels: NDArray
    note: Annotated[str, ManifestField("categorical", exclude=True)] = ""


def photo(label="dog", score=0.5, tags=("a",), note=""):
    return Photo(label, score, tags if tags is None or isinstance(tags, str) else list(tags), np.zeros(2), note)


def add(builder, key="k", sample=None, **options):
    builder.add_sample(key=key, offset=0, size=1024, sample=sample or photo(), **options)


def test_what_was_added_is_in_the_manifest_in_order():
    builder = ManifestBuilder(Photo, "photos-000000")
    builder.add_sample(key="b", offset=0, size=1024, sample=photo("dog"), crc32=7)
    builder.add_sample(key="a", offset=1024, size=2048, sample=photo("cat", 1.0, [], "x"), crc32=2**32 - 1)
    assert builder.build().frame.rows() == [
        ("b", 0, 1024, 7, "dog", 0.5, ["a"]),
        ("a", 1024, 2048, 2**32 - 1, "cat", 1.0, []),
    ]


def test_a_checksum_that_is_not_known_is_null():
    builder = ManifestBuilder(Photo, "s")
    add(builder)
    assert builder.build().frame["__crc32__"].to_list() == [None]


def test_the_manifest_says_what_the_builder_was_told():
    builder = ManifestBuilder(Photo, "s", "2.1.0", "job-7", ["p-0", "p-1"], "v3")
    add(builder)
    manifest = builder.build()
    assert (manifest.shard_id, manifest.schema_type, manifest.schema_version) == ("s", "Photo", "2.1.0")
    assert manifest.provenance == {"source_job_id": "job-7", "parent_shards": ["p-0", "p-1"], "pipeline_version": "v3"}


def test_provenance_holds_only_what_was_given():
    assert ManifestBuilder(Photo, "s", source_job_id="job-7").build().provenance == {"source_job_id": "job-7"}


def test_samples_and_bytes_are_counted():
    builder = ManifestBuilder(Photo, "s")
    for row in range(3):
        builder.add_sample(key=f"k{row}", offset=row * 1536, size=1536, sample=photo())
    manifest = builder.build()
    assert (manifest.num_samples, manifest.size_bytes) == (3, 4608)


def test_a_manifest_without_samples_has_its_columns():
    manifest = ManifestBuilder(Photo, "s").build()
    assert manifest.num_samples == len(manifest.frame) == 0
    assert manifest.frame.columns == ["__key__", "__offset__", "__size__", "__crc32__", "label", "score", "tags"]
    assert manifest.aggregates["score"]["count"] == 0


def test_aggregates_come_in_field_order():
    builder = ManifestBuilder(Photo, "s")
    add(builder)
    assert {name: each["type"] for name, each in builder.build().aggregates.items()} == {
        "label": "categorical",
        "score": "numeric",
        "tags": "set",
    }


def test_nan_is_counted_in_the_aggregate_and_null_in_the_table():
    builder = ManifestBuilder(Photo, "s")
    add(builder, "a", photo(score=float("nan")))
    add(builder, "b", photo(score=0.5))
    manifest = builder.build()
    assert manifest.frame["score"].to_list() == [None, 0.5]
    assert (manifest.aggregates["score"]["nan_count"], manifest.aggregates["score"]["count"]) == (1, 1)
    assert "null_count" not in manifest.aggregates["score"]


def test_the_time_is_that_of_source_date_epoch(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert ManifestBuilder(Photo, "s").build().created_at == "1970-01-01T00:00:00+00:00"


def test_the_time_is_now_otherwise(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    made = dt.datetime.fromisoformat(ManifestBuilder(Photo, "s").build().created_at)
    assert abs(dt.datetime.now(dt.UTC) - made) < dt.timedelta(minutes=5)


def test_the_builder_knows_its_keys():
    builder = ManifestBuilder(Photo, "s")
    add(builder, "a")
    assert len(builder) == 1
    assert "a" in builder
    assert "b" not in builder


def test_building_again_after_more_samples_holds_them_all():
    builder = ManifestBuilder(Photo, "s")
    add(builder, "a")
    first = builder.build()
    add(builder, "b")
    assert (first.num_samples, builder.build().num_samples) == (1, 2)


def test_a_key_that_is_there_is_refused():
    builder = ManifestBuilder(Photo, "s")
    add(builder, "a")
    with pytest.raises(atdata.SampleValueError, match="the key 'a' is in the shard already"):
        add(builder, "a")


def test_keys_that_differ_in_case_are_different():
    builder = ManifestBuilder(Photo, "s")
    add(builder, "a")
    add(builder, "A")
    assert builder.build().frame["__key__"].to_list() == ["a", "A"]


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "is empty"),
        ("a.b", "holds a dot"),
        ("x/a.b", "holds a dot"),
        ("/a", "is absolute"),
        ("../a", r"holds '\.\.'"),
        ("__key__", "begins with '__'"),
        ("a\0", "holds a NUL"),
        ("a/", "has an empty part"),
        ("a//b", "has an empty part"),
        ("./a", "has an empty part or '.'"),
        ("é" * 50, "takes 108 bytes"),
        ("\ud800", "no valid Unicode"),
        (3, "expected a key as str, found int 3"),
        (None, "expected a key as str, found NoneType"),
        (b"a", "expected a key as str, found bytes"),
    ],
)
def test_what_can_be_no_key_is_refused(key, problem):
    builder = ManifestBuilder(Photo, "s")
    with pytest.raises(atdata.SampleValueError, match=problem) as caught:
        add(builder, key)
    assert caught.value.field == "__key__"


@pytest.mark.parametrize("key", ["a", "train/000000", "é", "a b", "v1.5/000000", "a_b-c", "_a"])
def test_what_can_be_a_key_is_kept(key):
    builder = ManifestBuilder(Photo, "s")
    add(builder, key)
    assert builder.build().frame["__key__"].to_list() == [key]


def test_a_value_that_does_not_fit_its_column_is_refused_at_its_sample():
    builder = ManifestBuilder(Photo, "s")
    with pytest.raises(atdata.SampleValueError, match=r"field 'label': .*found int 3"):
        add(builder, "b", photo(label=3))


def test_an_element_that_does_not_fit_names_shard_field_and_row():
    builder = ManifestBuilder(Photo, "s")
    add(builder, "a")
    add(builder, "b", photo(tags=["x", 3]))
    with pytest.raises(atdata.SampleValueError, match=r"field 'tags': shard 's': .*found int 3.*row 1 of the shard"):
        builder.build()


def refused(builder, key, sample):
    with pytest.raises(atdata.SampleValueError):
        add(builder, key, sample)


def test_a_refused_key_leaves_the_builder_as_it_was():
    builder = ManifestBuilder(Photo, "s")
    add(builder, "a")
    refused(builder, "a", photo("cat"))
    refused(builder, "b.c", photo("cat"))
    assert builder.build().frame["label"].to_list() == ["dog"]


def test_a_refused_sample_leaves_the_builder_as_it_was():
    builder = ManifestBuilder(Photo, "s")
    add(builder, "a")
    refused(builder, "b", photo("cat", tags="text"))
    add(builder, "b", photo("bird"))
    assert builder.build().frame.select("__key__", "label").rows() == [("a", "dog"), ("b", "bird")]


def test_a_type_that_is_no_dataclass_is_refused():
    with pytest.raises(atdata.SchemaError, match="int is no dataclass"):
        ManifestBuilder(int, "s")


def test_dict_samples_have_only_the_location_columns():
    builder = ManifestBuilder(atdata.DictSample, "s")
    add(builder, "a", atdata.DictSample(label="dog"))
    manifest = builder.build()
    assert manifest.frame.columns == ["__key__", "__offset__", "__size__", "__crc32__"]
    assert manifest.aggregates == {}


@pytest.mark.parametrize("rows", [1, 5])
def test_a_column_of_nulls_keeps_its_dtype(rows):
    @atdata.packable
    class Sample:
        a: str | None
        b: list[int] | None
        c: float | None

    builder = ManifestBuilder(Sample, "s")
    for row in range(rows):
        add(builder, f"k{row}", Sample(None, None, None))
    frame = builder.build().frame.select("a", "b", "c")
    assert dict(frame.schema) == {"a": pl.String, "b": pl.List(pl.Int64), "c": pl.Float64}
    assert frame.null_count().row(0) == (rows, rows, rows)


def test_a_row_of_values_that_were_read_elsewhere_is_a_sample():
    by_hand, by_row = ManifestBuilder(Photo, "s"), ManifestBuilder(Photo, "s")
    add(by_hand, "a", photo("cat", 1, ["x"]), crc32=7)
    values = pickle.loads(pickle.dumps(value_reader(Photo)(photo("cat", 1, ["x"]))))
    by_row.add_row(key="a", offset=0, size=1024, crc32=7, values=values)
    assert by_row.build().frame.equals(by_hand.build().frame)


@pytest.mark.parametrize("values", [[], ["dog", 0.5], ["dog", 0.5, [], 1]], ids=len)
def test_a_row_of_another_width_is_refused_and_leaves_the_builder_as_it_was(values):
    builder = ManifestBuilder(Photo, "s")
    with pytest.raises(atdata.SampleValueError, match=f"expected 3 values, one for each column, found {len(values)}"):
        builder.add_row(key="a", offset=0, size=1024, crc32=7, values=values)
    assert len(builder) == len(builder.build().frame) == 0


def test_more_provenance_joins_what_the_builder_was_told_which_wins():
    builder = ManifestBuilder(Photo, "s", source_job_id="job-7")
    manifest = builder.finish(None, None, None, provenance={"source_job_id": "other", "tool": "x"})
    assert manifest.provenance == {"source_job_id": "job-7", "tool": "x"}
