import datetime as dt
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import atdata
from atdata.manifest import ManifestWriter, QueryExecutor, ShardManifest


@atdata.packable
class Photo:
    label: str
    score: float
    tags: list[str]


PHOTOS = [Photo("dog", 0.5, ["a"]), Photo("cat", 0.25, []), Photo("dog", 1.0, ["a", "b"])]


@pytest.fixture
def manifest(manifest_of):
    return manifest_of(PHOTOS, source_job_id="job-7")


@pytest.fixture
def written(tmp_path, manifest):
    return ManifestWriter(tmp_path / "v1.5").write(manifest)


def test_a_manifest_reads_back_from_its_files(manifest, written):
    again = ShardManifest.from_files(*written)
    assert again.header_dict() == manifest.header_dict()
    assert_frame_equal(again.frame, manifest.frame)


def test_paths_may_be_text(written):
    assert ShardManifest.from_files(*map(str, written)).num_samples == 3


def test_header_dict_is_the_file_without_samples_and_digest(written):
    header, table = written
    members = json.loads(header.read_bytes())
    del members["samples"], members["digest"]
    assert ShardManifest.from_files(header, table).header_dict() == members


def test_header_dict_leaves_out_what_was_not_said(manifest_of):
    assert not {"content_metadata", "provenance", "shard"} & manifest_of(PHOTOS).header_dict().keys()


def test_a_datetime_is_iso_text_in_the_header():
    moment = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    manifest = ShardManifest("s", "Photo", "1.0.0", 0, 0, moment, {}, pl.DataFrame())
    assert manifest.header_dict()["created_at"] == "2024-05-01T12:00:00+00:00"


def test_the_written_manifest_of_a_tar_names_the_tar(tmp_path):
    atdata.write_samples(PHOTOS, tmp_path / "p.tar", manifest=True, durable=False, content_metadata={"a": 1})
    manifest = ShardManifest.from_files(tmp_path / "p.manifest.json", tmp_path / "p.manifest.parquet")
    tar = (tmp_path / "p.tar").read_bytes()
    assert manifest.header_dict()["shard"] == {
        "file": "p.tar",
        "size_bytes": len(tar),
        "sha256": hashlib.sha256(tar).hexdigest(),
    }
    assert (manifest.content_metadata, manifest.size_bytes) == ({"a": 1}, len(tar))


def test_the_repr_names_shard_type_and_count(manifest):
    assert repr(manifest) == "ShardManifest('shard-000000', Photo, 3 samples)"


def test_the_table_is_read_on_first_use_and_once(written):
    header, table = written
    manifest = ShardManifest.from_files(header, table)
    frame = manifest.frame
    table.unlink()
    assert manifest.frame is frame


def test_opening_does_not_read_the_table(written):
    header, table = written
    table.write_bytes(b"garbage")
    assert ShardManifest.from_files(header, table).num_samples == 3


@pytest.mark.parametrize("missing", [0, 1], ids=["header", "table"])
def test_a_missing_file_is_named(written, missing):
    written[missing].unlink()
    with pytest.raises(atdata.ManifestNotFoundError, match=written[missing].name.replace(".", r"\.")):
        ShardManifest.from_files(*written)


def test_a_missing_file_is_a_file_not_found_error(written):
    written[0].unlink()
    with pytest.raises(FileNotFoundError, match="is not there"):
        ShardManifest.from_files(*written)


def test_a_table_that_goes_after_opening_is_named(written):
    manifest = ShardManifest.from_files(*written)
    written[1].unlink()
    with pytest.raises(atdata.ManifestNotFoundError, match=r"v1\.5\.manifest\.parquet"):
        _ = manifest.frame


def test_a_damaged_header_is_named(written):
    written[0].write_bytes(b"{}")
    with pytest.raises(atdata.DamagedManifestError, match=r"v1\.5\.manifest\.json"):
        ShardManifest.from_files(*written)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"\0" * 1000, b"PAR1" + b"\xff" * 100 + b"PAR1"], ids=repr)
