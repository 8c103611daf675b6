"""What each form of a predicate selects of values, null and NaN: written out, and compared by law."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata import F
from atdata.manifest import QueryExecutor, ShardManifest
from tests.tiers import law

LAW = law(80)

#: The rows by key; `nan` was written as NaN and is null in the table, as `null` is.
ROWS = {
    "one": (1.0, "a", ["x"]),
    "two": (2.0, "b", ["x", "y"]),
    "three": (3.0, "c", []),
    "null": (None, None, None),
    "nan": (None, "b", ["y"]),
}


def executor_over(rows, shard_id="s"):
    place = {
        "__key__": pl.Series(list(rows), dtype=pl.String),
        "__offset__": pl.Series(range(len(rows)), dtype=pl.Int64),
        "__size__": pl.Series([1] * len(rows), dtype=pl.Int64),
        "__crc32__": pl.Series([0] * len(rows), dtype=pl.UInt32),
    }
    n, s, tags = zip(*rows.values(), strict=True) if rows else ((), (), ())
    fields = {
        "n": pl.Series(n, dtype=pl.Float64),
        "s": pl.Series(s, dtype=pl.String),
        "tags": pl.Series(tags, dtype=pl.List(pl.String)),
    }
    frame = pl.DataFrame({**place, **fields})
    return QueryExecutor([ShardManifest(shard_id, "T", "1.0.0", len(rows), 0, "2024", {}, frame)])


EXECUTOR = executor_over(ROWS)
n, s, tags = pl.col("n"), pl.col("s"), pl.col("tags")
#: Asked of the manifests: Polars, SQL, F, and what they select.
ASKED = {
    "==": (n == 2, "n = 2", F.n == 2, {"two"}),
    "== text": (s == "b", "s = 'b'", F.s == "b", {"two", "nan"}),
    "!=": (n != 2, "n <> 2", F.n != 2, {"one", "three"}),
    "!= text": (s != "b", "s != 'b'", F.s != "b", {"one", "three"}),
    ">": (n > 1, "n > 1", F.n > 1, {"two", "three"}),
    ">=": (n >= 2, "n >= 2", F.n >= 2, {"two", "three"}),
    "<": (n < 2, "n < 2", F.n < 2, {"one"}),
    "<=": (n <= 2, "n <= 2", F.n <= 2, {"one", "two"}),
    "isin": (n.is_in([1.0, 3.0]), "n IN (1, 3)", F.n.isin([1, 3]), {"one", "three"}),
    "isin text": (s.is_in(["a", "b"]), "s IN ('a', 'b')", F.s.isin(["a", "b"]), {"one", "two", "nan"}),
    "between": (n.is_between(1, 2), "n BETWEEN 1 AND 2", F.n.between(1, 2), {"one", "two"}),
    "contains": (tags.list.contains("y"), "array_contains(tags, 'y')", F.tags.contains("y"), {"two", "nan"}),
    "is null": (n.is_null(), "n IS NULL", F.n.is_null(), {"null", "nan"}),
    "is not null": (n.is_not_null(), "n IS NOT NULL", F.n.is_not_null(), {"one", "two", "three"}),
    "not ==": (~(n == 2), "NOT (n = 2)", ~(F.n == 2), {"one", "three"}),
    "not !=": (~(n != 2), "NOT n <> 2", ~(F.n != 2), {"two"}),
    "not >": (~(n > 1), "NOT (n > 1)", ~(F.n > 1), {"one"}),
    "not isin": (~n.is_in([1.0]), "n NOT IN (1)", ~F.n.isin([1]), {"two", "three"}),
    "not between": (~n.is_between(1, 2), "n NOT BETWEEN 1 AND 2", ~F.n.between(1, 2), {"three"}),
    "not contains": (
        ~tags.list.contains("y"),
        "NOT array_contains(tags, 'y')",
        ~F.tags.contains("y"),
        {"one", "three"},
    ),
    "not is null": (~n.is_null(), "NOT (n IS NULL)", ~F.n.is_null(), {"one", "two", "three"}),
    # of an unknown and a known condition
    "and": ((n > 0) & (s == "b"), "n > 0 AND s = 'b'", (F.n > 0) & (F.s == "b"), {"two"}),
    "or": ((n > 2) | (s == "b"), "n > 2 OR s = 'b'", (F.n > 2) | (F.s == "b"), {"two", "three", "nan"}),
    "not and": (
        ~((n > 0) & (s == "b")),
        "NOT (n > 0 AND s = 'b')",
        ~((F.n > 0) & (F.s == "b")),
        {"one", "three"},
    ),
    "not or": (~((n > 2) | (s == "c")), "NOT (n > 2 OR s = 'c')", ~((F.n > 2) | (F.s == "c")), {"one", "two"}),
    "or is null": ((n > 2) | n.is_null(), "n > 2 OR n IS NULL", (F.n > 2) | F.n.is_null(), {"three", "null", "nan"}),
}
KEYWORDS = {"==": ({"n": 2}, {"two"}), "== text": ({"s": "b"}, {"two", "nan"}), "and": ({"n": 2, "s": "b"}, {"two"})}
#: Where functions of a pandas frame select others: the rows beside those above.
PANDAS_ALSO = {
    "!=": {"null", "nan"},
    "!= text": {"null"},
    "not ==": {"null", "nan"},
    "not >": {"null", "nan"},
    "not isin": {"null", "nan"},
    "not between": {"null", "nan"},
    "not contains": {"null"},
    "not and": {"null", "nan"},
    "not or": {"null", "nan"},
}
FUNCTIONS = {
    "==": lambda df: df["n"] == 2,
    "== text": lambda df: df["s"] == "b",
    "!=": lambda df: df["n"] != 2,
    "!= text": lambda df: df["s"] != "b",
    ">": lambda df: df["n"] > 1,
    ">=": lambda df: df["n"] >= 2,
    "<": lambda df: df["n"] < 2,
    "<=": lambda df: df["n"] <= 2,
    "isin": lambda df: df["n"].isin([1, 3]),
    "isin text": lambda df: df["s"].isin(["a", "b"]),
    "between": lambda df: df["n"].between(1, 2),
    "contains": lambda df: df["tags"].map(lambda each: each is not None and "y" in each),
    "is null": lambda df: df["n"].isna(),
    "is not null": lambda df: df["n"].notna(),
    "not ==": lambda df: ~(df["n"] == 2),
    "not !=": lambda df: ~(df["n"] != 2),
    "not >": lambda df: ~(df["n"] > 1),
    "not isin": lambda df: ~df["n"].isin([1]),
    "not between": lambda df: ~df["n"].between(1, 2),
    "not contains": lambda df: ~df["tags"].map(lambda each: each is not None and "y" in each).astype(bool),
    "not is null": lambda df: ~df["n"].isna(),
    "and": lambda df: (df["n"] > 0) & (df["s"] == "b"),
    "or": lambda df: (df["n"] > 2) | (df["s"] == "b"),
    "not and": lambda df: ~((df["n"] > 0) & (df["s"] == "b")),
    "not or": lambda df: ~((df["n"] > 2) | (df["s"] == "c")),
    "or is null": lambda df: (df["n"] > 2) | df["n"].isna(),
}


def found(where=None, executor=EXECUTOR, **equalities):
    return {location.key for location in executor.query(where, **equalities)}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("form", range(3), ids=["polars", "sql", "F"])
def test_null_and_nan_are_selected_by_null_tests_alone(name, form):
    assert found(ASKED[name][form]) == ASKED[name][3]


@pytest.mark.parametrize("name", KEYWORDS)
def test_equalities_are_comparisons(name):
    equalities, expected = KEYWORDS[name]
    assert found(**equalities) == expected


@pytest.mark.parametrize("name", ASKED)
def test_functions_of_a_frame_follow_pandas(name):
    assert found(FUNCTIONS[name]) == ASKED[name][3] | PANDAS_ALSO.get(name, set())


@pytest.mark.parametrize("name", ASKED)
def test_compiled_predicates_follow_pandas(name):
    assert found(ASKED[name][2].compile()) == ASKED[name][3] | PANDAS_ALSO.get(name, set())


@pytest.mark.parametrize("name", ASKED)
def test_a_predicate_called_with_a_frame_is_its_compiled_function(name):
    frame = EXECUTOR.manifests[0].samples
    predicate = ASKED[name][2]
    assert predicate(frame).tolist() == predicate.compile()(frame).tolist()
    assert set(frame["__key__"][predicate(frame)]) == ASKED[name][3] | PANDAS_ALSO.get(name, set())


# -- laws, over random trees of comparisons


def text_literal(value):
    return f"'{value}'" if isinstance(value, str) else str(value)


def leaf(parts):
    field, operator, value = parts
    sql = {"==": "=", "!=": "<>"}.get(operator, operator)
    build = {
        "==": lambda: F[field] == value,
        "!=": lambda: F[field] != value,
        ">": lambda: F[field] > value,
        ">=": lambda: F[field] >= value,
        "<": lambda: F[field] < value,
        "<=": lambda: F[field] <= value,
    }[operator]
    return build(), f"{field} {sql} {text_literal(value)}"


NUMBERS, TEXTS = st.sampled_from([-1, 0, 0.5, 1, 2]), st.sampled_from(["a", "b", "select", "x;--"])
SIGNS = st.sampled_from(["==", "!=", ">", ">=", "<", "<="])
LEAVES = st.one_of(
    st.tuples(st.just("n"), SIGNS, NUMBERS).map(leaf),
    st.tuples(st.just("s"), SIGNS, TEXTS).map(leaf),
    st.lists(NUMBERS, min_size=1, max_size=3).map(
        lambda values: (F.n.isin(values), f"n IN ({', '.join(map(str, map(float, values)))})")
    ),
    st.lists(TEXTS, min_size=1, max_size=3).map(
        lambda values: (F.s.isin(values), f"s IN ({', '.join(map(text_literal, values))})")
    ),
    st.tuples(NUMBERS, NUMBERS).map(lambda ends: (F.n.between(*ends), f"n BETWEEN {ends[0]} AND {ends[1]}")),
    TEXTS.map(lambda value: (F.tags.contains(value), f"array_contains(tags, '{value}')")),
    st.sampled_from(["n", "s", "tags"]).map(lambda field: (F[field].is_null(), f"{field} IS NULL")),
    st.sampled_from(["n", "s", "tags"]).map(lambda field: (F[field].is_not_null(), f"{field} IS NOT NULL")),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: (two[0][0] & two[1][0], f"({two[0][1]}) AND ({two[1][1]})")),
        st.tuples(inner, inner).map(lambda two: (two[0][0] | two[1][0], f"({two[0][1]}) OR ({two[1][1]})")),
        inner.map(lambda one: (~one[0], f"NOT ({one[1]})")),
    ),
    max_leaves=6,
)
VALUES = st.tuples(
    st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, None]),
    st.sampled_from(["a", "b", "select", None]),
    st.sampled_from([[], ["a"], ["a", "b"], None]),
)
TABLES = st.lists(VALUES, min_size=1, max_size=6).map(
    lambda rows: {f"k{row}": values for row, values in enumerate(rows)}
)


@LAW
@given(TABLES, TREES)
def test_a_predicate_its_expression_and_the_same_sql_select_the_same(rows, tree):
    predicate, sql = tree
    executor = executor_over(rows)
    expected = found(predicate, executor)
    assert found(predicate.expr, executor) == expected
    assert found(sql, executor) == expected
    assert found([predicate, sql, lambda df: df["n"].isna() | df["n"].notna()], executor) == expected


@LAW
@given(TABLES, TREES)
def test_where_nothing_is_null_the_compiled_function_selects_the_same(rows, tree):
    whole = {key: values for key, values in rows.items() if None not in values}
    executor = executor_over(whole)
    assert found(tree[0].compile(), executor) == found(tree[0], executor)


@LAW
@given(TREES)
def test_a_predicate_reads_back_from_its_repr(tree):
    assert eval(repr(tree[0]), {"F": F}) == tree[0]  # noqa: S307 -- text of this test's own making
