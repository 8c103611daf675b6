"""Opening, reading and fetching."""

import json
import pickle
import random
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pytest

import atdata
from atdata import (
    DamagedManifestError,
    Dataset,
    DecodeError,
    DictSample,
    ManifestNotFoundError,
    SampleKeyError,
    SampleLocation,
    SampleValueError,
    SchemaError,
    ShardChangedError,
    ShardError,
    UncommittedShardWarning,
    UnsupportedFormatError,
)

Photos = Callable[..., list[Any]]


def packed(samples: Any) -> list[bytes]:
    return [sample.packed for sample in samples]


def test_a_folder_gives_all_samples_in_order(
    written: Dataset[Any], tmp_path: Path, photo_type: Any, photos: Photos
) -> None:
    dataset = Dataset[photo_type](tmp_path)
    assert packed(dataset) == packed(dataset.ordered()) == packed(photos(250))
    assert dataset.list_shards() == written.list_shards()
    assert len(dataset) == 250


@pytest.mark.parametrize(
    ("pattern", "shards"),
    [
        ("photos-000001.tar", [1]),
        ("photos-{000000..000001}.tar", [0, 1]),
        ("photos-{000002,000000}.tar", [2, 0]),
        ("photos-00000[12].tar", [1, 2]),
        ("*.tar", [0, 1, 2]),
    ],
)
def test_a_pattern_names_shards(
    written: Dataset[Any], tmp_path: Path, photo_type: Any, photos: Photos, pattern: str, shards: list[int]
) -> None:
    dataset = Dataset[photo_type](f"{tmp_path}/{pattern}")
    assert dataset.list_shards() == [written.list_shards()[index] for index in shards]
    expected = [photo for index in shards for photo in photos(250)[100 * index : 100 * (index + 1)]]
    assert packed(dataset) == packed(expected)
    assert len(dataset) == len(expected)


def test_a_list_of_tars_keeps_its_order(written: Dataset[Any], photo_type: Any, photos: Photos) -> None:
    dataset = Dataset[photo_type](written.list_shards()[::-1])
    assert packed(dataset) == packed(photos(250)[200:] + photos(250)[100:200] + photos(250)[:100])
    assert [each.shard for each in dataset.query(pl.lit(True))[:1]] == ["photos-000002"]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path, photos: Photos, photo_type: Any) -> None:
    atdata.write_samples(photos(2), tmp_path / "p[1].tar", manifest=True)
    assert packed(Dataset[photo_type](tmp_path / "p[1].tar")) == packed(photos(2))


@pytest.mark.parametrize("path", ["nowhere", "nowhere/p.tar", "nowhere*.tar", "photos-{000003..000004}.tar"])
def test_what_is_not_there_is_named(written: Dataset[Any], tmp_path: Path, path: str) -> None:
    assert written
    with pytest.raises((ManifestNotFoundError, ValueError), match="nowhere|photos-000003"):
        Dataset(f"{tmp_path}/{path}")


@pytest.mark.parametrize("path", ["nowhere/p.tar", "nowhere*.tar"])
def test_a_missing_file_is_a_file_not_found_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        Dataset(f"{tmp_path}/{path}")


def test_without_a_type_samples_are_dicts(written: Dataset[Any], tmp_path: Path, photos: Photos) -> None:
    (first,) = Dataset(tmp_path).head(1)
    assert isinstance(first, DictSample)
    assert first.label == photos(1)[0].label
    assert written


def test_a_type_that_is_no_sample_type_is_refused(written: Dataset[Any], tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"int.* is no sample type"):
        Dataset[int](tmp_path).head()
    assert written


