import collections
import datetime as dt
import json
import math
import statistics
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata._manifest import MAX_VALUES, aggregate_of
from atdata._manifest._dtypes import text_value, value_text
from atdata._manifest._value_counts import truncated
from tests.tiers import law

LAW = law(100)
FEWER = law(40, soaking=600)  # for each dtype
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
#: Text that repeats, with some of it far from ASCII.
WORDS = st.one_of(st.sampled_from(["dog", "cat", "", "é", "漢", "\U0010ffff", "True"]), st.text(max_size=5))


def of(values, kind, dtype):
    return aggregate_of(kind).of(pl.Series("field", values, dtype, strict=True))


def in_first_seen_order(values):
    return collections.Counter(value for value in values if value is not None)


def lists_of(elements):
    return st.lists(st.none() | st.lists(st.none() | elements, max_size=6), max_size=12)


@LAW
@given(st.lists(st.none() | WORDS, max_size=30))
def test_a_categorical_aggregate_counts_each_text(values):
    counts = in_first_seen_order(values)
    summary = of(values, "categorical", pl.String())
    assert summary["value_counts"] == counts
    assert list(summary["value_counts"]) == list(counts)
    assert summary["cardinality"] == len(counts)
    assert summary.get("null_count", 0) == values.count(None)


@LAW
@given(st.lists(st.none() | st.booleans(), max_size=30))
def test_a_categorical_aggregate_counts_booleans_as_true_and_false(values):
    texts = {True: "True", False: "False"}
    counts = {texts[value]: n for value, n in in_first_seen_order(values).items()}
    summary = of(values, "categorical", pl.Boolean())
    assert list(summary["value_counts"].items()) == list(counts.items())


@LAW
@given(st.lists(st.none() | INT64 | st.integers(-3, 3), max_size=30))
def test_a_categorical_aggregate_of_integers_has_their_digits(values):
    counts = {f"{value:d}": n for value, n in in_first_seen_order(values).items()}
    assert list(of(values, "categorical", pl.Int64())["value_counts"].items()) == list(counts.items())


@LAW
@given(st.lists(st.none() | st.floats() | st.sampled_from([0.5, math.nan]), max_size=30))
def test_a_categorical_aggregate_of_floats_counts_nan_apart(values):
    known = [value for value in values if value is not None and not math.isnan(value)]
    summary = of(values, "categorical", pl.Float64())
    assert {float(text): n for text, n in summary["value_counts"].items()} == collections.Counter(known)
    assert summary.get("nan_count", 0) == sum(value is not None and math.isnan(value) for value in values)
    assert summary.get("null_count", 0) == values.count(None)


@pytest.mark.parametrize("count", ["null_count", "nan_count"])
@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        (["a"], "categorical", pl.String()),
        ([1.0], "numeric", pl.Float64()),
        ([["a"], []], "set", pl.List(pl.String())),
    ],
    ids=["categorical", "numeric", "set"],
)
def test_counts_of_nulls_and_nan_are_absent_where_there_are_none(values, kind, dtype, count):
    assert count not in of(values, kind, dtype)


@LAW
@given(st.lists(st.none() | INT64, min_size=1, max_size=30))
def test_a_numeric_aggregate_bounds_integers_exactly(values):
    known = [value for value in values if value is not None]
    summary = of(values, "numeric", pl.Int64())
    assert (summary["min"], summary["max"]) == (min(known, default=None), max(known, default=None))
    assert (summary["count"], summary.get("null_count", 0)) == (len(known), values.count(None))
    assert not known or isinstance(summary["min"], int)


@LAW
@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=30))
def test_a_numeric_aggregate_has_the_mean_of_integers(values):
    assert of(values, "numeric", pl.Int64())["mean"] == pytest.approx(statistics.fmean(values))


@LAW
@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=30))
@pytest.mark.parametrize("dtype", [pl.Float32(), pl.Float64()], ids=str)
def test_a_numeric_aggregate_has_the_mean_of_floats(dtype, values):
    largest = max(map(abs, values))
    mean = of(values, "numeric", dtype)["mean"]
    assert mean == pytest.approx(statistics.fmean(values), rel=1e-5, abs=1e-5 * largest)


