"""Taking samples: by any query, by locations, keys and positions, in their order and as often as they are named."""

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
    AmbiguousKeyError,
    Dataset,
    DictSample,
    SampleIndexError,
    SampleKeyError,
    SampleLocation,
    SampleValueError,
    ShardError,
)
from tests.tiers import law

Photos = Callable[..., list[Any]]


def packed(samples: Any) -> list[bytes]:
    return [sample.packed for sample in samples]


@pytest.fixture
def made(photos: Photos) -> list[Any]:
    return photos(250)


def test_a_sorted_query_is_taken_in_its_order(written: Dataset[Any], made: list[Any]) -> None:
    best = written.take(written.scan().sort("confidence", descending=True, nulls_last=True).head(10))
    expected = sorted((photo for photo in made if photo.confidence is not None), key=lambda photo: -photo.confidence)
    assert [sample.confidence for sample in best] == [photo.confidence for photo in expected[:10]]


def test_a_join_with_a_table_of_ones_own_is_taken(written: Dataset[Any], made: list[Any]) -> None:
    weights = pl.LazyFrame({"label": ["dog", "bird"], "weight": [2, 1]})
    taken = written.take(written.scan().join(weights, on="label", maintain_order="left"))
    assert packed(taken) == [photo.packed for photo in made if photo.label != "cat"]


def test_an_anti_join_leaves_out(written: Dataset[Any], made: list[Any]) -> None:
    seen = pl.LazyFrame({"__key__": ["000000-000000", "000001-000007"]})
    rest = written.take(written.scan().join(seen, on="__key__", how="anti", maintain_order="left"))
    assert packed(rest) == [photo.packed for at, photo in enumerate(made) if at not in (0, 107)]


def test_a_sample_of_each_class_is_taken(written: Dataset[Any]) -> None:
    each = written.take(written.scan().group_by("label", maintain_order=True).head(2))
    assert sorted(sample.label for sample in each) == ["bird", "bird", "cat", "cat", "dog", "dog"]


@pytest.mark.parametrize("keep", [["__shard__", "__key__"], ["__key__"], ["__key__", "__shard__", "__offset__"]])
def test_few_columns_are_enough(written: Dataset[Any], made: list[Any], keep: list[str]) -> None:
    frame = written.scan().select(keep).collect()[[240, 3, 3, 90]]
    expected = [made[at].packed for at in (240, 3, 3, 90)]
    assert packed(written.take(frame)) == expected
    assert packed(written.where(pl.lit(value=True)).take(frame)) == expected


@pytest.mark.parametrize(
    "rows",
    [
        [240, 3, 3, -160],
        range(0, 250, 60),
        np.array([5, 4], np.int32),
        np.array([249], np.uint64),
        pl.Series([7, 7]),
        (at for at in (1, 0)),
        [],
    ],
    ids=["list", "range", "int32", "uint64", "series", "generator", "empty"],
)
def test_positions_are_taken(written: Dataset[Any], made: list[Any], rows: Any) -> None:
    wanted = [1, 0] if not hasattr(rows, "__len__") else [int(at) for at in rows]
    assert packed(written.take(rows)) == [made[at].packed for at in wanted]


def test_keys_and_locations_are_taken(written: Dataset[Any], made: list[Any]) -> None:
    keys = ["000002-000001", "000000-000000", "000002-000001"]
    expected = [made[at].packed for at in (201, 0, 201)]
    assert packed(written.take(keys)) == expected
    assert packed(written.take(pl.Series(keys))) == expected
    locations = [written.query(pl.col("__key__") == key)[0] for key in keys]
    assert packed(written.take(locations)) == expected
    bare = [SampleLocation(each.shard, each.key, each.offset) for each in locations]
    assert packed(written.take(bare)) == expected