@pytest.mark.parametrize("size", [1, 32, 100, 250, 1000])
def test_batches_hold_all_samples(written: Dataset[Any], photos: Photos, size: int) -> None:
    batches = list(written.ordered(batch_size=size))
    assert [len(batch) for batch in batches] == [size] * (250 // size) + [250 % size] * (250 % size > 0)
    assert [label for batch in batches for label in batch.label] == [photo.label for photo in photos(250)]


def test_a_batch_size_below_one_is_refused(written: Dataset[Any]) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        written.ordered(batch_size=0)


def test_head_reads_no_more_than_it_gives(written: Dataset[Any], photos: Photos) -> None:
    Path(written.list_shards()[1]).unlink()
    assert packed(written.head(3)) == packed(photos(3))
    assert written.head(0) == []


def test_a_dataset_is_true_without_being_read(written: Dataset[Any]) -> None:
    for path in written.list_shards():
        Path(path).unlink()
        Path(path.replace(".tar", ".manifest.parquet")).unlink()
    assert bool(written) is True


def test_without_manifests_tars_are_walked(tmp_path: Path, photos: Photos, photo_type: Any) -> None:
    atdata.write_samples(photos(25), tmp_path / "p.tar", maxcount=10)
    dataset = Dataset[photo_type](tmp_path)
    assert len(dataset) == 25
    assert packed(dataset) == packed(photos(25))
    with pytest.raises(ManifestNotFoundError, match="holds no manifest .*3 tars without one.*manifest=True"):
        dataset.query(pl.lit(True))


def test_tars_of_other_members_say_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"jpeg")
    (tmp_path / "a.cls").write_bytes(b"7")
    with tarfile.open(tmp_path / "foreign.tar", "w") as tar:
        tar.add(tmp_path / "a.jpg", "a.jpg")
        tar.add(tmp_path / "a.cls", "a.cls")
    with pytest.raises(DecodeError, match="sample 'a' at offset 0: holds jpg, cls; expected one .msgpack"):
        Dataset(tmp_path).head()
    dataset = Dataset(tmp_path)
    assert len(dataset) == 1
    ways = {
        "batches": lambda: list(dataset.ordered(batch_size=2)),
        "a position": lambda: dataset[0],
        "take": lambda: list(dataset.take([0, 0])),
        "shuffled": lambda: list(dataset.shuffled(seed=0)),
        "export": lambda: dataset.export(tmp_path / "out" / "o.tar"),
    }
    for way in ways.values():
        with pytest.raises(
            DecodeError, match="'foreign', sample 'a' at offset 0: holds jpg, cls; expected one .msgpack"
        ):
            way()


def test_a_tar_without_a_manifest_is_left_out_with_a_warning(written: Dataset[Any], tmp_path: Path) -> None:
    Path(written.list_shards()[1].replace(".tar", ".manifest.json")).unlink()
    with pytest.warns(UncommittedShardWarning, match="photos-000001"):
        dataset = Dataset(tmp_path)
    assert len(dataset) == 150


def test_fetch_keeps_the_order_and_repetitions_asked_for(written: Dataset[Any], photos: Photos) -> None:
    locations = written.query(pl.lit(True))
    order = random.Random(0).choices(range(250), k=400)
    fetched = written.fetch(locations[index] for index in order)
    assert packed(fetched) == packed(photos(250)[index] for index in order)


def test_fetched_arrays_can_be_written_to(written: Dataset[Any]) -> None:
    (sample,) = written.fetch(written.query(pl.lit(True))[:1])
    sample.pixels[:] = 0
    assert not sample.pixels.any()


def test_a_location_without_size_is_completed_from_the_manifest(written: Dataset[Any], photos: Photos) -> None:
    full = written.query(pl.lit(True))[120]
    bare = SampleLocation(full.shard, full.key, full.offset)
    assert packed(written.fetch([bare])) == packed(photos(250)[120:121])


def test_a_location_at_another_offset_than_the_manifests_is_refused(written: Dataset[Any]) -> None:
    full = written.query(pl.lit(True))[120]
    with pytest.raises(ShardChangedError, match=f"says offset 512, and the manifest says {full.offset}"):
        list(written.fetch([SampleLocation(full.shard, full.key, 512)]))


def test_an_unknown_key_and_an_unknown_shard_are_named(written: Dataset[Any]) -> None:
    with pytest.raises(SampleKeyError, match="'photos-000001' has no sample with the key 'nobody'"):
        list(written.fetch([SampleLocation("photos-000001", "nobody", 0)]))
    with pytest.raises(
        ShardError, match=r"photos-00001'.* none of this dataset's 3 shards .*did you mean 'photos-00000"
    ):
        list(written.fetch([SampleLocation("photos-00001", "x", 0, 512)]))


