"""What the public names give, from end to end, as programs written for the original 0.7 use them.

What one class does by itself is in the tests of its room; here they work together, through ``atdata`` alone.
"""

import copy
import datetime as dt
import json
import math
import pickle
from typing import Annotated

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray

import atdata
from atdata import (
    DictSample,
    ManifestBuilder,
    ManifestField,
    ManifestWriter,
    PackableSample,
    QueryExecutor,
    SampleBatch,
    SampleLocation,
    ShardManifest,
)
from atdata.manifest import MANIFEST_FORMAT_VERSION, resolve_manifest_fields


@atdata.packable
class Photo:
    """A photo."""

    image: NDArray
    label: Annotated[str, ManifestField("categorical")]
    score: Annotated[float, ManifestField("numeric")]
    tags: Annotated[list[str], ManifestField("set")]
    note: str = "none"


def photo(number):
    return Photo(
        image=np.full((2, 3), number, dtype=np.float32),
        label=("dog", "cat", "fox")[number % 3],
        score=number / 10,
        tags=["blurry"] if number % 4 == 0 else [],
    )


@pytest.fixture
def folder(tmp_path):
    atdata.write_samples(map(photo, range(10)), tmp_path / "photos.tar", maxcount=4, manifest=True)
    return tmp_path


def builder_of(count, **options):
    builder = ManifestBuilder(Photo, "photos-000000", **options)
    for number in range(count):
        builder.add_sample(key=f"k{number}", offset=number * 1024, size=1024, sample=photo(number))
    return builder


# -- samples


def test_a_packable_class_keeps_its_identity():
    assert (Photo.__name__, Photo.__qualname__, Photo.__module__, Photo.__doc__) == (
        "Photo",
        "Photo",
        __name__,
        "A photo.",
    )


def test_a_packable_class_is_a_packable_sample():
    assert issubclass(Photo, PackableSample)
    assert isinstance(photo(1), PackableSample)


def test_a_sample_goes_into_a_tar_of_webdataset_and_comes_back():
    parts = photo(3).as_wds
    assert list(parts) == ["__key__", "msgpack"]
    assert isinstance(parts["__key__"], str)
    assert parts["msgpack"] == photo(3).packed
    again = Photo.from_bytes(parts["msgpack"])
    assert (again.label, again.score, again.tags, again.note) == ("dog", 0.3, [], "none")
    assert np.array_equal(again.image, photo(3).image)


def test_a_sample_is_made_of_a_dict():
    made = Photo.from_data({"image": np.zeros(2), "label": "dog", "score": 1.0, "tags": ["a"]})
    assert (made.label, made.note) == ("dog", "none")


def test_a_typed_payload_is_read_without_its_type():
    sample = DictSample.from_bytes(photo(2).packed)
    assert sample.keys() == ["image", "label", "score", "tags", "note"]
    assert (sample.label, sample["score"], "tags" in sample, "size" in sample) == ("fox", 0.2, True, False)
    assert (sample.get("label"), sample.get("size"), sample.get("size", 3)) == ("fox", None, 3)
    assert dict(sample.items()) == sample.to_dict() == dict(zip(sample.keys(), sample.values(), strict=True))


def test_a_sample_without_its_type_is_read_with_it():
    plain = DictSample({"label": "dog"}, score=0.5, tags=[], image=np.ones(2))
    assert Photo.from_bytes(plain.packed).score == 0.5
    assert DictSample.from_data({"a": 1}).as_wds["msgpack"] == DictSample(a=1).packed


def test_a_batch_stacks_arrays_and_lists_the_rest():
    batch = SampleBatch[Photo]([photo(0), photo(1)])
    assert (batch.image.shape, batch.image.dtype) == ((2, 2, 3), np.float32)
    assert (batch.label, batch.score, batch.sample_type) == (["dog", "cat"], [0.0, 0.1], Photo)
    assert [sample.label for sample in batch.samples] == ["dog", "cat"]


# -- manifest fields


def test_manifest_fields_are_resolved_in_order():
    resolved = resolve_manifest_fields(Photo)
    assert {name: (field.aggregate, field.exclude) for name, field in resolved.items()} == {
        "label": ("categorical", False),
        "score": ("numeric", False),
        "tags": ("set", False),
        "note": ("categorical", False),
    }


@pytest.mark.parametrize("wrong", [int, dict, object, type("Plain", (), {})], ids=lambda each: each.__name__)
def test_manifest_fields_of_no_dataclass_are_a_type_error(wrong):
    with pytest.raises(TypeError, match=wrong.__name__):
        resolve_manifest_fields(wrong)


def test_a_manifest_field_is_frozen():
    with pytest.raises(AttributeError):
        ManifestField("set").aggregate = "numeric"


# -- manifests


def test_a_manifest_is_built_written_and_read(tmp_path):
    options = {"schema_version": "2.1.0", "source_job_id": "j", "parent_shards": ["p"], "pipeline_version": "v3"}
    built = builder_of(6, **options).build()
    writer = ManifestWriter(tmp_path / "photos-000000")
    assert writer.write(built) == (writer.json_path, writer.parquet_path)
    read = ShardManifest.from_files(*map(str, (writer.json_path, writer.parquet_path)))
    for manifest in (built, read):
        assert (manifest.shard_id, manifest.schema_type, manifest.schema_version) == ("photos-000000", "Photo", "2.1.0")
        assert (manifest.num_samples, manifest.size_bytes) == (6, 6144)
        assert manifest.provenance == {"source_job_id": "j", "parent_shards": ["p"], "pipeline_version": "v3"}
        assert manifest.aggregates["label"]["value_counts"] == {"dog": 2, "cat": 2, "fox": 2}
        assert manifest.aggregates["score"] == {"type": "numeric", "min": 0.0, "max": 0.5, "mean": 0.25, "count": 6}
        assert manifest.aggregates["tags"]["all_values"] == ["blurry"]
    pd.testing.assert_frame_equal(built.samples, read.samples)


