"""Times, exact numbers, identifiers and paths: what is stored, what is refused, what comes back."""

import datetime as dt
import pathlib
import uuid
import zoneinfo
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata._errors import DecodeError, SampleValueError, SchemaError
from tests.tiers import law

LAW = law(100)
EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))
ZONES = st.none() | st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
VALUES = {
    dt.datetime: st.datetimes(timezones=ZONES),
    dt.date: st.dates(),
    dt.time: st.times(timezones=ZONES),
    dt.timedelta: st.integers(-(2**63), 2**63 - 1).map(lambda n: dt.timedelta(microseconds=n)),
    Decimal: st.decimals(allow_nan=False),
    uuid.UUID: st.uuids(),
    pathlib.PurePosixPath: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).map(
        pathlib.PurePosixPath
    ),
}
TYPES = pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)


@TYPES
@pytest.mark.soak
def test_every_value_comes_back_equal_and_of_its_type(kind, one):
    field = one(kind)

    @LAW
    @given(VALUES[kind])
    def holds(value):
        again = field.back(value)
        assert again == value
        assert type(again) is type(value)
        assert not isinstance(value, dt.datetime) or again.utcoffset() == value.utcoffset()
        assert not isinstance(value, Decimal) or str(again) == str(value)

    holds()


@TYPES
@pytest.mark.soak
def test_values_come_back_from_lists_dicts_tuples_and_optionals(kind, one):
    @law(5)
    @given(VALUES[kind])
    def holds(value):
        assert one(list[kind]).back([value]) == [value]
        assert one(dict[str, kind]).back({"a": value}) == {"a": value}
        assert one(tuple[kind, int]).back((value, 1)) == (value, 1)
        assert one(kind | None).back(value) == value
        assert one(kind | None).back(None) is None

    holds()


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5, 6, EAST), "2026-01-02T03:04:05.000006+05:30"),
        (dt.datetime, dt.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")), "2026-01-02T00:00:00+01:00"),
        (dt.datetime, pd.Timestamp("2026-01-02T03:04:05.000006"), "2026-01-02T03:04:05.000006"),
        (dt.datetime, np.datetime64("2026-01-02T03", "h"), "2026-01-02T03:00:00"),
        (dt.datetime, np.datetime64("2026-01-02T03:04:05.000006", "us"), "2026-01-02T03:04:05.000006"),
        (dt.date, dt.date(2026, 1, 2), "2026-01-02"),
        (dt.date, np.datetime64("2026-01-02", "D"), "2026-01-02"),
        (dt.time, dt.time(1, 2, 3), "01:02:03"),
        (dt.timedelta, dt.timedelta(days=-1, microseconds=1), -86_399_999_999),
        (dt.timedelta, pd.Timedelta("1us"), 1),
        (dt.timedelta, np.timedelta64(5, "s"), 5_000_000),
        (Decimal, Decimal("1.20"), "1.20"),
        (uuid.UUID, uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.Path, pathlib.Path("a/b.png"), "a/b.png"),
        (pathlib.PurePath, pathlib.Path("a/b.png"), "a/b.png"),
        (pathlib.PureWindowsPath, pathlib.PureWindowsPath("C:\\a\\b"), "C:/a/b"),
    ],
    ids=repr,
)
def test_the_documented_text_is_stored(kind, value, stored, one):
    assert one(kind).stored(value) == stored


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (dt.datetime, "2026-01-02", "expected a datetime, found str"),
        (dt.datetime, dt.date(2026, 1, 2), "expected a datetime, found date"),
        (dt.datetime, None, "expected a datetime, found NoneType"),
        (dt.datetime, pd.NaT, "found NaT; annotate the field as Optional"),
        (dt.datetime, pd.Timestamp("2026-01-02T00:00:00.000000001"), "has nanoseconds, and only microseconds are kept"),
        (dt.datetime, np.datetime64("2026-01-02", "ns"), r"the unit of datetime64\[ns\], which a datetime cannot hold"),
        (dt.datetime, np.datetime64("2026-01-02", "D"), r"the unit of datetime64\[D\]"),
        (dt.datetime, np.datetime64("NaT", "us"), "expected a datetime, found NaT"),
        (
            dt.datetime,
            dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(seconds=90))),
            r"no whole number of minutes.*astimezone\(datetime.UTC\)",
        ),
        (dt.date, dt.datetime(2026, 1, 2), r"expected a date, found datetime .*value\.date\(\)"),
        (dt.date, pd.Timestamp("2026-01-02"), "expected a date, found Timestamp"),
        (dt.date, np.datetime64("2026-01-02T00", "h"), "expected a date, found datetime"),
        (dt.date, 5, "expected a date, found int 5"),
        (dt.time, dt.datetime(2026, 1, 2), "expected a time, found datetime"),
        (dt.time, dt.time(1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")), "gives no offset from UTC"),
        (dt.timedelta, 5, "expected a timedelta, found int 5"),
        (dt.timedelta, pd.Timedelta("1ns"), "has nanoseconds"),
        (dt.timedelta, pd.NaT, "expected a timedelta, found NaTType"),
        (dt.timedelta, np.timedelta64(5, "ns"), r"the unit of timedelta64\[ns\]"),
        (dt.timedelta, pd.Timedelta(np.timedelta64(1 << 60, "s")), r"at most 2\*\*63 microseconds"),
        (dt.timedelta, dt.timedelta.max, r"at most 2\*\*63 microseconds"),
        (Decimal, 1, r"expected a Decimal, found int 1; Decimal\(str\(value\)\)"),
        (Decimal, 1.5, "expected a Decimal, found float"),
        (Decimal, True, "expected a Decimal, found bool"),
        (uuid.UUID, str(uuid.UUID(int=1)), "expected a UUID, found str"),
        (pathlib.Path, "a/b", "expected a Path, found str"),
        (pathlib.Path, pathlib.PurePosixPath("a"), "expected a Path, found PurePosixPath"),
        (pathlib.PurePath, pathlib.PureWindowsPath("a"), "expected a PurePath, found PureWindowsPath"),
        (pathlib.Path, pathlib.Path("\udcff"), "msgpack cannot hold the value"),
    ],
    ids=repr,
)
def test_what_would_not_come_back_is_refused_by_field(kind, value, problem, one):
    with pytest.raises(SampleValueError, match=f"field 'value': .*{problem}"):
        one(kind).stored(value)


