import datetime as dt
import functools
import operator

import polars as pl
import pytest
from polars import selectors as cs

import atdata
from atdata._query._predicate import check_row_wise

SCHEMA = {
    "__key__": pl.String(),
    "a": pl.Int64(),
    "b": pl.Float64(),
    "s": pl.String(),
    "ok": pl.Boolean(),
    "tags": pl.List(pl.String()),
    "sizes": pl.List(pl.Int64()),
}
a, b, s, ok, tags, sizes = (pl.col(name) for name in ("a", "b", "s", "ok", "tags", "sizes"))


def negative(value):
    return int(f"-{value}")


def negated(column):
    return column.map_elements(negative, return_dtype=pl.Int64)


def elementwise_udf(column, dtype=pl.Boolean):
    return column.map_batches(lambda values: values, return_dtype=dtype, is_elementwise=True)


def udf(*columns, dtype=pl.Boolean, function=lambda values: values):
    """Return a Python function over whole columns, which Polars cannot look into."""
    first, *rest = columns
    if rest:
        return pl.map_batches(columns, lambda many: function(many[0]), return_dtype=dtype)
    return first.map_batches(function, return_dtype=dtype)


def has_two_digits(value):
    return len(str(value)) == 2


LOOKS_AT_OTHER_ROWS = {
    "mean": a > a.mean(),
    "max": a == a.max(),
    "min": a == a.min(),
    "median": a > a.median(),
    "quantile": a > a.quantile(0.5),
    "std": a > a.std(),
    "sum": (a / a.sum()) > 0.5,
    "product": a.product() > 1,
    "n_unique": a.n_unique() > 1,
    "approx_n_unique": a.approx_n_unique() > 1,
    "count": a.count() > 1,
    "null_count": a.null_count() > 1,
    "has_nulls": a.has_nulls(),
    "any": ok.any(),
    "all": ok.all(),
    "all beside a column": ok & ok.all(),
    "over": a.max().over("s") == a,
    "over without aggregate": ok.over("s"),
    "shift": a.shift() == a,
    "diff": a.diff() > 0,
    "pct_change": a.pct_change() > 0,
    "rank": a.rank() < 3,
    "cum_sum": a.cum_sum() < 3,
    "cum_count": a.cum_count() < 3,
    "cum_max": a.cum_max() == a,
    "len": pl.len() > 3,
    "compared with len": a > pl.len(),
    "int_range of len": pl.int_range(pl.len()) < 3,
    "row_index": pl.row_index() < 3,
    "repeat": pl.repeat(value=True, n=pl.len()),
    "is_duplicated": a.is_duplicated(),
    "is_unique": a.is_unique(),
    "is_first_distinct": a.is_first_distinct(),
    "is_last_distinct": a.is_last_distinct(),
    "struct duplicated": pl.struct("a", "s").is_duplicated(),
    "rolling_mean": a.rolling_mean(3) > 1,
    "rolling_max": a.rolling_max(3) == a,
    "rolling": a.sum().rolling("a", period="2i") > 1,
    "ewm_mean": a.ewm_mean(alpha=0.5) > 1,
    "sort": ok.sort(),
    "sort_by": a.sort_by("b") > 1,
    "arg_sort": a.arg_sort() < 3,
    "reverse": ok.reverse(),
    "shuffle": ok.shuffle(seed=1),
    "sample": a.sample(3) > 1,
    "first": a.first() == a,
    "last": a.last() == a,
    "get": a.get(0) == a,
    "gather": ok.gather([0]),
    "gather_every": ok.gather_every(2),
    "head": ok.head(3),
    "tail": ok.tail(3),
    "slice": ok.slice(0, 2),
    "limit": ok.limit(3),
    "unique": ok.unique(),
    "mode": a.mode() == a,
    "top_k": a.top_k(3) > 1,
    "arg_max": a.arg_max() == a,
    "drop_nulls": ok.drop_nulls(),
    "filter": ok.filter(ok),
    "explode": tags.explode() == "x",
    "implode": a.implode().list.len() > 3,
    "is_in its own values": a.is_in(a.implode()),
    "is_in filtered values": a.is_in(a.filter(b > 1).implode()),
    "forward_fill": a.forward_fill() > 1,
    "backward_fill": a.backward_fill() > 1,
    "fill_null with the mean": a.fill_null(strategy="mean") > 1,
    "fill_null with the aggregate": a.fill_null(a.mean()) > 1,
    "interpolate": a.interpolate() > 1,
    "rle_id": a.rle_id() == 0,
    "peak_max": a.peak_max(),
    "search_sorted": a.search_sorted(2) == 1,
    "index_of": a.index_of(3) == 1,
    "corr": pl.corr("a", "b") > 0,
    "dot": a.dot(b) > 1,
    "skew": a.skew() > 0,
    "str.join": s.str.join() == "x",
    "value_counts": a.value_counts().struct.field("count") > 1,
    "a literal column": pl.lit(pl.Series([True, False, True])),
    "compared with a column of its own": a == pl.Series([1, 2, 3]),
    "when": pl.when(a > a.mean()).then(ok).otherwise(~ok),
    "then": pl.when(ok).then(a.max()).otherwise(a) > 2,
    "otherwise": pl.when(ok).then(a).otherwise(a.shift()) > 2,
    "when without otherwise": pl.when(a.is_duplicated()).then(ok),
    "coalesce": pl.coalesce(a, a.mean()) > 1,
    "max_horizontal": pl.max_horizontal(a, a.mean()) > 1,
    "all_horizontal": pl.all_horizontal(ok, a > a.mean()),
    "concat_list": pl.concat_list(a, a.shift()).list.sum() > 1,
    "format": pl.format("{}", a.max()) == "x",
    "is_between": a.is_between(a.min(), a.max()),
    "clip": a.clip(a.min(), a.mean()) > 1,
    "replace": a.replace_strict(a.implode(), b.implode(), default=0) > 1,
    "eq_missing": a.eq_missing(a.shift()),
    "and": (a > 1) & (a > a.mean()),
    "or": (a > 1) | (a.rank() > 1),
    "not": ~(a > a.mean()),
    "inside a function of elements": a.max().map_elements(has_two_digits, return_dtype=pl.Boolean),
    "beside a function of elements": a.map_elements(has_two_digits, return_dtype=pl.Boolean) & (a > a.mean()),
    "sort_by a function of elements": ok.sort_by(negated(a)),
    "shift by a function of elements": ok.shift(negated(a).first()),
    "shift of a function of elements": negated(a).shift(1) > 2,
    "sum of a function of elements": negated(a).sum() > 5,
    "cum_sum of a function of elements": (a + negated(a)).cum_sum() > 5,
    "text that looks like a function": (s == ".python_udf(").shift(1),
    "shift of map_batches": udf(ok).shift(),
    "max of map_batches": udf(a, dtype=pl.Int64).max() == a,
    "unmarked map_batches is_in": udf(a, dtype=pl.Int64).is_in([1, 2]),
    "unmarked map_batches fill_null": udf(ok).fill_null(value=False),
    "unmarked map_batches in a when": pl.when(udf(ok)).then(ok).otherwise(a > 1),
    "unmarked map_batches in all_horizontal": pl.all_horizontal(ok, udf(ok)),
    "unmarked map_batches, then text": udf(s, dtype=pl.String).str.starts_with("x"),
    "inside map_batches": udf(a.shift()),
    "inside map_batches of two": udf(a, a.shift()),
    "and beside map_batches": udf(a) & (a > a.mean()),
    "or beside map_batches": udf(a) | ok.any(),
    "map_batches compared with a mean": udf(a, dtype=pl.Int64) > a.mean(),
    "map_batches compared with len": udf(a, dtype=pl.Int64) > pl.len(),
    "beside map_batches in a when": pl.when(udf(ok)).then(ok).otherwise(ok.shift()),
    "beside map_batches in all_horizontal": pl.all_horizontal(udf(ok), a > a.mean()),
}

