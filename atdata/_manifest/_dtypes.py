"""The dtypes of manifest columns, as text in a header, and their values as text.

The tables here are those of docs/format.md, "Columns and their text".
"""

import datetime as dt
import decimal
import enum
import math
import pathlib
import re
import typing
import uuid
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from atdata._errors import SchemaError, UnsupportedFormatError
from atdata._sample import bare_type, codec_of, dtype_in

__all__ = [
    "SCALARS",
    "ColumnType",
    "column_type",
    "dtype_text",
    "is_number",
    "parse_dtype",
    "python_type",
    "storable",
    "storable_dtype",
    "text_value",
    "value_text",
    "without_none",
]

#: Python and NumPy types to the dtype of their column.
SCALARS: dict[Any, pl.DataType] = {
    str: pl.String(),
    bool: pl.Boolean(),
    int: pl.Int64(),
    float: pl.Float64(),
    dt.date: pl.Date(),
    dt.time: pl.Time(),
    dt.datetime: pl.Datetime("us"),
    dt.timedelta: pl.Duration("us"),
    np.str_: pl.String(),
    np.bool_: pl.Boolean(),
    np.int8: pl.Int8(),
    np.int16: pl.Int16(),
    np.int32: pl.Int32(),
    np.int64: pl.Int64(),
    np.uint8: pl.UInt8(),
    np.uint16: pl.UInt16(),
    np.uint32: pl.UInt32(),
    np.uint64: pl.UInt64(),
    np.float16: pl.Float32(),
    np.float32: pl.Float32(),
    np.float64: pl.Float64(),
}
_BY_TEXT = {str(dtype): dtype for dtype in SCALARS.values() if not isinstance(dtype, pl.Datetime | pl.Duration)}
#: The dtypes that take parameters: times of a unit and perhaps a zone, durations of a unit, decimals.
_DATETIME = re.compile(r"Datetime\((ms|us|ns)(?:, ([A-Za-z0-9_+/-]+))?\)")
_DURATION = re.compile(r"Duration\((ms|us|ns)\)")
_DECIMAL = re.compile(r"Decimal\(([1-9][0-9]?), ([0-9]{1,2})\)")
#: The digits of Polars' widest Decimal.
_MAX_DIGITS = 38


def is_number(dtype: pl.DataType) -> bool:
    """Return whether a dtype's values have a minimum and a maximum that say something: numbers and times."""
    return dtype.is_numeric() or dtype.is_temporal()


def python_type(dtype: pl.DataType) -> type:
    """Return the type of a column's values in Python."""
    if dtype.is_integer():
        return int
    if dtype.is_float():
        return float
    found: type = dtype.to_python()
    return found


def dtype_text(dtype: pl.DataType) -> str:
    """Return a dtype as a header names it: ``String``, ``Datetime(us, UTC)``, ``Decimal(12, 2)``, ``List(Date)``."""
    if isinstance(dtype, pl.List):
        return f"List({dtype_text(dtype.inner)})"  # type: ignore[arg-type]  # an instance
    if isinstance(dtype, pl.Datetime):
        return f"Datetime({dtype.time_unit}{f', {dtype.time_zone}' if dtype.time_zone else ''})"
    if isinstance(dtype, pl.Duration):
        return f"Duration({dtype.time_unit})"
    if isinstance(dtype, pl.Decimal):
        return f"Decimal({dtype.precision}, {dtype.scale})"
    return str(dtype)


def parse_dtype(text: str) -> pl.DataType:
    """Return the dtype that a header names.

    Raises:
        UnsupportedFormatError: This version knows no such dtype.
    """
    if text.startswith("List(") and text.endswith(")"):
        return pl.List(parse_dtype(text[len("List(") : -1]))
    dtype = _BY_TEXT.get(text) or _parameterised(text)
    if dtype is None:
        raise UnsupportedFormatError(
            f"a column of dtype {text!r} is not known to this version of atdata-polars; use a newer one"
        )
    return dtype


def _parameterised(text: str) -> pl.DataType | None:
    if found := _DATETIME.fullmatch(text):
        unit: Any = found[1]
        return pl.Datetime(unit, found[2])
    if found := _DURATION.fullmatch(text):
        unit = found[1]
        return pl.Duration(unit)
    if (found := _DECIMAL.fullmatch(text)) and int(found[2]) <= int(found[1]) <= _MAX_DIGITS:
        return pl.Decimal(int(found[1]), int(found[2]))
    return None


