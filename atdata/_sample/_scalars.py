"""Codecs of enums, literals, NumPy scalars, dates, times, decimals, UUIDs and paths."""

import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from atdata._errors import DecodeError, SampleValueError, SchemaError, listed, near_misses

from ._checks import Check, Codec, check_bool, check_float, check_int, check_str, name_of

__all__ = [
    "MOMENTS",
    "PATHS",
    "clean_datetime",
    "clean_decimal",
    "dtype_in",
    "enum_codec",
    "integer_range",
    "literal_codec",
    "literal_values",
    "numpy_scalar",
    "path_codec",
    "refined",
]

#: The integers that msgspec's literals, and a column, hold.
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1


def enum_codec(kind: type[enum.Enum]) -> Codec:
    """Return the codec of an enum: its members' values where all of them are text, else their names.

    Raises:
        SchemaError: It is a Flag, whose combinations have no name, or has no members.
    """
    if issubclass(kind, enum.Flag):
        raise SchemaError(f"{name_of(kind)} is a Flag, whose combinations have no names of their own; store its int")
    if not len(kind):
        raise SchemaError(f"the enum {name_of(kind)} has no members")
    if all(isinstance(member.value, str) for member in kind):
        texts: dict[Any, enum.Enum] = {str.__str__(member.value): member for member in kind}
        written = {member: str.__str__(member.value) for member in kind}
        return Codec(str, _member_writer(kind, written), _member_reader(kind, texts))
    names: dict[Any, enum.Enum] = dict(kind.__members__)  # aliases too, so that a member can be renamed
    numbers = {member.value: member for member in kind if type(member.value) is int}
    written = {member: member.name for member in kind}
    return Codec(str | int, _member_writer(kind, written), _member_reader(kind, names | numbers))


def _member_writer(kind: type[enum.Enum], written: Mapping[enum.Enum, str]) -> Callable[[Any], str]:
    by_name = {member.name: text for member, text in written.items()}

    def check(value: Any) -> str:
        if type(value) is not kind:
            hint = f"{kind.__name__}({value!r:.40}) makes one" if isinstance(value, str | int) else ""
            raise SampleValueError.wrong_type(value, f"a {kind.__name__}", hint)
        return by_name[value.name]

    return check


def _member_reader(kind: type[enum.Enum], members: Mapping[Any, enum.Enum]) -> Callable[[Any], enum.Enum]:
    def read(value: Any) -> enum.Enum:
        try:
            return members[value]
        except KeyError:
            texts = [text for text in members if isinstance(text, str)]
            near = near_misses(value, texts) if isinstance(value, str) else ""
            raise DecodeError(f"{kind.__name__} has no {value!r}{near}; it has {listed(texts)}") from None

    return read


def literal_values(values: tuple[Any, ...]) -> tuple[str | int | bool | None, ...]:
    """Return a literal's values.

    Raises:
        SchemaError: One of them is no text, integer, boolean or None.
    """
    for value in values:
        if type(value) not in (str, int, bool, type(None)):
            raise SchemaError(f"a Literal's values are text, integers, booleans and None, not {value!r}")
        if type(value) is int and not _INT_MIN <= value <= _INT_MAX:
            raise SchemaError(f"a Literal's integers lie between -2**63 and 2**63-1, not {value}")
    return values


def literal_codec(values: tuple[Any, ...]) -> Codec:
    """Return the codec of a literal: its values themselves, and True is no 1.

    Raises:
        SchemaError: One of them is no text, integer, boolean or None.
    """
    allowed = {(type(value), value): value for value in literal_values(values)}
    wire: Any = type(values[0])
    for value in values[1:]:
        wire = wire | type(value)
    names = ", ".join(map(repr, values))

    def check(value: Any) -> Any:
        native = _native(value)
        if (type(native), native) not in allowed:
            texts = [each for each in values if isinstance(each, str)]
            near = near_misses(native, texts) if isinstance(native, str) else ""
            raise SampleValueError.wrong_type(value, f"one of {names}", near.strip(" ()"))
        return native

    def read(value: Any) -> Any:
        if (type(value), value) not in allowed:
            raise DecodeError(f"expected one of {names}, found {value!r:.60}")
        return value

    return Codec(wire, check, read)