@LAW
@given(st.lists(st.none() | st.floats(allow_infinity=False) | st.just(math.nan), max_size=30))
def test_a_numeric_aggregate_leaves_nan_and_null_out_of_its_bounds(values):
    known = [value for value in values if value is not None and not math.isnan(value)]
    summary = of(values, "numeric", pl.Float64())
    assert (summary["min"], summary["max"]) == (min(known, default=None), max(known, default=None))
    assert summary["count"] == len(known)
    assert summary.get("nan_count", 0) == len(values) - values.count(None) - len(known)
    assert summary.get("null_count", 0) == values.count(None)
    assert "unbounded" not in summary


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([1.0, math.inf], 1.0, None),
        ([-math.inf, 1.0], None, 1.0),
        ([-math.inf, math.inf, 0.0], None, None),
        ([math.inf], None, None),
        ([math.inf, math.nan, None, 2.0], 2.0, None),
    ],
)
def test_an_infinite_bound_is_null_and_said_to_be_unbounded(values, low, high):
    summary = of(values, "numeric", pl.Float64())
    assert (summary["min"], summary["max"], summary["unbounded"]) == (low, high, True)


@pytest.mark.parametrize("values", [[1.0, math.inf], [-math.inf, math.inf]])
def test_a_mean_that_is_no_number_is_null(values):
    assert of(values, "numeric", pl.Float64())["mean"] is None


@pytest.mark.parametrize("values", [[], [None, None], [math.nan], [math.nan, None]])
def test_a_numeric_aggregate_without_a_value_has_null_bounds_and_count_0(values):
    summary = of(values, "numeric", pl.Float64())
    assert (summary["count"], summary["min"], summary["max"], summary["mean"]) == (0, None, None, None)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.Int64(), [2**53 + 1, 2**53 + 3]),
        (pl.Int64(), [-(2**63), 2**63 - 1]),
        (pl.UInt64(), [2**64 - 1, 2**63 + 1]),
    ],
    ids=["beyond float", "int64 edges", "uint64 edges"],
)
def test_integers_beyond_the_reach_of_floats_are_exact(dtype, values):
    summary = of(values, "numeric", dtype)
    assert (summary["min"], summary["max"]) == (min(values), max(values))


def test_bounds_of_float32_are_the_stored_values():
    (stored,) = pl.Series([0.1], dtype=pl.Float32)
    summary = of([0.1], "numeric", pl.Float32())
    assert summary["min"] == summary["max"] == stored


@LAW
@given(lists_of(WORDS))
def test_a_set_aggregate_lists_its_texts_sorted_with_the_rows_that_hold_them(values):
    held = collections.Counter(element for row in values if row for element in set(row) if element is not None)
    summary = of(values, "set", pl.List(pl.String()))
    assert summary["all_values"] == sorted(held)
    assert summary["value_counts"] == held
    assert list(summary["value_counts"]) == sorted(held)
    assert summary.get("null_count", 0) == values.count(None)


@LAW
@given(lists_of(INT64 | st.integers(-2, 2)))
def test_a_set_aggregate_lists_integers_as_numbers(values):
    held = collections.Counter(element for row in values if row for element in set(row) if element is not None)
    summary = of(values, "set", pl.List(pl.Int64()))
    assert summary["all_values"] == sorted(held)
    assert summary["value_counts"] == {str(value): n for value, n in held.items()}


@LAW
@given(lists_of(st.floats(allow_infinity=False) | st.sampled_from([0.5, math.nan])))
def test_a_set_aggregate_counts_rows_that_hold_nan_apart(values):
    rows = [{e for e in row if e is not None and not math.isnan(e)} for row in values if row]
    summary = of(values, "set", pl.List(pl.Float64()))
    assert summary["all_values"] == sorted(set().union(*rows))
    assert summary.get("nan_count", 0) == sum(
        any(e is not None and math.isnan(e) for e in row) for row in values if row
    )


def test_a_set_aggregate_lists_booleans_as_booleans():
    summary = of([[True, False], [True]], "set", pl.List(pl.Boolean()))
    assert summary["all_values"] == [False, True]
    assert summary["value_counts"] == {"False": 1, "True": 2}


def test_a_set_aggregate_lists_infinities_as_text():
    summary = of([[math.inf, 1.0], [-math.inf]], "set", pl.List(pl.Float64()))
    assert summary["all_values"] == ["-inf", 1.0, "inf"]


def test_an_element_that_a_row_repeats_counts_once():
    assert of([["x", "x", "y", "x"], ["x"]], "set", pl.List(pl.String()))["value_counts"] == {"x": 2, "y": 1}


