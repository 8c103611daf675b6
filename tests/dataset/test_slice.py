"""Slices: a selection as a file, that opens as the same selection, and notices what changed."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata import (
    AtdataError,
    DamagedManifestError,
    Dataset,
    ManifestNotFoundError,
    SampleKeyError,
    ShardChangedError,
    UnsupportedFormatError,
)
from tests.tiers import law

Photos = Callable[..., list[Any]]
MEMBER = "atdata.slice"


def packed(samples: Any) -> list[bytes]:
    return [sample.packed for sample in samples]


def about_of(file: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(pl.read_parquet_metadata(file)[MEMBER])
    return about


def rewritten(file: Path, frame: pl.DataFrame | None = None, **changed: Any) -> Path:
    """Write a slice anew with something else in it, and its metadata's digest made anew."""
    about = about_of(file) | changed
    del about["digest"]
    text = json.dumps(about, separators=(",", ":"))
    signed = f'{text[:-1]},"digest":"{hashlib.sha256(text.encode()).hexdigest()}"}}'
    rows = pl.read_parquet(file) if frame is None else frame
    rows.write_parquet(file, metadata={MEMBER: signed})
    return file


@pytest.fixture
def saved(written: Dataset[Any], tmp_path: Path) -> Path:
    return written.where(label="dog").where(pl.col("confidence") > 0.5).save_slice(tmp_path / "dogs.slice.parquet")


def test_a_slice_opens_as_the_selection(written: Dataset[Any], saved: Path) -> None:
    dogs = written.where(pl.col("confidence") > 0.5, label="dog")
    opened = Dataset(saved)
    assert opened == dogs
    assert packed(opened) == packed(dogs)
    assert len(opened.where(pl.col("confidence") > 0.8)) == len(dogs.where(pl.col("confidence") > 0.8))
    assert opened.explain().predicate == "(label='dog') AND ([(col(\"confidence\")) > (dyn float: 0.5)])"


