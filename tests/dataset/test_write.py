"""`write_samples`: what it makes, what it refuses, and what stays when it stops."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import atdata
from atdata import DictSample, SampleValueError, ShardExistsError

Photos = Callable[..., list[Any]]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def header(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded


def test_one_tar_without_a_manifest(tmp_path: Path, photos: Photos) -> None:
    dataset = atdata.write_samples(photos(3), tmp_path / "photos.tar")
    assert names(tmp_path) == ["photos.tar"]
    assert [each.packed for each in dataset] == [each.packed for each in photos(3)]


def test_one_tar_with_a_manifest(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(3), tmp_path / "photos.tar", manifest=True)
    assert names(tmp_path) == ["photos.manifest.json", "photos.manifest.parquet", "photos.tar"]


def test_a_pattern_says_where_the_number_stands(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(3), tmp_path / "p-%03d-train.tar", maxcount=2)
    assert names(tmp_path) == ["p-000-train.tar", "p-001-train.tar"]


def test_a_pattern_alone_gives_one_numbered_shard(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(3), tmp_path / "p-%06d.tar")
    assert names(tmp_path) == ["p-000000.tar"]


def test_a_folder_that_is_not_there_is_made(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(1), tmp_path / "a" / "b" / "p.tar")
    assert names(tmp_path / "a" / "b") == ["p.tar"]


def test_no_more_than_two_shards_are_in_flight(tmp_path: Path, photos: Photos) -> None:
    in_flight = []

    def generate() -> Iterator[Any]:
        for index, photo in enumerate(photos(20)):
            begun = (index + 1) // 2  # of two samples each
            in_flight.append(begun - len(list(tmp_path.glob("*.tar"))))
            yield photo

    atdata.write_samples(generate(), tmp_path / "p.tar", maxcount=2)
    assert len(in_flight) == 20
    assert max(in_flight) <= 2


def test_the_header_says_what_format_and_tar_it_describes(tmp_path: Path, photos: Photos) -> None:
    moment = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
    atdata.write_samples(
        photos(3), tmp_path / "p.tar", manifest=True, created_at=moment, content_metadata={"source": "camera"}
    )
    said = header(tmp_path / "p.manifest.json")
    assert said["manifest_version"] == "1.1.0"
    assert said["schema_type"] == "Photo"
    assert said["created_at"] == "2026-05-04T00:00:00+00:00"
    assert said["content_metadata"] == {"source": "camera"}
    assert said["num_samples"] == 3
    assert said["size_bytes"] == said["shard"]["size_bytes"] == (tmp_path / "p.tar").stat().st_size
    assert list(said)[-1] == "digest"


def test_keys_come_from_an_iterable_a_function_or_a_field(tmp_path: Path, photos: Photos) -> None:
    samples = [DictSample(name=f"n{index}") for index in range(2)]
    given = atdata.write_samples(samples, tmp_path / "a.tar", manifest=True, keys=["x", "folder/y"])
    made = atdata.write_samples(samples, tmp_path / "b.tar", manifest=True, keys=lambda i, s: f"{s.name}-{i}")
    field = atdata.write_samples(samples, tmp_path / "c.tar", manifest=True, keys="name")
    keys = [[each.key for each in dataset.query(pl.lit(True))] for dataset in (given, made, field)]
    assert keys == [["x", "folder/y"], ["n0-0", "n1-1"], ["n0", "n1"]]
    assert [sample.name for sample in given.fetch(given.query(pl.lit(True)))] == ["n0", "n1"]
    assert photos(0) == []


def test_too_few_keys_name_the_sample_without_one(tmp_path: Path, photos: Photos) -> None:
    with pytest.raises(SampleValueError, match="sample 2, field '__key__': there are only 2 keys"):
        atdata.write_samples(photos(3), tmp_path / "a.tar", keys=["x", "y"])


def test_keys_that_are_left_over_are_refused_before_the_last_shard_is_published(tmp_path: Path, photos: Photos) -> None:
    with pytest.raises(SampleValueError, match="there are only 2 samples, and a key 'z' is left"):
        atdata.write_samples(photos(2), tmp_path / "a.tar", keys=["x", "y", "z"])
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, "expected a key as str, found NoneType"),
        ("a", "is in shard 'p' already"),
        ("b.c", "holds a dot in its last part"),
        ("", "is empty"),
        ("/b", "is absolute"),
        ("../b", "holds '..'"),
        ("b" * 93, "takes 101 bytes with its extension"),
        ("é" * 47, "takes 102 bytes with its extension"),
        ("__b", "begins with '__'"),
        ("b\0", "holds a NUL"),
        ("b//c", "has an empty part"),
        (7, "expected a key as str, found int 7"),
    ],
)
@pytest.mark.parametrize("manifest", [True, False])
def test_a_bad_key_is_refused_with_its_position(
    tmp_path: Path, photos: Photos, key: Any, problem: str, *, manifest: bool
) -> None:
    with pytest.raises(SampleValueError, match="sample 1, field '__key__'") as caught:
        atdata.write_samples(photos(3), tmp_path / "p.tar", keys=["a", key, "z"], manifest=manifest)
    assert problem in str(caught.value)
    assert caught.value.position == 1
    assert names(tmp_path) == []


def test_a_repeated_key_in_another_shard_is_legal(tmp_path: Path, photos: Photos) -> None:
    dataset = atdata.write_samples(photos(2), tmp_path / "p.tar", maxcount=1, manifest=True, keys=["a", "a"])
    assert [(each.shard, each.key) for each in dataset.query(pl.lit(True))] == [("p-000000", "a"), ("p-000001", "a")]
    assert [each.packed for each in dataset.fetch(dataset.query(pl.lit(True)))] == [p.packed for p in photos(2)]


def test_an_undecorated_class_is_refused(tmp_path: Path) -> None:
    class Plain:
        label = "dog"

    with pytest.raises(SampleValueError, match=r"sample 0: .*Plain: decorate it with @atdata.packable"):
        atdata.write_samples([Plain()], tmp_path / "p.tar")
    with pytest.raises(TypeError, match=r"wrap it in atdata\.DictSample"):
        atdata.write_samples([{"label": "dog"}], tmp_path / "p.tar")
    assert names(tmp_path) == []


def test_a_sample_of_another_type_is_refused(tmp_path: Path, photos: Photos) -> None:
    with pytest.raises(SampleValueError, match="sample 1: expected a Photo, as the first sample, found DictSample"):
        atdata.write_samples([*photos(1), DictSample(a=1)], tmp_path / "p.tar")


def test_a_wrong_value_names_sample_and_field(tmp_path: Path, photos: Photos) -> None:
    samples = photos(3)
    samples[2].label = 7
    with pytest.raises(SampleValueError, match="sample 2, field 'label': expected str, found int 7"):
        atdata.write_samples(samples, tmp_path / "p.tar", manifest=True)
    assert names(tmp_path) == []


def test_an_object_array_is_refused_by_field(tmp_path: Path, photos: Photos) -> None:
    samples = photos(1)
    samples[0].pixels = np.array([{}], dtype=object)
    with pytest.raises(SampleValueError, match="sample 0, field 'pixels': .*Python objects"):
        atdata.write_samples(samples, tmp_path / "p.tar")


def test_an_integer_too_large_for_its_column_is_refused_before_anything_is_published(tmp_path: Path) -> None:
    @atdata.packable
    class Counted:
        count: int

    with pytest.raises(SampleValueError, match="sample 1, field 'count': .*Int64, found int 9223372036854775808"):
        atdata.write_samples([Counted(1), Counted(2**63)], tmp_path / "p.tar", manifest=True)
    assert names(tmp_path) == []


def test_an_error_at_the_very_end_also_says_how_far_the_write_came(tmp_path: Path) -> None:
    @atdata.packable
    class Counted:
        counts: list[int]

    counts = [Counted([1]), Counted([2]), Counted([2**63])]
    with pytest.raises(SampleValueError, match="field 'counts': shard 'p-000001': .*row 0 of the shard") as caught:
        atdata.write_samples(counts, tmp_path / "p.tar", maxcount=2, manifest=True)
    assert "2 samples in 1 finished shards stay" in caught.value.__notes__[0]
    assert names(tmp_path) == ["p-000000.manifest.json", "p-000000.manifest.parquet", "p-000000.tar"]


def test_where_the_input_raises_a_shard_that_could_not_be_published_is_named_too(tmp_path: Path) -> None:
    def samples() -> Iterator[DictSample]:
        yield from (DictSample(number=0), DictSample(number=1))
        (tmp_path / "p-000000.tar").write_bytes(b"precious")
        yield DictSample(number=2)
        raise ValueError("the input broke")

    with pytest.raises(ValueError, match="the input broke") as caught:
        atdata.write_samples(samples(), tmp_path / "p.tar", maxcount=2)
    assert "shard 'p-000000', written before, could not be published: ShardExistsError" in caught.value.__notes__[0]
    assert names(tmp_path) == ["p-000000.tar"]
    assert (tmp_path / "p-000000.tar").read_bytes() == b"precious"


@pytest.mark.parametrize("there", ["p-000000.tar", "p-000007.tar", "p-000001.manifest.json"])
def test_existing_files_are_not_overwritten(tmp_path: Path, photos: Photos, there: str) -> None:
    (tmp_path / there).write_bytes(b"precious")
    with pytest.raises(ShardExistsError, match=there):
        atdata.write_samples(photos(3), tmp_path / "p.tar", maxcount=1, manifest=True)
    assert names(tmp_path) == [there]
    assert (tmp_path / there).read_bytes() == b"precious"


def test_an_existing_target_is_found_before_the_first_sample_is_taken(tmp_path: Path) -> None:
    (tmp_path / "p.tar").write_bytes(b"precious")

    def generate() -> Iterator[Any]:
        raise AssertionError("a sample was taken")
        yield

    with pytest.raises(FileExistsError, match="nothing was overwritten|Nothing was overwritten"):
        atdata.write_samples(generate(), tmp_path / "p.tar")


def test_files_of_another_set_do_not_stand_in_the_way(tmp_path: Path, photos: Photos) -> None:
    for name in ("p-x.tar", "p.tar", "pp-000000.tar", "p-000000.tar.bak"):
        (tmp_path / name).write_bytes(b"other")
    atdata.write_samples(photos(1), tmp_path / "p.tar", maxcount=1)
    assert "p-000000.tar" in names(tmp_path)


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path, photos: Photos) -> None:
    def generate() -> Iterator[Any]:
        yield photos(1)[0]
        (tmp_path / "p.tar").write_bytes(b"precious")

    with pytest.raises(ShardExistsError, match="nothing was overwritten"):
        atdata.write_samples(generate(), tmp_path / "p.tar", manifest=True)
    assert names(tmp_path) == ["p.tar"]
    assert (tmp_path / "p.tar").read_bytes() == b"precious"


def test_a_header_that_appears_meanwhile_keeps_its_tar_out(tmp_path: Path, photos: Photos) -> None:
    def generate() -> Iterator[Any]:
        yield photos(1)[0]
        (tmp_path / "p.manifest.parquet").write_bytes(b"precious")

    with pytest.raises(ShardExistsError):
        atdata.write_samples(generate(), tmp_path / "p.tar", manifest=True)
    assert "p.tar" not in names(tmp_path)


@pytest.mark.parametrize("samples", [[], iter(())])
def test_an_empty_input_is_refused(tmp_path: Path, samples: Any) -> None:
    with pytest.raises(ValueError, match="non-empty"):
        atdata.write_samples(samples, tmp_path / "a" / "p.tar")
    assert names(tmp_path) == []


@pytest.mark.parametrize("path", ["p", "p.tar.gz", ".tar", "p-%d-%d.tar"])
def test_a_path_that_is_no_tar_is_refused(tmp_path: Path, photos: Photos, path: str) -> None:
    with pytest.raises(ValueError, match=r"\.tar|one place"):
        atdata.write_samples(photos(1), f"{tmp_path}/{path}")


def test_a_remote_path_is_refused(photos: Photos) -> None:
    with pytest.raises(atdata.AtdataError, match="s3:// is not supported yet"):
        atdata.write_samples(photos(1), "s3://bucket/p.tar")


@pytest.mark.parametrize("option", [{"maxcount": 0}, {"maxsize": -1}, {"maxcount": True}, {"maxcount": 2.5}])
def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path, photos: Photos, option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is a whole number from 1"):
        atdata.write_samples(photos(1), tmp_path / "p.tar", **option)


@pytest.mark.parametrize("metadata", [7, "text", {"x": float("nan")}, {"x": object()}])
def test_metadata_that_no_header_can_keep_is_refused(tmp_path: Path, photos: Photos, metadata: Any) -> None:
    with pytest.raises(TypeError, match="content_metadata"):
        atdata.write_samples(photos(1), tmp_path / "p.tar", content_metadata=metadata)
    assert names(tmp_path) == []


def test_metadata_may_be_a_sample_and_comes_back(tmp_path: Path, photos: Photos) -> None:
    @atdata.packable
    class About:
        source: str

    dataset = atdata.write_samples(photos(1), tmp_path / "p.tar", manifest=True, content_metadata=About("camera"))
    assert dataset.content_metadata == {"source": "camera"}
    assert header(tmp_path / "p.manifest.json")["content_metadata"] == {"source": "camera"}


class Interrupted(BaseException):
    """Like KeyboardInterrupt, no Exception."""


@pytest.mark.parametrize("error", [RuntimeError, Interrupted])
@pytest.mark.parametrize(("at", "finished"), [(0, 0), (1, 0), (99, 0), (100, 0), (101, 1), (249, 2)])
def test_finished_shards_stay_and_the_open_one_leaves_nothing(
    tmp_path: Path, photos: Photos, error: type[BaseException], at: int, finished: int
) -> None:
    def generate() -> Iterator[Any]:
        yield from photos(at)
        raise error("camera gone")

    with pytest.raises(error) as caught:
        atdata.write_samples(generate(), tmp_path / "p.tar", maxcount=100, manifest=True, durable=False)
    assert names(tmp_path) == sorted(
        f"p-{i:06d}{end}" for i in range(finished) for end in (".tar", ".manifest.json", ".manifest.parquet")
    )
    if at:
        (note,) = caught.value.__notes__
        assert f"stopped at sample {at}" in note
        kept = f"{100 * finished} samples in {finished} finished shards stay" if finished else "no shard was finished"
        assert kept in note
    if finished:
        kept = atdata.Dataset[type(photos(1)[0])](tmp_path)
        assert [each.packed for each in kept] == [each.packed for each in photos(at)[: 100 * finished]]


def test_a_shard_may_be_exactly_as_large_as_maxsize_says(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(7), tmp_path / "whole.tar", manifest=True)
    size = (tmp_path / "whole.tar").stat().st_size
    exact = atdata.write_samples(photos(7), tmp_path / "exact.tar", maxsize=size, manifest=True)
    below = atdata.write_samples(photos(7), tmp_path / "below.tar", maxsize=size - 1, manifest=True)
    assert len(exact.list_shards()) == 1
    assert len(below.list_shards()) == 2


@pytest.mark.parametrize("name", [".tmp-x.tar", "a\\b.tar"])
def test_a_name_that_no_reader_would_accept_is_refused(tmp_path: Path, photos: Photos, name: str) -> None:
    with pytest.raises(ValueError, match=r"does not begin with '\.' and holds no"):
        atdata.write_samples(photos(1), tmp_path / name, manifest=True)
    assert names(tmp_path) == []


def test_shards_keep_their_order_where_numbers_outgrow_their_width(tmp_path: Path, photos: Photos) -> None:
    written = atdata.write_samples(photos(12), tmp_path / "p-%d.tar", maxcount=1, manifest=True, durable=False)
    opened = atdata.Dataset(tmp_path)
    assert opened.list_shards() == written.list_shards()
    assert [each.packed for each in written] == [each.packed for each in photos(12)]


def test_a_dated_shard_does_not_stand_in_the_way_of_one_without_a_date(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(1), tmp_path / "train.20240101.tar", manifest=True)
    atdata.write_samples(photos(1), tmp_path / "train.tar")
    assert (tmp_path / "train.tar").is_file()


def test_a_bad_source_date_epoch_is_named(tmp_path: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ValueError, match="SOURCE_DATE_EPOCH='yesterday'"):
        atdata.write_samples(photos(1), tmp_path / "p.tar", manifest=True)


@pytest.mark.parametrize("after", [1, 9], ids=["at the end", "while others are written"])
def test_a_shard_that_cannot_be_published_is_not_blamed_on_the_sample_after_it(tmp_path: Path, after: int) -> None:
    @atdata.packable
    class Counted:
        counts: list[int]

    samples = [Counted([1]), Counted([1, 2**63]), *[Counted([3])] * after]
    with pytest.raises(SampleValueError, match=r"^field 'counts': shard 'p-000000': .*row 1 of the shard") as caught:
        atdata.write_samples(samples, tmp_path / "p.tar", maxcount=2, manifest=True)
    assert caught.value.position is None
    assert names(tmp_path) == []


def test_an_empty_input_with_keys_is_an_empty_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="non-empty"):
        atdata.write_samples([], tmp_path / "p.tar", keys=["x"])


@pytest.mark.parametrize("moment", ["yesterday", "", 1_700_000_000])
def test_a_time_of_creation_that_is_none_is_refused_before_anything_is_written(
    tmp_path: Path, photos: Photos, moment: Any
) -> None:
    with pytest.raises(ValueError, match="created_at is a datetime, or one as ISO 8601 text; found"):
        atdata.write_samples(photos(1), tmp_path / "p.tar", manifest=True, created_at=moment)
    assert names(tmp_path) == []


def test_metadata_is_given_back_as_it_will_be_read_whatever_becomes_of_the_dict(tmp_path: Path, photos: Photos) -> None:
    said = {"sizes": (1, 2), 7: {"lens": "wide"}}
    dataset = atdata.write_samples(photos(1), tmp_path / "p.tar", manifest=True, content_metadata=said)
    said[7]["lens"] = "long"  # type: ignore[index]  # a dict
    assert dataset.content_metadata == atdata.Dataset(tmp_path).content_metadata
    assert dataset.content_metadata == {"sizes": [1, 2], "7": {"lens": "wide"}}