def test_a_table_that_is_no_parquet_is_damaged(written, data):
    written[1].write_bytes(data)
    with pytest.raises(atdata.DamagedManifestError, match=r"v1\.5\.manifest\.parquet"):
        _ = ShardManifest.from_files(*written).frame


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"\0" * 1000, b"PAR1" + b"\xff" * 100 + b"PAR1"], ids=repr)
def test_a_table_that_is_no_parquet_is_damaged_where_no_digest_tells(tmp_path, data):
    members = {
        "manifest_version": "1.0.0",
        "shard_id": "s",
        "schema_type": "Photo",
        "schema_version": "1.0.0",
        "num_samples": 0,
        "size_bytes": 0,
        "created_at": "2024",
        "aggregates": {},
    }
    header, table = tmp_path / "s.manifest.json", tmp_path / "s.manifest.parquet"
    header.write_text(json.dumps(members))
    table.write_bytes(data)
    with pytest.raises(atdata.DamagedManifestError, match="no sample table"):
        _ = ShardManifest.from_files(header, table).frame


def test_every_flip_of_a_table_is_found(written):
    header, table = written
    data = table.read_bytes()
    for bit in range(0, len(data) * 8, 61):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        table.write_bytes(flipped)
        with pytest.raises(atdata.DamagedManifestError):
            _ = ShardManifest.from_files(header, table).frame


def test_every_cut_of_a_table_is_found(written):
    header, table = written
    data = table.read_bytes()
    for length in range(0, len(data), 17):
        table.write_bytes(data[:length])
        with pytest.raises(atdata.DamagedManifestError, match=f"promises {len(data)} bytes, and the file has {length}"):
            _ = ShardManifest.from_files(header, table).frame


def test_the_table_of_another_shard_is_found(tmp_path, written, manifest_of):
    _, other = ManifestWriter(tmp_path / "other").write(manifest_of(PHOTOS[:2]))
    with pytest.raises(atdata.DamagedManifestError, match="header promises"):
        _ = ShardManifest.from_files(written[0], other).frame


def test_a_table_of_the_same_length_with_other_values_is_found(tmp_path, written, manifest_of):
    other = [Photo("dog", 0.5, ["b"]), *PHOTOS[1:]]
    _, table = ManifestWriter(tmp_path / "other").write(manifest_of(other))
    with pytest.raises(atdata.DamagedManifestError, match="header promises"):
        _ = ShardManifest.from_files(written[0], table).frame


def test_a_table_with_another_number_of_rows_is_found_where_no_digest_tells(written):
    header, table = written
    members = json.loads(header.read_bytes())
    del members["samples"], members["digest"]
    header.write_text(json.dumps({**members, "num_samples": 4}))
    with pytest.raises(atdata.DamagedManifestError, match="promises 4 samples, and the table has 3 rows"):
        _ = ShardManifest.from_files(header, table).frame


def by_hand(samples):
    return ShardManifest("s", "Photo", "1.0.0", 2, 10, "2024-05-01", {}, samples)


def test_a_manifest_takes_a_polars_frame_as_it_is():
    frame = pl.DataFrame({"__key__": ["a", "b"], "score": [0.5, None]})
    assert by_hand(frame).frame is frame


def test_a_manifest_takes_a_pandas_frame_with_nan_as_null():
    frame = pd.DataFrame({"__key__": ["a", "b"], "score": [0.5, np.nan], "tags": [["x"], []]})
    assert by_hand(frame).frame.to_dict(as_series=False) == {
        "__key__": ["a", "b"],
        "score": [0.5, None],
        "tags": [["x"], []],
    }


def test_samples_are_a_pandas_frame_made_once(manifest):
    assert isinstance(manifest.samples, pd.DataFrame)
    assert manifest.samples is manifest.samples


def test_samples_hold_lists_as_python_lists(manifest):
    assert [type(tags) for tags in manifest.samples["tags"]] == [list, list, list]


def test_aggregates_may_be_objects_that_make_dicts():
    class Aggregate:
        def to_dict(self):
            return {"type": "numeric", "min": 1, "max": 2, "mean": 1.5, "count": 2}

    manifest = ShardManifest("s", "Photo", "1.0.0", 0, 0, "2024", {"n": Aggregate()}, pl.DataFrame())
    assert manifest.header_dict()["aggregates"]["n"]["max"] == 2


# -- the header alone, and manifests of version 1.0

