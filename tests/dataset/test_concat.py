"""Several datasets as one."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import atdata
from atdata import (
    AtdataError,
    Dataset,
    DuplicateShardError,
    ManifestNotFoundError,
    SchemaError,
    ShardChangedError,
    concat,
)
from atdata._shards import OpenShards, join_shards, open_shards, root_names
from atdata._storage import LocalStore, MemoryStore

Photos = Callable[..., list[Any]]


def packed(samples: Any) -> list[bytes]:
    return [sample.packed for sample in samples]


@pytest.fixture
def years(tmp_path: Path, photos: Photos) -> list[Dataset[Any]]:
    """Two datasets with the same names of shards, and the same keys."""
    return [
        atdata.write_samples(
            photos(5, seed=number), tmp_path / year / "images.tar", maxcount=2, manifest=True, durable=False
        )
        for number, year in enumerate(["2023", "2024"])
    ]


IDS = [f"{year}/images-00000{number}" for year in ("2023", "2024") for number in range(3)]


def test_a_concatenation_is_one_dataset(years: list[Dataset[Any]]) -> None:
    both = concat(years)
    everything = packed(years[0]) + packed(years[1])
    assert (both.shards, len(both)) == (IDS, 10)
    assert both.list_shards() == years[0].list_shards() + years[1].list_shards()
    assert packed(both) == packed(both.ordered()) == packed(both.refresh()) == everything
    assert packed(pickle.loads(pickle.dumps(both))) == everything
    assert both[7].packed == both[5:][2].packed == everything[7]
    assert packed(both.take([9, 0, 9])) == [everything[9], everything[0], everything[9]]
    assert packed(both.fetch(both.query(pl.lit(True)))) == everything
    dogs = both.where(label="dog")
    assert packed(dogs) == [sample for year in years for sample in packed(year.where(label="dog"))]
    assert packed(dogs.refresh()) == packed(dogs)
    assert sorted(packed(both.shuffled(seed=3))) == sorted(everything)
    assert sorted(packed(both.sort("confidence"))) == sorted(everything)
    assert both.value_counts("label")["count"].sum() == 10
    assert both.scan().select(pl.len()).collect().item() == 10
    assert both.rows()["__shard__"].unique(maintain_order=True).to_list() == IDS
    assert both == concat(years)
    assert both != concat(years[::-1])
    assert hash(both) == hash(concat(years))
    assert both.process_shards(len) == dict(zip(IDS, [2, 2, 1] * 2, strict=True))


def test_shards_have_the_shortest_ends_that_differ() -> None:
    assert root_names(["/a/2023", "/a/2024"]) == ["2023", "2024"]
    assert root_names(["/a/2023/x", "/a/2024/x", "/b/2024/x"]) == ["a/2023/x", "a/2024/x", "b/2024/x"]
    assert root_names(["/x", "/a/x/y"]) == ["x", "y"]
    assert root_names(["s3://bucket/x", "/data/x"]) == ["bucket/x", "data/x"]
    for same in (["/a/x", "/a/x"], ["/"]):
        with pytest.raises(ValueError, match="give a name to each dataset with names="):
            root_names(same)


def test_names_may_be_given(years: list[Dataset[Any]], tmp_path: Path) -> None:
    assert concat(years, names=["old", "new/one"]).shards[2:4] == ["old/images-000002", "new/one/images-000000"]
    assert concat(years, names={str(tmp_path / "2023"): "old"}).shards[2:4] == [
        "old/images-000002",
        "2024/images-000000",
    ]
    for names, problem in [
        (["a"], "a name for each of the 2 datasets"),
        (["a", "a"], "a different name for each"),
        (["a", "a/b"], "none is within another; found 'a' and 'a/b'"),
        (["a", "../b"], r"a relative path as the name of a dataset, such as '2024'; found '\.\./b'"),
        (["a", ""], "found ''"),
        ("ab", "a name for each"),
        ({"/nowhere": "a"}, "has the roots '/nowhere', which are not among"),
    ]:
        with pytest.raises(ValueError, match=problem):
            concat(years, names=names)


def test_oversampling_is_a_concatenation_with_names(years: list[Dataset[Any]]) -> None:
    first = years[0]
    for overlapping in ([first, first], [first, Dataset[first.sample_type](first.list_shards()[1])]):
        with pytest.raises(DuplicateShardError, match=r"is in more than one of the datasets.*give a name to each"):
            concat(overlapping)
    twice = concat([first, first, years[1]], names=["a", "b", "c"])
    assert packed(twice) == packed(first) * 2 + packed(years[1])
    assert len(twice.where(pl.lit(True))) == twice.count(pl.lit(True)) == len(twice.rows()) == 15
    assert packed(twice.where(label="dog")) == packed(first.where(label="dog")) * 2 + packed(
        years[1].where(label="dog")
    )
    assert packed(twice.fetch(twice.query(pl.lit(True)))) == packed(twice)
    with pytest.raises(AtdataError, match="annotate each dataset by itself"):
        twice.annotate(lambda batch: {"n": [1] * len(batch)})
    assert "n" not in first.refresh().scan().collect_schema()


def test_selections_are_concatenated_as_they_are(years: list[Dataset[Any]]) -> None:
    some = [years[0].take([4, 0, 0]), years[1].where(label="dog")]
    joined = concat(some)
    assert packed(joined) == packed(some[0]) + packed(some[1])
    assert packed(joined.refresh()) == packed(joined)
    assert packed(concat([years[0], some[1]], names=["a", "b"])) == packed(years[0]) + packed(some[1])


def test_a_concatenation_of_concatenations(years: list[Dataset[Any]], tmp_path: Path, photos: Photos) -> None:
    more = atdata.write_samples(photos(2, seed=7), tmp_path / "2025" / "images.tar", manifest=True, durable=False)
    both = concat(years)
    assert concat([both, more]).shards == [*IDS, "2025/images"]
    named = concat([both, more], names=["old", "new"])
    assert named.shards == [*(f"old/{shard_id}" for shard_id in IDS), "new/images"]
    assert packed(named) == packed(concat([both.take(list(range(10))), more])) == packed(both) + packed(more)


def test_a_slice_of_a_concatenation_lists_its_roots(years: list[Dataset[Any]], tmp_path: Path) -> None:
    both = concat(years)
    dogs = both.where(label="dog")
    file = dogs.save_slice(tmp_path / "dogs.slice.parquet")
    about = json.loads(pl.read_parquet_metadata(file)["atdata.slice"])
    assert [(root["name"], root["path"], root["relative"]) for root in about["roots"]] == [
        (year, str(tmp_path / year), year) for year in ("2023", "2024")
    ]
    opened = Dataset(file)
    assert opened == dogs
    assert packed(opened) == packed(opened.refresh()) == packed(dogs)
    (tmp_path / "2023").rename(tmp_path / "moved")
    with pytest.raises(ManifestNotFoundError, match=r"root=\{'2023': folder\}"):
        Dataset(file)
    for root in ({"2023": tmp_path / "moved"}, {"2023": str(tmp_path / "moved"), "2024": tmp_path / "2024"}):
        opened = Dataset(file, root=root)
        assert packed(opened) == packed(opened.refresh()) == packed(atdata.load_dataset(file, root=root)["train"])
    again = opened.save_slice(tmp_path / "again.slice.parquet")
    assert packed(Dataset(again)) == packed(opened)
    with pytest.raises(ValueError, match=r"the slice has the roots '2023', '2024': root=\{'2023': \.\.\., \.\.\.\}"):
        Dataset(file, root=tmp_path / "moved")
    shutil.rmtree(tmp_path / "2024" / "nothing", ignore_errors=True)
    for path in (tmp_path / "2024").glob("images-000000.*"):
        path.unlink()
    with pytest.raises(ShardChangedError, match="'2024/images-000000'"):
        list(Dataset(file, root={"2023": tmp_path / "moved"}))


def test_columns_are_added_to_each_dataset(years: list[Dataset[Any]]) -> None:
    both = concat(years)
    annotated = both.annotate(lambda batch: {"n": [len(batch)] * len(batch)})
    assert len(annotated.where(pl.col("n") > 0)) == 10
    assert annotated.digest == both.digest
    for year in years:
        assert len(year.refresh().where(pl.col("n") > 0)) == 5


def test_a_concatenation_is_exported(years: list[Dataset[Any]], tmp_path: Path) -> None:
    both = concat(years)
    out = both.export(tmp_path / "out" / "all.tar", maxcount=4, keys="renew", durable=False)
    assert packed(out) == packed(both)


def test_what_does_not_fit_together_is_refused(years: list[Dataset[Any]], tmp_path: Path, photos: Photos) -> None:
    bare = atdata.write_samples(photos(1), tmp_path / "bare" / "p.tar", durable=False)
    with pytest.raises(ManifestNotFoundError, match=rf"'{tmp_path}/bare' holds no manifests, and the others do"):
        concat([years[0], bare])
    with pytest.raises(SchemaError, match="of different types cannot be concatenated: 'Photo', 'DictSample'"):
        concat([years[0], Dataset(tmp_path / "2024")])
    with pytest.raises(AtdataError, match="different steps"):
        concat([years[0].filter(bool), years[1]])
    with pytest.raises(ValueError, match="found none"):
        concat([])
    for wrong in (years[0], [years[0], "x"], "x"):
        with pytest.raises(TypeError, match="expected a list of datasets"):
            concat(wrong)


def test_datasets_without_manifests_are_concatenated(tmp_path: Path, photos: Photos) -> None:
    bare = [atdata.write_samples(photos(3, seed=n), tmp_path / f"{n}" / "p.tar", durable=False) for n in range(2)]
    both = concat(bare)
    assert len(both) == 6
    assert packed(both) == packed(bare[0]) + packed(bare[1])
    assert packed(both.take([5, 0])) == [packed(both)[5], packed(both)[0]]


def test_steps_that_agree_stay(years: list[Dataset[Any]]) -> None:
    step = years[0].map(str)._sequence.steps[0].function
    mapped = concat([year.map(step) for year in years])
    assert list(mapped) == [str(photo) for year in years for photo in year]


def test_stores_of_several_kinds_are_one_dataset(years: list[Dataset[Any]], tmp_path: Path) -> None:
    local, memory = LocalStore(tmp_path / "2024"), MemoryStore("bucket")
    for name in local.names():
        memory.replace(name, local.read(name))
    shards = open_shards(tmp_path / "2024")
    far: Dataset[Any] = Dataset(OpenShards(memory, shards.listing))
    both = concat([Dataset(tmp_path / "2023"), far], names=["near", "far"])
    expected = packed(Dataset(tmp_path / "2023")) + packed(far)
    assert packed(both) == packed(both.where(pl.lit(True))) == packed(both.refresh()) == expected
    assert len(join_shards({"a": shards}).shard_ids) == len(years[1].shards)