@pytest.mark.parametrize("values", [[], [[]], [None], [[], None], [[None]]])
def test_a_set_without_an_element_is_empty(values):
    summary = of(values, "set", pl.List(pl.String()))
    assert (summary["all_values"], summary["value_counts"]) == ([], {})


def test_as_many_values_as_a_header_lists_are_not_truncated():
    summary = of([f"v{n}" for n in range(MAX_VALUES)], "categorical", pl.String())
    assert "truncated" not in summary
    assert len(summary["value_counts"]) == MAX_VALUES == 1000


@pytest.mark.parametrize("kind", ["categorical", "set"])
def test_one_value_more_than_a_header_lists_is_truncated_with_the_exact_cardinality(kind):
    texts = [f"v{n:04d}" for n in range(1001)]
    values, dtype = (texts, pl.String()) if kind == "categorical" else ([[t] for t in texts], pl.List(pl.String()))
    summary = of(values, kind, dtype)
    assert summary["truncated"] is True
    assert summary["cardinality"] == 1001
    assert len(summary["value_counts"]) == 1000
    assert summary["min"] <= "v0000"
    assert summary["max"] >= "v1000"


def test_the_most_frequent_values_stay():
    values = [f"v{n}" for n in range(1500) for _ in range(2 if n >= 500 else 1)]
    summary = of(values, "categorical", pl.String())
    assert set(summary["value_counts"]) == {f"v{n}" for n in range(500, 1500)}
    assert set(summary["value_counts"].values()) == {2}


def test_values_that_stay_keep_their_order():
    values = [f"v{n * 7919 % 1500}" for n in range(1500)]
    listed = list(of(values, "categorical", pl.String())["value_counts"])
    assert listed == [value for value in values if value in set(listed)]


def test_a_truncated_set_lists_the_same_values_twice():
    values = [[n, -n] for n in range(1, 800)]
    summary = of(values, "set", pl.List(pl.Int64()))
    assert summary["all_values"] == sorted(summary["all_values"])
    assert [str(value) for value in summary["all_values"]] == list(summary["value_counts"])


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (list(range(2**53, 2**53 + 1200)), pl.Int64()),
        ([n - 600.5 for n in range(1200)], pl.Float64()),
        ([f"{n}" for n in range(1200)], pl.String()),
    ],
    ids=["Int64", "Float64", "String"],
)
def test_bounds_of_a_truncated_aggregate_are_those_of_all_values(values, dtype):
    summary = of(values, "categorical", dtype)
    assert (summary["min"], summary["max"]) == (min(values), max(values))


LONG = st.text(st.sampled_from("aé漢\ud7ff\ue000\U0001f600\U0010ffff"), min_size=60, max_size=80) | st.builds(
    lambda character, n, tail: character * n + tail,
    st.sampled_from("a\ud7ff\U0010ffff"),
    st.integers(60, 70),
    st.text(max_size=4),
)


@LAW
@given(st.lists(LONG | st.text(max_size=3), min_size=2, max_size=10, unique=True))
def test_bounds_of_truncated_texts_hold_all_of_them_in_byte_order(values):
    whole = of(values, "categorical", pl.String())
    summary = truncated(whole, 1, pl.String())
    low, high = summary["min"], summary["max"]
    assert all(low.encode() <= value.encode() for value in values)
    assert high is None or all(value.encode() <= high.encode() for value in values)
    assert summary["cardinality"] == len(values)


@LAW
@given(st.lists(LONG, min_size=2, max_size=10, unique=True))
def test_bounds_of_truncated_texts_are_short(values):
    summary = truncated(of(values, "categorical", pl.String()), 1, pl.String())
    assert len(summary["min"]) <= 64
    assert len(summary["max"] or "") <= 64


def test_texts_of_the_last_character_alone_have_no_upper_bound():
    values = ["\U0010ffff" * 100, "a"]
    assert truncated(of(values, "categorical", pl.String()), 1, pl.String())["max"] is None


def test_short_texts_are_bounded_by_themselves():
    summary = truncated(of(["b", "é", "a"], "categorical", pl.String()), 1, pl.String())
    assert (summary["min"], summary["max"]) == ("a", "é")


def test_truncating_twice_keeps_the_bounds_and_the_cardinality_of_all():
    whole = of([[f"v{n}"] for n in range(9)], "set", pl.List(pl.String()))
    twice = truncated(truncated(whole, 5, pl.String()), 2, pl.String())
    assert (twice["cardinality"], twice["min"], twice["max"]) == (9, "v0", "v8")
    assert len(twice["all_values"]) == len(twice["value_counts"]) == 2


