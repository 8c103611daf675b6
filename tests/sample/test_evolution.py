"""A sample type that changes: what payloads and columns of the older one still are."""

import dataclasses
import datetime as dt
import enum
from typing import Annotated, Literal

import polars as pl
import pytest

import atdata
from atdata._manifest._columns import columns_of


class Two(enum.Enum):
    A = "a"
    B = "b"


class Three(enum.Enum):
    A = "a"
    B = "b"
    C = "c"


@dataclasses.dataclass(frozen=True)
class Change:
    """One field, before and after."""

    before: object
    after: object
    old: object
    new: object
    #: The columns' dtypes, before and after.
    dtypes: tuple[pl.DataType, pl.DataType]


CHANGES = {
    "int to float": Change(int, float, 3, 3.0, (pl.Int64(), pl.Float64())),
    "T to Optional": Change(str, str | None, "a", "a", (pl.String(), pl.String())),
    "a literal with more values": Change(Literal["a"], Literal["a", "b"], "a", "a", (pl.String(), pl.String())),
    "a literal to text": Change(Literal["a"], str, "a", "a", (pl.String(), pl.String())),
    "an enum with more members": Change(Two, Three, Two.B, Three.B, (pl.String(), pl.String())),
    "an enum to text": Change(Two, str, Two.B, "b", (pl.String(), pl.String())),
    "a date": Change(dt.date, dt.date, dt.date(2026, 1, 2), dt.date(2026, 1, 2), (pl.Date(), pl.Date())),
    "a wider column": Change(Annotated[int, pl.Int8], int, 5, 5, (pl.Int8(), pl.Int64())),
    "an int with a narrower column": Change(int, Annotated[int, pl.Int8], 5, 5, (pl.Int64(), pl.Int8())),
}


def sample_type(annotation):
    return atdata.packable(dataclasses.make_dataclass("Sample", [("value", annotation)]))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_payload_of_the_older_type_is_read_as_the_newer(change):
    payload = sample_type(change.before)(change.old).packed
    again = sample_type(change.after).from_bytes(payload).value
    assert again == change.new
    assert type(again) is type(change.new)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_columns_of_both_are_of_dtypes_that_go_together(change):
    found = tuple(columns_of(sample_type(each))[0].dtype for each in (change.before, change.after))
    assert found == change.dtypes
    older, newer = (pl.DataFrame(schema={"value": dtype}) for dtype in found)
    assert pl.concat([older, newer], how="vertical_relaxed").schema["value"] in found


@atdata.packable
class Before:
    label: str
    old: int


def test_a_field_that_was_added_takes_its_default_and_one_that_was_removed_is_passed_over():
    @atdata.packable
    class After:
        label: str
        tags: list[str] = dataclasses.field(default_factory=list)
        when: dt.date | None = None

    again = After.from_bytes(Before("dog", 3).packed)
    assert (again.label, again.tags, again.when) == ("dog", [], None)


def test_a_field_that_was_added_without_a_default_is_missed_by_name():
    @atdata.packable
    class After:
        label: str
        when: dt.date

    with pytest.raises(atdata.DecodeError, match="missing required field `when`"):
        After.from_bytes(Before("dog", 3).packed)


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [(Literal["a", "b"], Literal["a"], "b"), (Three, Two, Three.C), (float, int, 0.5), (str | None, str, None)],
    ids=str,
)
def test_a_field_that_was_narrowed_refuses_what_no_longer_fits(before, after, value):
    payload = sample_type(before)(value).packed
    with pytest.raises(atdata.DecodeError, match="value"):
        sample_type(after).from_bytes(payload)
