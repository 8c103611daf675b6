"""Opening datasets with their splits."""

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import atdata
from atdata import (
    AtdataError,
    Dataset,
    DatasetDict,
    DictSample,
    ManifestNotFoundError,
    SchemaError,
    SplitNotFoundError,
    UncommittedShardWarning,
    load_dataset,
)

Photos = Callable[..., list[Any]]


def packed(samples: Any) -> list[bytes]:
    return [sample.packed for sample in samples]


def shards(dataset: Dataset[Any]) -> list[str]:
    return list(dict.fromkeys(each.shard for each in dataset.query(pl.lit(True))))


# -- what is opened


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", {"train": ["train-000000", "train-000001"], "validation": ["val-000000"], "test": ["test-000000"]}),
        ("train-000001.tar", {"train": ["train-000001"]}),
        ("test-000000.tar", {"test": ["test-000000"]}),
        ("t*-000000.tar", {"train": ["train-000000"], "test": ["test-000000"]}),
        ("train-{000000..000001}.tar", {"train": ["train-000000", "train-000001"]}),
        ("{val,test}-000000.tar", {"validation": ["val-000000"], "test": ["test-000000"]}),
        ("train-{000001,000000}.tar", {"train": ["train-000001", "train-000000"]}),
    ],
)
def test_a_path_gives_its_splits(put: Callable[..., Path], pattern: str, expected: dict[str, list[str]]) -> None:
    root = put("train-000000", "train-000001", "val-000000", "test-000000")
    found = load_dataset(f"{root}/{pattern}")
    assert isinstance(found, DatasetDict)
    assert {split: shards(dataset) for split, dataset in found.items()} == expected
    assert list(found) == list(expected)


def test_a_list_gives_its_splits_and_keeps_its_order(put: Callable[..., Path]) -> None:
    root = put("b", "a", "c/d")
    found = load_dataset([root / "b.tar", f"{root}/a.tar", root / "c"])
    assert {split: shards(dataset) for split, dataset in found.items()} == {"train": ["b", "a", "c/d"]}


def test_samples_are_read_as_the_type(put: Callable[..., Path], photos: Photos, photo_type: Any) -> None:
    found = load_dataset(put("train-0", "test-0"), photo_type)
    assert found.sample_type is found["test"].sample_type is photo_type
    assert packed(found["test"]) == packed(photos(2, seed=1))


def test_without_a_type_samples_are_dict_samples(put: Callable[..., Path]) -> None:
    found = load_dataset(put("train-0"))
    assert found.sample_type is DictSample
    assert all(isinstance(sample, DictSample) for sample in found["train"])
    assert found["train"].column_names == ["label", "confidence", "tags", "note"]


def test_a_named_split_is_a_dataset(put: Callable[..., Path], photo_type: Any) -> None:
    dataset = load_dataset(put("train-0", "test-0"), photo_type, split="test")
    assert isinstance(dataset, Dataset)
    assert (shards(dataset), dataset.sample_type) == (["test-0"], photo_type)


def test_folders_name_splits_and_shards_count_from_the_folder_that_was_opened(put: Callable[..., Path]) -> None:
    root = put("train/images-0", "test/images-0", "train/more/images-0")
    for found in (load_dataset(root), {name: load_dataset(root, split=name) for name in ("train", "test")}):
        assert {split: shards(dataset) for split, dataset in found.items()} == {
            "train": ["train/images-0", "train/more/images-0"],
            "test": ["test/images-0"],
        }


def test_splits_of_one_folder_go_together_again(put: Callable[..., Path]) -> None:
    found = load_dataset(put("train/images-0", "test/images-0"))
    both = found["train"] | found["test"]
    assert len(both) == 4
    assert shards(both & found["test"]) == ["test/images-0"]


