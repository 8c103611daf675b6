"""Reading by position and key, and through steps: the same samples that a list of them would give."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata import Dataset, PredicateError, SampleIndexError, SampleKeyError, SampleValueError
from tests.tiers import law

Photos = Callable[..., list[Any]]


def packed(samples: Any) -> list[bytes]:
    return [sample.packed for sample in samples]


@pytest.fixture
def made(photos: Photos) -> list[Any]:
    return photos(250)


def test_positions_are_those_of_a_list(written: Dataset[Any], made: list[Any]) -> None:
    for at in (0, 99, 100, 249, -1, -250):
        assert written[at].packed == made[at].packed
    for part in (slice(3, 7), slice(None, None, 100), slice(-2, None), slice(7, 3), slice(5, 2, -1)):
        assert packed(written[part]) == packed(made[part])
    assert len(written[10:20][2:4]) == 2
    for at in (250, -251):
        with pytest.raises(SampleIndexError, match=f"position {at} of a dataset of 250"):
            written[at]
        with pytest.raises(IndexError):
            written[at]


def test_a_loop_over_positions_ends(written: Dataset[Any]) -> None:
    few = written[:3]
    assert [few[at].packed for at in range(len(few))] == packed(few)


def test_keys_find_their_samples(written: Dataset[Any], made: list[Any]) -> None:
    assert written["000001-000003"].packed == written.get("000001-000003").packed == made[103].packed
    with pytest.raises(SampleKeyError, match=r"'000001-00003' \(did you mean '000001-0000"):
        written.get("000001-00003")
    with pytest.raises(KeyError):
        written["nothing like it"]
    with pytest.raises(SampleKeyError, match="no sample has the key"):
        written.take([1, 2])["000001-000003"]


def test_selecting_gives_a_list(written: Dataset[Any], made: list[Any]) -> None:
    assert packed(written.select([7, 7, -1])) == packed([made[7], made[7], made[-1]])
    assert packed(written.select(["000000-000002"])) == packed([made[2]])


def test_filtering_and_mapping_go_on_in_order(written: Dataset[Any], made: list[Any]) -> None:
    sure = written.filter(lambda photo: photo.confidence is not None).filter(lambda photo: photo.confidence > 0.5)
    expected = [photo for photo in made if (photo.confidence or 0) > 0.5]
    assert packed(sure) == packed(expected)
    labels = sure.map(lambda photo: photo.label)
    assert list(labels) == [photo.label for photo in expected]
    assert labels.map(len).head(4) == [len(photo.label) for photo in expected[:4]]
    assert packed(sure.where(label="dog")) == packed(photo for photo in expected if photo.label == "dog")


@law(20)
@given(st.integers(1, 40), st.integers(2, 5))
def test_steps_hold_under_batching(
    tmp_path_factory: pytest.TempPathFactory, photos: Photos, size: int, keep: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "steps"
    if not folder.exists():
        atdata.write_samples(photos(60), folder / "p.tar", maxcount=25, manifest=True, durable=False)
    dataset = Dataset(folder)
    stepped = dataset.filter(lambda sample: len(sample.note) % keep == 0)
    batches = list(stepped.ordered(batch_size=size))
    assert packed(sample for batch in batches for sample in batch) == packed(stepped)
    assert all(len(batch) == size for batch in batches[:-1])
    assert [len(batch.note) for batch in batches] == [len(batch) for batch in batches]


def test_what_is_mapped_is_batched(written: Dataset[Any], made: list[Any]) -> None:
    (first, *_) = written.map(lambda photo: photo.label).ordered(batch_size=8)
    assert first.samples == [photo.label for photo in made[:8]]


def test_positions_among_steps(written: Dataset[Any], made: list[Any]) -> None:
    labels = written.map(lambda photo: photo.label)
    assert (labels[3], labels["000000-000004"], labels.select([5])) == (made[3].label, made[4].label, [made[5].label])
    assert list(labels[1:3]) == [made[1].label, made[2].label]
    dogs = written.filter(lambda photo: photo.label == "dog")
    expected = [photo for photo in made if photo.label == "dog"]
    assert packed([dogs[0], dogs[-1], *dogs.select([2])]) == packed([expected[0], expected[-1], expected[2]])
    with pytest.raises(SampleIndexError, match=f"of a dataset of {len(expected)}"):
        dogs[len(expected)]
    cat = next(at for at, photo in enumerate(made) if photo.label != "dog")
    with pytest.raises(SampleKeyError, match="is there, and a filter step leaves it out"):
        dogs.get(f"000000-{cat:06d}")
    with pytest.raises(TypeError, match=r"list\(ds\)\[a:b\]"):
        dogs[1:2]
    with pytest.raises(TypeError, match=r"sum\(1 for _ in ds\)"):
        len(dogs)
    assert len(labels) == 250


def test_filtered_samples_are_read_once(written: Dataset[Any]) -> None:
    seen: list[Any] = []
    list(written.filter(seen.append))  # `list` asks for a length first
    assert len(seen) == 250


def test_steps_are_part_of_what_a_dataset_is(written: Dataset[Any]) -> None:
    def keep(_: Any) -> bool:
        return True

    assert written.filter(keep) == written.filter(keep)
    assert written.filter(keep) != written
    with pytest.raises(atdata.AtdataError, match="combine first, then filter"):
        written.filter(keep) & written


def test_the_schema_is_that_of_the_type_or_of_the_manifests(written: Dataset[Any]) -> None:
    assert written.column_names == ["pixels", "label", "confidence", "tags", "note"]
    assert written.schema["note"] == str | None
    untyped = Dataset(written.list_shards())
    assert untyped.schema == {
        "label": pl.String(),
        "confidence": pl.Float64(),
        "tags": pl.List(pl.String()),
        "note": pl.String(),
    }
    assert untyped[0].keys() == written.column_names


def test_a_description_says_what_there_is(written: Dataset[Any]) -> None:
    described = written.describe()
    assert (described["sample_type"], described["num_samples"], described["num_shards"]) == ("Photo", 250, 3)
    assert described["fields"]["note"] == "str | None"
    assert described["shards"] == written.list_shards()
    (label,) = (row for row in described["statistics"] if row["field"] == "label")
    assert label["distinct"] == 3
    dogs = written.where(label="dog")
    assert (dogs.describe()["num_samples"], dogs.describe()["predicate"]) == (len(dogs), "label='dog'")
    assert dogs.filter(bool).describe()["num_samples"] is None


def test_numpy_integers_are_positions(written: Dataset[Any], made: list[Any]) -> None:
    for kind in (np.int64, np.uint8, np.int16):
        assert written[kind(3)].packed == made[3].packed
    assert written[np.int64(-1)].packed == made[-1].packed
    assert written.filter(lambda _: True)[np.int64(3)].packed == made[3].packed


@pytest.mark.parametrize("index", [1.5, True, None, [1, 2], (1, 2), np.array([1, 2]), np.bool_(True)])
def test_what_is_no_position_is_refused(written: Dataset[Any], index: Any) -> None:
    for dataset in (written, written.filter(lambda _: True)):
        with pytest.raises(
            SampleValueError, match=r"expected a whole number as position, found .*ds\.take\(\[\.\.\.\]\)"
        ):
            dataset[index]


def test_positions_behind_a_filter_are_not_those_before_it(written: Dataset[Any]) -> None:
    dogs = written.filter(lambda photo: photo.label == "dog")
    for ask in (
        lambda: dogs[:5],
        lambda: dogs.limit(5),
        lambda: dogs.sample(5),
        lambda: dogs.take([0, 1]),
        lambda: dogs.take(np.array([0])),
        lambda: dogs.take(pl.Series([0])),
    ):
        with pytest.raises(TypeError, match="positions among filtered samples are known once they are read"):
            ask()
    with pytest.raises(TypeError, match="manifests do not know which samples a filter leaves out"):
        dogs.value_counts("label")
    # What samples are called does not change with a filter.
    assert packed(dogs.take(written.query(pl.col("__key__") < "000000-000009"))) == packed(
        [photo for photo in written[:9] if photo.label == "dog"]
    )
    assert len(dogs.select([0, 1, 2])) == len(dogs.head(3)) == 3


@pytest.mark.parametrize("n", [-1, 2.5, "3", True])
def test_a_number_of_samples_is_a_whole_one(written: Dataset[Any], n: Any) -> None:
    for ask in (written.head, written.limit, written.sample, written.to_dict, written.to_polars, written.to_pandas):
        with pytest.raises(ValueError, match=rf"number .*from 0 to .*found {n!r}"):
            ask(n)


def test_columns_are_not_asked_by_filter_nor_samples_by_where(written: Dataset[Any]) -> None:
    with pytest.raises(TypeError, match=r"filter takes a function of a sample, found Expr; .*goes to where\(\)"):
        written.filter(pl.col("label") == "dog")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(TypeError, match="map takes a function of a sample; found str"):
        written.map("label")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValueError, match="truth value of a Series") as raised:
        len(written.where(lambda photo: photo.label == "dog" and True))
    (note,) = raised.value.__notes__
    assert note.endswith("rows of shard 'photos-000000'. A function of a sample goes to Dataset.filter()")
    with pytest.raises(PredicateError, match=r"goes to Dataset\.filter\(\)"):
        len(written.where(lambda _: True))


def test_a_key_is_text(written: Dataset[Any]) -> None:
    with pytest.raises(SampleValueError, match=r"expected a key, which is text, found int 3; .*ds\[position\]"):
        written.get(3)  # type: ignore[arg-type]  # that is the point


def test_a_key_or_a_location_is_in_a_dataset(written: Dataset[Any]) -> None:
    few = written.take([3, 120])
    assert "000000-000003" in few
    assert "000000-000004" not in few
    location = written.query(pl.col("__key__") == "000001-000020")[0]
    assert location in few
    assert location not in written.take([3])
    with pytest.raises(TypeError, match="samples that hold arrays cannot be compared with =="):
        _ = written[0] in written
    with pytest.raises(TypeError, match="'in' takes a key, a SampleLocation or a Photo; found int"):
        _ = 3 in written
    with pytest.raises(TypeError, match="known once samples are read"):
        _ = "000000-000003" in written.filter(bool)
