"""A Polars dtype in an annotation: which values it lets in, and which types it does not fit."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Optional

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from tests.tiers import law

LAW = law(200)
UTC = pl.Datetime("us", "UTC")
NAIVE, AWARE = dt.datetime(2026, 1, 2), dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))
PRICE = Annotated[Decimal, pl.Decimal(6, 2)]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (PRICE, Decimal("1234.56")),
        (PRICE, Decimal("-0.01")),
        (PRICE, Decimal(5)),
        (PRICE, Decimal("1E+3")),
        (PRICE, Decimal("0E+9")),
        (Optional[PRICE], None),  # noqa: UP045 -- the spelling is the point
        (Annotated[Decimal | None, pl.Decimal(6, 2)], None),
        (Annotated[dt.datetime, UTC], AWARE),
        (Annotated[dt.datetime, pl.Datetime("us")], NAIVE),
        (Annotated[dt.datetime, pl.Datetime], NAIVE),
        (Annotated[dt.time, pl.Time], dt.time(1)),
        (Annotated[int, pl.Int8], -128),
        (Annotated[int, pl.UInt64()], 2**64 - 1),
        (Annotated[float, pl.Float32], 0.1),
        (Annotated[float, pl.Float32], float("inf")),
        (Annotated[float, pl.Float32], 3.4028235e38),
        (Annotated[str, pl.String], "a"),
        (Annotated[bool, pl.Boolean], True),
        (Annotated[dt.date, pl.Date], dt.date(2026, 1, 2)),
        (list[Annotated[int, pl.Int8]], [1, 2]),
    ],
    ids=repr,
)
def test_a_value_that_fits_comes_back_as_it_was(annotation, value, one):
    again = one(annotation).back(value)
    assert again == value
    assert str(again) == str(value)


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        (PRICE, Decimal("1.234"), r"at most 4 digits before the point and 2 after it.*quantize\(Decimal\('1e-2'\)\)"),
        (PRICE, Decimal("1.200"), "and 2 after it, found Decimal"),
        (PRICE, Decimal(12345), "at most 4 digits before the point"),
        (PRICE, Decimal("1E+4"), "at most 4 digits before the point"),
        (PRICE, Decimal("NaN"), "expected a Decimal of at most"),
        (PRICE, Decimal("-Infinity"), "expected a Decimal of at most"),
        (PRICE, 5, "expected a Decimal, found int"),
        (Annotated[dt.datetime, UTC], NAIVE, "a datetime with a zone.*replace\\(tzinfo=datetime.UTC\\)"),
        (
            Annotated[dt.datetime, pl.Datetime("us")],
            AWARE,
            r'without a zone.*Annotated\[datetime, pl\.Datetime\("us", "UTC"\)\]',
        ),
        (Annotated[dt.time, pl.Time], dt.time(1, tzinfo=dt.UTC), "a time without a zone"),
        (Annotated[int, pl.Int8], 128, "fits a column of Int8, found int 128"),
        (Annotated[int, pl.UInt8], -1, "fits a column of UInt8, found int -1"),
        (Annotated[int, pl.Int8], True, "expected int, found bool"),
        (Annotated[float, pl.Float32], -1e39, "fits a column of Float32"),
        (Annotated[float, pl.Float32], True, "expected float, found bool"),
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_is_refused_and_never_changed(annotation, value, problem, one):
    with pytest.raises(atdata.SampleValueError, match=f"field 'value': .*{problem}"):
        one(annotation).stored(value)


@LAW
@given(st.decimals(-(10**7), 10**7, allow_nan=False, places=3) | st.decimals(-99, 99, allow_nan=False, places=2))
def test_a_decimal_is_taken_where_the_column_gives_it_back_and_nowhere_else(value):
    @atdata.packable
    class Sample:
        price: PRICE

    exponent = value.as_tuple().exponent
    whole = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    try:
        Sample(value).packed  # noqa: B018 -- may raise
    except atdata.SampleValueError:
        assert exponent < -2 or whole > 4
    else:
        assert pl.Series([value], dtype=pl.Decimal(6, 2), strict=True).item() == value


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (Annotated[int, pl.Float64], "a column of Float64 does not hold values of type int; use pl.Int8"),
        (Annotated[float, pl.Int64], "does not hold values of type float; use pl.Float64 or pl.Float32"),
        (Annotated[str, pl.Int64], "does not hold values of type str"),
        (Annotated[int, pl.Int128], "does not hold values of type int"),
        (Annotated[bool, pl.Int8], "does not hold values of type bool"),
        (Annotated[dt.datetime, pl.Date], "does not hold values of type datetime; use pl.Datetime"),
        (Annotated[dt.datetime, pl.Datetime("ms")], "use pl.Datetime"),
        (Annotated[dt.datetime, pl.Datetime("us", "Europe/Paris")], "use pl.Datetime"),
        (Annotated[Decimal, pl.Float64], r"Annotated\[Decimal, pl\.Decimal\(12, 2\)\]"),
        (Annotated[list[int], pl.List(pl.Int8)], "of a list, annotate the elements"),
    ],
    ids=str,
)
def test_a_dtype_that_does_not_fit_the_type_is_refused(annotation, problem, one):
    with pytest.raises(atdata.SchemaError, match=rf"Holder\.value: .*{problem}"):
        one(annotation)
