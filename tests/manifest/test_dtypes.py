import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import atdata
from atdata.manifest._dtypes import SCALARS, dtype_text, is_number, parse_dtype, text_value, value_text

LAW = settings(derandomize=True, deadline=None, max_examples=100)
DTYPES = sorted(set(SCALARS.values()), key=str)
#: The values of each dtype, by what the dtype itself can hold.
VALUES = {
    pl.String(): st.text(),
    pl.Boolean(): st.booleans(),
    pl.Float32(): st.floats(width=32, allow_nan=False),
    pl.Float64(): st.floats(allow_nan=False),
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
    ],
)
def test_a_dtype_has_its_documented_text(dtype, text):
    assert dtype_text(dtype) == text


@pytest.mark.parametrize("dtype", [*DTYPES, *map(pl.List, DTYPES)], ids=str)
def test_a_dtype_comes_back_from_its_text(dtype):
    assert parse_dtype(dtype_text(dtype)) == dtype


@pytest.mark.parametrize("text", ["Int65", "", "List(", "List(Int64", "List()", "List(Nope)", "Date", "int64"])
def test_an_unknown_dtype_is_refused_by_name(text):
    with pytest.raises(atdata.UnsupportedFormatError, match="is not known to this version"):
        parse_dtype(text)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_value_comes_back_from_its_text(dtype):
    @LAW
    @given(VALUES[dtype])
    def law(value):
        (value,) = pl.Series([value], dtype=dtype)
        again = pl.Series([text_value(value_text(value, dtype), dtype)], dtype=dtype).item()
        assert again == value
        assert not isinstance(value, float) or math.copysign(1, again) == math.copysign(1, value)

    law()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_different_values_have_different_texts(dtype):
    @LAW
    @given(VALUES[dtype], VALUES[dtype])
    def law(one, other):
        one, other = pl.Series([one, other], dtype=dtype)
        if one != other:
            assert value_text(one, dtype) != value_text(other, dtype)

    law()


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
    ],
)
def test_a_value_has_its_documented_text(value, dtype, text):
    assert value_text(value, dtype) == text


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_integers_and_floats_are_numbers_and_nothing_else_is(dtype):
    assert is_number(dtype) is (dtype not in (pl.String, pl.Boolean))