def value_text(value: Any, dtype: pl.DataType) -> str:
    """Return a column's value as the text that stands for it in a header.

    Text stands for itself; booleans are ``True`` and ``False``; numbers take their shortest form that reads back;
    decimals have all their places; dates, times and durations take their ISO 8601 form.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        text: str = msgspec.to_builtins(value)
        return text
    if isinstance(value, decimal.Decimal):
        return f"{value:.{dtype.scale}f}" if isinstance(dtype, pl.Decimal) else f"{value:f}"
    if isinstance(value, float) and not math.isnan(value) and dtype == pl.Float32:
        return str(np.float32(value))
    return str(value)


def text_value(text: str, dtype: pl.DataType) -> Any:
    """Return the value that a header's text stands for: the inverse of :func:`value_text`."""
    if dtype == pl.Boolean:
        return text == "True"
    if dtype.is_integer():
        return int(text)
    if dtype.is_float():
        return float(text)
    if isinstance(dtype, pl.Decimal):
        return decimal.Decimal(text)
    if isinstance(dtype, pl.Duration):
        return msgspec.convert(text, dt.timedelta)
    if dtype.is_temporal():
        return python_type(dtype).fromisoformat(text)  # type: ignore[attr-defined]  # a date, time or datetime
    return text


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


class ColumnType(NamedTuple):
    """Column that an annotation asks for."""

    dtype: pl.DataType
    #: The annotation of one value, or of one element of a list.
    item: Any
    #: Whether values are held to the annotation's own codec (an enum, a literal, …), not to the dtype alone.
    by_codec: bool


def column_type(annotation: Any, *, explicit: bool) -> ColumnType | None:
    """Return what an annotation says of a column; None where it makes none.

    Args:
        annotation: The annotation, ``Annotated`` and ``Optional`` included.
        explicit: Whether somebody asked for a column.

    Raises:
        SchemaError: Its Polars dtype does not fit its type, or a column needs one.
    """
    bare, metadata = without_none(annotation)
    if (typing.get_origin(bare) or bare) is not list:
        return _scalar(bare, metadata, explicit=explicit)
    if dtype_in(metadata) is not None:
        codec_of(annotation)  # says where the dtype goes
    arguments = typing.get_args(bare)
    if not arguments:  # a bare list says nothing of its elements; who asks for a column means text
        return ColumnType(pl.List(pl.String()), str, by_codec=False) if explicit else None
    element = bare_type(arguments[0])
    if typing.get_origin(element[0]) is list:
        return None
    inner = _scalar(*element, explicit=explicit)
    return None if inner is None else inner._replace(dtype=pl.List(inner.dtype))


def without_none(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return an annotation's type with ``Optional`` looked through, and all its metadata."""
    bare, metadata = bare_type(annotation)
    members = [member for member in typing.get_args(bare) if member is not type(None)]
    if typing.get_origin(bare) is typing.Literal or len(members) != 1 or type(None) not in typing.get_args(bare):
        return bare, metadata
    bare, inner = bare_type(members[0])
    return bare, (*metadata, *inner)


def _scalar(bare: Any, metadata: tuple[Any, ...], *, explicit: bool) -> ColumnType | None:
    said = dtype_in(metadata)
    item = typing.Annotated[bare, said] if said is not None else bare
    if said is not None:
        codec_of(item)  # refuses a dtype that does not hold the type's values
        return ColumnType(said, item, by_codec=False)
    if typing.get_origin(bare) is typing.Literal:
        return _literal(bare, explicit=explicit)
    if not isinstance(bare, type):
        return None
    if issubclass(bare, enum.Enum):
        codec_of(bare)  # refuses a Flag
        return ColumnType(pl.String(), bare, by_codec=True)
    if issubclass(bare, uuid.UUID | pathlib.PurePath):  # nearly unique, so only where asked for
        return ColumnType(pl.String(), bare, by_codec=True) if explicit else None
    if explicit and issubclass(bare, decimal.Decimal):
        raise SchemaError(
            "a column of decimals needs their digits and places: Annotated[Decimal, pl.Decimal(12, 2), ...]"
        )
    dtype = SCALARS.get(bare)
    return None if dtype is None else ColumnType(dtype, bare, by_codec=False)


def _literal(bare: Any, *, explicit: bool) -> ColumnType | None:
    codec_of(bare)  # refuses what no literal holds
    kinds = {type(value) for value in typing.get_args(bare)} - {type(None)}
    if len(kinds) == 1:
        return ColumnType(SCALARS[kinds.pop()], bare, by_codec=True)
    if explicit:
        raise SchemaError(f"the values of {bare} are of several types, and a column has one; use text for all of them")
    return None