LOOKS_AT_ITS_ROW = {
    "column": ok,
    "not": ~ok,
    "comparison": a > 1,
    "of two columns": a > b,
    "of a key": pl.col("__key__") > "k",
    "and or xor": ((a > 1) & ok) | (ok ^ (b < 2)),
    "beyond the dtype": a > 2**63,
    "lit true": pl.lit(value=True),
    "lit false": pl.lit(value=False),
    "lit null": pl.lit(None, dtype=pl.Boolean),
    "impossible": (a > 1) & (a < 0) & pl.lit(value=False),
    "is_in": a.is_in([1, 2, 3]),
    "is_in nothing": a.is_in([]),
    "is_in many": a.is_in(list(range(1000))),
    "is_in a series": s.is_in(pl.Series(["x"])),
    "is_in its list": a.is_in(sizes),
    "is_between": a.is_between(1, 3),
    "is_null": a.is_null(),
    "is_nan": b.is_nan(),
    "is_finite": b.is_finite(),
    "fill_null": a.fill_null(0) > 1,
    "fill_null from a column": a.fill_null(b) > 1,
    "fill_nan": b.fill_nan(0) > 1,
    "eq_missing": a.eq_missing(None),
    "arithmetic": (a % 2 == 0) & (b.sqrt().round(1) > 0.5) & (a.abs() + 1 > a // 2),
    "clip": a.clip(1, 3) == 2,
    "replace": a.replace({1: 2}) == 2,
    "replace_strict": a.replace_strict({1: 2}, default=0) == 2,
    "cast": a.cast(pl.String) == "1",
    "lax cast": s.cast(pl.Int64, strict=False) > 1,
    "strict cast": s.cast(pl.Int64) > 1,
    "cast to enum": s.cast(pl.Enum(["x"]), strict=False) == "x",
    "starts_with": s.str.starts_with("x"),
    "contains": s.str.contains("x|y"),
    "lower": s.str.to_lowercase() == "x",
    "len_chars": s.str.len_chars() > 2,
    "slice of text": s.str.slice(0, 2) == "x",
    "head of text": s.str.head(2) == "x",
    "split": s.str.split("-").list.get(0, null_on_oob=True) == "x",
    "extract": s.str.extract(r"(\d)", 1) == "1",
    "to_date": s.str.to_date("%Y", strict=False) > pl.date(2020, 1, 1),
    "list contains": tags.list.contains("x"),
    "list len": tags.list.len() > 1,
    "list get": tags.list.get(0, null_on_oob=True) == "x",
    "list first": tags.list.first() == "x",
    "list sort": tags.list.sort().list.first() == "x",
    "list unique": tags.list.unique().list.len() > 1,
    "list join": tags.list.join("-") == "x",
    "list mean": sizes.list.mean() > 2,
    "list max": sizes.list.max() > 2,
    "list shift": sizes.list.shift().list.first() == 1,
    "list intersection": tags.list.set_intersection(["x", "y"]).list.len() > 0,
    "list eval": sizes.list.eval(pl.element() > pl.element().mean()).list.any(),
    "when": pl.when(ok).then(a).otherwise(b) > 2,
    "when without otherwise": pl.when(a > 1).then(ok),
    "struct": pl.struct("a", "s").struct.field("a") > 1,
    "concat_str": pl.concat_str("s", pl.lit("x")) == "xx",
    "max_horizontal": pl.max_horizontal("a", "b") > 2,
    "any_horizontal": pl.any_horizontal(ok, a > 1),
    "coalesce": pl.coalesce("a", "b") > 1,
    "one column by selector": cs.by_name("ok"),
    "map_elements": a.map_elements(has_two_digits, return_dtype=pl.Boolean),
    "map_elements of a struct": pl.struct("a", "b").map_elements(has_two_digits, return_dtype=pl.Boolean),
    "map_batches": udf(ok),
    "map_batches of two": udf(ok, a),
    "map_batches of an expression": udf(a + 1),
    "not map_batches": ~udf(ok),
    "map_batches and": udf(ok) & (a > 1),
    "map_batches or": (a > 1) | udf(ok),
    "map_batches compared": udf(a, dtype=pl.Int64) > 1,
    "elementwise map_batches is_in": elementwise_udf(a, dtype=pl.Int64).is_in([1, 2]),
    "elementwise map_batches fill_null": elementwise_udf(ok).fill_null(value=False),
    "elementwise map_batches in a when": pl.when(elementwise_udf(ok)).then(ok).otherwise(a > 1),
    "elementwise map_batches in all_horizontal": pl.all_horizontal(ok, elementwise_udf(ok)),
    "elementwise map_batches, then text": elementwise_udf(s, dtype=pl.String).str.starts_with("x"),
}


@pytest.mark.parametrize("predicate", LOOKS_AT_OTHER_ROWS.values(), ids=LOOKS_AT_OTHER_ROWS)
def test_a_predicate_that_looks_at_other_rows_is_refused(predicate):
    with pytest.raises(atdata.PredicateError, match="looks at more than one row"):
        check_row_wise(predicate, SCHEMA)


def test_the_refusal_says_what_to_do():
    with pytest.raises(atdata.PredicateError, match=r"Compute it on the whole table instead: ds\.scan\(\)"):
        check_row_wise(a > a.mean(), SCHEMA)


@pytest.mark.parametrize("predicate", LOOKS_AT_ITS_ROW.values(), ids=LOOKS_AT_ITS_ROW)
def test_a_predicate_that_looks_at_its_row_is_accepted(predicate):
    before = str(predicate)
    check_row_wise(predicate, SCHEMA)
    assert str(predicate) == before


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        (a, "'a': Int64"),
        (a & 1, "'a': Int64"),
        (s, "'s': String"),
        (tags, "'tags': List"),
        (pl.lit(1), "'literal': Int32"),
        (pl.lit(None), "'literal': Null"),
        (pl.when(ok).then(a), "'a': Int64"),
        (cs.by_name("a", "s"), "'a': Int64, 's': String"),
    ],
    ids=str,
)
def test_a_predicate_that_gives_no_boolean_is_refused_with_what_it_gives(predicate, found):
    with pytest.raises(atdata.PredicateError, match=f"gives {found}.*; expected a Boolean for each row"):
        check_row_wise(predicate, SCHEMA)


