"""Shards of atdata 0.7, kept in tests/golden/1.0.0 (its README says what is wrong with them)."""

import json
import math
import pickle
import runpy
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import atdata
from atdata import (
    Dataset,
    F,
    SampleLocation,
    ShardChangedError,
    ShardError,
    StaleManifestWarning,
    UnsupportedFormatError,
)
from atdata.manifest import ShardManifest

GOLDEN = Path(__file__).parents[1] / "golden"
LAST = r"shard 'photos-000002': its manifest tells of 0 samples, and its tar holds 10.*write_samples"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(GOLDEN / "make_1_0_0.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the set, to be changed."""
    shutil.copytree(GOLDEN / "1.0.0", tmp_path / "old")
    return tmp_path / "old"


@pytest.fixture
def silently() -> Iterator[None]:
    """Without the report of the manifest that is empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StaleManifestWarning)
        yield


def old_location(shard: int, row: int) -> SampleLocation:
    """Return a sample's location as its manifest has it."""
    stem = GOLDEN / "1.0.0" / f"photos-{shard:06d}"
    frame = ShardManifest.from_files(f"{stem}.manifest.json", f"{stem}.manifest.parquet").frame
    key, offset, size, crc = frame.row(row)[:4]
    return SampleLocation(stem.name, key, offset, size, crc)


def test_every_sample_is_read_in_order(script: dict[str, Any]) -> None:
    with pytest.warns(StaleManifestWarning, match=LAST):
        photos = list(Dataset[script["Photo"]](GOLDEN / "1.0.0"))
    expected = [script["photo"](position) for position in range(50)]
    assert [photo.packed for photo in photos] == [photo.packed for photo in expected]
    assert np.array_equal(photos[47].pixels, expected[47].pixels)
    assert math.isnan(photos[5].score)


def test_every_sample_is_counted() -> None:
    with pytest.warns(StaleManifestWarning, match=LAST):
        assert len(Dataset(GOLDEN / "1.0.0")) == 50


def test_a_shard_whose_manifest_disagrees_is_reported_once() -> None:
    dataset = Dataset(GOLDEN / "1.0.0")
    with pytest.warns(StaleManifestWarning) as reported:
        assert (len(dataset), len(list(dataset)), len(dataset)) == (50, 50, 50)
    assert len(reported) == 1


def test_each_shard_that_disagrees_is_reported(folder: Path) -> None:
    path = folder / "photos-000000.manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"num_samples": 21}))
    with pytest.warns(StaleManifestWarning) as reported:
        assert len(Dataset(folder)) == 50
    assert ["tells of 21 samples, and its tar holds 20" in str(each.message) for each in reported] == [True, False]


def test_shards_that_agree_are_not_reported(folder: Path) -> None:
    dataset = Dataset([folder / "photos-000000.tar", folder / "photos-000001.tar"])
    assert (len(dataset), len(list(dataset))) == (40, 40)  # a warning would be an error


def test_the_manifests_offsets_are_not_read_by(folder: Path) -> None:
    for path in folder.glob("*.manifest.parquet"):
        path.unlink()
        pl.DataFrame({"nothing": [1]}).write_parquet(path)
    with pytest.warns(StaleManifestWarning):
        assert len(list(Dataset(folder))) == 50


@pytest.mark.usefixtures("silently")
def test_head_takes_the_first() -> None:
    assert [sample.index for sample in Dataset(GOLDEN / "1.0.0").head(3)] == [-20, -17, -14]


@pytest.mark.usefixtures("silently")
def test_batches_are_read_in_order() -> None:
    assert [len(batch.samples) for batch in Dataset(GOLDEN / "1.0.0").ordered(batch_size=20)] == [20, 20, 10]


@pytest.mark.usefixtures("silently")
def test_a_dataset_of_old_shards_crosses_processes() -> None:
    dataset = Dataset(GOLDEN / "1.0.0")
    assert len(dataset) == 50
    assert len(list(pickle.loads(pickle.dumps(dataset)))) == 50


@pytest.mark.parametrize("location", [old_location(0, 0), old_location(1, 3)], ids=lambda each: each.shard)
@pytest.mark.parametrize("verify", ["none", "fetch", "full"])
def test_fetching_by_old_offsets_is_refused_with_the_way_out(location: SampleLocation, verify: Any) -> None:
    expected = (
        rf"shard '{location.shard}'.*version 1\.0\.0.*Read it in order.*write_samples\(Dataset\[T\]\(.*manifest=True"
    )
    with pytest.raises(UnsupportedFormatError, match=expected):
        list(Dataset(GOLDEN / "1.0.0").fetch([location], verify=verify))


def test_fetching_by_any_offset_is_refused() -> None:
    right = SampleLocation("photos-000000", old_location(0, 1).key, 2048, 2048, 0)
    with pytest.raises(UnsupportedFormatError, match="not fetched"):
        list(Dataset(GOLDEN / "1.0.0").fetch([right]))


def test_new_shards_beside_old_ones_are_fetched_from(folder: Path, script: dict[str, Any]) -> None:
    atdata.write_samples(map(script["photo"], range(3)), folder / "new.tar", manifest=True, durable=False)
    frame = pl.read_parquet(folder / "new.manifest.parquet")
    places = [
        SampleLocation("new", *row) for row in frame.select("__key__", "__offset__", "__size__", "__crc32__").rows()
    ]
    dataset = Dataset(folder)
    assert [sample.index for sample in dataset.fetch(places)] == [-20, -17, -14]
    with pytest.raises(UnsupportedFormatError, match="'photos-000000'"):
        list(dataset.fetch([*places, old_location(0, 0)]))


def test_the_way_out_leads_to_a_set_that_is_queried_and_fetched(tmp_path: Path, script: dict[str, Any]) -> None:
    old = Dataset[script["Photo"]](GOLDEN / "1.0.0")
    with pytest.warns(StaleManifestWarning):
        new = atdata.write_samples(old, tmp_path / "new" / "photos.tar", maxcount=20, manifest=True, durable=False)
    found = new.query((pl.col("label") == "elk") & pl.col("marks").list.contains(49))
    assert [photo.note for photo in new.fetch(found, verify="full")] == ["note 49"]
    assert len(Dataset(tmp_path / "new")) == 50


def test_a_tar_that_is_gone_is_named(folder: Path) -> None:
    (folder / "photos-000001.tar").unlink()
    dataset = Dataset(folder)
    for read in (len, list):
        with pytest.raises(ShardChangedError, match=r"'photos-000001'.*is gone"):
            read(dataset)


def test_a_tar_that_is_cut_is_an_error_and_no_smaller_count(folder: Path) -> None:
    path = folder / "photos-000000.tar"
    path.write_bytes(path.read_bytes()[:4096])
    for read in (len, list):
        with pytest.raises(ShardError, match="'photos-000000'.*ends here, after 4096 bytes"):
            read(Dataset(folder))


@pytest.mark.parametrize(
    "where",
    [
        (pl.col("label") == "elk") & pl.col("marks").list.contains(4) & (pl.col("width") > 110),
        "label = 'elk' AND array_contains(marks, 4) AND width > 110",
        (F.label == "elk") & F.marks.contains(4) & (F.width > 110),
        lambda df: (df["label"] == "elk") & df["marks"].map(lambda marks: 4 in marks) & (df["width"] > 110),
    ],
    ids=["polars", "sql", "F", "pandas"],
)
def test_a_question_finds_old_samples_under_the_names_of_their_files(script: dict[str, Any], where: Any) -> None:
    """The last manifest is empty and the ids in the headers are one behind; neither is believed."""
    dataset = Dataset[script["Photo"]](GOLDEN / "1.0.0")
    found = dataset.query(where)
    photos = [(position, script["photo"](position)) for position in range(40)]
    asked = [
        position for position, each in photos if each.label == "elk" and 4 in each.marks and (each.width or 0) > 110
    ]
    assert [location.shard for location in found] == [f"photos-{position // 20:06d}" for position in asked]
    assert len(asked) == 6
    with pytest.raises(UnsupportedFormatError, match="not fetched"):
        list(dataset.fetch(found))


def test_fields_of_old_headers_are_described(script: dict[str, Any]) -> None:
    described = atdata.QueryExecutor.from_directory(GOLDEN / "1.0.0").describe()
    rows = {row["field"]: row for row in described.iter_rows(named=True)}
    labels = [script["photo"](position).label for position in range(40)]
    assert rows["label"]["distinct"] == len(set(labels))
    assert (rows["index"]["min"], rows["index"]["max"]) == ("-20.0", "97.0")
    assert rows["score"]["nans"] is None