def test_a_relative_path_keeps_its_meaning(put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = put("train/images-0")
    monkeypatch.chdir(root)
    dataset = load_dataset("train", split="train")
    monkeypatch.chdir(root.parent)
    assert len(dataset) == len(dataset.refresh()) == 2


def test_opening_reads_no_file(put: Callable[..., Path]) -> None:
    root = put("train-0", "test-0")
    for path in root.iterdir():
        path.chmod(0)
        path.write_bytes(b"") if os.geteuid() == 0 else None
    assert load_dataset(root).num_shards == {"train": 1, "test": 1}


def test_shards_without_manifests_are_loaded(put: Callable[..., Path], photo_type: Any, photos: Photos) -> None:
    found = load_dataset(put("train-0", "test-0", manifest=False), photo_type)
    assert packed(found["train"]) == packed(photos(2))


def test_a_tar_without_a_manifest_is_reported_of_its_own_split(put: Callable[..., Path]) -> None:
    put("train-0", "test-0")
    root = put("test-1", manifest=False)
    with pytest.warns(UncommittedShardWarning, match="'test-1'"):
        found = load_dataset(root)
    assert {split: shards(dataset) for split, dataset in found.items()} == {"train": ["train-0"], "test": ["test-0"]}


def test_streaming_is_recorded_and_changes_nothing(put: Callable[..., Path], photo_type: Any) -> None:
    root = put("train-0")
    found = load_dataset(root, photo_type, streaming=True)
    assert (found.streaming, load_dataset(root).streaming) == (True, False)
    assert packed(found["train"]) == packed(load_dataset(root, photo_type)["train"])


def test_a_slice_is_the_split_train(put: Callable[..., Path], photo_type: Any) -> None:
    root = put("test/a", "train/b")
    path = root / "chosen.slice.parquet"
    load_dataset(root, split="test").save_slice(path)
    found = load_dataset(path, photo_type)
    assert (list(found), len(found["train"]), found["train"].sample_type) == (["train"], 2, photo_type)
    assert packed(load_dataset(path, photo_type, split="train")) == packed(found["train"])
    with pytest.raises(SplitNotFoundError, match=r"chosen.slice.parquet has no split 'test'; it has 'train'"):
        load_dataset(path, split="test")


def test_a_slice_of_a_split_finds_its_samples_again(put: Callable[..., Path], photo_type: Any) -> None:
    root = put("train/a", "test/b")
    chosen = load_dataset(root, photo_type, split="test").take([1])
    chosen.save_slice(root / "chosen.slice.parquet")
    again = Dataset[photo_type](root / "chosen.slice.parquet").refresh()
    assert packed(again) == packed(chosen)
    assert again.digest == chosen.digest


def test_refreshing_a_split_finds_its_new_shards(put: Callable[..., Path]) -> None:
    dataset = load_dataset(put("train-0", "test-0"), split="test")
    put("test-1")
    assert (shards(dataset), shards(dataset.refresh())) == (["test-0"], ["test-0", "test-1"])


def test_a_split_that_is_gone_cannot_be_refreshed(put: Callable[..., Path]) -> None:
    root = put("train-0", "test-0")
    dataset = load_dataset(root, split="test")
    for path in root.glob("test-0*"):
        path.unlink()
    with pytest.raises(SplitNotFoundError, match="has no split 'test'; it has 'train'"):
        dataset.refresh()


# -- data_files


def test_data_files_say_what_the_splits_are(put: Callable[..., Path]) -> None:
    root = put("a/x-0", "a/x-1", "b/x-0", "c/x-0")
    files = {"first": "a/x-*.tar", "rest": ["b/x-0.tar", Path("c")]}
    found = load_dataset(root, data_files=files)
    assert {split: shards(dataset) for split, dataset in found.items()} == {
        "first": ["a/x-0", "a/x-1"],
        "rest": ["b/x-0", "c/x-0"],
    }
    assert shards(load_dataset(root, split="rest", data_files=files)) == ["b/x-0", "c/x-0"]


@pytest.mark.parametrize("files", ["test-0.tar", ["test-0.tar"], "test-*.tar", "**/test-0.tar"])
def test_data_files_without_splits_are_train(put: Callable[..., Path], files: Any) -> None:
    found = load_dataset(put("train-0", "test-0"), data_files=files)
    assert {split: shards(dataset) for split, dataset in found.items()} == {"train": ["test-0"]}


def test_data_files_count_from_the_folder_that_was_opened(put: Callable[..., Path]) -> None:
    assert shards(load_dataset(put("deep/down/a"), data_files="deep/down/*.tar")["train"]) == ["deep/down/a"]


def test_data_files_may_lie_elsewhere(put: Callable[..., Path]) -> None:
    root = put("here/a", "there/b")
    found = load_dataset(root / "here", data_files={"x": ["a.tar", str(root / "there" / "b.tar")]})
    assert shards(found["x"]) == ["here/a", "there/b"]


def test_data_files_that_match_nothing_are_named_with_what_is_there(put: Callable[..., Path]) -> None:
    with pytest.raises(
        ManifestNotFoundError,
        match=r"data_files, split 'test': the pattern '.*/tset-\*.tar' matches no .tar file; .* holds 'test-0.tar'",
    ):
        load_dataset(put("test-0"), data_files={"test": "tset-*.tar"})


def test_data_files_may_not_be_empty(put: Callable[..., Path]) -> None:
    with pytest.raises(ManifestNotFoundError, match="data_files names no file for the split 'test'"):
        load_dataset(put("test-0"), data_files={"test": []})


def test_data_files_are_of_a_folder(put: Callable[..., Path]) -> None:
    root = put("test-0")
    with pytest.raises(ManifestNotFoundError, match="data_files are relative to a folder, and '.*test-0.tar' is none"):
        load_dataset(root / "test-0.tar", data_files="test-0.tar")


# -- what is not there


def test_an_unknown_split_lists_those_that_there_are(put: Callable[..., Path]) -> None:
    with pytest.raises(
        SplitNotFoundError, match=r"has no split 'tset' \(did you mean 'test'\?\); it has 'train', 'test'"
    ):
        load_dataset(put("train-0", "test-0"), split="tset")


def test_an_unknown_split_is_a_value_error_and_a_key_error() -> None:
    assert issubclass(SplitNotFoundError, ValueError)
    assert issubclass(SplitNotFoundError, KeyError)


def test_a_folder_that_is_not_there_is_named_with_near_misses(put: Callable[..., Path]) -> None:
    root = put("images/train-0")
    with pytest.raises(
        ManifestNotFoundError, match=r"there is no folder or tar '.*/imags' \(did you mean 'images'\?\)"
    ):
        load_dataset(root / "imags")


def test_a_folder_without_shards_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ManifestNotFoundError, match=r"holds no shard \(\*.tar\); it holds nothing"):
        load_dataset(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "images.zip").touch()
    with pytest.raises(ManifestNotFoundError, match=r"holds no shard \(\*.tar\); it holds 'deep/images.zip'"):
        load_dataset(tmp_path)