def test_a_predicate_of_no_column_is_refused():
    with pytest.raises(atdata.PredicateError, match="gives no column"):
        check_row_wise(cs.date() > pl.date(2020, 1, 1), SCHEMA)


@pytest.mark.parametrize("predicate", [pl.col("a", "b") > 1, cs.numeric() > 1, pl.all().is_null()], ids=str)
def test_a_predicate_of_several_columns_at_once_is_refused(predicate):
    with pytest.raises(atdata.PredicateError, match="does not fit the columns"):
        check_row_wise(predicate, SCHEMA)


@pytest.mark.parametrize(
    "predicate",
    [a.str.contains("x"), s + 1 == "x", tags.list.contains(1), s.list.len() > 1, ok.str.starts_with("x")],
    ids=str,
)
def test_a_predicate_that_does_not_fit_the_dtypes_is_refused(predicate):
    with pytest.raises(atdata.PredicateError, match="does not fit the columns"):
        check_row_wise(predicate, SCHEMA)


LONG_SCHEMA = {"label": pl.String(), "labels": pl.List(pl.String()), "confidence": pl.Float64()}


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        (pl.col("labell") == "dog", r"'labell'.*did you mean 'label' or 'labels'.*'label', 'labels', 'confidence'"),
        (pl.col("Confidence") > 1, r"'Confidence'.*did you mean 'confidence'"),
        ((pl.col("label") == "x") & (pl.col("confidense") > 1), r"'confidense'.*did you mean 'confidence'"),
        (pl.col("label").is_in(pl.col("labelss")), r"'labelss'.*did you mean 'labels'"),
        (pl.col("label") > pl.col("mean").max(), r"'mean', which the manifests do not have; the columns are"),
    ],
    ids=["typo", "case", "second operand", "argument", "in an aggregate"],
)
def test_an_unknown_column_is_named_with_near_misses_and_columns(predicate, message):
    with pytest.raises(atdata.PredicateError, match=message):
        check_row_wise(predicate, LONG_SCHEMA)


