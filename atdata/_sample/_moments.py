"""Times, exact numbers, identifiers and paths as field types: what they are on the wire, and what is refused.

All but durations are text; a duration is an integer of microseconds. Where a value would come back as another one, it
is refused: nanoseconds, a zone without a fixed offset, an offset that is no whole number of minutes.
"""

import datetime as dt
import decimal
import pathlib
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np

from atdata._errors import SampleValueError

from ._checks import Codec

__all__ = ["MOMENTS", "PATHS", "clean_datetime", "clean_decimal", "path_codec"]

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