def test_a_pattern_without_matches_says_what_is_there(put: Callable[..., Path]) -> None:
    with pytest.raises(ManifestNotFoundError, match=r"'.*/dogs-\*.tar' matches no .tar file; .* holds 'train-0.tar'"):
        load_dataset(f"{put('train-0')}/dogs-*.tar")


def test_a_folder_of_folders_is_one_dataset(put: Callable[..., Path]) -> None:
    found = load_dataset(put("2024/a", "2025/b"))
    assert {split: shards(dataset) for split, dataset in found.items()} == {"train": ["2024/a", "2025/b"]}


def test_shards_that_name_no_split_among_others_are_told_of_where_the_dataset_is_loaded(
    put: Callable[..., Path],
) -> None:
    root = put("images-0", "test-0")
    with pytest.warns(UserWarning, match="'images-0' below .* name no split") as told:
        found = load_dataset(root)
    assert (told[0].filename, list(found)) == (__file__, ["train", "test"])


def test_urls_are_not_supported_yet() -> None:
    with pytest.raises(AtdataError, match=r"s3:// is not supported yet"):
        load_dataset("s3://bucket/images")
    with pytest.raises(AtdataError, match=r"s3:// is not supported yet"):
        load_dataset(["a.tar", "s3://bucket/images.tar"])


def test_what_is_not_supported_yet_says_so(put: Callable[..., Path]) -> None:
    with pytest.raises(AtdataError, match="storage_options are for remote stores"):
        load_dataset(put("train-0"), storage_options={"key": "x"})


def test_a_type_that_is_none_is_refused(put: Callable[..., Path]) -> None:
    with pytest.raises(SchemaError, match="<class 'str'> is no sample type"):
        load_dataset(put("train-0"), str)


# -- mixed types


@pytest.fixture
def mixed(tmp_path: Path, photos: Photos) -> Path:
    @atdata.packable
    class Caption:
        label: str

    atdata.write_samples(photos(1), tmp_path / "b.tar", manifest=True, durable=False)
    atdata.write_samples([Caption("dog")], tmp_path / "a.tar", manifest=True, durable=False)
    return tmp_path


@pytest.mark.parametrize(
    "use",
    [list, lambda dataset: list(dataset.ordered(batch_size=2)), lambda dataset: dataset.schema, lambda ds: ds.head(1)],
    ids=["iteration", "batches", "schema", "head"],
)
def test_mixed_types_without_a_type_raise_when_they_are_used(mixed: Path, use: Callable[[Any], Any]) -> None:
    dataset = load_dataset(mixed, split="train")
    with pytest.raises(SchemaError, match="shard 'a' holds samples of type Caption, and shard 'b' of type Photo"):
        use(dataset)


def test_schema_looks_at_every_shard(mixed: Path, photos: Photos) -> None:
    atdata.write_samples(photos(1), mixed / "c.tar", manifest=True, durable=False)
    dataset = load_dataset([mixed / "b.tar", mixed / "a.tar", mixed / "c.tar"], split="train")
    with pytest.raises(SchemaError, match="shard 'b' holds samples of type Photo, and shard 'a' of type Caption"):
        _ = dataset.schema