@pytest.mark.parametrize(
    ("predicate", "dtype"),
    [
        (pl.col("t") > "2026-01-02", pl.Date()),
        (pl.col("t").list.contains("2026-01-02"), pl.List(pl.Date())),
        (pl.col("t") > dt.datetime(2026, 1, 2), pl.Datetime("us", "UTC")),
    ],
    ids=["text", "text in lists", "no zone"],
)
def test_times_that_do_not_fit_are_told_how_to_be_written(predicate, dtype):
    with pytest.raises(atdata.PredicateError, match=r"does not fit the columns.*in SQL DATE '2026-01-02'"):
        check_row_wise(predicate, {"t": dtype})


def test_other_columns_that_do_not_fit_are_not_told_of_times():
    with pytest.raises(atdata.PredicateError, match="does not fit the columns") as caught:
        check_row_wise(s > 1, SCHEMA)
    assert "TIMESTAMP" not in str(caught.value)


def test_a_chain_that_is_too_long_is_told_what_to_write():
    chain = functools.reduce(operator.or_, [a == number for number in range(1300)])
    with pytest.raises(atdata.PredicateError, match=r"joins more conditions.*\.is_in.*any_horizontal"):
        check_row_wise(chain, SCHEMA)
    check_row_wise(pl.any_horizontal(a == number for number in range(1300)), SCHEMA)


