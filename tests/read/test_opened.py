"""The digest: what stands for samples and their order, and does not change with anything else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import atdata
from atdata import Dataset, DictSample, MissingManifestWarning

Photos = Callable[..., list[Any]]


def test_the_same_samples_have_the_same_digest_anywhere(tmp_path: Path, photos: Photos) -> None:
    one = atdata.write_samples(
        photos(30), tmp_path / "a" / "p.tar", maxcount=10, manifest=True, created_at="2026-01-01"
    )
    two = atdata.write_samples(photos(30), tmp_path / "b" / "p.tar", maxcount=10, manifest=True, provenance={"by": "x"})
    assert one.digest == two.digest == Dataset(tmp_path / "a").digest
    assert len(one.digest) == 64
    other = atdata.write_samples(photos(31), tmp_path / "c" / "p.tar", maxcount=10, manifest=True)
    assert other.digest != one.digest


def test_a_digest_is_what_it_was(tmp_path: Path) -> None:
    dataset = atdata.write_samples([DictSample(n=n) for n in range(5)], tmp_path / "p.tar", maxcount=2, manifest=True)
    assert dataset.digest == "d791f25f62fc78a28e0fd1d2dbb841e7e646d4db5f78e7e3b4694fe05e8ecdfd"
    assert dataset.take([3, 1, 1]).digest == "a399ef6c4a247b210e7e49978ca6a94612154ce93dce70ef1262ef7c2ae4d24d"
    assert dataset.sample(2, seed=7).digest == "155d0d62adedec702b0bc91572d0f547f9845ca31dbfd385714d2c98d4496553"


def test_the_same_samples_are_the_same_however_they_were_found(written: Dataset[Any]) -> None:
    assert written.where(pl.lit(value=True)).digest == written.take(range(250)).digest == written.digest
    assert written.take([1, 0]).digest != written.take([0, 1]).digest
    assert written.take([1, 1]).digest != written.take([1]).digest
    assert hash(written.take([1, 0])) == hash(written.take([1, 0]))


def test_shards_in_another_order_are_another_dataset(written: Dataset[Any]) -> None:
    turned = Dataset(list(reversed(written.list_shards())))
    assert turned.digest != written.digest
    assert turned.digest == written.take([*range(200, 250), *range(100, 200), *range(100)]).digest
    assert Dataset(written.list_shards()).digest == written.digest


def test_without_manifests_places_are_what_counts(tmp_path: Path, photos: Photos) -> None:
    bare = atdata.write_samples(photos(20), tmp_path / "a" / "p.tar", maxcount=8)
    again = atdata.write_samples(photos(20), tmp_path / "b" / "p.tar", maxcount=8)
    assert bare.digest == again.digest
    assert bare.take([3]).digest != bare.take([4]).digest


def test_without_manifests_samples_are_found_by_walking(tmp_path: Path, photos: Photos) -> None:
    made = photos(20)
    bare = atdata.write_samples(made, tmp_path / "p.tar", maxcount=8)
    assert bare[-1].packed == made[-1].packed
    assert [sample.packed for sample in bare.take([9, 2])] == [made[9].packed, made[2].packed]
    assert bare["000001-000000"].packed == made[8].packed
    assert [sample.packed for sample in bare.select([0, 19])] == [made[0].packed, made[19].packed]


@pytest.mark.parametrize("ask", [len, lambda ds: ds[0], lambda ds: ds.get("000000-000000")], ids=["len", "[]", "get"])
def test_a_long_walk_says_what_a_manifest_would_save(tmp_path: Path, ask: Callable[[Any], Any]) -> None:
    atdata.write_samples([DictSample(data=bytes(65 << 20))], tmp_path / "p.tar", durable=False)
    dataset = Dataset(tmp_path)
    with pytest.warns(MissingManifestWarning, match=r"has no manifests.* 1 tars \(68,\d+,\d+ bytes\).*manifest=True"):
        ask(dataset)
    ask(dataset)  # once is enough


def test_today_is_asked_again_on_refresh(written: Dataset[Any], photos: Photos) -> None:
    dogs, some = written.where(label="dog"), written.take([1, 7, 7])
    folder = Path(written.list_shards()[0]).parent
    atdata.write_samples(
        photos(20, seed=1), folder / "photos.tar", maxcount=100, manifest=True, append=True, durable=False
    )
    assert len(Dataset(folder).where(label="dog").refresh()) > len(dogs)
    assert some.refresh() == some
    assert dogs.refresh() == Dataset(folder).where(label="dog").refresh()


@pytest.mark.parametrize("folder", ["plain", "odd [0-9]* name", "with {braces}"])
def test_what_was_written_is_found_again_with_what_was_added(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "p.tar"
    first = atdata.write_samples([DictSample(n=n) for n in range(5)], path, maxcount=2, manifest=True)
    atdata.write_samples([DictSample(n=0)], tmp_path / folder / "p-other.tar", manifest=True)
    atdata.write_samples([DictSample(n=9)], tmp_path / folder / "p-%06d.tar", manifest=True, append=True)
    assert [sample["n"] for sample in first.refresh()] == [0, 1, 2, 3, 4, 9]


def test_one_tar_is_found_again_alone(tmp_path: Path) -> None:
    one = atdata.write_samples([DictSample(n=1)], tmp_path / "p.tar", manifest=True)
    atdata.write_samples([DictSample(n=2)], tmp_path / "p-000000.tar", manifest=True)
    assert [sample["n"] for sample in one.refresh()] == [1]
