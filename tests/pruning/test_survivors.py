"""What is asked of statistics, what becomes of what they lack, and what never raises."""

import functools
import operator

import polars as pl
import pytest

from atdata._polars import pushed_predicate
from atdata._pruning import survivors
from tests.pruning.strategies import Known

a, b, shard = pl.col("a"), pl.col("b"), pl.col("__shard__")
SCHEMA = {
    "__shard__": pl.String(),
    "__key__": pl.String(),
    "a": pl.Int64(),
    "b": pl.Int64(),
    "rows": pl.Int64(),
    "tags": pl.List(pl.String()),
}
STATISTICS = pl.DataFrame(
    {
        "letter": list("xyz"),
        "rows": [5, 5, 5],
        "__shard__": ["s0", "s1", "s2"],
        "min:a": [0, 5, 9],
        "max:a": [4, 8, 9],
        "nulls:a": [0, 0, 0],
        "min:rows": [0, 5, 9],
        "max:rows": [4, 8, 9],
        "min:__key__": ["k0", "k3", "k6"],
        "max:__key__": ["k2", "k5", "k8"],
    }
)


def asked(predicate, statistics=STATISTICS):
    """Return which shards are left, and what statistics were asked for."""
    known = Known(statistics)
    kept = survivors(pushed_predicate(predicate, SCHEMA), SCHEMA, known, len(statistics))
    return None if kept is None else kept.to_list(), known.asked


def test_where_no_row_can_match_no_shard_is_left_and_nothing_is_asked():
    known = Known(STATISTICS)
    kept = survivors([], SCHEMA, known, 3)
    assert (kept.to_list(), kept.dtype, known.asked) == ([False] * 3, pl.Boolean, [])


@pytest.mark.parametrize(
    "pushed",
    [
        [None],
        [a > 99, a > 99],
        [a.map_elements(bool, return_dtype=pl.Boolean) & (a > 99)],
        [a + 1 > b],
        [pl.col("tags").list.len() > b],
        [pl.col("tags") == ["x"]],
    ],
    ids=["held back", "several", "a function", "unknown", "unknown of lists", "lists"],
)
def test_where_nothing_can_be_proved_nothing_is_asked(pushed):
    known = Known(STATISTICS)
    assert survivors(pushed, SCHEMA, known, 3) is None
    assert known.asked == []


def test_only_fields_that_a_rule_looks_at_are_asked_for():
    assert asked((a > 4) & (b + pl.col("rows") > 1))[1] == [["a"]]
    assert asked((a > 4) & (shard == "s1") & (pl.col("__key__") > "k"))[1] == [["__key__", "__shard__", "a"]]
    assert asked((a > 4) | (b > pl.col("rows")))[1] == [["a", "b", "rows"]]


def test_a_field_may_be_called_as_a_statistic_is():
    assert asked(pl.col("rows") > 4) == ([False, True, True], [["rows"]])


def test_where_all_are_left_none_is_named():
    assert asked(a >= 0)[0] is None


def test_keys_are_a_field():
    assert asked(pl.col("__key__") == "k4")[0] == [False, True, False]
    assert asked(pl.col("__key__").is_in(["k0", "k8", "k5x"]))[0] == [True, False, True]
    assert asked(pl.col("__key__").str.starts_with("k5"))[0] == [False, True, False]


def test_more_values_than_are_worth_a_comparison_each_are_looked_up():
    keys = [f"k{number}" for number in range(3, 6)] + [f"x{number}" for number in range(1000)]
    assert asked(pl.col("__key__").is_in(keys))[0] == [False, True, False]


@pytest.mark.parametrize(
    ("predicate", "kept"),
    [
        (shard == "s1", [False, True, False]),
        (shard != "s1", [True, False, True]),
        (shard.is_in(["s0", "s9"]), [True, False, False]),
        (shard.str.slice(1).cast(pl.Int64) > 1, [False, False, True]),
        (shard.is_null(), [False, False, False]),
        ((shard == "s1") | (a > 8), [False, True, True]),
        (~((shard == "s1") | (a > 8)), [True, False, False]),
        ((shard == "s1") & (a > 8), [False, False, False]),
    ],
    ids=str,
)
def test_names_of_shards_are_known_exactly(predicate, kept):
    assert asked(predicate)[0] == kept


def test_a_shard_whose_name_is_unknown_is_kept():
    nameless = STATISTICS.with_columns(pl.Series("__shard__", ["s0", None, "s2"]))
    assert asked(shard == "s2", nameless)[0] == [False, True, True]
    assert asked(shard != "s2", nameless)[0] == [True, True, False]
    assert asked(shard == "s2", STATISTICS.drop("__shard__"))[0] is None


def test_a_shard_of_which_nothing_is_known_is_kept():
    # Whatever its other cells hold; but for its name.
    unknown = STATISTICS.with_columns(pl.Series("rows", [5, None, 5]))
    assert asked(a > 99, unknown)[0] == [False, True, False]
    assert asked(shard == "s0", unknown)[0] == [True, False, False]


def test_a_shard_without_rows_is_pruned():
    empty = STATISTICS.with_columns(pl.Series("rows", [5, 0, 5]))
    assert asked(a >= 0, empty)[0] == [True, False, True]


@pytest.mark.parametrize("missing", ["min:a", "max:a", "nulls:a"])
def test_a_missing_column_is_unknown_of_all(missing):
    kept = asked(a == 99, STATISTICS.drop(missing))[0]
    assert kept == (None if missing == "max:a" else [False] * 3)


def test_statistics_of_another_dtype_prove_nothing():
    assert asked(a > 99, STATISTICS.with_columns(pl.col("max:a").cast(pl.Int8)))[0] is None
    assert asked(a > 99, STATISTICS.with_columns(pl.col("max:a").cast(pl.String)))[0] is None


def test_what_fails_proves_nothing_and_takes_nothing_from_others():
    # The cast of a shard's name raises.
    assert asked((shard.cast(pl.Int64) > 5) & (a > 8))[0] == [False, False, True]
    assert asked(shard.cast(pl.Int64) > 5)[0] is None


def test_hundreds_of_conditions_are_looked_into():
    assert asked(functools.reduce(operator.or_, [a == number for number in range(9, 200)]))[0] == [False, False, True]
    assert asked(functools.reduce(operator.and_, [a != number for number in range(100, 400)]))[0] is None


def test_thousands_of_conditions_are_not():
    assert asked(pl.any_horizontal([a == number + b for number in range(300)]))[0] is None


def nested(depth):
    condition = a > 99
    for _ in range(depth):
        condition = (condition & (b > 0)) | (a > 99)
    return condition


def test_conditions_may_nest_deeply():
    assert asked(nested(10))[0] == [False] * 3
    assert asked(nested(100))[0] in (None, [False] * 3)


def test_no_shards_are_none():
    assert asked(a > 5, STATISTICS.clear())[0] in (None, [])