@law(30)
@given(st.lists(st.integers(0, 59), max_size=20))
def test_order_and_multiplicity_are_kept(
    tmp_path_factory: pytest.TempPathFactory, photos: Photos, order: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "sliced"
    if not folder.exists():
        atdata.write_samples(photos(60), folder / "deep" / "p.tar", maxcount=25, manifest=True, durable=False)
    dataset = Dataset(folder / "deep")
    file = dataset.take(order).save_slice(folder / "any.slice.parquet", overwrite=True)
    assert Dataset(file) == dataset.take(order)
    assert packed(Dataset(file)) == packed(dataset.take(order))


def test_a_slice_is_a_plain_parquet_file_of_places(written: Dataset[Any], saved: Path) -> None:
    frame = pl.read_parquet(saved)
    assert frame.columns == ["__shard__", "__key__", "__offset__", "__size__", "__crc32__"]
    assert packed(written.take(frame)) == packed(Dataset(saved))


def test_a_slice_moves_with_its_dataset(saved: Path, tmp_path: Path) -> None:
    expected = packed(Dataset(saved))
    elsewhere = tmp_path.parent / f"{tmp_path.name}-moved"
    shutil.move(tmp_path, elsewhere)
    opened = Dataset(elsewhere / saved.name)
    assert packed(opened) == expected
    assert packed(opened.refresh()) == expected


def test_a_slice_moves_without_its_dataset(written: Dataset[Any], saved: Path, tmp_path: Path) -> None:
    mailed = tmp_path / "far" / "away" / saved.name
    mailed.parent.mkdir(parents=True)
    shutil.move(saved, mailed)
    assert Dataset(mailed) == written.where(pl.col("confidence") > 0.5, label="dog")


def test_a_changed_shard_is_noticed_and_can_be_asked_again(saved: Path, tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(
        photos(250, seed=5), tmp_path / "photos.tar", maxcount=100, manifest=True, overwrite=True, durable=False
    )
    opened = Dataset(saved)
    for use in (list, lambda ds: ds[0], lambda ds: ds.scan(), lambda ds: ds.where(label="dog")):
        with pytest.raises(ShardChangedError, match=r"changed after .*dogs\.slice\.parquet was saved.*refresh\(\)"):
            use(opened)
    again = opened.refresh()
    assert again == Dataset(tmp_path).where(pl.col("confidence") > 0.5, label="dog")
    assert len(again) > 0


def test_refreshing_finds_new_shards(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(30), tmp_path / "p.tar", maxcount=10, manifest=True, durable=False)
    file = Dataset(tmp_path).where("label = 'dog'").save_slice(tmp_path / "dogs.slice.parquet")
    atdata.write_samples(photos(30), tmp_path / "q.tar", maxcount=10, manifest=True, durable=False)
    assert len(Dataset(file).refresh()) == 2 * len(Dataset(file)) > 0


def test_what_was_taken_is_looked_up_again(written: Dataset[Any], tmp_path: Path, photos: Photos) -> None:
    file = Dataset(tmp_path).take(written.query(pl.lit(value=True))[7:2:-4]).save_slice(tmp_path / "some.slice.parquet")
    made = photos(250, seed=5)
    atdata.write_samples(made, tmp_path / "photos.tar", maxcount=100, manifest=True, overwrite=True, durable=False)
    assert packed(Dataset(file).refresh()) == [made[7].packed, made[3].packed]
    atdata.write_samples(made[:5], tmp_path / "photos.tar", maxcount=100, manifest=True, overwrite=True, durable=False)
    with pytest.raises(SampleKeyError, match="1 of 2 keys name no sample: 'photos-000000/000000-000007'"):
        Dataset(file).refresh()


def test_a_slice_of_tars_without_manifests(tmp_path: Path, photos: Photos) -> None:
    made = photos(20)
    bare = atdata.write_samples(made, tmp_path / "p.tar", maxcount=8)
    file = bare.take([9, 2]).save_slice(tmp_path / "some.slice.parquet")
    assert packed(Dataset(file)) == [made[9].packed, made[2].packed]
    (tmp_path / "p-000000.tar").write_bytes((tmp_path / "p-000000.tar").read_bytes() + bytes(512))
    with pytest.raises(ShardChangedError, match="shard 'p-000000': it was changed"):
        list(Dataset(file))


def test_a_shard_that_is_gone_is_named(written: Dataset[Any], tmp_path: Path) -> None:
    saved = Dataset(tmp_path).where(label="dog").save_slice(tmp_path / "dogs.slice.parquet")
    assert len(written.list_shards()) == 3
    for file in tmp_path.glob("photos-000001.*"):
        file.unlink()
    opened = Dataset(saved)
    with pytest.raises(ShardChangedError, match="'photos-000001': .* names samples of it, and neither"):
        list(opened)
    assert 0 < len(opened.refresh()) < len(opened)


def test_a_dataset_that_is_gone_is_named(saved: Path, tmp_path: Path) -> None:
    mailed = tmp_path.parent / f"{tmp_path.name}.slice.parquet"
    shutil.copy(saved, mailed)
    shutil.rmtree(tmp_path)
    with pytest.raises(
        ManifestNotFoundError, match=r"they are in neither\. Where the dataset is now: Dataset\('.*', root=folder\)"
    ):
        Dataset(mailed)


@pytest.mark.parametrize("shard", ["../../etc/passwd", "/etc/passwd", "a/../../b", "a\\b", ""])
def test_a_slice_that_points_outside_of_its_dataset_is_refused(saved: Path, shard: str) -> None:
    frame = pl.read_parquet(saved).with_columns(pl.lit(shard).alias("__shard__"))
    with pytest.raises(DamagedManifestError, match="lies outside of its dataset"):
        Dataset(rewritten(saved, frame))
    with pytest.raises(DamagedManifestError, match="lies outside of its dataset"):
        Dataset(rewritten(saved, frame.clear(), shards=[[shard, 1, None]]))


def test_changed_rows_are_noticed(saved: Path) -> None:
    frame = pl.read_parquet(saved)
    with pytest.raises(DamagedManifestError, match="its rows are not those that were written"):
        Dataset(rewritten(saved, frame[1:]))
    with pytest.raises(DamagedManifestError, match="does not say what the shards"):
        Dataset(rewritten(saved, frame, shards=[]))
    with pytest.raises(DamagedManifestError, match="lacks the columns '__crc32__'"):
        Dataset(rewritten(saved, frame.drop("__crc32__")))


def test_what_is_no_slice_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"slice_version '2\.0\.0'.*reads 1\.x"):
        Dataset(rewritten(saved, slice_version="2.0.0"))
    with pytest.raises(DamagedManifestError, match=r"no slice: .*places"):
        Dataset(rewritten(saved, slice_version="1.0.0", places=3))
    plain = tmp_path / "plain.slice.parquet"
    pl.DataFrame({"__key__": ["a"]}).write_parquet(plain)
    with pytest.raises(DamagedManifestError, match=r"so no slice; of any frame.*take\(frame\)"):
        Dataset(plain)
    plain.write_bytes(b"PAR1")
    with pytest.raises(DamagedManifestError, match="no Parquet file"):
        Dataset(plain)
    with pytest.raises(ManifestNotFoundError, match="there is no slice"):
        Dataset(tmp_path / "other.slice.parquet")


def test_every_flipped_byte_is_noticed_or_harmless(saved: Path) -> None:
    data = saved.read_bytes()
    expected = Dataset(saved)
    before, digest, predicate = packed(expected), expected.digest, expected.explain().predicate
    rng = np.random.default_rng(3)
    noticed = 0
    for at in rng.integers(0, len(data), 150):
        flipped = bytearray(data)
        flipped[at] ^= 1 << int(rng.integers(8))
        saved.write_bytes(flipped)
        try:
            opened = Dataset(saved)
            assert opened.digest == digest
            assert packed(opened) == before
            assert opened.explain().predicate == predicate
        except AtdataError:
            noticed += 1
    assert noticed > 50


def test_names_and_files_that_are_there(written: Dataset[Any], saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match=r"dogs\.slice\.parquet"):
        written.save_slice(saved)
    written.take([1]).save_slice(saved, overwrite=True)
    assert len(Dataset(saved)) == 1
    for name in ("dogs.parquet", ".slice.parquet"):
        with pytest.raises(ValueError, match=r"ends in \.slice\.parquet"):
            written.save_slice(tmp_path / name)
    with pytest.raises(AtdataError, match="keeps places, and no function"):
        written.map(id).save_slice(tmp_path / "x.slice.parquet")


def test_another_process_asks_a_saved_question_again(saved: Path) -> None:
    code = f"import atdata; ds = atdata.Dataset({str(saved)!r}); print(ds.digest, ds.refresh().digest)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed == [Dataset(saved).digest] * 2


def test_an_existing_slice_is_replaced_on_demand_alone(written: Dataset[Any], saved: Path) -> None:
    with pytest.raises(FileExistsError, match=r"replace it with overwrite=True.*dogs\.slice\.parquet"):
        written.save_slice(saved)
    assert Dataset(written.limit(2).save_slice(saved, overwrite=True)) == written.limit(2)


@pytest.mark.parametrize(
    "spoilt",
    [
        pl.lit(-5).alias("__crc32__"),
        pl.lit(2**63, pl.UInt64).alias("__offset__"),
        pl.lit(None, pl.Int64).alias("__size__"),
        pl.lit(None, pl.String).alias("__shard__"),
        pl.lit("1").alias("__offset__"),
    ],
)
def test_rows_that_are_no_places_are_refused(saved: Path, spoilt: pl.Expr) -> None:
    rewritten(saved, pl.read_parquet(saved).with_columns(spoilt))
    with pytest.raises(
        DamagedManifestError, match=r"dogs\.slice\.parquet: its rows are no places: .*write the slice again"
    ):
        Dataset(saved)


def test_a_shard_that_is_described_twice_is_refused(saved: Path) -> None:
    shards = json.loads(pl.read_parquet_metadata(saved)[MEMBER])["shards"]
    rewritten(saved, shards=[*shards, shards[0]])
    with pytest.raises(DamagedManifestError, match="says of a shard twice what it was"):
        Dataset(saved)


@pytest.mark.usefixtures("written")
def test_the_way_out_of_a_missing_shard_is_one(tmp_path: Path) -> None:
    opened = Dataset(tmp_path)
    asked = opened.where(pl.lit(True)).save_slice(tmp_path / "asked.slice.parquet")
    taken = opened.take([0, 150]).save_slice(tmp_path / "taken.slice.parquet")
    for file in tmp_path.glob("photos-000001.*"):
        file.unlink()
    with pytest.raises(ShardChangedError, match=r"'photos-000001'.*or ask again with refresh\(\)"):
        list(Dataset(asked))
    assert len(Dataset(asked).refresh()) == 150
    with pytest.raises(ShardChangedError, match=r"'photos-000001'.*or take what is left: ds = .*is_in\(ds\.shards\)"):
        list(Dataset(taken))
    left, rows = Dataset(tmp_path), pl.read_parquet(taken)
    assert len(left.take(rows.filter(pl.col("__shard__").is_in(left.shards)))) == 1


def test_every_flipped_byte_of_the_metadata_is_noticed(saved: Path) -> None:
    text = pl.read_parquet_metadata(saved)[MEMBER].encode()
    data = saved.read_bytes()
    start = data.index(text)
    for at in range(0, len(text), 3):
        flipped = bytearray(data)
        flipped[start + at] ^= 1
        saved.write_bytes(flipped)
        with pytest.raises(AtdataError):
            Dataset(saved)


def test_a_slice_says_what_readers_of_tomorrow_need(saved: Path, tmp_path: Path) -> None:
    about = about_of(saved)
    assert (about["slice_version"], about["digest_version"]) == ("1.1.0", 1)
    assert about["roots"] == [
        {
            "name": "",
            "path": str(tmp_path),
            "relative": ".",
            "manifests": None,
            "manifests_relative": None,
            "source": Dataset(saved).source,
        }
    ]
    assert (about["root"], about["relative"]) == (str(tmp_path), ".")  # for readers of 1.0
    with pytest.raises(UnsupportedFormatError, match="digest_version 2; this version of atdata-polars reads 1"):
        Dataset(rewritten(saved, digest_version=2))


def test_slices_of_version_1_0_are_read(saved: Path, tmp_path: Path) -> None:
    expected = packed(Dataset(saved))
    about = about_of(saved)
    for name in ("roots", "digest_version", "digest"):
        del about[name]
    frame = pl.read_parquet(saved)
    frame.write_parquet(saved, metadata={MEMBER: json.dumps(about | {"slice_version": "1.0.0"})})
    assert packed(Dataset(saved)) == packed(Dataset(saved).refresh()) == expected
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    assert packed(Dataset(moved / saved.name)) == packed(Dataset(moved / saved.name).refresh()) == expected
    frame.write_parquet(moved / saved.name, metadata={MEMBER: json.dumps(about | {"slice_version": "1.1.0"})})
    with pytest.raises(DamagedManifestError, match="its metadata are not those that were written"):
        Dataset(moved / saved.name)


def test_a_slice_is_told_where_its_dataset_is(written: Dataset[Any], saved: Path, tmp_path: Path) -> None:
    expected = packed(Dataset(saved))
    mailed, moved = tmp_path.parent / f"{tmp_path.name}-mail", tmp_path.parent / f"{tmp_path.name}-moved"
    mailed.mkdir()
    file = shutil.copy(saved, mailed / saved.name)
    tmp_path.rename(moved)
    with pytest.raises(ManifestNotFoundError, match="in neither"):
        Dataset(file)
    for root in (moved, str(moved), {"": moved}):
        opened = Dataset(file, root=root)
        assert packed(opened) == packed(opened.refresh()) == expected
        assert packed(atdata.load_dataset(file, split="train", root=root)) == expected
    assert opened.source == str(moved)
    for wrong, problem in ((tmp_path, "in neither"), (tmp_path / "x", "in neither")):
        with pytest.raises(ManifestNotFoundError, match=problem):
            Dataset(file, root=wrong)
    with pytest.raises(ValueError, match="root= names 'x', and the slice has the roots ''"):
        Dataset(file, root={"x": moved})
    with pytest.raises(ValueError, match="root= says where the dataset of a slice is now"):
        Dataset(moved, root=moved)
    with pytest.raises(ValueError, match="manifests= is one folder"):
        Dataset(moved, manifests={"": moved})
    assert len(written) == 250


def test_a_slice_knows_that_manifests_are_apart(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(9), tmp_path / "here" / "tars" / "p.tar", maxcount=4, manifest=True, durable=False)
    (tmp_path / "here" / "sidecars").mkdir()
    for path in (tmp_path / "here" / "tars").glob("*.manifest.*"):
        path.rename(tmp_path / "here" / "sidecars" / path.name)
    apart = Dataset(tmp_path / "here" / "tars", manifests=tmp_path / "here" / "sidecars")
    file = apart.where(pl.lit(True)).save_slice(tmp_path / "here" / "all.slice.parquet")
    assert packed(Dataset(file)) == packed(Dataset(file).refresh()) == packed(apart)
    (tmp_path / "here").rename(tmp_path / "there")
    file = tmp_path / "there" / "all.slice.parquet"
    assert packed(Dataset(file)) == packed(Dataset(file).refresh()) == [photo.packed for photo in photos(9)]
    (tmp_path / "there" / "sidecars").rename(tmp_path / "sidecars")
    assert len(list(Dataset(file, manifests=tmp_path / "sidecars").refresh())) == 9