GOLDEN = Path(__file__).parents[1] / "golden" / "1.0.0"


def golden(shard):
    stem = f"photos-{shard:06d}"
    return ShardManifest.from_files(GOLDEN / f"{stem}.manifest.json", GOLDEN / f"{stem}.manifest.parquet")


def test_the_header_alone_says_what_it_says(manifest, written):
    written[1].unlink()
    alone = ShardManifest.from_json_only(written[0])
    assert alone.header_dict() == manifest.header_dict()
    assert alone.num_samples == 3


def test_the_header_alone_has_every_column_and_no_row(manifest, written):
    alone = ShardManifest.from_json_only(str(written[0]))
    assert alone.frame.schema == manifest.frame.schema
    assert (len(alone.frame), len(alone.samples)) == (0, 0)


def test_a_header_alone_that_is_not_there_is_named(tmp_path):
    with pytest.raises(atdata.ManifestNotFoundError, match=r"s\.manifest\.json is not there"):
        ShardManifest.from_json_only(tmp_path / "s.manifest.json")


def test_a_damaged_header_alone_is_named(written):
    written[0].write_bytes(b"{}")
    with pytest.raises(atdata.DamagedManifestError, match=r"v1\.5\.manifest\.json"):
        ShardManifest.from_json_only(written[0])


def test_an_old_header_alone_has_the_location_columns():
    alone = ShardManifest.from_json_only(GOLDEN / "photos-000000.manifest.json")
    assert alone.num_samples == 20
    assert list(alone.frame.schema) == ["__key__", "__offset__", "__size__", "__crc32__"]


def test_a_manifest_of_0_7_has_todays_columns():
    frame = golden(0).frame
    assert frame.schema["tags"] == pl.List(pl.String)
    assert frame.schema["marks"] == pl.List(pl.Int64)
    assert frame.schema["__crc32__"] == pl.UInt32


def test_an_empty_manifest_of_0_7_is_read():
    assert (golden(2).num_samples, len(golden(2).frame)) == (0, 0)


def test_programs_for_pandas_find_in_a_manifest_of_0_7_what_they_found():
    samples = golden(1).samples
    assert [row for row, marks in enumerate(samples["marks"]) if 23 in marks] == [3]
    assert [row for row, tags in enumerate(samples["tags"]) if "night" in tags] == [2, 6, 10, 14, 18]


def test_a_manifest_of_0_7_is_queried_in_memory():
    where = (pl.col("label") == "owl") & pl.col("tags").list.contains("naïve, [1]")
    assert len(QueryExecutor([golden(1)]).query(where)) == 1


def test_a_manifest_of_0_7_stays_one_when_it_is_written_again(tmp_path):
    again = ShardManifest.from_files(*ManifestWriter(tmp_path / "photos-000000").write(golden(0)))
    assert again.header_dict()["manifest_version"] == "1.0.0"  # its offsets lead no further than before
    assert again.header_dict() == golden(0).header_dict()
    assert_frame_equal(again.frame, golden(0).frame)


def test_a_table_of_0_7_whose_lists_are_no_json_is_damaged(tmp_path):
    members = json.loads((GOLDEN / "photos-000000.manifest.json").read_text())
    header, table = tmp_path / "s.manifest.json", tmp_path / "s.manifest.parquet"
    header.write_text(json.dumps({**members, "num_samples": 1}))
    pl.DataFrame({"__key__": ["a"], "__offset__": [0], "__size__": [1], "tags": [b'["a']}).write_parquet(table)
    with pytest.raises(atdata.DamagedManifestError, match=r"s\.manifest\.parquet: no sample table"):
        _ = ShardManifest.from_files(header, table).frame


def test_the_error_of_another_table_gives_the_first_16_digits_of_both_digests(tmp_path, written, manifest_of):
    _, other = ManifestWriter(tmp_path / "other").write(manifest_of([Photo("dog", 0.5, ["b"]), *PHOTOS[1:]]))
    promised, found = (hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in (written[1], other))
    with pytest.raises(atdata.DamagedManifestError, match=f"SHA-256 {promised}…, and the bytes give {found}…\\."):
        _ = ShardManifest.from_files(written[0], other).frame
