"""``ds[i]``: one position, and what finding its sample reads."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import atdata
from atdata import DamagedManifestError, Dataset, DictSample, SampleIndexError
from tests.reads import ReadsStore

Photos = Callable[..., list[Any]]
TABLES = "manifest.parquet"


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Return a folder of twelve shards of four samples."""
    samples = [DictSample(n=n) for n in range(48)]
    atdata.write_samples(samples, tmp_path / "n.tar", maxcount=4, manifest=True)
    return tmp_path


def test_the_first_position_reads_one_table_and_one_tar(numbers: Path) -> None:
    store = ReadsStore(numbers)
    ds = store.opened()
    assert (ds[21].n, ds[20].n, ds[23].n) == (21, 20, 23)
    assert store.reads[TABLES] == 1
    assert ds[-1].n == 47  # of another shard: from here on all places are known
    tables = store.reads[TABLES]
    assert [ds[position].n for position in range(48)] == list(range(48))
    assert store.reads[TABLES] == tables


@pytest.mark.parametrize("first", [0, 3, 4, 47, -1, -48])
def test_any_position_may_be_the_first(numbers: Path, first: int) -> None:
    ds = Dataset[DictSample](numbers)
    assert ds[first].n == range(48)[first]
    assert [ds[position].n for position in (first, 0, 25, first)] == [range(48)[n] for n in (first, 0, 25, first)]


@pytest.mark.parametrize("wrong", [48, -49])
def test_a_position_beyond_the_samples_is_refused_before_and_after_the_first(numbers: Path, wrong: int) -> None:
    ds = Dataset[DictSample](numbers)
    for _ in range(2):
        with pytest.raises(SampleIndexError, match="48"):
            ds[wrong]
        ds[5]


def test_shards_without_samples_are_skipped(tmp_path: Path) -> None:
    for name, count in [("a", 0), ("b", 2), ("c", 0), ("d", 1)]:
        with atdata.ShardWriter(tmp_path / f"{name}.tar", DictSample, manifest=True) as writer:
            for n in range(count):
                writer.write(DictSample(name=f"{name}{n}"), key=f"{name}{n}")
    assert [Dataset[DictSample](tmp_path)[position].name for position in range(3)] == ["b0", "b1", "d0"]


def test_a_damaged_header_does_not_stand_in_the_way_of_other_shards(numbers: Path) -> None:
    header = numbers / "n-000002.manifest.json"
    header.write_bytes(header.read_bytes().replace(b"num_samples", b"mum_samples"))
    assert Dataset[DictSample](numbers)[30].n == 30


def test_a_damaged_table_is_named_where_its_samples_are_asked_for(numbers: Path) -> None:
    table = numbers / "n-000002.manifest.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    assert Dataset[DictSample](numbers)[30].n == 30
    with pytest.raises(DamagedManifestError, match="n-000002"):
        Dataset[DictSample](numbers)[9]


def test_a_dataset_that_knows_one_shard_pickles(numbers: Path) -> None:
    ds = Dataset[DictSample](numbers)
    assert ds[9].n == 9
    again = pickle.loads(pickle.dumps(ds))
    assert (again[9].n, again[10].n, again[40].n) == (9, 10, 40)
