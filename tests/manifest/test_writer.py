import hashlib
import json
import math
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import atdata
from atdata._manifest._table import LOCATION
from atdata.manifest import ManifestBuilder, ManifestWriter, ShardManifest


@atdata.packable
class Photo:
    label: str
    score: float
    tags: list[str]


PHOTOS = [Photo("dog", 0.5, ["a"]), Photo("cat", math.nan, []), Photo("dog", math.inf, ["a", "b"])]


@pytest.fixture
def manifest(manifest_of):
    return manifest_of(PHOTOS)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stem", ["photos-000000", "v1.5-000000", "a.b.c", "a b", "é[1]=x", "s.manifest"])
def test_the_files_carry_the_whole_stem(tmp_path, stem):
    writer = ManifestWriter(tmp_path / stem)
    assert writer.json_path == tmp_path / f"{stem}.manifest.json"
    assert writer.parquet_path == tmp_path / f"{stem}.manifest.parquet"


def test_the_path_of_the_tar_means_the_same(tmp_path):
    assert ManifestWriter(tmp_path / "v1.5.tar").json_path == tmp_path / "v1.5.manifest.json"


def test_paths_may_be_text():
    assert ManifestWriter("data/s").parquet_path == Path("data/s.manifest.parquet")


def test_writing_returns_header_and_table_and_leaves_nothing_else(tmp_path, manifest):
    paths = ManifestWriter(tmp_path / "v1.5").write(manifest)
    assert paths == (tmp_path / "v1.5.manifest.json", tmp_path / "v1.5.manifest.parquet")
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_the_folder_is_made(tmp_path, manifest):
    header, _ = ManifestWriter(tmp_path / "new" / "folder" / "s").write(manifest)
    assert header.is_file()


def test_the_header_names_length_digest_and_columns_of_the_table(tmp_path, manifest):
    header, table = ManifestWriter(tmp_path / "v1.5").write(manifest)
    assert json.loads(header.read_bytes())["samples"] == {
        "file": "v1.5.manifest.parquet",
        "size_bytes": table.stat().st_size,
        "sha256": hashlib.sha256(table.read_bytes()).hexdigest(),
        "columns": {
            "__key__": "String",
            "__offset__": "Int64",
            "__size__": "Int64",
            "__crc32__": "UInt32",
            "label": "String",
            "score": "Float64",
            "tags": "List(String)",
        },
    }


def test_a_header_is_strict_json_where_samples_hold_nan_and_infinity(tmp_path, manifest):
    header, _ = ManifestWriter(tmp_path / "s").write(manifest)
    constants = []
    json.loads(header.read_bytes(), parse_constant=constants.append)
    assert constants == []


def test_the_members_of_a_header_come_in_the_documented_order(tmp_path, manifest_of):
    manifest = manifest_of(PHOTOS, source_job_id="job-7")
    header, _ = ManifestWriter(tmp_path / "s").write(manifest)
    assert list(json.loads(header.read_bytes())) == [
        "manifest_version",
        "shard_id",
        "schema_type",
        "schema_version",
        "num_samples",
        "size_bytes",
        "created_at",
        "provenance",
        "aggregates",
        "samples",
        "digest",
    ]


def test_the_table_reads_back(tmp_path, manifest):
    _, table = ManifestWriter(tmp_path / "s").write(manifest)
    assert_frame_equal(pl.read_parquet(table), manifest.frame)


def test_the_same_manifest_gives_the_same_bytes(tmp_path, manifest_of, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    for folder in ("one", "two"):
        ManifestWriter(tmp_path / folder / "s").write(manifest_of(PHOTOS))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.parametrize("end", [".manifest.json", ".manifest.parquet"])
def test_a_file_that_is_there_is_not_overwritten_and_nothing_is_added(tmp_path, manifest, end):
    (tmp_path / f"s{end}").write_bytes(b"precious")
    with pytest.raises(atdata.ShardExistsError, match="its manifest is there already"):
        ManifestWriter(tmp_path / "s").write(manifest)
    assert contents(tmp_path) == {f"s{end}": b"precious"}


def test_writing_twice_is_refused_and_changes_nothing(tmp_path, manifest_of):
    ManifestWriter(tmp_path / "s").write(manifest_of(PHOTOS))
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match="nothing was overwritten"):
        ManifestWriter(tmp_path / "s").write(manifest_of(PHOTOS[:1]))
    assert contents(tmp_path) == before


def test_provenance_that_is_too_long_is_refused_before_anything_is_written(tmp_path, manifest_of):
    manifest = manifest_of(PHOTOS, parent_shards=["x" * 100] * 1000)
    with pytest.raises(atdata.SampleValueError, match="shorten content_metadata or provenance"):
        ManifestWriter(tmp_path / "s").write(manifest)
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_without_samples_is_written_and_read(tmp_path):
    paths = ManifestWriter(tmp_path / "s").write(ManifestBuilder(Photo, "s").build())
    assert len(ShardManifest.from_files(*paths).frame) == 0


def test_long_texts_make_no_long_header(tmp_path, manifest_of):
    photos = [Photo(f"{'é' * 500}{row:04d}", 0.0, [f"{'漢' * 200}{row:04d}"]) for row in range(1200)]
    header, table = ManifestWriter(tmp_path / "s").write(manifest_of(photos))
    assert header.stat().st_size <= 64 << 10
    aggregates = ShardManifest.from_files(header, table).aggregates
    assert (aggregates["label"]["cardinality"], aggregates["tags"]["cardinality"]) == (1200, 1200)


def test_a_manifest_that_no_reader_would_accept_is_not_published(tmp_path):
    builder = ManifestBuilder(Photo, "s")
    builder.add_sample(key="a", offset=0, size=1024, sample=PHOTOS[0])
    with pytest.raises(atdata.SampleValueError, match="could be written and never read: .*created_at"):
        ManifestWriter(tmp_path / "s").write(builder.finish(None, None, 5))
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_such_a_manifest_says_what_is_wrong_and_not_what_to_restore(tmp_path):
    builder = ManifestBuilder(Photo, "s")
    with pytest.raises(atdata.SampleValueError, match=r"never read: Expected `str`, got `int` - at `\$.created_at`$"):
        ManifestWriter(tmp_path / "s").write(builder.finish(None, None, 5))


@pytest.mark.parametrize("rows", [0, 2])
def test_a_manifest_of_another_number_of_samples_is_not_published(tmp_path, rows):
    frame = pl.DataFrame({name: [0] * rows for name in LOCATION}).cast(LOCATION)
    manifest = ShardManifest("s", "Photo", "1.0.0", 1, 0, "2026-01-01", {}, frame)
    with pytest.raises(atdata.SampleValueError, match=f"says 1 samples, and its sample table has {rows} rows"):
        ManifestWriter(tmp_path / "s").write(manifest)
    assert list(tmp_path.iterdir()) == []