def test_none_is_found_in_a_long_chain():
    chain = functools.reduce(operator.or_, [a == number for number in range(300)], a == pl.lit(None))
    with pytest.raises(atdata.PredicateError, match="compares with None"):
        check_row_wise(chain & (a > a.mean()), SCHEMA)


def test_a_long_predicate_is_shown_in_part():
    with pytest.raises(atdata.PredicateError) as caught:
        check_row_wise(pl.any_horizontal(a > a.mean(), *(a == number for number in range(1000))), SCHEMA)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "predicate",
    [pl.col("a") == "x", pl.col("s") > 1, pl.col("tags").list.contains(3), pl.col("a").str.len_chars() > 1],
    ids=str,
)
def test_operands_that_do_not_go_together_are_refused_before_any_row_is_read(predicate):
    with pytest.raises(atdata.PredicateError, match="does not fit the columns"):
        check_row_wise(predicate, SCHEMA)


@pytest.mark.parametrize(
    "compare",
    [
        lambda: pl.col("s") == None,  # noqa: E711 -- the slip
        lambda: pl.col("s") != pl.lit(None),
        lambda: ~(pl.lit(None) == pl.col("s")),
    ],
    ids=["equal", "unequal", "turned round"],
)
@pytest.mark.filterwarnings("ignore:Comparisons with None")
def test_a_comparison_with_none_says_how_to_ask_for_null(compare):
    with pytest.raises(atdata.PredicateError, match=r"compares with None.*\.is_null\(\)"):
        check_row_wise(compare(), SCHEMA)


def test_a_function_over_columns_is_told_how_to_say_that_it_is_row_wise():
    with pytest.raises(atdata.PredicateError, match="looks at more than one row.*is_elementwise=True"):
        check_row_wise(udf(ok).fill_null(value=False), SCHEMA)


def test_an_unknown_column_beside_a_known_one_is_one_line():
    with pytest.raises(atdata.PredicateError) as caught:
        check_row_wise(pl.col("zz", "a") > 1, SCHEMA)
    assert "\n" not in str(caught.value)
