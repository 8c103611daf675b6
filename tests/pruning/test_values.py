"""Conditions that are asked of listed values."""

import math

import polars as pl
import pytest

import atdata._pruning._survivors as listing
from atdata._pruning import survivors
from tests.pruning.strategies import Known

a, b = pl.col("a"), pl.col("b")
#: d: dogs and cats; c: cats and nulls; m: null everywhere; u: not listed; n: as c, and nobody knows how many nulls.
TEXTS = pl.DataFrame(
    {
        "letter": list("dcmun"),
        "rows": [5, 5, 5, 5, 5],
        "nulls:a": [0, 1, 5, None, None],
        "values:a": [["dog", "cat"], ["cat"], [], None, ["cat"]],
    }
)
ASKED = {
    "equal": (a == "dog", "du"),
    "unequal": (a != "cat", "du"),
    "member": (a.is_in(["dog", "cow"]), "du"),
    "no member": (~a.is_in(["dog", "cat"]), "u"),
    "pattern": (a.str.contains("^d.g$"), "du"),
    "length": (a.str.len_chars() == 3, "dcun"),
    "length of none": (a.str.len_chars() == 4, "u"),
    "text made of it": (a.str.to_uppercase() + "!" == "DOG!", "du"),
    "null": (a.is_null(), "cmun"),
    "not null": (a.is_not_null(), "dcun"),
    "filled": (a.fill_null("dog") == "dog", "dcmun"),
    "null made of a value": (a.replace({"dog": None}).is_null(), "dcmun"),
    "null of what has none": (a.replace({"cat": None}).is_null() & (a != "dog"), "dcun"),
    "exclusive or": ((a == "dog") ^ (a == "cat"), "dcun"),
    "exclusive or of both": ((a > "a") ^ (a > "b"), "u"),
    "case": (pl.when(a == "dog").then(pl.lit(False)).otherwise(a.is_null()), "cmun"),
    "lax cast": (a.cast(pl.Int64, strict=False).is_not_null(), "u"),
    "and": ((a.str.len_chars() == 3) & a.str.ends_with("g"), "du"),
}


@pytest.mark.parametrize(("predicate", "expected"), ASKED.values(), ids=ASKED)
def test_what_might_match_is_left(left, predicate, expected):
    assert left(predicate, TEXTS, a=pl.String()) == expected


def test_a_part_of_a_condition_is_asked_of_values(left):
    schema = {"a": pl.String(), "b": pl.Int64()}
    statistics = TEXTS.with_columns(pl.Series("min:b", [0] * 5), pl.Series("max:b", [9] * 5))
    assert left((a == "dog") | (b > 99), statistics, **schema) == "du"
    assert left((a.str.ends_with("g")) & (b % 2 == 1), statistics, **schema) == "du"
    assert left(~((a != "dog") | (b > 5)), statistics, **schema) == "du"
    assert left((a.str.ends_with("g")) | (b % 2 == 1), statistics, **schema) == "dcmun"


def test_bounds_and_values_prove_together(left):
    statistics = TEXTS.with_columns(
        pl.Series("min:a", ["cat", "cat", None, "cow", "cat"]), pl.Series("max:a", ["dog", "cat", None, "cow", "cat"])
    )
    assert left(a == "dog", statistics, a=pl.String()) == "d"
    assert left(a == "cow", statistics, a=pl.String()) == "u"


def floats(*values):
    return pl.DataFrame(
        {"letter": ["s"], "rows": [5], "nulls:a": [0], "values:a": pl.Series([values], dtype=pl.List(pl.Float64))}
    )


@pytest.mark.parametrize("listed", [0.0, -0.0])
@pytest.mark.parametrize("text", ["0.0", "-0.0"])
def test_one_zero_stands_for_both(left, listed, text):
    assert left(a.cast(pl.String) == text, floats(listed), a=pl.Float64()) == "s"
    assert left(1 / a == (-math.inf if text == "-0.0" else math.inf), floats(1.0, listed), a=pl.Float64()) == "s"


def test_other_floats_stand_for_themselves(left):
    assert left(a.cast(pl.String) == "-0.0", floats(1.0, -1.0), a=pl.Float64()) == ""
    assert left(a.cast(pl.String) == "1.0", floats(-1.0), a=pl.Float64()) == ""


def test_a_condition_that_fails_on_a_value_leaves_all(left):
    assert left(a.cast(pl.Int64) > 5, TEXTS, a=pl.String()) == "dcmun"


def kept(predicate, statistics, **schema):
    """As `left`, for what Polars would not push because it may fail."""
    return "".join(statistics["letter"].filter(survivors([predicate], schema, Known(statistics), len(statistics))))


