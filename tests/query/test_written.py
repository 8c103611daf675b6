"""Questions as text: what comes back asks the same, and nothing comes back that could do more than ask."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from atdata import F, PredicateError
from atdata._query._predicate import parse_where
from atdata._query._serialize import read_question, written_question


@pytest.mark.parametrize(
    "where",
    [
        pl.col("label") == "dog",
        (pl.col("a") > 1) & ~pl.col("b").is_null() | (pl.col("c") <= 0.5),
        pl.col("label").is_in(["a", "é", None]),
        pl.col("n").is_in([1, 2]),
        pl.col("tags").list.contains("x"),
        pl.col("name").str.starts_with("ab"),
        pl.col("name").str.to_lowercase().str.contains("x.*y"),
        pl.col("at") > dt.datetime(2026, 1, 2, 3),
        pl.col("at").dt.year() == 2026,
        pl.col("price") > Decimal("1.50"),
        pl.col("a").is_between(1, 5, closed="left"),
        pl.col("a").cast(pl.Int32) % 2 == 0,
        pl.when(pl.col("a") > 1).then(pl.col("b")).otherwise(pl.lit(value=True)),
        pl.coalesce("a", "b").abs().round(2) > 1,
        pl.col("raw") == b"\x00\xff",
        "label = 'dog' AND x IN (1, 2) OR tag LIKE 'a%'",
        (F.label == "dog") & ~F.confidence.between(0.2, 0.8),
        F.tags.contains("x"),
        F.note.is_null(),
        ["label = 'dog'", pl.col("a") > 1, F.b == 2],
    ],
)
def test_a_question_comes_back(where: Any) -> None:
    question = parse_where(where)
    text = written_question(question)
    assert text is not None
    again = read_question(text)
    assert again.texts == question.texts
    for one, two in zip(again.expressions, question.expressions, strict=True):
        assert one.meta.eq(two)


@pytest.mark.parametrize(
    "where",
    [
        lambda df: df["a"] > 1,
        [pl.col("a") > 1, lambda df: df["a"] > 1],
        pl.col("a").map_elements(bool, return_dtype=pl.Boolean),
        pl.col("a").map_batches(lambda values: values > 1, return_dtype=pl.Boolean),
        pl.col("a") > float("inf"),
    ],
    ids=["pandas", "both", "map_elements", "map_batches", "infinity"],
)
def test_what_cannot_be_written_down_is_not(where: Any) -> None:
    assert written_question(parse_where(where)) is None


@pytest.mark.parametrize(
    "node",
    [
        {"AnonymousFunction": {"input": [{"Column": "a"}], "function": [1, 2, 3]}},
        {"Function": {"input": [{"Column": "a"}], "function": {"FfiPlugin": {"lib": "x.so"}}}},
        {"Function": {"input": [{"Column": "a"}], "function": {"Boolean": "IsNull"}, "more": 1}},
        {"Function": {"input": {"Column": "a"}, "function": {"Boolean": "IsNull"}}},
        {"BinaryExpr": {"left": {"Column": "a"}, "op": "Gt", "right": {"PythonUdf": []}}},
        {"SubPlan": [{}, []]},
        {"Literal": {"Scalar": {"Object": [1]}}},
        {"Literal": {"Python": [1]}},
        {"Column": "a", "Literal": {}},
        {},
    ],
)
def test_a_node_that_is_not_plain_is_refused(node: dict[str, Any]) -> None:
    with pytest.raises(PredicateError, match="no plain expression"):
        read_question(json.dumps([{"text": "a", "expression": node}]))


def test_a_plain_node_of_another_polars_is_refused() -> None:
    with pytest.raises(PredicateError, match="does not read an expression that another version wrote"):
        read_question(json.dumps([{"text": "a", "expression": {"BinaryExpr": {"op": "Later"}}}]))


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '[{"text": 1}]', '[{"text": "DROP TABLE x"}]'])
def test_what_is_no_question_is_refused(text: str) -> None:
    with pytest.raises(PredicateError):
        read_question(text)