def test_the_samples_of_a_manifest_are_a_pandas_frame():
    samples = builder_of(3).build().samples
    assert isinstance(samples, pd.DataFrame)
    assert list(samples["__key__"]) == ["k0", "k1", "k2"]
    assert list(samples["__offset__"]) == [0, 1024, 2048]
    assert list(samples["tags"]) == [["blurry"], [], []]


def test_the_header_says_the_format():
    header = builder_of(1).build().header_dict()
    assert header["manifest_version"] == MANIFEST_FORMAT_VERSION == "1.1.0"
    json.dumps(header, allow_nan=False)


def test_a_manifest_made_by_hand_without_provenance_has_none():
    first, second = (ShardManifest("s", "T", "1.0.0", 0, 0, dt.datetime.now(dt.UTC), {}, pd.DataFrame()) for _ in "ab")
    first.provenance["job"] = 1
    assert second.provenance == {}


def test_an_empty_builder_makes_a_manifest_of_nothing():
    built = builder_of(0).build()
    assert (built.num_samples, built.size_bytes, len(built.samples)) == (0, 0, 0)
    assert built.aggregates["score"]["count"] == 0


# -- queries


def test_the_manifests_of_an_executor_are_there_to_read(folder):
    manifests = QueryExecutor.from_directory(folder)._manifests
    assert [(each.shard_id, each.num_samples) for each in manifests] == [
        ("photos-000000", 4),
        ("photos-000001", 4),
        ("photos-000002", 2),
    ]
    assert isinstance(manifests[0].samples, pd.DataFrame)


def test_an_executor_over_the_manifests_of_another_answers_alike(folder):
    executor = QueryExecutor.from_directory(str(folder))
    assert QueryExecutor(executor._manifests).query(pl.col("score") > 0.5) == executor.query(pl.col("score") > 0.5)


def test_a_function_of_a_frame_and_an_expression_answer_alike(folder):
    executor = QueryExecutor.from_directory(folder)
    found = executor.query(lambda df: (df["label"] == "dog") & (df["score"] > 0.2))
    assert found == executor.query((pl.col("label") == "dog") & (pl.col("score") > 0.2))
    assert [(each.shard, each.key) for each in found] == [
        ("photos-000000", "000000-000003"),
        ("photos-000001", "000001-000002"),
        ("photos-000002", "000002-000001"),
    ]


def test_only_the_shards_named_are_asked(folder):
    executor = QueryExecutor.from_shard_urls([str(folder / "photos-000002.tar"), str(folder / "photos-000000.tar")])
    assert {each.shard for each in executor.query(pl.col("score") >= 0)} == {"photos-000000", "photos-000002"}


def test_what_is_found_is_what_is_fetched(folder):
    dataset = atdata.Dataset[Photo](folder)
    assert [sample.score for sample in dataset.fetch(dataset.query(pl.col("tags").list.contains("blurry")))] == [
        0.0,
        0.4,
        0.8,
    ]


def test_a_location_of_three_parts_is_enough_to_fetch_by(folder):
    dataset = atdata.Dataset[Photo](folder)
    (found,) = dataset.query(pl.col("score") == 0.7)
    (sample,) = dataset.fetch([SampleLocation(found.shard, found.key, found.offset)])
    assert math.isclose(sample.score, 0.7)


def test_a_location_is_a_value():
    location = SampleLocation("s", "k", 512)
    assert {location, copy.copy(location), pickle.loads(pickle.dumps(location))} == {location}
    assert sorted([SampleLocation("s", "l", 0), location]) == [location, SampleLocation("s", "l", 0)]
    assert repr(location) == "SampleLocation(shard='s', key='k', offset=512)"
    with pytest.raises(AttributeError):
        location.offset = 0


# -- writing


def test_metadata_is_a_dict_or_a_sample(tmp_path):
    for number, metadata in enumerate([{"source": "camera"}, DictSample(source="camera")]):
        dataset = atdata.write_samples([photo(0)], tmp_path / f"{number}.tar", manifest=True, content_metadata=metadata)
        assert dataset.content_metadata == {"source": "camera"}
        assert atdata.Dataset(tmp_path / f"{number}.tar").content_metadata == {"source": "camera"}


@pytest.mark.parametrize("metadata", ["camera", 3, ["camera"]])
def test_other_metadata_is_a_type_error(tmp_path, metadata):
    with pytest.raises(TypeError, match="content_metadata"):
        atdata.write_samples([photo(0)], tmp_path / "p.tar", content_metadata=metadata)


def test_what_is_written_is_returned_as_a_dataset(tmp_path):
    dataset = atdata.write_samples(map(photo, range(5)), str(tmp_path / "p.tar"), maxcount=2)
    assert (len(dataset), dataset.sample_type) == (5, Photo)
    assert [path.rpartition("/")[2] for path in dataset.list_shards()] == [
        "p-000000.tar",
        "p-000001.tar",
        "p-000002.tar",
    ]
    assert [sample.score for sample in dataset] == [0.0, 0.1, 0.2, 0.3, 0.4]