def test_truncating_to_nothing_keeps_the_bounds():
    summary = truncated(of([3, 1, 2], "categorical", pl.Int64()), 0, pl.Int64())
    assert (summary["value_counts"], summary["min"], summary["max"], summary["cardinality"]) == ({}, 1, 3, 3)


def test_what_fits_is_not_truncated():
    whole = of(["a", "b"], "categorical", pl.String())
    assert truncated(whole, 2, pl.String()) == whole


def test_truncating_leaves_the_given_aggregate_alone():
    whole = of([["a"], ["b"]], "set", pl.List(pl.String()))
    before = {name: each.copy() if isinstance(each, dict | list) else each for name, each in whole.items()}
    truncated(whole, 1, pl.String())
    assert whole == before


def test_a_text_that_stands_for_a_number_is_not_taken_for_one():
    summary = truncated(of(["10", "9"], "categorical", pl.String()), 1, pl.String())
    assert (summary["min"], summary["max"]) == ("10", "9")


def test_the_listed_text_of_a_float32_is_its_shortest():
    (stored,) = pl.Series([0.1], dtype=pl.Float32)
    assert value_text(stored, pl.Float32()) in of([0.1], "categorical", pl.Float32())["value_counts"]
    assert list(of([0.1], "categorical", pl.Float32())["value_counts"]) == ["0.1"]


#: Dtypes whose values JSON does not have, with values of them.
TEXTUAL = {
    pl.Date(): st.dates(),
    pl.Time(): st.times(),
    pl.Datetime("us"): st.datetimes(),
    pl.Datetime("us", "UTC"): st.datetimes(timezones=st.just(dt.UTC)),
    pl.Duration("us"): st.integers(-(2**62), 2**62).map(lambda n: dt.timedelta(microseconds=n)),
    pl.Decimal(12, 2): st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal(n).scaleb(-2)),
}
TEXTUAL_DTYPES = pytest.mark.parametrize("dtype", TEXTUAL, ids=str)


@TEXTUAL_DTYPES
@pytest.mark.soak
def test_the_bounds_of_times_and_decimals_are_exact_text_and_there_is_no_mean(dtype):
    @FEWER
    @given(st.lists(st.none() | TEXTUAL[dtype], max_size=12))
    def holds(values):
        known = [value for value in values if value is not None]
        summary = json.loads(json.dumps(of(values, "numeric", dtype)))
        bounds = [None if text is None else text_value(text, dtype) for text in (summary["min"], summary["max"])]
        assert bounds == [min(known, default=None), max(known, default=None)]
        assert summary["mean"] is None
        assert (summary["count"], summary.get("null_count", 0)) == (len(known), values.count(None))
        assert "unbounded" not in summary

    holds()


@TEXTUAL_DTYPES
@pytest.mark.soak
def test_times_and_decimals_are_counted_by_value(dtype):
    @FEWER
    @given(st.lists(st.none() | TEXTUAL[dtype], max_size=12))
    def holds(values):
        summary = json.loads(json.dumps(of(values, "categorical", dtype)))
        counts = {text_value(text, dtype): n for text, n in summary["value_counts"].items()}
        assert counts == in_first_seen_order(values)

    holds()


@TEXTUAL_DTYPES
@pytest.mark.soak
def test_the_elements_of_times_and_decimals_are_sorted_by_value(dtype):
    @FEWER
    @given(st.lists(st.none() | st.lists(TEXTUAL[dtype], max_size=4), max_size=6))
    def holds(values):
        summary = json.loads(json.dumps(of(values, "set", pl.List(dtype))))
        found = [text_value(text, dtype) for text in summary["all_values"]]
        assert found == sorted({element for value in values if value for element in value})
        assert list(summary["value_counts"]) == summary["all_values"]

    holds()


@TEXTUAL_DTYPES
@pytest.mark.soak
def test_a_truncated_aggregate_of_times_and_decimals_bounds_them_all(dtype):
    @FEWER
    @given(st.lists(TEXTUAL[dtype], min_size=2, max_size=12, unique=True))
    def holds(values):
        short = json.loads(json.dumps(truncated(of(values, "categorical", dtype), 1, dtype)))
        assert (len(short["value_counts"]), short["truncated"]) == (1, True)
        assert (text_value(short["min"], dtype), text_value(short["max"], dtype)) == (min(values), max(values))

    holds()