def test_a_frame_of_rows_is_fetched_in_its_order(written: Dataset[Any], photos: Photos) -> None:
    rows = written.scan().sort("confidence", nulls_last=True).head(20).collect()
    fetched = list(written.fetch(rows))
    expected = sorted(photo.confidence for photo in photos(250) if photo.confidence is not None)[:20]
    assert [sample.confidence for sample in fetched] == expected
    assert packed(written.fetch(rows.select("__shard__", "__key__", "__offset__"))) == packed(fetched)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([("photos-000000", "x", 0)], "expected a SampleLocation, as query.. returns, found tuple"),
        (["000000-000000"], "found str '000000-000000'"),
        (7, "expected several locations, as query.. returns them, found int 7"),
        (SampleLocation("photos-000000", "x", 0), "put it into a list"),
        (pl.LazyFrame({"a": [1]}), "collect.. it first"),
        (pl.DataFrame({"__key__": ["x"], "__offset__": [0]}), "lacks '__shard__'"),
    ],
    ids=["tuples", "keys", "number", "one location", "lazy frame", "frame without shard"],
)
def test_what_is_no_location_is_refused(written: Dataset[Any], given: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        list(written.fetch(given))


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestNotFoundError, match=r"holds no shard \(\*\.tar\); it holds nothing$"):
        Dataset(tmp_path)


def test_a_mistyped_folder_is_named_with_the_nearest(written: Dataset[Any], tmp_path: Path) -> None:
    (tmp_path / "items").mkdir()
    assert len(written) == 250
    with pytest.raises(ManifestNotFoundError, match=r"no folder or tar .*itemz' \(did you mean 'items'\?\)"):
        Dataset(tmp_path / "itemz")


def test_locations_cross_processes(written: Dataset[Any]) -> None:
    locations = written.query(pl.lit(True))
    assert pickle.loads(pickle.dumps(locations)) == locations


def tar_of(dataset: Dataset[Any], index: int) -> Path:
    return Path(dataset.list_shards()[index])


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("cut", [0, 1, 511, 512, 40_000])
def test_a_truncated_tar_is_found(written: Dataset[Any], cut: int) -> None:
    locations = written.query(pl.lit(True))
    path = tar_of(written, 1)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ShardChangedError, match=f"'photos-000001'.*promises a tar of {size} bytes.* has {cut}"):
        list(written.fetch(locations[100:101]))
    with pytest.raises(ShardChangedError, match=f"promises a tar of {size} bytes"):
        list(written)


@pytest.mark.parametrize("where", [0, 130, 149, 512, 600, 1000])
def test_a_flipped_bit_under_a_location_is_found(written: Dataset[Any], where: int) -> None:
    location = written.query(pl.lit(True))[120]
    flip(tar_of(written, 1), location.offset + where)
    with pytest.raises(
        ShardChangedError, match=f"'photos-000001': the sample '000001-000020' at offset {location.offset}"
    ):
        list(written.fetch([location]))
    with pytest.raises(ShardChangedError, match="000001-000020"):
        list(written)


def test_other_samples_of_a_damaged_tar_are_still_fetched(written: Dataset[Any], photos: Photos) -> None:
    locations = written.query(pl.lit(True))
    flip(tar_of(written, 1), locations[120].offset + 600)
    assert packed(written.fetch([locations[119], locations[121]])) == packed([photos(250)[119], photos(250)[121]])


def test_swapped_tars_are_found(tmp_path: Path, photos: Photos) -> None:
    same = [*photos(1), *photos(1)]
    dataset = atdata.write_samples(same, tmp_path / "p.tar", maxcount=1, manifest=True)
    first, second = map(Path, dataset.list_shards())
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    with pytest.raises(ShardChangedError, match=r"expected a member of '000000-000000', found '000001-000000\.msgpack"):
        list(dataset.fetch(dataset.query(pl.lit(True))))


