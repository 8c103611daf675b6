"""Selections: a predicate narrows, composes, and reads nothing but what it selects."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import atdata
from atdata import Dataset, F, ManifestNotFoundError, PredicateError
from tests.tiers import law

Photos = Callable[..., list[Any]]

DOG = pl.col("label") == "dog"
SURE = pl.col("confidence") > 0.5


def rows_of(photos: list[Any], test: Callable[[Any], bool]) -> list[bytes]:
    return [photo.packed for photo in photos if test(photo)]


def packed(samples: Any) -> list[bytes]:
    return [sample.packed for sample in samples]


@pytest.fixture
def made(photos: Photos) -> list[Any]:
    return photos(250)


def test_a_predicate_gives_its_samples_in_order(written: Dataset[Any], made: list[Any]) -> None:
    dogs = written.where(DOG)
    expected = rows_of(made, lambda photo: photo.label == "dog")
    assert len(dogs) == len(expected) > 20
    assert packed(dogs) == expected
    assert packed(dogs.head(3)) == expected[:3]
    assert [len(batch) for batch in dogs.ordered(batch_size=20)][:2] == [20, 20]


@pytest.mark.parametrize(
    "predicate",
    [DOG, "label = 'dog'", F.label == "dog", lambda df: df["label"] == "dog", [DOG, pl.lit(value=True)]],
    ids=["polars", "sql", "F", "pandas", "list"],
)
def test_every_form_of_predicate_selects(written: Dataset[Any], made: list[Any], predicate: Any) -> None:
    narrowed = written.where(predicate).where(SURE)
    expected = rows_of(made, lambda photo: photo.label == "dog" and (photo.confidence or 0) > 0.5)
    assert packed(narrowed) == expected
    assert len(narrowed) == len(expected)
    assert packed(written.where(SURE, predicate)) == expected


@pytest.mark.parametrize("predicate", [DOG, lambda df: df["label"] == "dog"], ids=["polars", "pandas"])
def test_what_was_taken_narrows_in_its_own_order(written: Dataset[Any], made: list[Any], predicate: Any) -> None:
    order = [200, *range(20, 0, -1), 3, 3, 120, 249, 0]
    expected = [made[at].packed for at in order if made[at].label == "dog"]
    assert packed(written.take(order).where(predicate)) == expected
    assert len(expected) > 1


@law(25)
@given(st.data())
def test_where_composes(tmp_path_factory: pytest.TempPathFactory, photos: Photos, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp() / "composes"
    if not folder.exists():
        atdata.write_samples(photos(60), folder / "p.tar", maxcount=25, manifest=True, durable=False)
    dataset = Dataset[Any](folder)
    atoms = st.sampled_from(
        [DOG, SURE, pl.col("confidence").is_null(), pl.col("tags").list.contains("sharp"), pl.col("label") != "cat"]
    )
    conditions = st.recursive(atoms, lambda inner: st.builds(lambda a, b: a | ~b, inner, inner), max_leaves=4)
    one, two = data.draw(conditions), data.draw(conditions)
    both = dataset.where(one & two)
    assert dataset.where(one).where(two) == both == dataset.where(one, two)
    assert len(dataset.where(one).where(two)) == len(both)
    taken = dataset.take(dataset.where(one).scan())
    assert taken.where(two) == both
    assert (dataset.where(one) & dataset.where(two)) == both
    assert (dataset.where(one) - dataset.where(two)) == dataset.where(one) - both


def test_scanning_a_selection_gives_its_rows_with_all_columns(written: Dataset[Any]) -> None:
    everything = written.scan().collect()
    assert_frame_equal(written.where(DOG).scan().collect(), everything.filter(DOG))
    order = [200, 3, 3, 120]
    assert_frame_equal(written.take(order).scan().collect(), everything[order])
    by_function = written.where(lambda df: df["label"] == "dog")
    assert_frame_equal(by_function.scan().collect(), everything.filter(DOG))


def test_a_selection_of_mixed_shards_keeps_all_columns(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(20), tmp_path / "a.tar", manifest=True)

    @atdata.packable
    class Other:
        label: str
        confidence: int
        extra: str

    others = [Other("dog", 1, "x"), Other("cat", 2, "y")]
    atdata.write_samples(others, tmp_path / "b.tar", manifest=True)
    dataset = Dataset(tmp_path)
    everything = dataset.scan().collect()
    last = dataset.take([-1, 0])
    assert_frame_equal(last.scan().collect(), everything[[-1, 0]])
    assert len(last.where(pl.col("extra") == "y")) == 1
    assert len(dataset.take([0]).where(pl.col("extra") == "y")) == 0


def test_a_selection_says_what_cannot_be_asked_at_once(written: Dataset[Any]) -> None:
    with pytest.raises(PredicateError, match=r"'lable'.*did you mean 'label'"):
        written.where(pl.col("lable") == "dog")
    with pytest.raises(PredicateError, match="looks at more than one row"):
        written.where(pl.col("confidence") > pl.col("confidence").mean())
    with pytest.raises(PredicateError, match="a predicate is"):
        written.where()


def test_without_manifests_nothing_can_be_asked(tmp_path: Path, photos: Photos) -> None:
    dataset = atdata.write_samples(photos(5), tmp_path / "p.tar")
    with pytest.raises(ManifestNotFoundError, match="holds no manifest"):
        dataset.where(DOG)
    with pytest.raises(ManifestNotFoundError, match="holds no manifest"):
        dataset.scan()


def test_a_selection_lists_the_shards_that_it_needs(written: Dataset[Any]) -> None:
    assert [path.rpartition("/")[2] for path in written.take([120, 1]).list_shards()] == [
        "photos-000000.tar",
        "photos-000001.tar",
    ]
    assert written.where(pl.col("label") == "fish").list_shards() == []
    assert list(written.where(pl.col("label") == "fish")) == []


def test_only_the_tars_of_a_selection_are_opened(written: Dataset[Any], made: list[Any]) -> None:
    few = written.take([0, 5])
    for gone in written.list_shards()[1:]:
        Path(gone).unlink()
    assert packed(few) == [made[0].packed, made[5].packed]


def test_a_selection_crosses_processes(written: Dataset[Any]) -> None:
    for each in (written.where(DOG), written.take([3, 1]), written):
        again = pickle.loads(pickle.dumps(each))
        assert again == each
        assert packed(again) == packed(each)


def test_explaining_a_selection_tells_what_it_is(written: Dataset[Any]) -> None:
    explained = written.where(DOG).where(SURE).explain()
    count = len(written.where(DOG, SURE))
    assert (explained.rows, explained.rows_selected, explained.shards) == (250, count, 3)
    assert explained.bytes_selected == written.where(DOG, SURE).scan().select("__size__").sum().collect().item()
    taken = written.take([0, 0, 100]).explain()
    assert (taken.rows_selected, taken.shards_selected, taken.predicate) == (3, 2, "samples taken one by one")
    narrowed = written.where(DOG).explain(SURE)
    assert narrowed.rows_selected == count


def test_a_query_of_a_selection_stays_inside_it(written: Dataset[Any]) -> None:
    assert written.where(DOG).query(SURE) == written.query([DOG, SURE])
    order = [9, 8, 7, 6]
    found = [(each.shard, each.key) for each in written.take(order).query(pl.lit(value=True))]
    assert found == [("photos-000000", f"000000-{at:06d}") for at in order]


def test_what_is_combined_was_asked_by_more_than_one_predicate(written: Dataset[Any]) -> None:
    for combined in (written.where(DOG) & written.where(SURE), written.where(DOG) - written.where(SURE)):
        assert combined.explain().predicate == "samples taken one by one"


def test_a_selection_without_manifests_explains_itself(tmp_path: Path, photos: Photos) -> None:
    explained = atdata.write_samples(photos(20), tmp_path / "p.tar", maxcount=8)[7:9].explain()
    assert (explained.shards, explained.shards_selected, explained.rows, explained.rows_selected) == (3, 2, 20, 2)
    assert (explained.requests, explained.bytes_requested) == (2, explained.bytes_selected)


def test_what_was_taken_and_narrowed_is_found_again_as_it_was(written: Dataset[Any]) -> None:
    narrowed = written.take(range(40, 0, -1)).where(DOG)
    assert 0 < len(narrowed) < len(written.where(DOG))
    assert narrowed.refresh() == narrowed