def test_a_condition_that_fails_takes_nothing_from_others():
    assert kept((a.cast(pl.Int64) > 5) & (a == "dog"), TEXTS, a=pl.String()) == "du"


def test_what_a_negation_wants_of_values_is_false():
    schema = {"a": pl.String(), "b": pl.Int64()}
    assert kept(~((a != "dog") | (b % 2 == 1)), TEXTS, **schema) == "du"
    assert kept(~(a.str.ends_with("t") & a.str.starts_with("c")).is_null(), TEXTS, **schema) == "dcun"


def test_null_is_looked_for_in_vain():
    statistics = TEXTS.drop("nulls:a").with_columns(rows=5)
    assert survivors([a.list.contains(pl.lit(None))], {"a": pl.List(pl.String())}, Known(statistics), 5) is None


def test_values_are_asked_about_shards_that_are_left():
    # The cast fails on texts of shards that another condition prunes.
    numbers = pl.Series("values:a", [["1"], ["x"], [], ["x"], ["9"]])
    high = pl.Series("max:b", [9, 0, 0, 0, 9])
    statistics = TEXTS.with_columns(numbers, high)
    assert kept((a.cast(pl.Int64) > 5) & (b > 5), statistics, a=pl.String(), b=pl.Int64()) == "n"


def test_too_many_values_are_not_asked(left, monkeypatch):
    monkeypatch.setattr(listing, "_TOO_MANY", 3)
    assert left(a == "dog", TEXTS, a=pl.String()) == "dcun"
    assert left(a == "dog", TEXTS.head(2), a=pl.String()) == "d"


#: d: some lists hold "dog"; e: all are empty; m: null everywhere; u: elements are not listed.
LISTS = pl.DataFrame(
    {"letter": list("demu"), "rows": [5] * 4, "nulls:a": [0, 0, 5, None], "values:a": [["dog", "cat"], [], [], None]}
)
ELEMENTS = {
    "contains": (a.list.contains("dog"), "du"),
    "contains none": (a.list.contains("cow"), "u"),
    "does not contain": (~a.list.contains("dog"), "deu"),
    "in the list": (pl.lit("dog").is_in(a), "du"),
    "in the list, nulls equal": (pl.lit("cow").is_in(a, nulls_equal=True), "u"),
    "in SQL": (pl.sql_expr("array_contains(a, 'dog')"), "du"),
    "any, in SQL": (pl.sql_expr("'dog' = ANY(a)"), "du"),
    "contains null": (a.list.contains(None), "deu"),
    "both": (a.list.contains("dog") & a.list.contains("cow"), "u"),
    "either": (a.list.contains("dog") | a.list.contains("cow"), "du"),
    "length": (a.list.len() > 9, "demu"),
    "first": (a.list.first() == "cow", "demu"),
    "evaluated": (a.list.eval(pl.element() == "cow").list.any(), "demu"),
    "joined": (a.list.join("") == "cow", "demu"),
    "another column's value": (a.list.contains(b), "deu"),
}


@pytest.mark.parametrize(("predicate", "expected"), ELEMENTS.values(), ids=ELEMENTS)
def test_elements_are_looked_up(left, predicate, expected):
    assert left(predicate, LISTS, a=pl.List(pl.String()), b=pl.String()) == expected


def test_elements_of_numbers_are_looked_up_as_rows_are(left):
    statistics = pl.DataFrame({"letter": ["s"], "rows": [5], "values:a": [[2**53 + 1, -1]]})
    schema = {"a": pl.List(pl.Int64())}
    assert left(a.list.contains(2**53 + 1), statistics, **schema) == "s"
    assert left(a.list.contains(2**53), statistics, **schema) == ""
    assert left(a.list.contains(-1), statistics, **schema) == "s"


def test_nan_is_never_listed_and_may_be_an_element(left):
    statistics = pl.DataFrame({"letter": ["f"], "rows": [2], "nulls:a": [0], "values:a": [[1.0, 2.0]]})
    schema = {"a": pl.List(pl.Float64())}
    assert left(a.list.contains(math.nan), statistics, **schema) == "f"
    assert left(a.list.contains(3.0), statistics, **schema) == ""


def test_null_is_not_asked_of_a_shard_that_has_none(left):
    cats = TEXTS.filter(letter="c")
    assert left(a.fill_null("dog") == "dog", cats, a=pl.String()) == "c"
    assert left(a.fill_null("dog") == "dog", cats.with_columns(pl.lit(0).alias("nulls:a")), a=pl.String()) == ""
