import datetime as dt
import decimal
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata._manifest._dtypes import SCALARS, dtype_text, is_number, parse_dtype, text_value, value_text
from tests.tiers import law

LAW = law(50, soaking=600)
UTC = pl.Datetime("us", "UTC")
DTYPES = sorted({*SCALARS.values(), UTC, pl.Decimal(12, 2), pl.Decimal(38, 38), pl.Decimal(38, 0)}, key=str)
#: The values of each dtype, by what the dtype itself can hold.
VALUES = {
    pl.String(): st.text(),
    pl.Boolean(): st.booleans(),
    pl.Float32(): st.floats(width=32, allow_nan=False),
    pl.Float64(): st.floats(allow_nan=False),
    pl.Date(): st.dates(),
    pl.Time(): st.times(),
    pl.Datetime("us"): st.datetimes(),
    UTC: st.datetimes(timezones=st.just(dt.UTC)),
    pl.Duration("us"): st.integers(-(2**63) + 1, 2**63 - 1).map(lambda n: dt.timedelta(microseconds=n)),
    **{
        pl.Decimal(p, s): st.integers(-(10**p) + 1, 10**p - 1).map(lambda n, s=s: decimal.Decimal(f"{n}E-{s}"))
        for p, s in ((12, 2), (38, 38), (38, 0))
    },
    **{
        getattr(pl, f"{sign}Int{bits}")(): st.integers(
            0 if sign else -(1 << (bits - 1)), (1 << bits if sign else 1 << (bits - 1)) - 1
        )
        for sign in ("", "U")
        for bits in (8, 16, 32, 64)
    },
}


def test_the_values_of_every_dtype_are_tried():
    assert set(VALUES) == set(DTYPES)


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        (pl.String(), "String"),
        (pl.Boolean(), "Boolean"),
        (pl.Int64(), "Int64"),
        (pl.UInt8(), "UInt8"),
        (pl.Float32(), "Float32"),
        (pl.List(pl.String()), "List(String)"),
        (pl.List(pl.Float64()), "List(Float64)"),
        (pl.Date(), "Date"),
        (pl.Time(), "Time"),
        (pl.Datetime("us"), "Datetime(us)"),
        (pl.Datetime("us", "UTC"), "Datetime(us, UTC)"),
        (pl.Duration("us"), "Duration(us)"),
        (pl.Decimal(12, 2), "Decimal(12, 2)"),
        (pl.List(pl.Date()), "List(Date)"),
        (pl.List(pl.Decimal(38, 0)), "List(Decimal(38, 0))"),
    ],
)
def test_a_dtype_has_its_documented_text(dtype, text):
    assert dtype_text(dtype) == text


@pytest.mark.parametrize("dtype", [*DTYPES, *map(pl.List, DTYPES)], ids=str)
def test_a_dtype_comes_back_from_its_text(dtype):
    assert parse_dtype(dtype_text(dtype)) == dtype


UNKNOWN = [
    "Datetime",
    "Datetime(s)",
    "Datetime(us,UTC)",
    "Datetime(us, )",
    "Duration()",
    "Decimal(2, 12)",
    "Decimal(39, 2)",
    "Decimal(12)",
]


@pytest.mark.parametrize("text", ["Int65", "", "List(", "List(Int64", "List()", "List(Nope)", "int64", *UNKNOWN])
def test_an_unknown_dtype_is_refused_by_name(text):
    with pytest.raises(atdata.UnsupportedFormatError, match="is not known to this version"):
        parse_dtype(text)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.soak
def test_a_value_comes_back_from_its_text(dtype):
    @LAW
    @given(VALUES[dtype])
    def holds(value):
        (value,) = pl.Series([value], dtype=dtype)
        again = pl.Series([text_value(value_text(value, dtype), dtype)], dtype=dtype).item()
        assert again == value
        assert not isinstance(value, float) or math.copysign(1, again) == math.copysign(1, value)

    holds()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.soak
def test_different_values_have_different_texts(dtype):
    @LAW
    @given(VALUES[dtype], VALUES[dtype])
    def holds(one, other):
        one, other = pl.Series([one, other], dtype=dtype)
        if one != other:
            assert value_text(one, dtype) != value_text(other, dtype)

    holds()


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (True, pl.Boolean(), "True"),
        (False, pl.Boolean(), "False"),
        (7, pl.Int64(), "7"),
        (0.1, pl.Float64(), "0.1"),
        (1.0, pl.Float64(), "1.0"),
        (float(np.float32(0.1)), pl.Float32(), "0.1"),
        (math.inf, pl.Float64(), "inf"),
        (-math.inf, pl.Float32(), "-inf"),
        ("1.0", pl.String(), "1.0"),
        ("", pl.String(), ""),
        (dt.date(2026, 1, 2), pl.Date(), "2026-01-02"),
        (dt.time(1, 2, 3, 4), pl.Time(), "01:02:03.000004"),
        (dt.datetime(2026, 1, 2, 3), pl.Datetime("us"), "2026-01-02T03:00:00"),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), UTC, "2026-01-02T03:00:00+00:00"),
        (dt.timedelta(days=1, seconds=1.5), pl.Duration("us"), "P1DT1.5S"),
        (dt.timedelta(microseconds=-1), pl.Duration("us"), "-PT0.000001S"),
        (decimal.Decimal("1.5"), pl.Decimal(12, 2), "1.50"),
        (decimal.Decimal("0E-38"), pl.Decimal(38, 38), f"0.{'0' * 38}"),
    ],
)
def test_a_value_has_its_documented_text(value, dtype, text):
    assert value_text(value, dtype) == text


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numbers_and_times_have_bounds_and_nothing_else_has(dtype):
    assert is_number(dtype) is (dtype not in (pl.String, pl.Boolean))
