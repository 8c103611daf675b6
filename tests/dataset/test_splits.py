"""Which split a shard's name says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata._dataset._load import by_split, split_of, unknown_split
from tests.tiers import law


@pytest.mark.parametrize(
    ("shard_id", "split"),
    [
        ("train-000000", "train"),
        ("images-train-000000", "train"),
        ("train", "train"),
        ("training_000", "train"),
        ("train2017-000", "train"),
        ("Train.000", "train"),
        ("val-000", "validation"),
        ("valid-000", "validation"),
        ("validation/000", "validation"),
        ("dev/000", "validation"),
        ("dev-clean/000", "validation"),
        ("test/images-000", "test"),
        ("data/test/images-000", "test"),
        ("images-testing-000", "test"),
        ("eval-000", "test"),
        ("evaluation/000", "test"),
        ("images-000000", None),
        ("trains-000000", None),
        ("latest-000000", None),
        ("contest/000", None),
        ("Übertrain-000", None),
        ("000000", None),
        # a folder that is called like a split says more than a word of a name
        ("val/train_station-000", "validation"),
        ("train/test/000", "test"),
        # ... and a word of the shard's own name more than one of a folder's
        ("my-test-data/train-000", "train"),
    ],
)
def test_a_name_says_its_split(shard_id: str, split: str | None) -> None:
    assert split_of(shard_id) == split


@pytest.mark.parametrize("shard_id", ["train-val-000", "train_test/000"])
def test_a_name_of_two_splits_is_refused(shard_id: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"of shard '{shard_id}' speaks of the splits 'train', ")):
        split_of(shard_id)


def test_splits_come_in_their_own_order_and_shards_in_theirs() -> None:
    found = by_split(["test-1", "train-2", "val-0", "train-1", "test-0"], "/data", folder=True)
    assert list(found.items()) == [
        ("train", ["train-2", "train-1"]),
        ("validation", ["val-0"]),
        ("test", ["test-1", "test-0"]),
    ]


def test_shards_that_name_no_split_are_train() -> None:
    assert by_split(["b", "a"], "/data", folder=True) == {"train": ["b", "a"]}


@pytest.mark.parametrize(
    ("root", "split"), [("/data/test", "test"), ("/data/dev", "validation"), ("/data/test_run", "train")]
)
def test_a_root_that_is_called_like_a_split_says_it_for_shards_that_name_none(root: str, split: str) -> None:
    assert by_split(["a"], root, folder=True) == {split: ["a"]}
    assert by_split(["train-0"], root, folder=True) == {"train": ["train-0"]}


def test_shards_that_name_no_split_among_others_go_to_train_and_a_warning_names_them() -> None:
    with pytest.warns(UserWarning, match=r"'a-0', 'z-0' below /data name no split, .* go to 'train'.*data_files"):
        found = by_split(["a-0", "test-0", "train-0", "z-0"], "/data", folder=True)
    assert found == {"train": ["a-0", "train-0", "z-0"], "test": ["test-0"]}


def test_a_folder_within_is_entered_where_it_is_the_only_one() -> None:
    assert by_split(["data/b", "data/a"], "/data", folder=True) == {"train": ["data/b", "data/a"]}


def test_folders_within_are_passed_over_where_the_folder_itself_holds_shards() -> None:
    assert by_split(["b", "old/a"], "/data", folder=True) == {"train": ["b"]}


def test_folders_that_name_no_split_are_train_where_the_folder_itself_holds_no_shard() -> None:
    assert by_split(["birds/a", "cats/b"], "/data", folder=True) == {"train": ["birds/a", "cats/b"]}


def test_shards_that_were_named_may_lie_in_any_folder() -> None:
    assert by_split(["cats/b", "birds/a"], "/data", folder=False) == {"train": ["cats/b", "birds/a"]}


parts = st.sampled_from(["train", "val", "test", "images", "a", "0"])
names = st.lists(parts, min_size=1, max_size=3).map("/".join)


@law(100)
@given(st.lists(names, unique=True, min_size=1))
@pytest.mark.filterwarnings("ignore:.*name no split")
def test_every_shard_that_was_named_is_in_one_split(shard_ids: list[str]) -> None:
    found = by_split(shard_ids, "/data", folder=False)
    assert sorted(shard_id for members in found.values() for shard_id in members) == sorted(shard_ids)


@pytest.mark.parametrize(
    ("split", "hint"),
    [
        ("val", r" \(did you mean 'validation'\?\); it has 'train', 'validation'"),
        ("trian", r" \(did you mean 'train'\?\)"),
        ("train[:10%]", r"; a split is named as it is: take a part of it with ds\[a:b\]"),
        ("train+validation", "; a split is named as it is"),
        ("zzz", "; it has 'train', 'validation'"),
    ],
)
def test_an_unknown_split_is_told_of_with_those_that_there_are(split: str, hint: str) -> None:
    assert re.search(
        rf"^/data has no split {re.escape(repr(split))}{hint}", unknown_split(split, ["train", "validation"], "/data")
    )