def test_a_missing_tar_is_named(written: Dataset[Any]) -> None:
    locations = written.query(pl.lit(True))
    tar_of(written, 2).unlink()
    with pytest.raises(ShardChangedError, match="'photos-000002': its tar .* is gone"):
        list(written.fetch(locations[-1:]))
    assert len(list(written.fetch(locations[:200]))) == 200


def test_full_verification_reads_the_whole_tar(written: Dataset[Any]) -> None:
    locations = written.query(pl.lit(True))
    flip(tar_of(written, 0), locations[50].offset + 600)
    assert len(list(written.fetch(locations[:1]))) == 1
    with pytest.raises(ShardChangedError, match="promises a tar with SHA-256"):
        list(written.fetch(locations[:1], verify="full"))


def test_without_verification_a_payload_is_taken_as_it_is(written: Dataset[Any]) -> None:
    location = written.query(pl.lit(True))[3]
    data = bytearray(tar_of(written, 0).read_bytes())
    at = data.index(b"\xa5label", location.offset) + 7
    data[at] ^= 1
    tar_of(written, 0).write_bytes(data)
    (sample,) = written.fetch([location], verify="none")
    assert sample.label[0] == chr(data[at])
    with pytest.raises(ShardChangedError, match="CRC-32"):
        list(written.fetch([location]))


def test_an_unknown_verification_is_refused(written: Dataset[Any]) -> None:
    with pytest.raises(ValueError, match="none, fetch, full"):
        written.fetch([], verify="some")


def test_a_payload_of_another_type_names_shard_key_and_field(written: Dataset[Any], tmp_path: Path) -> None:
    @atdata.packable
    class Numbered:
        label: int

    with pytest.raises(DecodeError, match=r"'photos-000000', sample '000000-000000' at offset 0: .*Numbered.*label"):
        Dataset[Numbered](tmp_path).head()
    assert written


def test_a_window_larger_than_the_budget_is_read_in_parts(tmp_path: Path) -> None:
    @atdata.packable
    class Block:
        data: np.ndarray

    blocks = [Block(np.full(400_000, index, np.uint8)) for index in range(12)]
    dataset = atdata.write_samples(blocks, tmp_path / "b.tar", maxcount=5, manifest=True, durable=False)
    order = [11, 0, 7, 3, 3, 9, 1, 10, 2, 8, 4, 6, 5]
    locations = dataset.query(pl.lit(True))
    assert [int(block.data[0]) for block in dataset.fetch(locations[i] for i in order)] == order
    assert [int(block.data[-1]) for block in dataset] == list(range(12))


def test_a_sample_table_that_lost_rows_is_found_when_its_shard_is_read(written: Dataset[Any], tmp_path: Path) -> None:
    table = tmp_path / "photos-000001.manifest.parquet"
    pl.read_parquet(table).head(60).write_parquet(table)
    with pytest.raises(DamagedManifestError, match=r"photos-000001\.manifest\.parquet: the header promises"):
        list(written)
    assert len(written) == 250


@pytest.mark.parametrize(("offset", "size"), [(0, 2**40), (2**62, 2**62), (10**6, 1024)])
def test_a_place_outside_the_tar_is_refused_before_anything_is_read(
    written: Dataset[Any], offset: int, size: int
) -> None:
    location = SampleLocation("photos-000000", "000000-000000", offset, size, 0)
    with pytest.raises(ShardChangedError, match=f"expected a place inside the tar.*found {size} bytes from {offset}"):
        list(written.fetch([location]))


def test_offsets_of_version_1_0_are_not_fetched_by(written: Dataset[Any], tmp_path: Path) -> None:
    path = tmp_path / "photos-000000.manifest.json"
    header = json.loads(path.read_bytes())
    old = {name: value for name, value in header.items() if name not in ("shard", "samples", "digest")}
    path.write_text(json.dumps(old | {"manifest_version": "1.0.0"}))
    dataset = Dataset(tmp_path)
    locations = dataset.query(pl.lit(True))
    assert len(locations) == len(written)
    with pytest.raises(UnsupportedFormatError, match=r"'photos-000000'.*version 1\.0\.0.*can be queried, not fetched"):
        list(dataset.fetch(locations[:1]))


