import math

import polars as pl
import pytest

import atdata
from atdata.manifest._predicate import parse_where

a = pl.col("a")


def has_two_digits(value):
    return len(str(value)) == 2


def test_an_expression_is_taken_as_it_is():
    predicate = a > 1
    assert parse_where(predicate).expressions[0] is predicate


def test_a_function_is_taken_as_it_is():
    assert parse_where(has_two_digits).functions == (has_two_digits,)


@pytest.mark.parametrize("kind", [list, tuple])
def test_of_several_expressions_all_must_hold(kind):
    frame = pl.DataFrame({"a": [1, 2, 3, None]})
    assert frame.filter(parse_where(kind([a > 1, a < 3])).expression)["a"].to_list() == [2]


@pytest.mark.parametrize(
    "wrong",
    [
        True,
        False,
        None,
        1,
        1.5,
        math.nan,
        [],
        (),
        [True],
        [a > 1, True],
        {},
        {"a": 1},
        pl.Series([True]),
    ],
    ids=lambda wrong: f"{type(wrong).__name__} of {wrong!s:.6}",
)
def test_what_is_no_predicate_is_refused_with_its_type(wrong):
    with pytest.raises(
        atdata.PredicateError,
        match="a function of a pandas frame.*; found (bool|NoneType|int|float|list|tuple|dict|Series) ",
    ):
        parse_where(wrong)


def test_a_predicate_error_is_a_value_error():
    with pytest.raises(ValueError, match="found int"):
        parse_where(1)
