"""Equality, hashes and ``in``: what they mean, and what they read."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import atdata
from atdata import AtdataError, Dataset, DictSample
from tests.reads import ReadsStore

Photos = Callable[..., list[Any]]


@pytest.fixture
def store(written: Dataset[Any], tmp_path: Path) -> ReadsStore:
    assert len(written.list_shards()) == 3
    return ReadsStore(tmp_path)


def test_a_hash_reads_nothing(store: ReadsStore) -> None:
    ds = store.opened()
    dogs = ds.where("label = 'dog'")
    store.reads.clear()
    hashes = {hash(ds), hash(dogs), hash(ds.map(len)), hash(ds.filter(bool))}
    assert store.reads == {}
    assert len(hashes) == 3  # by steps; a selection may be equal to the whole


def test_what_is_equal_has_one_hash(written: Dataset[Any], tmp_path: Path) -> None:
    again = Dataset[Any](tmp_path)
    for mine, theirs in [
        (written, again),
        (written, written.where(pl.lit(value=True))),
        (written.where(label="dog"), again.where("label = 'dog'")),
        (written.where(label="dog"), again.take(again.query(label="dog"))),
        (written.map(len), again.map(len)),
    ]:
        assert mine == theirs
        assert hash(mine) == hash(theirs)
        assert len({mine, theirs}) == 1


def test_what_differs_is_not_equal(written: Dataset[Any], tmp_path: Path) -> None:
    different = [
        written,
        written.where(label="dog"),
        written.where(label="cat"),
        written.take([0, 1]),
        written.take([1, 0]),
        written.take([0, 1, 1]),
        written.filter(bool),
        written.filter(len),
        written.map(len),
        Dataset[Any](tmp_path / "photos-000000.tar"),
    ]
    for at, mine in enumerate(different):
        assert [mine == theirs for theirs in different] == [at == number for number in range(len(different))]
    assert written != "photos"


def test_stores_of_one_name_are_two_places(store: ReadsStore, tmp_path: Path) -> None:
    other = ReadsStore(tmp_path)
    assert store.url() == other.url()
    assert store.opened() != other.opened()
    with pytest.raises(AtdataError, match="samples are combined within one dataset"):
        _ = store.opened().limit(1) | other.opened().limit(1)


def test_equality_reads_nothing_where_what_is_known_decides(store: ReadsStore) -> None:
    ds, again = store.opened(), store.opened()
    predicate = pl.col("confidence") > 0.5
    few = ds.take(["000000-000001", "000001-000001"])
    selections = [(ds.where(predicate), ds.where(predicate)), (ds.filter(bool), ds.filter(bool))]
    store.reads.clear()
    assert all(mine == theirs for mine, theirs in selections)
    assert ds != store.opened(slice(2))
    assert ds != ds.map(len)
    assert few != ds.take(["000000-000001"])
    assert store.reads == {}
    assert ds == again
    assert set(store.reads) == {"manifest.json"}  # the digests of the whole are those of the headers


def test_a_key_is_looked_up_and_no_sample_is_read(store: ReadsStore) -> None:
    ds = store.opened()
    location = ds.query(pl.col("__key__") == "000001-000020")[0]
    store.reads.clear()
    assert "000000-000003" in ds
    assert location in ds
    assert "nowhere" not in ds
    assert "tar" not in store.reads


@atdata.packable
class Caption:
    text: str


def test_a_sample_is_compared_with_each(tmp_path: Path) -> None:
    captions = [Caption("a"), Caption("b"), Caption("c")]
    ds = atdata.write_samples(captions, tmp_path / "captions.tar", manifest=True, durable=False)
    assert Caption("b") in ds
    assert Caption("d") not in ds
    assert Caption("c") not in ds.limit(2)
    assert Caption("b") not in ds.filter(lambda caption: caption.text != "b")
    assert 1 in ds.map(lambda caption: len(caption.text))
    assert 2 not in ds.map(lambda caption: len(caption.text))
    with pytest.raises(TypeError, match="'in' takes a key, a SampleLocation or a Caption; found int"):
        _ = 1 in ds


class Captions(Dataset[Caption]):
    """A dataset of captions that remembers something of its own."""

    def __init__(self, source: Any, note: str) -> None:
        super().__init__(source)
        self.note = note


def test_a_subclass_keeps_its_type_and_attributes_through_selections_and_pickling(tmp_path: Path) -> None:
    atdata.write_samples([Caption("a"), Caption("b")], tmp_path / "captions.tar", manifest=True, durable=False)
    captions = Captions(tmp_path, "mine")
    list(captions)  # so that there is a reader
    assert "a" not in captions  # and an index of keys
    for ds in (
        captions.limit(1),
        captions.where(text="a"),
        captions.take([0]),
        pickle.loads(pickle.dumps(captions))[:1],
    ):
        assert (type(ds), ds.note, list(ds)) == (Captions, "mine", [Caption("a")])
        again = pickle.loads(pickle.dumps(ds))
        assert (type(again), again.note, list(again), again == ds) == (Captions, "mine", [Caption("a")], True)


def test_a_type_that_is_named_when_opening_stays_with_what_is_made_of_the_dataset(tmp_path: Path) -> None:
    atdata.write_samples([Caption("a"), Caption("b")], tmp_path / "captions.tar", manifest=True, durable=False)
    named = Dataset[Caption](tmp_path)
    assert (named.__orig_class__, hasattr(Dataset(tmp_path), "__orig_class__")) == (Dataset[Caption], False)
    assert list(pickle.loads(pickle.dumps(named.where(text="b")))) == [Caption("b")]
    assert [type(sample) for sample in Dataset(tmp_path)] == [DictSample] * 2


def test_an_index_of_keys_does_not_cross_processes(written: Dataset[Any]) -> None:
    few = written.take([3, 4])
    size = len(pickle.dumps(few))
    assert "000000-000003" in few
    assert len(pickle.dumps(few)) == size