def test_of_a_wall_clock_and_a_zone_the_moment_and_the_offset_come_back(one):
    paris = dt.datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Paris"))
    again = one(dt.datetime).back(paris)
    assert (again, again.utcoffset()) == (paris, dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (dt.datetime, "2026-01-02T03:04:05Z", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        (dt.datetime, "2026-01-02 03:04:05", dt.datetime(2026, 1, 2, 3, 4, 5)),
        (dt.time, "01:02:03Z", dt.time(1, 2, 3, tzinfo=dt.UTC)),
        (Decimal, 3, Decimal(3)),
        (uuid.UUID, "00000000000000000000000000000001", uuid.UUID(int=1)),
    ],
)
def test_other_forms_of_older_writers_are_read(kind, raw, value, one):
    assert one(kind).decoded(raw) == value


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (dt.datetime, "yesterday"),
        (dt.datetime, 5),
        (dt.date, "2026-01-02T00:00:00"),
        (dt.date, "2026-13-02"),
        (dt.time, "25:00:00"),
        (dt.timedelta, "5"),
        (dt.timedelta, 1.5),
        (Decimal, "1,5"),
        (uuid.UUID, "1"),
        (pathlib.Path, 5),
    ],
)
def test_a_payload_of_another_form_is_refused_by_field(kind, raw, one):
    with pytest.raises(DecodeError, match="Holder.*value"):
        one(kind).decoded(raw)


@pytest.mark.parametrize(
    "union", [dt.datetime | str, dt.date | dt.datetime, uuid.UUID | str, pathlib.Path | int], ids=str
)
def test_a_union_that_cannot_be_told_apart_is_refused(union, one):
    with pytest.raises(SchemaError, match="cannot be told apart"):
        one(union)


def test_a_union_of_text_and_number_on_the_wire_comes_back(one):
    field = one(dt.datetime | int | None)
    moment = dt.datetime(2026, 1, 2)
    assert [field.back(value) for value in (moment, 5, None)] == [moment, 5, None]