def _native(value: Any) -> Any:
    if isinstance(value, str):
        return check_str(value)
    if isinstance(value, bool | np.bool_):
        return check_bool(value)
    is_int = isinstance(value, int | np.integer) and not isinstance(value, np.timedelta64)
    return check_int(value) if is_int else None if value is None else _Other


class _Other:
    """Stands for what no literal holds."""


def numpy_scalar(scalar: type[np.generic]) -> Codec:
    """Return the codec of a NumPy scalar type: its Python value, checked against its range.

    Raises:
        SchemaError: It is none of the sized numbers, booleans and text.
    """
    if issubclass(scalar, np.bool_):
        return Codec(bool, check_bool, scalar)
    if issubclass(scalar, np.str_):
        return Codec(str, check_str, scalar)
    if issubclass(scalar, np.integer) and not issubclass(scalar, np.timedelta64):
        return _numpy_integer(scalar)
    if scalar in (np.float16, np.float32, np.float64):
        return _numpy_float(scalar)
    raise SchemaError(f"values of type {name_of(scalar)} cannot be stored; use one of NumPy's sized numbers")


def _numpy_integer(scalar: type[np.integer[Any]]) -> Codec:
    limits = np.iinfo(scalar)

    def check(value: Any) -> int:
        number = check_int(value)
        if not limits.min <= number <= limits.max:
            raise SampleValueError(f"expected a {scalar.__name__}, found {number}")
        return number

    def read(value: int) -> Any:
        try:
            return scalar(value)
        except OverflowError as error:
            raise DecodeError(f"expected a {scalar.__name__}, found {value}") from error

    return Codec(int, check, read)


def _numpy_float(scalar: Any) -> Codec:
    def check(value: Any) -> float:
        number = check_float(value)
        with np.errstate(over="ignore"):
            rounded = float(scalar(number))
        if math.isinf(rounded) and not math.isinf(number):
            raise SampleValueError(f"expected a {scalar.__name__}, found {number}, which is beyond its range")
        return rounded

    return Codec(float, check, scalar)


_MICROSECOND, _MINUTE = dt.timedelta(microseconds=1), dt.timedelta(minutes=1)
#: Microseconds that 64 bits hold: 292,000 years in each direction.
_MIN_DURATION, _MAX_DURATION = -(1 << 63), (1 << 63) - 1


def clean_datetime(value: Any) -> dt.datetime:
    """Return a moment or a wall-clock time as Python's own datetime.

    Raises:
        SampleValueError: It is none, or would come back as another one.
    """
    if isinstance(value, np.datetime64):
        value = _python_value(value, dt.datetime, "a datetime")
    if not isinstance(value, dt.datetime):
        raise SampleValueError.wrong_type(value, "a datetime")
    moment = value if type(value) is dt.datetime else _plain_datetime(value)
    if moment.tzinfo is not None:
        _check_offset(moment, moment.utcoffset())
    return moment


def _plain_datetime(value: Any) -> dt.datetime:
    """Return an instance of a subclass, such as a pandas.Timestamp, as a datetime."""
    if value != value:  # noqa: PLR0124 -- NaT, without pandas
        raise SampleValueError("expected a datetime, found NaT; annotate the field as Optional and use None")
    _check_no_nanoseconds(value, getattr(value, "nanosecond", 0))
    try:
        date = (value.year, value.month, value.day)
        clock = (value.hour, value.minute, value.second, value.microsecond)
        return dt.datetime(*date, *clock, tzinfo=value.tzinfo, fold=value.fold)
    except (ValueError, OverflowError) as error:
        raise SampleValueError(f"expected a datetime, found {value!s:.40}: {error}") from error


def _clean_date(value: Any) -> dt.date:
    if isinstance(value, np.datetime64):
        value = _python_value(value, dt.date, "a date")
    if isinstance(value, dt.datetime):
        raise SampleValueError.wrong_type(value, "a date", "value.date() gives its day")
    if not isinstance(value, dt.date):
        raise SampleValueError.wrong_type(value, "a date")
    return value if type(value) is dt.date else dt.date(value.year, value.month, value.day)


def _clean_time(value: Any) -> dt.time:
    if not isinstance(value, dt.time):
        raise SampleValueError.wrong_type(value, "a time")
    if value.tzinfo is not None:
        _check_offset(value, value.utcoffset())
    return value


