"""Sorting, sampling, counting and combining: what each gives is what the manifests' rows say."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import atdata
from atdata import AtdataError, Dataset, DictSample, ManifestNotFoundError, PredicateError, QueryExecutor
from tests.tiers import law

Photos = Callable[..., list[Any]]


@atdata.packable
class Counted:
    count: int


def keys_of(dataset: Dataset[Any]) -> list[str]:
    keys: list[str] = dataset.scan().select("__key__").collect()["__key__"].to_list()
    return keys


def test_sorting_is_that_of_polars(written: Dataset[Any]) -> None:
    ordered = written.sort(["label", pl.col("confidence")], descending=[True, False])
    expected = written.scan().sort("label", "confidence", descending=[True, False], maintain_order=True).collect()
    assert_frame_equal(ordered.scan().collect(), expected)
    assert [sample.label for sample in ordered.limit(3)] == expected["label"][:3].to_list()


def test_a_selection_is_sorted_among_itself(written: Dataset[Any]) -> None:
    few = written.take([5, 1, 1, 9]).sort("confidence")
    rows = written.scan().collect()[[5, 1, 1, 9]].sort("confidence", maintain_order=True)
    assert keys_of(few) == rows["__key__"].to_list()


def test_sorting_by_what_is_no_column_names_those_there_are(written: Dataset[Any]) -> None:
    with pytest.raises(PredicateError, match=r"'confidense'.*did you mean 'confidence'"):
        written.sort("confidense")


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_limit_is_the_first_samples(written: Dataset[Any], *, seen_before: bool) -> None:
    dogs = written.where(label="dog")
    everything = keys_of(dogs)
    if seen_before:
        list(dogs)
    assert keys_of(dogs.limit(7)) == everything[:7]
    assert keys_of(dogs.limit(10_000)) == everything
    assert len(dogs.limit(0)) == 0
    with pytest.raises(ValueError, match="n is a whole number from 0 .*found -1"):
        dogs.limit(-1)


def test_a_draw_is_of_different_samples_in_order(written: Dataset[Any]) -> None:
    everything = keys_of(written)
    drawn = keys_of(written.sample(40, seed=1))
    assert len(set(drawn)) == 40
    assert drawn == [key for key in everything if key in set(drawn)]
    assert drawn == keys_of(written.sample(40, seed=1))
    assert drawn != keys_of(written.sample(40, seed=2))
    assert keys_of(written.sample(250, seed=3)) == everything
    for n in (-1, 251, True):
        with pytest.raises(ValueError, match="from 0 to the 250"):
            written.sample(n, seed=0)


def test_every_sample_is_as_likely_to_be_drawn(written: Dataset[Any]) -> None:
    few = written.limit(10)
    counts = Counter(key for seed in range(300) for key in keys_of(few.sample(3, seed=seed)))
    assert len(counts) == 10
    # 90 each on average; five standard deviations are about 40.
    assert all(50 < count < 130 for count in counts.values())


def test_values_are_counted(written: Dataset[Any]) -> None:
    rows = written.scan().collect()
    labels = written.value_counts("label")
    assert dict(labels.iter_rows()) == dict(Counter(rows["label"]))
    assert labels["count"].to_list() == sorted(labels["count"], reverse=True)
    tags = Counter(tag for tags in rows["tags"] for tag in tags)
    assert dict(written.value_counts("tags").iter_rows()) == dict(tags)
    with pytest.raises(PredicateError, match="did you mean 'label'"):
        written.value_counts("lable")


def test_nulls_are_counted_too(written: Dataset[Any]) -> None:
    nulls = written.scan().collect()["confidence"].null_count()
    assert dict(written.value_counts("confidence").iter_rows())[None] == nulls


@law(60)
@given(*[st.lists(st.integers(0, 59), max_size=30)] * 2)
def test_sets_are_combined_as_lists_would_be(
    tmp_path_factory: pytest.TempPathFactory, photos: Photos, one: list[int], two: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "combined"
    if not folder.exists():
        atdata.write_samples(photos(60), folder / "p.tar", maxcount=25, manifest=True, durable=False)
    dataset = Dataset(folder)
    left, right = dataset.take(one), dataset.take(two)
    assert left & right == dataset.take([at for at in one if at in two])
    assert left - right == dataset.take([at for at in one if at not in two])
    assert left | right == dataset.take(one + [at for at in two if at not in one])


def test_selections_of_two_datasets_are_not_combined(tmp_path: Path) -> None:
    for name in ("a", "b"):
        atdata.write_samples([DictSample(n=1)], tmp_path / name / "p.tar", manifest=True)
    one, two = Dataset(tmp_path / "a"), Dataset(tmp_path / "b")
    with pytest.raises(AtdataError, match="samples are combined within one dataset"):
        one & two
    assert one != two


def test_datasets_over_some_of_the_shards_are_joined(written: Dataset[Any]) -> None:
    shards = written.list_shards()
    first, last = Dataset(shards[0]), Dataset(shards[2])
    assert len(first | last) == 150
    assert [sample.packed for sample in first | last] == [sample.packed for sample in Dataset([shards[0], shards[2]])]
    assert len(first & last) == 0
    assert (first | last).refresh() == (first | last)


def test_what_is_no_dataset_is_not_combined(written: Dataset[Any]) -> None:
    for combine in (lambda: written & 3, lambda: written | 3, lambda: written - 3):
        with pytest.raises(TypeError, match="unsupported operand"):
            combine()
    assert (written == 3) is False


def test_a_field_called_count_is_counted_under_another_name(tmp_path: Path) -> None:
    dataset = atdata.write_samples([Counted(number) for number in (3, 3, 1)], tmp_path / "n.tar", manifest=True)
    with pytest.raises(ValueError, match=r"second column 'count'.*value_counts\('count', name='counts'\)"):
        dataset.value_counts("count")
    assert dataset.value_counts("count", name="n").rows() == [(3, 2), (1, 1)]


# -- the vocabulary of QueryExecutor


DOG = pl.col("label") == "dog"
QUESTIONS: list[Any] = [
    None,
    DOG,
    "confidence > 0.5",
    [DOG, pl.col("confidence").is_null()],
    lambda frame: frame["label"] == "cat",
    [DOG, lambda frame: frame["confidence"] > 0.5],
]


@pytest.mark.parametrize("where", QUESTIONS, ids=range(len(QUESTIONS)))
@pytest.mark.parametrize("columns", [None, [], ["confidence"], ["tags", "__key__", "label"], "label"], ids=str)
def test_a_dataset_and_an_executor_give_the_same_rows(written: Dataset[Any], where: Any, columns: Any) -> None:
    executor = QueryExecutor.from_shard_urls(written.list_shards())
    expected = executor.rows(where, columns)
    assert_frame_equal(written.rows(where, columns), expected)
    assert written.count(where) == executor.count(where) == len(expected)
    every = written.take(range(250))  # a selection that was taken, of all
    assert_frame_equal(every.rows(where, columns), expected)
    assert every.count(where) == len(expected)
    if where is not None:
        assert_frame_equal(written.where(where).rows(columns=columns), expected)
        assert written.where(where).count() == len(expected)
        assert written.query(where) == executor.query(where) == every.query(where)


@pytest.mark.parametrize("where", QUESTIONS, ids=range(len(QUESTIONS)))
def test_a_selection_gives_the_rows_of_its_samples_in_its_order(written: Dataset[Any], where: Any) -> None:
    executor = QueryExecutor.from_shard_urls(written.list_shards())
    both = executor.rows([DOG] if where is None else [DOG, where] if not isinstance(where, list) else [DOG, *where])
    assert_frame_equal(written.where(DOG).rows(where), both)
    positions = [200, 3, 3, 101, 7, 200]
    taken = executor.rows()[positions]
    expected = taken.join(executor.rows(where), on=["__shard__", "__key__"], how="semi", maintain_order="left")
    assert_frame_equal(written.take(positions).rows(where), expected)
    assert written.take(positions).count(where) == len(expected)


def test_statistics_are_one_frame_on_both(written: Dataset[Any]) -> None:
    executor = QueryExecutor.from_shard_urls(written.list_shards())
    assert_frame_equal(written.statistics(), executor.statistics())
    assert_frame_equal(executor.statistics(), executor.describe())
    assert written.describe()["statistics"] == written.statistics().to_dicts()
    assert_frame_equal(written.where(DOG).statistics(), written.statistics())


def test_explanations_are_the_same_on_both_but_for_the_reading(written: Dataset[Any]) -> None:
    executor = QueryExecutor.from_shard_urls(written.list_shards())
    for where in (None, DOG, "confidence > 0.5"):
        planned = written.explain(where)
        assert msgspec.structs.replace(planned, requests=None, bytes_requested=None) == executor.explain(where)


def test_rows_and_counts_behind_steps(written: Dataset[Any]) -> None:
    assert written.map(len).count(DOG) == written.count(DOG)
    assert_frame_equal(written.map(len).rows(DOG), written.rows(DOG))
    for ask in (lambda ds: ds.rows(), lambda ds: ds.count(), lambda ds: ds.count(DOG)):
        with pytest.raises(TypeError, match=r"sum\(1 for _ in ds\)"):
            ask(written.filter(bool))


def test_a_column_that_is_not_there_is_named_on_selections_too(written: Dataset[Any]) -> None:
    for ds in (written, written.where(DOG), written.take([1, 0])):
        with pytest.raises(PredicateError, match=r"'labl'.*did you mean 'label'"):
            ds.rows(columns=["labl"])
        with pytest.raises(PredicateError, match="'labl'"):
            ds.rows(labl="dog")


def test_rows_without_manifests_are_refused(tmp_path: Path, photos: Photos) -> None:
    bare = atdata.write_samples(photos(3), tmp_path / "p.tar", durable=False)
    with pytest.raises(ManifestNotFoundError):
        bare.rows()
    assert len(bare.statistics()) == 0
    assert len(bare) == 3
