"""Columns that come from outside, as a sample table holds them (docs/format.md, "Columns and their text")."""

import datetime as dt
from typing import Any

import polars as pl

from atdata._errors import SchemaError, UnsupportedFormatError

from ._dtypes import dtype_text, parse_dtype

__all__ = ["storable", "storable_dtype"]

#: The days that text can tell.
_FIRST_DAY, _LAST_DAY = dt.date.min, dt.date.max
#: Nanoseconds in a microsecond, the finest unit that a table's text can tell.
_NANOSECONDS = 1000


def storable_dtype(dtype: pl.DataType) -> pl.DataType | None:
    """Return the dtype that a sample table holds values of a dtype in; None where it cannot.

    Categories and enums are text, times are counted in microseconds and moments in UTC, 16-bit floats take 32 bits, and
    arrays are lists.
    """
    if isinstance(dtype, pl.List | pl.Array):
        inner = storable_dtype(dtype.inner)  # type: ignore[arg-type]  # an instance
        return None if inner is None or isinstance(inner, pl.List) else pl.List(inner)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    if dtype == pl.Float16:
        return pl.Float32()
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", None if dtype.time_zone is None else "UTC")
    if isinstance(dtype, pl.Duration):
        return pl.Duration("us")
    try:
        return parse_dtype(dtype_text(dtype))
    except UnsupportedFormatError:
        return None


def storable(values: pl.Series) -> pl.Series:
    """Return a column as a sample table holds it, every value the same.

    Raises:
        SchemaError: A table holds no such values; the error names the column, and its dtype or the value.
    """
    target = storable_dtype(values.dtype)
    if target is None:
        raise SchemaError(
            f"the column {values.name!r} is {dtype_text(values.dtype)}, which no sample table holds: a column is of "
            f"text, booleans, numbers, dates or times, or of lists of these{_hint(values.dtype)}"
        )
    cast = values if values.dtype == target else _cast(values, target)
    if not isinstance(target, pl.List):
        _check(values, cast)
    elif target.inner.is_temporal():
        flat = values.cast(pl.List(_inner(values.dtype)))
        _check(flat.explode(empty_as_null=False), cast.explode(empty_as_null=False))
    return cast


def _cast(values: pl.Series, target: pl.DataType) -> pl.Series:
    try:
        return values.cast(target)
    except pl.exceptions.PolarsError as error:
        raise SchemaError(
            f"the column {values.name!r} is {dtype_text(values.dtype)}, and not all of its values fit "
            f"{dtype_text(target)}, as which a sample table would hold it"
        ) from error


def _inner(dtype: Any) -> pl.DataType:
    inner: pl.DataType = dtype.inner
    return inner


def _check(values: pl.Series, cast: pl.Series) -> None:
    """Check that times lost nothing by their cast, and that their text can tell them."""
    dtype = values.dtype
    in_nanoseconds = dtype.time_unit == "ns" if isinstance(dtype, pl.Datetime | pl.Duration) else dtype == pl.Time
    if in_nanoseconds and (values.to_physical() % _NANOSECONDS != 0).any():
        raise SchemaError(
            f"the column {values.name!r} holds times finer than a microsecond, which no sample table holds; round "
            'them first: .dt.round("1us")'
        )
    if isinstance(dtype, pl.Datetime | pl.Date):
        days = cast.cast(pl.Datetime("us")).dt.truncate("1d") if isinstance(dtype, pl.Datetime) else cast
        if not days.is_between(pl.lit(_FIRST_DAY), pl.lit(_LAST_DAY)).all():
            raise SchemaError(
                f"the column {values.name!r} holds dates outside the years 1 to 9999, which a header cannot tell"
            )


def _hint(dtype: pl.DataType) -> str:
    if dtype in (pl.Null, pl.List(pl.Null())):
        return "; none of its values is known, so say what they would be: pl.Series(values, dtype=pl.Float64)"
    if dtype in (pl.Int128, pl.UInt128):
        return "; cast it to Int64, or to text"
    if isinstance(dtype, pl.Struct):
        return "; give each of its fields a column of its own: .unnest()"
    if isinstance(dtype, pl.List | pl.Array):
        return "; lists in lists are none of these"
    return ""
