"""Writing call by call: the block publishes what is whole, and nothing of what is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import atdata
from atdata import DictSample, SampleValueError, SchemaError, ShardWriter

Photos = Callable[..., list[Any]]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_block_writes_what_write_samples_writes(tmp_path: Path, photos: Photos, photo_type: type) -> None:
    options: dict[str, Any] = {"maxcount": 4, "manifest": True, "created_at": "2026-01-01"}
    atdata.write_samples(photos(10), tmp_path / "a" / "p.tar", **options)
    with ShardWriter(tmp_path / "b" / "p.tar", photo_type, **options) as shards:
        for photo in photos(10):
            shards.write(photo)
    assert [path.read_bytes() for path in sorted((tmp_path / "a").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "b").iterdir())
    ]
    assert len(shards.dataset) == 10


def test_a_sample_may_be_given_its_key(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "p.tar", DictSample, manifest=True, keys="name") as shards:
        shards.write(DictSample(name="by field"))
        shards.write(DictSample(name="passed over"), key="by call")
    assert [place.key for place in shards.dataset.query(pl.lit(True))] == ["by field", "by call"]


def test_nothing_of_the_open_shard_is_published_when_the_block_raises(tmp_path: Path, photos: Photos) -> None:
    shards = ShardWriter(tmp_path / "p.tar", None, maxcount=2, manifest=True)

    def fail_after(count: int) -> None:
        with shards:
            for photo in photos(count):
                shards.write(photo)
            raise RuntimeError("camera gone")

    with pytest.raises(RuntimeError, match="camera gone") as caught:
        fail_after(5)
    assert {name.split(".")[0] for name in names(tmp_path)} == {"p-000000", "p-000001"}
    assert "4 samples in 2 finished shards stay" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="not written yet"):
        _ = shards.dataset


def test_a_sample_of_another_type_is_refused_from_the_first_on(tmp_path: Path, photos: Photos) -> None:
    with (
        pytest.raises(SampleValueError, match="sample 0: expected a DictSample, found Photo"),
        ShardWriter(tmp_path / "p.tar", DictSample) as shards,
    ):
        shards.write(photos(1)[0])
    assert names(tmp_path) == []


def test_a_refused_sample_can_be_passed_over(tmp_path: Path, photos: Photos) -> None:
    good, bad, also_good = photos(3)
    bad.label = 7
    with ShardWriter(tmp_path / "p.tar", None, manifest=True) as shards:
        shards.write(good)
        with pytest.raises(SampleValueError, match="field 'label'"):
            shards.write(bad)
        shards.write(also_good)
    assert [each.packed for each in shards.dataset] == [good.packed, also_good.packed]


def test_a_type_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="decorate the class with @atdata.packable"):
        ShardWriter(tmp_path / "p.tar", int)


def test_an_existing_target_is_found_before_the_block(tmp_path: Path) -> None:
    (tmp_path / "p.tar").write_bytes(b"precious")
    with pytest.raises(atdata.ShardExistsError):
        ShardWriter(tmp_path / "p.tar", DictSample)


def test_a_block_without_samples_writes_nothing(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "p.tar", DictSample, manifest=True) as shards:
        pass
    assert names(tmp_path) == []
    with pytest.raises(ValueError, match="no sample was written, and nothing was changed"):
        _ = shards.dataset


def test_samples_are_written_inside_the_block(tmp_path: Path) -> None:
    shards = ShardWriter(tmp_path / "p.tar", DictSample)
    with pytest.raises(ValueError, match="inside the writer's with-block"):
        shards.write(DictSample(a=1))
    with shards:
        shards.write(DictSample(a=1))
    with pytest.raises(ValueError, match="inside the writer's with-block"):
        shards.write(DictSample(a=2))
    with pytest.raises(ValueError, match="is entered once"), shards:
        pass
    assert len(shards.dataset) == 1
