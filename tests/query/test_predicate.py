import enum
import functools
import math

import polars as pl
import pytest

import atdata
from atdata import F
from atdata._query._predicate import parse_where
from atdata.manifest import QueryExecutor, ShardManifest

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


# -- every form beside every other

ROWS = pl.DataFrame(
    {
        "__key__": ["k0", "k1", "k2", "k3"],
        "__offset__": [0, 1, 2, 3],
        "__size__": [1, 2, 4, 8],
        "__crc32__": pl.Series([0] * 4, dtype=pl.UInt32),
        "label": ["dog", "dog", "cat", None],
        "a": [1, 2, 3, None],
    }
)
EXECUTOR = QueryExecutor([ShardManifest(f"s{shard}", "T", "1.0.0", 4, 15, "2024", {}, ROWS) for shard in range(2)])
IS_DOG = {
    "polars": pl.col("label") == "dog",
    "sql": "label = 'dog'",
    "F": F.label == "dog",
    "function": lambda df: df["label"] == "dog",
    "compiled": (F.label == "dog").compile(),
}
IS_LARGE = {
    "polars": pl.col("a") > 1,
    "sql": "a > 1",
    "F": F.a > 1,
    "function": lambda df: df["a"] > 1,
    "compiled": (F.a > 1).compile(),
}


class Label(enum.Enum):
    DOG = "dog"


def offsets(found):
    return [(each.shard, each.offset) for each in found]


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("one", IS_DOG)
@pytest.mark.parametrize("other", IS_LARGE)
def test_forms_mix_and_all_must_hold(one, other, kind):
    where = kind([IS_DOG[one], IS_LARGE[other]])
    assert offsets(EXECUTOR.query(where)) == [("s0", 1), ("s1", 1)]
    assert EXECUTOR.count(where) == 2
    assert EXECUTOR.rows(where, columns=["a"])["a"].to_list() == [2, 2]


@pytest.mark.parametrize("form", IS_LARGE)
def test_equalities_join_any_form(form):
    assert offsets(EXECUTOR.query(IS_LARGE[form], label="dog")) == [("s0", 1), ("s1", 1)]
    assert offsets(EXECUTOR.query(where=IS_LARGE[form], label="dog")) == [("s0", 1), ("s1", 1)]


def test_equalities_stand_alone():
    assert EXECUTOR.count(label="dog", a=1) == 2
    assert len(EXECUTOR.query(label="dog")) == 4
    assert EXECUTOR.rows(columns=["a"], label="cat")["a"].to_list() == [3, 3]


def test_an_equality_takes_columns_of_the_location():
    assert offsets(EXECUTOR.query(__shard__="s1", __key__="k2")) == [("s1", 2)]


def test_an_enum_member_stands_for_its_text():
    assert EXECUTOR.count(label=Label.DOG) == EXECUTOR.count(F.label == Label.DOG) == 4


def test_a_function_sees_whole_shards_beside_other_conditions():
    seen = []

    def function(df):
        seen.append(len(df))
        return df["a"] == df["a"].max()

    assert EXECUTOR.count([pl.col("a") < 3, function]) == 0
    assert offsets(EXECUTOR.query([pl.col("__shard__") == "s1", function])) == [("s1", 2)]
    assert seen == [4, 4, 4, 4]


@pytest.mark.parametrize(
    "where", [pl.col("a") > pl.col("a").mean(), "a > AVG(a)", pl.len() > 1], ids=["polars", "sql", "len"]
)
def test_beside_a_function_a_condition_is_row_wise_too(where):
    with pytest.raises(atdata.PredicateError, match="looks at more than one row"):
        EXECUTOR.query([where, lambda df: df["a"] > 0])


def test_a_condition_that_fails_on_rows_beside_a_function_is_the_predicates_fault():
    with pytest.raises(atdata.PredicateError, match="the manifests are sound"):
        EXECUTOR.query([pl.col("label").cast(pl.Int64) > 1, lambda df: df["a"] > 0])


@pytest.mark.parametrize(
    ("equalities", "message"),
    [
        ({"label": None}, r"'label' with None.*\.is_null\(\)"),
        ({"a": math.nan}, "NaN is null in the sample table"),
        ({"label": ["dog"]}, r"label=\['dog'\].*one value.*F.label.isin"),
        ({"label": {"dog"}}, "one value"),
        ({"a": pl.col("b")}, "one value"),
        ({"a": F.b}, "one value"),
        ({"a": object()}, "with a object"),
        ({"labell": "dog"}, "'labell'.*did you mean 'label'"),
        ({"a": "x"}, "does not fit the columns"),
    ],
    ids=["none", "nan", "list", "set", "expression", "field", "object", "typo", "dtype"],
)
@pytest.mark.parametrize("ask", ["query", "rows", "count", "explain"])
def test_an_equality_that_cannot_hold_is_refused(equalities, message, ask):
    with pytest.raises(atdata.PredicateError, match=message):
        getattr(EXECUTOR, ask)(**equalities)


def test_a_thousand_conditions_are_asked_together():
    conditions = [F.a != number for number in range(100, 1100)]
    assert EXECUTOR.query(conditions) == EXECUTOR.query(F.a.is_not_null())


def test_nothing_at_all_is_no_query():
    with pytest.raises(atdata.PredicateError, match="found NoneType None"):
        EXECUTOR.query()


def test_a_field_alone_is_no_condition():
    with pytest.raises(atdata.PredicateError, match=r"the field 'ok' alone is no condition.*F\.ok == True"):
        EXECUTOR.query(F.ok)


def test_a_class_is_no_function():
    with pytest.raises(atdata.PredicateError, match="found type"):
        EXECUTOR.query(dict)


def test_a_predicate_is_asked_as_an_expression_not_called():
    assert offsets(EXECUTOR.query(F.label != "dog")) == [("s0", 2), ("s1", 2)]
    assert offsets(EXECUTOR.query((F.label != "dog").compile())) == [("s0", 2), ("s0", 3), ("s1", 2), ("s1", 3)]


def is_dog(df):
    return df["label"] == "dog"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (F.a > 1, "F.a > 1"),
        (" a > 1 ", "a > 1"),
        (is_dog, "is_dog(df)"),
        (functools.partial(is_dog), "is_dog(df)"),
        ((F.a > 1).compile(), "(F.a > 1).compile()(df)"),
        ([F.a > 1, "a < 3", is_dog], "(F.a > 1) AND (a < 3) AND (is_dog(df))"),
    ],
    ids=["F", "sql", "function", "partial", "compiled", "several"],
)
def test_a_question_reads_as_it_was_asked(where, text):
    assert str(parse_where(where)) == text


def test_an_equality_reads_as_it_was_asked():
    assert str(parse_where(None, {"label": "dog", "a": 1})) == "(label='dog') AND (a=1)"
