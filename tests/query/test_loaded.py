"""Questions to columns in memory have the answers that the manifests give."""

import pickle
from typing import Annotated

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata import F, ManifestField
from atdata._query._loaded import coded
from atdata.manifest import QueryExecutor
from tests.tiers import law

WORDS = [None, "dog", "cat", "", "é"]
TAGS = [[], ["indoor"], ["outdoor", "sharp"], ["sharp", "outdoor"]]


@atdata.packable
class Photo:
    label: Annotated[str | None, ManifestField("categorical")]
    score: float | None
    tags: Annotated[list[str], ManifestField("set")]
    caption: str = ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    photos = [
        Photo(WORDS[row % 5], None if row % 7 == 0 else row / 300, TAGS[row % 4], f"caption {row}")
        for row in range(300)
    ]
    atdata.write_samples(photos, folder / "photos.tar", maxcount=70, manifest=True, durable=False)
    return folder


@pytest.fixture(scope="module")
def stored(folder):
    return QueryExecutor.from_directory(folder)


@pytest.fixture(scope="module")
def loaded(folder):
    return QueryExecutor.from_directory(folder).load()


def is_high(score):
    return score.as_integer_ratio() > (1, 2)


QUESTIONS = {
    "one value": pl.col("label") == "dog",
    "no value": pl.col("label").is_null(),
    "text that is searched": pl.col("label").str.contains("o|é"),
    "an element": pl.col("tags").list.contains("outdoor"),
    "a whole list": pl.col("tags") == ["sharp", "outdoor"],
    "its length": pl.col("tags").list.len() > 1,
    "a number": pl.col("score") > 0.5,
    "a number among few": (pl.col("label") == "dog") & (pl.col("tags").list.len() == 0) & (pl.col("score") < 0.9),
    "two columns at once": (pl.col("label") == "dog") | (pl.col("score") > 0.9),
    "columns compared": pl.col("label") < pl.col("caption"),
    "a key": pl.col("__key__") == "000001-000007",
    "a key and more": (pl.lit("000001-000007") == pl.col("__key__")) & (pl.col("score") > 2),
    "no such key": pl.col("__key__") == "nobody",
    "a shard": pl.col("__shard__") == "photos-000002",
    "a shard by its end": pl.col("__shard__").str.ends_with("3") & (pl.col("score") > 0.1),
    "nothing": pl.lit(value=False),
    "everything": pl.lit(value=True),
    "comparison of a field": F.score.between(0.25, 0.5),
    "SQL": "label = 'cat' AND score < 0.5",
    "a function": lambda df: df["label"] == "dog",
    "Python inside": pl.col("score").map_elements(is_high, pl.Boolean),
    "several": [pl.col("label") == "dog", lambda df: df["score"] > 0.5],
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_answers_are_those_of_the_manifests(stored, loaded, name):
    question = QUESTIONS[name]
    assert loaded.query(question) == stored.query(question)
    assert loaded.rows(question).equals(stored.rows(question))
    assert loaded.rows(question).schema == stored.rows(question).schema
    assert loaded.count(question) == stored.count(question)


@law(100)
@given(
    st.lists(st.sampled_from(WORDS)), st.sampled_from([pl.col("x") == "dog", pl.col("x").is_null(), pl.col("x") > "c"])
)
def test_a_condition_on_numbers_is_one_on_what_they_stand_for(words, condition):
    column = pl.Series("x", words * 9, pl.String)
    short = coded(column)
    if short is None:  # of no row, or a value to itself
        assert len(column) < 8 * column.n_unique()
    else:
        assert short.holds(condition).equals(column.to_frame().select(condition.fill_null(value=False)).to_series())
        decoded = short.codes.to_frame().select(short.decoded()).to_series()
        assert decoded.equals(column, null_equal=True)


@pytest.mark.parametrize("distinct", [1, 2, 256, 257, 70_000])
def test_a_column_of_many_values_stays_as_it_is(distinct):
    column = pl.Series("x", [f"{row % distinct}" for row in range(560_000)])
    short = coded(column)
    assert (short is None) == (distinct == 70_000)
    if short is not None:
        assert short.codes.dtype == (pl.UInt8 if distinct <= 256 else pl.UInt16)
        for condition in [pl.col("x") == "0", pl.col("x").str.ends_with("1"), pl.col("x") == ""]:
            assert short.holds(condition).equals(column.to_frame().select(condition).to_series())


def test_what_was_not_loaded_is_asked_of_the_manifests(folder, stored):
    loaded = QueryExecutor.from_directory(folder).load(["score"])
    assert set(loaded.loaded.columns) == {"__shard__", "__key__", "__offset__", "__size__", "__crc32__", "score"}
    assert loaded.query(label="dog") == stored.query(label="dog")
    question = pl.col("score") > 0.5
    assert loaded.rows(question, ["label"]).equals(stored.rows(question, ["label"]))


def test_memory_answers_once_the_files_are_gone(tmp_path):
    atdata.write_samples([Photo("dog", 0.5, [])] * 20, tmp_path / "p.tar", manifest=True, durable=False)
    loaded = QueryExecutor.from_directory(tmp_path).load()
    for file in tmp_path.iterdir():
        file.unlink()
    assert loaded.count(label="dog") == 20


def test_it_says_what_it_took(folder):
    executor = QueryExecutor.from_directory(folder)
    assert executor.loaded is None
    assert executor.load() is executor
    took = executor.loaded
    assert took.rows == 300
    assert took.size == sum(took.columns.values()) > 300 * 8
    assert f"{took.size:,} bytes" in repr(executor)


def test_loading_again_loads_other_columns(folder):
    executor = QueryExecutor.from_directory(folder).load(["score"]).load("label")
    assert "label" in executor.loaded.columns
    assert "score" not in executor.loaded.columns


def test_more_than_is_allowed_is_refused_and_nothing_is_held(folder):
    executor = QueryExecutor.from_directory(folder)
    with pytest.raises(
        atdata.MemoryLimitError, match=r"of the 5,000 that load\(\) may use .*load\(max_bytes="
    ) as caught:
        executor.load(max_bytes=5_000)
    assert isinstance(caught.value, MemoryError)
    assert executor.loaded is None
    assert executor.count(label="dog") == 60


def test_a_column_that_is_not_there_is_named(folder):
    with pytest.raises(atdata.PredicateError, match=r"'lable'.*label"):
        QueryExecutor.from_directory(folder).load(["lable"])


def test_refreshing_and_sending_it_elsewhere_let_go_of_the_memory(loaded):
    assert loaded.refresh().loaded is None
    elsewhere = pickle.loads(pickle.dumps(loaded))
    assert elsewhere.loaded is None
    assert elsewhere.query(label="dog") == loaded.query(label="dog")


def test_manifests_in_memory_can_be_loaded(manifest_of):
    executor = QueryExecutor(
        [manifest_of([Photo("dog", 0.5, ["a"])] * 10), manifest_of([Photo("cat", 1.0, [])] * 5, "b")]
    )
    before = executor.rows(pl.col("score") > 0.1)
    assert executor.load().rows(pl.col("score") > 0.1).equals(before)


def test_keys_that_repeat_in_every_shard_are_found(tmp_path):
    for shard in range(10):
        photos = [Photo("dog", row / 10, []) for row in range(3)]
        atdata.write_samples(photos, tmp_path / f"{shard}" / "photos.tar", manifest=True, durable=False)
    stored = QueryExecutor.from_directory(tmp_path, recursive=True)
    key = stored.rows()["__key__"][1]
    loaded = QueryExecutor.from_directory(tmp_path, recursive=True).load()
    assert len(loaded.query(pl.col("__key__") == key)) == 10
    assert loaded.rows(pl.col("__key__") == key).equals(stored.rows(pl.col("__key__") == key))
    assert loaded.count([pl.col("__key__") == key, pl.col("score") > 5]) == 0