def _clean_duration(value: Any) -> dt.timedelta:
    if isinstance(value, np.timedelta64):
        value = _python_value(value, dt.timedelta, "a timedelta")
    if not isinstance(value, dt.timedelta):
        raise SampleValueError.wrong_type(value, "a timedelta")
    _check_no_nanoseconds(value, getattr(value, "nanoseconds", 0))
    try:
        duration = dt.timedelta(value.days, value.seconds, value.microseconds)
    except OverflowError as error:  # a pandas.Timedelta of seconds
        raise SampleValueError(f"expected a timedelta of at most 2**63 microseconds, found {value!s:.40}") from error
    if not _MIN_DURATION <= _microseconds(duration) <= _MAX_DURATION:
        raise SampleValueError(f"expected a timedelta of at most 2**63 microseconds, found {duration}")
    return duration


def clean_decimal(value: Any) -> decimal.Decimal:
    """Return an exact number as Python's own Decimal.

    Raises:
        SampleValueError: It is none.
    """
    if type(value) is decimal.Decimal:
        return value
    if isinstance(value, decimal.Decimal):
        return decimal.Decimal(value)
    raise SampleValueError.wrong_type(value, "a Decimal", "Decimal(str(value)) makes one of a number")


def _check_uuid(value: Any) -> str:
    if isinstance(value, uuid.UUID):
        return str(value)
    raise SampleValueError.wrong_type(value, "a UUID")


def path_codec(path_type: type[pathlib.PurePath]) -> Codec:
    """Return the codec of one kind of path: text with ``/`` between its parts."""
    windows = issubclass(path_type, pathlib.PureWindowsPath) or issubclass(type(path_type()), pathlib.PureWindowsPath)

    def check(value: Any) -> str:
        if not isinstance(value, path_type) or isinstance(value, pathlib.PureWindowsPath) is not windows:
            raise SampleValueError.wrong_type(value, f"a {path_type.__name__}")
        return value.as_posix()

    return Codec(str, check, path_type)


def _python_value(scalar: Any, wanted: type, name: str) -> Any:
    value = scalar.item()
    if isinstance(value, wanted):
        return value
    reason = "NaT" if value is None else f"the unit of {scalar.dtype}, which {name} cannot hold"
    raise SampleValueError(f"expected {name}, found {reason}")


def _check_no_nanoseconds(value: Any, nanoseconds: int) -> None:
    if nanoseconds:
        raise SampleValueError(f"{value} has nanoseconds, and only microseconds are kept; round it: value.round('us')")


def _check_offset(value: dt.datetime | dt.time, offset: dt.timedelta | None) -> None:
    if offset is None:
        raise SampleValueError(f"the zone of {value} gives no offset from UTC, and only the offset is kept")
    if offset % _MINUTE:
        raise SampleValueError(
            f"the offset of {value} is no whole number of minutes; convert it first: value.astimezone(datetime.UTC)"
        )


def _microseconds(value: dt.timedelta) -> int:
    return value // _MICROSECOND


def _from_microseconds(value: int) -> dt.timedelta:
    return dt.timedelta(microseconds=value)


def _text_codec(wire: type, clean: Callable[[Any], Any], write: Callable[[Any], str]) -> Codec:
    return Codec(wire, lambda value: write(clean(value)), cell=clean)


#: The types whose text msgspec itself reads, and durations.
MOMENTS: dict[Any, Codec] = {
    dt.datetime: _text_codec(dt.datetime, clean_datetime, dt.datetime.isoformat),
    dt.date: _text_codec(dt.date, _clean_date, dt.date.isoformat),
    dt.time: _text_codec(dt.time, _clean_time, dt.time.isoformat),
    dt.timedelta: Codec(
        int, lambda value: _microseconds(_clean_duration(value)), _from_microseconds, cell=_clean_duration
    ),
    decimal.Decimal: _text_codec(decimal.Decimal, clean_decimal, str),
    uuid.UUID: Codec(uuid.UUID, _check_uuid),
}
#: The kinds of path that can be made on any machine, and the one of this machine.
PATHS = frozenset(
    {pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.Path, type(pathlib.Path())}
)

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