@law(40)
@given(st.lists(st.integers(-60, 59)), st.lists(st.integers(0, 200)))
def test_taking_is_indexing(
    tmp_path_factory: pytest.TempPathFactory, photos: Photos, first: list[int], second: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "indexing"
    if not folder.exists():
        atdata.write_samples(photos(60), folder / "p.tar", maxcount=25, manifest=True, durable=False)
    dataset = Dataset[Any](folder)
    numbers = list(range(60))
    again = [at % len(first) for at in second] if first else []
    expected = [numbers[at] for at in first]
    keys = dataset.scan().select("__key__").collect()["__key__"].to_list()
    taken = dataset.take(first)
    assert taken.scan().collect()["__key__"].to_list() == [keys[at] for at in expected]
    assert taken.take(again).scan().collect()["__key__"].to_list() == [keys[expected[at]] for at in again]
    assert len(taken) == len(first)


def test_a_key_in_two_shards_has_to_be_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        atdata.write_samples([DictSample(of=name)], tmp_path / f"{name}.tar", keys=["same"], manifest=True)
    dataset = Dataset(tmp_path)
    with pytest.raises(AmbiguousKeyError, match=r"'same' names a sample in each of the shards 'a', 'b'; say which"):
        dataset.take(["same"])
    with pytest.raises(AmbiguousKeyError, match="'a', 'b'"):
        dataset["same"]
    assert [sample["of"] for sample in dataset.take(pl.DataFrame({"__shard__": ["b"], "__key__": ["same"]}))] == ["b"]
    assert dataset.take([0])["same"]["of"] == "a"


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (["000000-00000"], SampleKeyError, r"no sample has the key '000000-00000' \(did you mean '000000-0"),
        (["000000-000000", "x", "y"], SampleKeyError, r"2 of 3 keys name no sample: 'x', 'y'"),
        ([250], SampleIndexError, r"no sample is at position 250 of a dataset of 250: they go from 0 to 249"),
        ([-251], SampleIndexError, r"position -251"),
        ([True, False], SampleValueError, r"found bool.*np\.flatnonzero"),
        (np.zeros(250, bool), SampleValueError, r"found bool.*np\.flatnonzero"),
        (np.zeros((2, 2), int), SampleValueError, r"flat array of integers.*\(2, 2\)"),
        ([1.5], SampleValueError, r"expected locations, keys or positions"),
        (["000000-000000", 3], SampleValueError, r"expected a key, as the first one is"),
        ("000000-000000", SampleValueError, r"put it into a list"),
        (7, SampleValueError, r"put it into a list"),
        (pl.DataFrame({"key": ["a"]}), SampleValueError, r"name samples by __key__.*found the columns 'key'"),
        (pl.DataFrame({"__shard__": ["photos-00"], "__key__": ["a"]}), ShardError, r"none of this dataset's 3 shards"),
        (
            pl.DataFrame({"__shard__": ["photos-000001"], "__key__": ["000000-000000"]}),
            SampleKeyError,
            r"'photos-000001/000000-000000'",
        ),
        (pl.DataFrame({"__key__": [None]}, schema={"__key__": pl.String}), SampleValueError, r"no null in __key__"),
        (pl.DataFrame({"__key__": [1]}), SampleValueError, r"text in __key__"),
    ],
)
def test_what_names_no_sample_is_refused(written: Dataset[Any], rows: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        written.take(rows)


def test_rows_outside_of_a_selection_are_none_of_it(written: Dataset[Any]) -> None:
    few = written.take([1, 2])
    with pytest.raises(SampleKeyError, match="no sample has the key"):
        few.take(written.scan().head(1))
    with pytest.raises(SampleIndexError, match="of a dataset of 2"):
        few.take([2])


def test_an_empty_dataset_has_no_position(written: Dataset[Any]) -> None:
    with pytest.raises(SampleIndexError, match="it has no sample"):
        written.where(pl.col("label") == "fish")[0]


def test_rows_with_places_are_found_as_rows_without(written: Dataset[Any]) -> None:
    some = written.take([200, 7, 7, 120, 3])
    rows = some.scan().collect()[[3, 0, 2]]
    for named in (rows, rows.drop("__offset__"), rows.with_columns(pl.col("__offset__") + 512)):
        assert some.take(named) == written.take([120, 200, 7])
    swapped = rows.with_columns(pl.col("__key__").reverse(), pl.col("__shard__").reverse())
    assert some.take(swapped) == written.take([7, 200, 120])
    with pytest.raises(SampleKeyError, match="1 of 3 keys name no sample"):
        written.take([200, 7]).take(rows)


def test_frames_of_others_name_samples_too(written: Dataset[Any], made: list[Any]) -> None:
    frame = written.scan().collect()[[5, 1, 1]]
    for rows in (frame.to_pandas(), frame.to_arrow(), frame.select("__shard__", "__key__").to_pandas()):
        assert packed(written.take(rows)) == packed([made[5], made[1], made[1]])


def test_a_bool_among_positions_is_not_passed_over(written: Dataset[Any]) -> None:
    with pytest.raises(SampleValueError, match="found bool True"):
        written.take([1, True])


def test_a_place_of_another_shard_with_the_same_key_is_not_taken(tmp_path: Path) -> None:
    for name in ("a", "b"):
        atdata.write_samples([DictSample(of=name)], tmp_path / f"{name}.tar", keys=["same"], manifest=True)
    both = Dataset(tmp_path).take([1, 0])
    rows = both.scan().collect().with_columns(__offset__=pl.Series([0, 512]))  # the second is stale
    assert [sample["of"] for sample in both.take(rows)] == ["b", "a"]