def test_content_metadata_is_there_again_after_opening(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(1), tmp_path / "p.tar", manifest=True, content_metadata={"source": "camera"})
    assert Dataset(tmp_path).content_metadata == {"source": "camera"}


def test_a_subclass_of_a_typed_dataset_reads_that_type(written: Dataset[Any], tmp_path: Path, photo_type: Any) -> None:
    class Photographs(Dataset[photo_type]):
        """Photographs."""

    assert isinstance(Photographs(tmp_path).head(1)[0], photo_type)
    assert len(written) == 250


def test_a_dataset_crosses_processes(written: Dataset[Any], photos: Photos) -> None:
    dogs = written.query(pl.col("label") == "dog")
    again = pickle.loads(pickle.dumps(written))
    assert packed(again) == packed(photos(250))
    assert again.query(pl.col("label") == "dog") == dogs
    assert len(pickle.dumps(written)) < 20_000


FORKED = """
import multiprocessing, sys
import polars as pl, atdata

dataset = atdata.Dataset(sys.argv[1])
locations = dataset.query(pl.lit(True))

def fetch(queue):
    queue.put(len(list(dataset.fetch(locations[:3]))))
    try:
        dataset.query(pl.lit(True))
    except atdata.AtdataError as error:
        queue.put(str(error))

context = multiprocessing.get_context("fork")
queue = context.Queue()
child = context.Process(target=fetch, args=(queue,))
child.start()
print(queue.get(timeout=30), queue.get(timeout=30))
child.join()
"""


def test_after_a_fork_samples_are_fetched_and_questions_refused(written: Dataset[Any], tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert re.match(r"3 process \d+ was forked from \d+, which had already used Polars.*'spawn'", done.stdout)
    assert len(written) == 250


def test_a_generic_subclass_reads_the_type_it_is_given(written: Dataset[Any], tmp_path: Path, photo_type: Any) -> None:
    kind = TypeVar("kind")

    class Checked(Dataset[kind]):
        """Checked."""

    class Photographs(Checked[photo_type]):
        """Photographs."""

    class Favourites(Photographs):
        """Favourites."""

    for opened in (Checked[photo_type](tmp_path), Photographs(tmp_path), Favourites(tmp_path)):
        assert opened.sample_type is photo_type
    assert Checked(tmp_path).sample_type is DictSample
    assert len(written) == 250


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("__offset__", "7", "integers in __offset__; found String"),
        ("__offset__", 7.0, "integers in __offset__; found Float64"),
        ("__offset__", None, "no null in __offset__|integers in __offset__; found Null"),
        ("__size__", "7", "integers in __size__; found String"),
        ("__crc32__", "7", "integers in __crc32__; found String"),
        ("__shard__", 7, "text in __shard__; found Int32|text in __shard__; found Int64"),
        ("__key__", None, "text in __key__; found Null"),
    ],
)
def test_a_frame_of_other_types_is_refused_by_column(
    written: Dataset[Any], name: str, value: Any, problem: str
) -> None:
    rows = written.scan().head(3).collect().with_columns(pl.lit(value).alias(name))
    with pytest.raises(SampleValueError, match=problem):
        list(written.fetch(rows))


def test_a_frame_with_a_null_is_refused_by_row(written: Dataset[Any]) -> None:
    rows = written.scan().head(3).collect()
    broken = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(None).otherwise("__offset__").alias("__offset__")
    )
    with pytest.raises(SampleValueError, match="no null in __offset__; found one in row 1"):
        list(written.fetch(broken))


def test_a_glob_gives_shards_in_the_order_of_their_numbers(tmp_path: Path, photos: Photos, photo_type: Any) -> None:
    atdata.write_samples(photos(12), tmp_path / "p-%d.tar", maxcount=1, manifest=True, durable=False)
    assert packed(Dataset[photo_type](f"{tmp_path}/p-*.tar")) == packed(photos(12))
