"""Columns from outside, as a sample table holds them."""

import datetime as dt
import io
from decimal import Decimal

import polars as pl
import pytest

from atdata import SchemaError
from atdata._manifest._dtypes import SCALARS, dtype_text, parse_dtype, storable, storable_dtype
from atdata._manifest._table import parquet_bytes

UTC = pl.Datetime("us", "UTC")
NOON = dt.datetime(2026, 1, 2, 12)


@pytest.mark.parametrize("dtype", [*dict.fromkeys(SCALARS.values()), UTC, pl.Decimal(12, 2)], ids=str)
def test_what_a_table_holds_stays_as_it_is(dtype):
    assert storable_dtype(dtype) == dtype
    assert storable_dtype(pl.List(dtype)) == pl.List(dtype)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pl.Series(["a", None], dtype=pl.Categorical), pl.String()),
        (pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])), pl.String()),
        (pl.Series([0.5], dtype=pl.Float16), pl.Float32()),
        (pl.Series([NOON], dtype=pl.Datetime("ms")), pl.Datetime("us")),
        (pl.Series([NOON], dtype=pl.Datetime("ns")), pl.Datetime("us")),
        (pl.Series([dt.timedelta(seconds=1)], dtype=pl.Duration("ns")), pl.Duration("us")),
        (pl.Series([[0.5, 1.5]], dtype=pl.Array(pl.Float32, 2)), pl.List(pl.Float32())),
        (pl.Series([["a"], None, []], dtype=pl.List(pl.Categorical)), pl.List(pl.String())),
        (pl.Series([[NOON]], dtype=pl.List(pl.Datetime("ns"))), pl.List(pl.Datetime("us"))),
    ],
    ids=lambda each: str(each.dtype) if isinstance(each, pl.Series) else str(each),
)
def test_what_a_table_holds_otherwise_keeps_its_values(values, dtype):
    stored = storable(values)
    assert stored.dtype == dtype
    assert stored.to_list() == values.to_list()
    back = pl.read_parquet(io.BytesIO(parquet_bytes(stored.alias("x").to_frame())))["x"]
    assert back.equals(stored, check_dtypes=True)


def test_a_moment_of_another_zone_is_the_same_moment_in_utc():
    values = pl.Series([NOON], dtype=pl.Datetime("us")).dt.replace_time_zone("Europe/Berlin")
    stored = storable(values)
    assert stored.dtype == UTC
    assert stored.to_list() == [dt.datetime(2026, 1, 2, 11, tzinfo=dt.UTC)]


@pytest.mark.parametrize(
    "dtype",
    [
        pl.Null(),
        pl.Binary(),
        pl.Object(),
        pl.Int128(),
        pl.UInt128(),
        pl.Struct({"a": pl.Int64}),
        pl.List(pl.Null()),
        pl.List(pl.List(pl.Int64)),
        pl.List(pl.Binary()),
        pl.Array(pl.Int64, (2, 2)),
    ],
    ids=str,
)
def test_what_no_table_holds_is_refused_by_column_and_dtype(dtype):
    assert storable_dtype(dtype) is None
    with pytest.raises(SchemaError, match=r"'x' is .*which no sample table holds") as caught:
        storable(pl.Series("x", [], dtype=dtype))
    assert dtype_text(dtype) in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "hint"),
    [
        (pl.Null(), "pl.Series(values, dtype=pl.Float64)"),
        (pl.Int128(), "cast it to Int64"),
        (pl.Struct({"a": pl.Int64}), ".unnest()"),
        (pl.List(pl.List(pl.Int64)), "lists in lists"),
    ],
    ids=str,
)
def test_what_to_do_instead_is_said(dtype, hint):
    with pytest.raises(SchemaError) as caught:
        storable(pl.Series("x", [], dtype=dtype))
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series("x", [1001], dtype=pl.Datetime("ns")),
        pl.Series("x", [-1], dtype=pl.Duration("ns")),
        pl.Series("x", [1], dtype=pl.Time),
        pl.Series("x", [[1000], [1001]], dtype=pl.List(pl.Datetime("ns"))),
    ],
    ids=lambda each: str(each.dtype),
)
def test_what_is_finer_than_a_microsecond_is_refused_not_rounded(values):
    with pytest.raises(SchemaError, match=r"'x' holds times finer than a microsecond.*round"):
        storable(values)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series("x", [2**62], dtype=pl.Datetime("us")),
        pl.Series("x", [-(2**61)], dtype=UTC),
        pl.Series("x", [2**30], dtype=pl.Date),
        pl.Series("x", [[2**30]], dtype=pl.List(pl.Date)),
    ],
    ids=lambda each: str(each.dtype),
)
def test_days_that_no_text_tells_are_refused(values):
    with pytest.raises(SchemaError, match="'x' holds dates outside the years 1 to 9999"):
        storable(values)


def test_the_first_and_the_last_day_are_held():
    ends = [dt.datetime(1, 1, 1), None, dt.datetime(9999, 12, 31, 23, 59, 59, 999_999)]
    assert storable(pl.Series("x", ends)).to_list() == ends
    days = [[dt.date.min, dt.date.max]]
    assert storable(pl.Series("x", days)).to_list() == days


def test_a_duration_that_microseconds_cannot_count_is_refused():
    with pytest.raises(SchemaError, match=r"'x' is Duration\(ms\), and not all of its values fit Duration\(us\)"):
        storable(pl.Series("x", [2**62], dtype=pl.Duration("ms")))


def test_decimals_keep_their_places():
    stored = storable(pl.Series("x", [Decimal("1.50")], dtype=pl.Decimal(10, 2)))
    assert stored.dtype == parse_dtype("Decimal(10, 2)")
    assert stored.to_list() == [Decimal("1.50")]
