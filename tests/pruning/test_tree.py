"""Which operators are told apart, and how conditions that must all hold are split."""

import functools
import operator

import polars as pl
import pytest

from atdata._pruning import conjuncts
from atdata._pruning._tree import Node, flattened, node

a, b, s, tags = pl.col("a"), pl.col("b"), pl.col("s"), pl.col("tags")
ONE, TWO = a > 1, b > 2


def shown(expressions):
    return [str(each) for each in expressions]


@pytest.mark.parametrize(
    "predicate",
    [
        ONE & TWO & s.is_null(),
        ONE & (TWO & s.is_null()),
        ONE.and_(TWO, s.is_null()),
        pl.all_horizontal(ONE, TWO, s.is_null()),
        pl.all_horizontal(ONE, TWO & s.is_null()),
        pl.all_horizontal(ONE & pl.all_horizontal(TWO), s.is_null()),
    ],
    ids=["chain", "right", "and_", "all_horizontal", "inside", "nested"],
)
def test_conditions_that_must_all_hold_are_split_in_order(predicate):
    assert shown(conjuncts(predicate)) == shown([ONE, TWO, s.is_null()])


@pytest.mark.parametrize("predicate", [ONE | TWO, ~(ONE & TWO), ONE ^ TWO, (ONE & TWO) == TWO, ONE], ids=str)
def test_other_conditions_stay_whole(predicate):
    assert shown(conjuncts(predicate)) == [str(predicate)]


def test_a_thousand_conditions_are_split():
    parts = [a != number for number in range(1000)]
    assert shown(conjuncts(functools.reduce(operator.and_, parts))) == shown(parts)


def test_alternatives_are_flattened_likewise():
    assert shown(flattened(ONE | pl.any_horizontal(TWO, s.is_null()), "|")) == shown([ONE, TWO, s.is_null()])


#: Expressions that Polars prints alike, or nearly, and what they are told apart as.
TOLD_APART = {
    "and": (ONE & TWO, "&", None),
    "or": (ONE | TWO, "|", None),
    "equal": (a == b, "==", None),
    "equal or null": (a.eq_missing(b), "eq_missing", None),
    "unequal": (a != b, "!=", None),
    "unequal or null": (a.ne_missing(b), "ne_missing", None),
    "above": (a > b, ">", None),
    "at least": (a >= b, ">=", None),
    "below": (a < b, "<", None),
    "at most": (a <= b, "<=", None),
    "member": (a.is_in([1]), "is_in", False),
    "member or null": (a.is_in([1], nulls_equal=True), "is_in", True),
    "both ends": (a.is_between(1, b), "is_between", "both"),
    "left end": (a.is_between(1, b, closed="left"), "is_between", "left"),
    "right end": (a.is_between(1, b, closed="right"), "is_between", "right"),
    "no end": (a.is_between(1, b, closed="none"), "is_between", "none"),
    "not": (~ONE, "not", None),
    "null": (a.is_null(), "is_null", None),
    "not null": (a.is_not_null(), "is_not_null", None),
    "element": (tags.list.contains("x"), "contains", None),
    "start": (s.str.starts_with("x"), "starts_with", None),
    "filled": (ONE.fill_null(TWO), "fill_null", None),
    "column": (a, "column", None),
    "literal": (pl.lit(1), "literal", None),
}


@pytest.mark.parametrize(("expression", "name", "option"), TOLD_APART.values(), ids=TOLD_APART)
def test_operators_are_told_apart(expression, name, option):
    found = node(expression)
    assert (found.name, found.option) == (name, option)


def test_operands_are_in_the_order_of_writing():
    assert shown(node(a.is_between(b, s)).operands) == shown([a, b, s])
    assert node(pl.when(ONE).then(TWO).otherwise(s)).operands[2].meta.eq(ONE)
    assert node(pl.when(ONE).then(TWO).otherwise(s)).operands[0].meta.eq(TWO)


@pytest.mark.parametrize(
    "expression",
    [
        ONE ^ TWO,
        a + b,
        a % b,
        a.cast(pl.Int8),
        tags.list.contains("x", nulls_equal=False),
        s.str.ends_with("x"),
        s.str.contains("x"),
        pl.coalesce(ONE, TWO),
        pl.max_horizontal(a, b),
        a.abs(),
        a.is_nan(),
        a.is_close(b),
        a.alias("b"),
    ],
    ids=str,
)
def test_what_is_not_known_is_not_guessed(expression):
    assert node(expression) is None


def test_a_node_says_what_it_is():
    assert node(a)._replace(operands=()) == Node("column", ())
