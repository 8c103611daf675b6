"""Shards that cannot hold matches are not opened: their headers prove it."""

import datetime as dt
import decimal
from typing import Annotated

import polars as pl
import pytest

import atdata
from atdata import F, ManifestField
from atdata.manifest import ManifestWriter, QueryExecutor

SHARDS, ROWS = 220, 2
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@atdata.packable
class Photo:
    label: Annotated[str, ManifestField("categorical")]
    score: float | None
    tags: Annotated[list[str], ManifestField("set")]
    taken: Annotated[dt.datetime, pl.Datetime("us", "UTC"), ManifestField("numeric")]
    price: Annotated[decimal.Decimal, pl.Decimal(12, 2), ManifestField("numeric")]
    number: int


def photos(shard):
    """Some samples of a shard that differ from those of all others."""
    return [
        Photo(
            label=f"label {shard}",
            score=None if shard == 3 else float("nan") if shard == 4 else shard + row / 10,
            tags=[f"tag {shard}"],
            taken=START + dt.timedelta(days=shard),
            price=decimal.Decimal(shard),
            number=2**60 + shard,
        )
        for row in range(ROWS)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    samples = [photo for shard in range(SHARDS) for photo in photos(shard)]
    atdata.write_samples(samples, folder / "p.tar", maxcount=ROWS, manifest=True, durable=False)
    return folder


#: Each selects shard 7 alone.
SEVENTH = {
    "number": pl.col("number") == 2**60 + 7,
    "range": pl.col("score").is_between(7, 7.95),
    "label": pl.col("label") == "label 7",
    "search": pl.col("label").str.ends_with(" 7"),
    "tag": pl.col("tags").list.contains("tag 7"),
    "F": F.tags.contains("tag 7"),
    "time": (pl.col("taken") > START + dt.timedelta(days=6)) & (pl.col("taken") < START + dt.timedelta(days=8)),
    "decimal": pl.col("price") == decimal.Decimal(7),
    "SQL": "score BETWEEN 6.95 AND 7.45",
    "shard": pl.col("__shard__") == "p-000007",
    "one of": pl.col("number").is_in([2**60 + 7, 5]),
}


@pytest.mark.parametrize("name", SEVENTH)
def test_other_shards_are_ruled_out(folder, name):
    executor = QueryExecutor.from_directory(folder)
    found = executor.explain(SEVENTH[name])
    assert (found.rows_selected, found.shards_selected) == (ROWS, 1)
    assert found.shards_ruled_out == SHARDS - 1
    assert f"ruled out     {SHARDS - 1} shards" in str(found)


@pytest.mark.parametrize(
    ("where", "selected"),
    [
        (pl.col("score").is_null(), {"p-000003", "p-000004"}),
        (pl.col("score").is_not_null() & (pl.col("number") < 0), set()),
    ],
    ids=["null", "not null"],
)
def test_nan_is_null_for_pruning_too(folder, where, selected):
    executor = QueryExecutor.from_directory(folder)
    assert {each.shard for each in executor.query(where)} == selected
    assert executor.explain(where).shards_ruled_out == SHARDS - len(selected)


@pytest.fixture
def without_tables(folder, tmp_path):
    """Return the folder's manifests, where only the table of shard 7 can be read."""
    for file in folder.iterdir():
        is_lost = file.name.endswith(".parquet") and "000007" not in file.name and "000000" not in file.name
        (tmp_path / file.name).write_bytes(b"lost" if is_lost else file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", SEVENTH)
def test_the_tables_of_shards_that_are_ruled_out_are_not_read(without_tables, name):
    assert len(QueryExecutor.from_directory(without_tables).query(SEVENTH[name])) == ROWS


def test_a_function_is_not_called_for_shards_that_an_expression_rules_out(folder):
    seen = []

    def function(frame):
        seen.append(frame["label"].iloc[0])
        return frame["number"] > 0

    assert len(QueryExecutor.from_directory(folder).query([SEVENTH["label"], function])) == ROWS
    assert seen == ["label 7"]


@pytest.mark.parametrize(
    "where", [pl.col("score") > -1, pl.col("score").round() == 7, pl.col("score").is_in([7.0, 90.0])]
)
def test_answers_are_the_same_where_little_or_nothing_is_ruled_out(folder, where):
    executor = QueryExecutor.from_directory(folder)
    assert len(executor.query(where)) == executor.scan().filter(where).select(pl.len()).collect().item() > 0


def test_headers_that_cannot_be_read_rule_nothing_out(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "p-000007.manifest.json").write_bytes(b"{}")
    assert len(QueryExecutor.from_directory(tmp_path).query(SEVENTH["range"])) == ROWS


def test_shards_that_differ_answer_with_the_columns_of_all(tmp_path):
    @atdata.packable
    class Whole:
        score: int

    @atdata.packable
    class Half:
        score: float

    atdata.write_samples(map(Whole, range(SHARDS)), tmp_path / "a.tar", maxcount=1, manifest=True, durable=False)
    atdata.write_samples([Half(2.5)] * 3, tmp_path / "b.tar", manifest=True, durable=False)
    executor = QueryExecutor.from_directory(tmp_path)
    found = executor.rows(pl.col("score") < 2, ["score"])
    assert found["score"].to_list() == [0.0, 1.0]
    assert found.schema["score"] == pl.Float64
    assert executor.explain(pl.col("score") < 2).shards_ruled_out == SHARDS - 1


def test_headers_of_few_shards_are_not_read(tmp_path):
    atdata.write_samples(photos(7), tmp_path / "p.tar", manifest=True, durable=False)
    (tmp_path / "p.manifest.json").write_bytes(b"{}")
    executor = QueryExecutor.from_directory(tmp_path)
    assert executor.count(SEVENTH["range"]) == ROWS


def test_what_headers_made_by_hand_leave_open_is_not_taken_for_granted(tmp_path, manifest_of):
    for number in range(SHARDS):
        manifest = manifest_of(photos(number), f"s{number}")
        manifest.frame[0, "score"] = None
        manifest.aggregates["score"] = {"type": "numeric", "min": 0.0, "max": 300.0, "mean": 0.5, "count": ROWS - 1}
        ManifestWriter(tmp_path / f"s{number}").write(manifest)
    executor = QueryExecutor.from_directory(tmp_path)
    assert executor.explain(pl.col("number") < 0).shards_ruled_out == SHARDS
    assert executor.count(pl.col("score").is_null()) == SHARDS + 2 * (ROWS - 1)
