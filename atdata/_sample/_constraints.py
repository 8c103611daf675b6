"""A Polars dtype in an annotation: it says the column's dtype, and narrows which values are written."""

import datetime as dt
import decimal
from typing import Any

import polars as pl

from atdata._errors import SampleValueError, SchemaError

from ._checks import Check, Codec, check_float, check_int, name_of
from ._scalars import clean_datetime, clean_decimal

__all__ = ["dtype_in", "integer_range", "refined"]

#: The digits of Polars' widest Decimal.
_MAX_DIGITS = 38
#: The least number that rounds to infinity as a 32-bit float: half a step above the largest finite one.
_BEYOND_FLOAT32 = (2 - 2**-24) * 2.0**127
_UTC = pl.Datetime("us", "UTC")
#: What a type's own column is; naming it changes nothing.
_OWN: dict[Any, pl.DataType] = {
    str: pl.String(),
    bool: pl.Boolean(),
    dt.date: pl.Date(),
    dt.timedelta: pl.Duration("us"),
}
_INTEGERS = frozenset({"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"})


def dtype_in(metadata: tuple[Any, ...]) -> pl.DataType | None:
    """Return the Polars dtype that an annotation's metadata names, if it names one."""
    for each in metadata:
        if isinstance(each, pl.DataType):
            return each
        if isinstance(each, type) and issubclass(each, pl.DataType):
            return each()
    return None


def integer_range(dtype: pl.DataType) -> tuple[int, int]:
    """Return the least and the greatest value of a dtype of integers."""
    name = str(dtype)
    bits = int(name.removeprefix("U").removeprefix("Int"))
    return (0, (1 << bits) - 1) if name.startswith("U") else (-(1 << bits - 1), (1 << bits - 1) - 1)


def refined(codec: Codec, bare: Any, dtype: pl.DataType) -> Codec:
    """Return a codec that also holds a type's values to a column's dtype.

    Raises:
        SchemaError: A column of that dtype does not hold such values.
    """
    if bare is dt.datetime and dtype == _UTC:
        return Codec(codec.wire, lambda value: _aware(value).isoformat(), cell=_in_utc)
    if bare is dt.datetime and dtype == pl.Datetime("us"):
        return Codec(codec.wire, lambda value: _naive(value).isoformat(), cell=_naive)
    if bare is dt.time and dtype == pl.Time:
        return Codec(codec.wire, lambda value: _zoneless(codec, value).isoformat(), cell=lambda v: _zoneless(codec, v))
    if bare is decimal.Decimal and isinstance(dtype, pl.Decimal):
        clean = _exact_decimal(dtype.precision or _MAX_DIGITS, dtype.scale)
        # Polars has no zero of a large exponent, as 0E+50 is.
        return Codec(codec.wire, lambda value: str(clean(value)), cell=lambda v: clean(v) or decimal.Decimal(0))
    if bare is int and str(dtype) in _INTEGERS:
        return Codec(int, _integer(dtype))
    if bare is float and dtype in (pl.Float32, pl.Float64):
        return codec if dtype == pl.Float64 else Codec(float, _float32)
    if _OWN.get(bare) == dtype:
        return codec
    raise SchemaError(f"a column of {dtype} does not hold values of type {name_of(bare)}; {_hint(bare)}")


def _hint(bare: Any) -> str:
    if bare is decimal.Decimal:
        return "say how many digits and places: Annotated[Decimal, pl.Decimal(12, 2)]"
    if bare is dt.datetime:
        return 'use pl.Datetime("us") for naive ones, pl.Datetime("us", "UTC") for aware ones'
    if bare is int:
        return "use pl.Int8 to pl.Int64, or pl.UInt8 to pl.UInt64"
    if bare is float:
        return "use pl.Float64 or pl.Float32"
    return "leave the dtype away; of a list, annotate the elements"


def _aware(value: Any) -> dt.datetime:
    moment = clean_datetime(value)
    if moment.tzinfo is None:
        raise SampleValueError.wrong_type(
            value,
            "a datetime with a zone, because the field's column is in UTC",
            "give it one: value.replace(tzinfo=datetime.UTC), or annotate the field as datetime",
        )
    return moment


def _in_utc(value: Any) -> dt.datetime:
    moment = _aware(value)
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError as error:
        raise SampleValueError(f"{moment} lies outside the years 1 to 9999 in UTC") from error


def _naive(value: Any) -> dt.datetime:
    moment = clean_datetime(value)
    if moment.tzinfo is not None:
        raise SampleValueError.wrong_type(
            value,
            "a datetime without a zone, because the field's column has none",
            'for moments, annotate the field as Annotated[datetime, pl.Datetime("us", "UTC")]',
        )
    return moment


def _zoneless(codec: Codec, value: Any) -> dt.time:
    clock: dt.time = codec.cell(value) if codec.cell else value
    if clock.tzinfo is not None:
        raise SampleValueError.wrong_type(value, "a time without a zone, because a column of times has none")
    return clock


def _exact_decimal(precision: int, scale: int) -> Check:
    expected = f"a Decimal of at most {precision - scale} digits before the point and {scale} after it"

    def clean(value: Any) -> decimal.Decimal:
        number = clean_decimal(value)
        _, digits, exponent = number.as_tuple()
        if not isinstance(exponent, int):  # NaN or infinite
            raise SampleValueError.wrong_type(value, expected)
        if -exponent > scale or (number and len(digits) + exponent > precision - scale):
            hint = f"round it first: value.quantize(Decimal('1e-{scale}'))" if -exponent > scale else ""
            raise SampleValueError.wrong_type(value, expected, hint)
        return number

    return clean


def _integer(dtype: pl.DataType) -> Check:
    name = str(dtype)
    low, high = integer_range(dtype)

    def check(value: Any) -> int:
        number = value if type(value) is int else check_int(value)
        if not low <= number <= high:
            raise SampleValueError.wrong_type(number, f"a value that fits a column of {name}")
        return number

    return check


def _float32(value: Any) -> float:
    number = check_float(value)
    if _BEYOND_FLOAT32 <= abs(number) < float("inf"):
        raise SampleValueError.wrong_type(number, "a value that fits a column of Float32")
    return number