def test_mixed_types_are_read_as_the_type_that_was_named(mixed: Path) -> None:
    @atdata.packable
    class Labelled:
        label: str

    assert len(list(load_dataset(mixed, Labelled, split="train"))) == 2
    assert len(list(load_dataset(mixed, DictSample, split="train"))) == 2


# -- the dict


def test_a_dict_of_datasets_is_a_dict(put: Callable[..., Path]) -> None:
    found = load_dataset(put("train-0", "train-1", "test-0"))
    assert isinstance(found, dict)
    assert (len(found), list(found), "test" in found) == (2, ["train", "test"], True)
    assert found.num_shards == {"train": 2, "test": 1}
    assert repr(found) == "DatasetDict({'train': 2 shards, 'test': 1 shard}, DictSample)"


def test_a_dict_of_one_split_does_what_its_dataset_does(put: Callable[..., Path], photo_type: Any) -> None:
    found = load_dataset(put("photos-0", "photos-1"), photo_type)
    assert packed(found.ordered()) == packed(found["train"])
    assert found.list_shards() == found["train"].list_shards()
    assert found.column_names == found["train"].column_names
    assert not hasattr(found, "_locations")
    assert (len(found), list(found)) == (1, ["train"])


def test_a_dict_of_several_splits_asks_for_one(put: Callable[..., Path]) -> None:
    found = load_dataset(put("train-0", "test-0"))
    with pytest.raises(
        AttributeError, match=r"'ordered' is asked of one split, and it has 'train', 'test': ds\['train'\].ordered"
    ):
        found.ordered()


def test_a_dict_without_splits_has_nothing_to_ask() -> None:
    empty: DatasetDict[Any] = DatasetDict()
    assert (empty.sample_type, empty.num_shards, repr(empty)) == (None, {}, "DatasetDict({})")
    with pytest.raises(AttributeError, match="'head' is asked of one split, and it has none"):
        empty.head()


def test_a_name_that_nobody_has_is_an_attribute_error(put: Callable[..., Path]) -> None:
    found = load_dataset(put("train-0"))
    assert not hasattr(found, "haed")
    with pytest.raises(AttributeError, match="neither a DatasetDict nor a Dataset has an attribute 'haed'"):
        _ = found.haed


def test_a_split_that_is_not_there_is_a_key_error_with_those_that_are(put: Callable[..., Path]) -> None:
    found = load_dataset(put("train-0", "val-0"))
    with pytest.raises(
        KeyError, match=r"^the dataset has no split 'val' \(did you mean 'validation'\?\); it has 'train'"
    ):
        found["val"]
    assert found.get("val") is None


def test_a_dict_of_datasets_copies_and_pickles(put: Callable[..., Path], photo_type: Any) -> None:
    found = load_dataset(put("train-0", "test-0"), photo_type, streaming=True)
    for again in (pickle.loads(pickle.dumps(found)), copy.copy(found)):
        assert (again.streaming, again.sample_type, list(again)) == (True, photo_type, ["train", "test"])
        assert packed(again["test"]) == packed(found["test"])


def test_a_dict_of_datasets_is_made_by_hand(put: Callable[..., Path], photo_type: Any) -> None:
    dataset = Dataset[photo_type](put("a"))
    made = DatasetDict({"mine": dataset}, photo_type)
    assert made["mine"] is dataset
    assert made.head(1)[0].packed == dataset.head(1)[0].packed


def test_a_selection_of_one_type_among_several_is_read(mixed: Path) -> None:
    dataset = load_dataset(mixed, split="train")
    captions = dataset.where(pl.col("__shard__") == "a")
    assert [sample.keys() for sample in captions] == [["label"]]
    assert len(next(captions.ordered(batch_size=2))) == 1
    assert list(captions.limit(0)) == []
    with pytest.raises(SchemaError, match=r"choose those of one type with where\(\)"):
        list(dataset.take([0, -1]))


@pytest.mark.parametrize("source", [None, 3, b"folder", [None], {"train": "a.tar"}])
def test_what_is_no_path_is_refused(source: Any) -> None:
    for opened in (Dataset, load_dataset):
        with pytest.raises(TypeError, match=r"a dataset is opened from a folder, .*; found (NoneType|int|bytes|dict) "):
            opened(source)


def test_data_files_without_a_file_are_refused(tmp_path: Path) -> None:
    for empty in ({}, [], ""):
        with pytest.raises(ManifestNotFoundError, match="data_files names no file"):
            load_dataset(tmp_path, data_files=empty)
