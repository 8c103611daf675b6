import dataclasses
import datetime as dt
import enum
import pathlib
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, Optional

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import atdata
from atdata._manifest._columns import columns_of
from atdata.manifest import ManifestField, resolve_manifest_fields

UserId = NewType("UserId", int)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@atdata.packable
class Inner:
    x: int


def aggregates(sample_type):
    return {name: field.aggregate for name, field in resolve_manifest_fields(sample_type).items()}


def one_field(annotation):
    return atdata.packable(dataclasses.make_dataclass("Sample", [("value", annotation)]))


def column_of(annotation):
    (column,) = columns_of(one_field(annotation))
    return column


@pytest.mark.parametrize(
    ("annotation", "aggregate", "dtype"),
    [
        (str, "categorical", pl.String()),
        (bool, "categorical", pl.Boolean()),
        (int, "numeric", pl.Int64()),
        (float, "numeric", pl.Float64()),
        (list[str], "set", pl.List(pl.String())),
        (list[int], "set", pl.List(pl.Int64())),
        (list[float], "set", pl.List(pl.Float64())),
        (list[bool], "set", pl.List(pl.Boolean())),
        (UserId, "numeric", pl.Int64()),
        (dt.date, "numeric", pl.Date()),
        (dt.time, "numeric", pl.Time()),
        (dt.datetime, "numeric", pl.Datetime("us")),
        (Annotated[dt.datetime, pl.Datetime("us", "UTC")], "numeric", pl.Datetime("us", "UTC")),
        (dt.timedelta, "numeric", pl.Duration("us")),
        (Annotated[Decimal, pl.Decimal(12, 2)], "numeric", pl.Decimal(12, 2)),
        (Annotated[Decimal, pl.Decimal(12, 2)] | None, "numeric", pl.Decimal(12, 2)),
        (Annotated[Decimal | None, pl.Decimal(12, 2)], "numeric", pl.Decimal(12, 2)),
        (Annotated[int, pl.Int32], "numeric", pl.Int32()),
        (Annotated[int, pl.UInt8()], "numeric", pl.UInt8()),
        (Annotated[float, pl.Float32], "numeric", pl.Float32()),
        (Colour, "categorical", pl.String()),
        (Level, "categorical", pl.String()),
        (Literal["a", "b"], "categorical", pl.String()),
        (Literal["a", None], "categorical", pl.String()),  # noqa: PYI061 -- the spelling is the point
        (Literal["a"] | None, "categorical", pl.String()),
        (Literal[1, 2], "categorical", pl.Int64()),
        (Literal[True], "categorical", pl.Boolean()),
        (list[dt.date], "set", pl.List(pl.Date())),
        (list[Colour], "set", pl.List(pl.String())),
        (list[Literal[1, 2]], "set", pl.List(pl.Int64())),
        (list[Annotated[Decimal, pl.Decimal(5, 1)]], "set", pl.List(pl.Decimal(5, 1))),
        (list[Annotated[int, pl.Int8]] | None, "set", pl.List(pl.Int8())),
    ],
    ids=str,
)
def test_a_plain_annotation_says_aggregate_and_dtype(annotation, aggregate, dtype):
    assert column_of(annotation) == ("value", aggregate, dtype)


@pytest.mark.parametrize(
    ("scalar", "dtype"),
    [
        (np.int8, pl.Int8()),
        (np.int16, pl.Int16()),
        (np.int32, pl.Int32()),
        (np.int64, pl.Int64()),
        (np.uint8, pl.UInt8()),
        (np.uint16, pl.UInt16()),
        (np.uint32, pl.UInt32()),
        (np.uint64, pl.UInt64()),
        (np.float16, pl.Float32()),
        (np.float32, pl.Float32()),
        (np.float64, pl.Float64()),
    ],
)
def test_a_numpy_number_is_numeric_of_its_own_width(scalar, dtype):
    @dataclasses.dataclass
    class Sample:
        value: scalar

    assert columns_of(Sample) == (("value", "numeric", dtype),)


@pytest.mark.parametrize(("scalar", "dtype"), [(np.bool_, pl.Boolean()), (np.str_, pl.String())])
def test_a_numpy_boolean_or_text_is_categorical(scalar, dtype):
    @dataclasses.dataclass
    class Sample:
        value: scalar

    assert columns_of(Sample) == (("value", "categorical", dtype),)


def test_a_list_of_numpy_numbers_keeps_their_width():
    @dataclasses.dataclass
    class Sample:
        value: list[np.uint8]

    assert columns_of(Sample) == (("value", "set", pl.List(pl.UInt8())),)


@pytest.mark.parametrize(
    "annotation",
    [str | None, Optional[str], None | str, Annotated[str | None, "a note"], Annotated[str, "a note"] | None],  # noqa: UP045
    ids=str,
)
def test_optional_is_looked_through(annotation):
    assert column_of(annotation) == ("value", "categorical", pl.String())


@pytest.mark.parametrize(
    ("annotation", "aggregate", "dtype"),
    [
        (uuid.UUID, "categorical", pl.String()),
        (uuid.UUID | None, "categorical", pl.String()),
        (pathlib.Path, "categorical", pl.String()),
        (list[uuid.UUID], "set", pl.List(pl.String())),
        (dt.date, "categorical", pl.Date()),
        (Literal[1, 2], "numeric", pl.Int64()),
        (Annotated[Decimal, pl.Decimal(12, 2)], "categorical", pl.Decimal(12, 2)),
    ],
    ids=str,
)
def test_a_column_that_is_asked_for_is_made(annotation, aggregate, dtype):
    assert column_of(Annotated[annotation, ManifestField(aggregate)]) == ("value", aggregate, dtype)


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (Decimal, r"needs their digits and places: Annotated\[Decimal, pl\.Decimal\(12, 2\)"),
        (list[Decimal], "needs their digits and places"),
        (Literal["a", 1], "are of several types"),
        (Colour, "'numeric' aggregate of String"),
        (uuid.UUID, "'numeric' aggregate of String"),
        (list[list[int]], "makes no column"),
        (Inner, "makes no column"),
    ],
    ids=str,
)
def test_a_column_that_cannot_be_is_refused_by_field(annotation, problem):
    with pytest.raises(atdata.SchemaError, match=rf"Sample\.value: .*{problem}"):
        resolve_manifest_fields(one_field(Annotated[annotation, ManifestField("numeric")]))


@pytest.mark.parametrize("annotation", [Annotated[int, pl.Float64], list[Annotated[str, pl.Date]]], ids=str)
def test_a_dtype_that_does_not_fit_is_refused_by_field_also_of_a_plain_dataclass(annotation):
    sample_type = dataclasses.make_dataclass("Sample", [("value", annotation)])
    with pytest.raises(atdata.SchemaError, match=r"Sample\.value: a column of"):
        resolve_manifest_fields(sample_type)


@pytest.mark.parametrize(
    "annotation",
    [Decimal, uuid.UUID, pathlib.Path, list[uuid.UUID], Literal["a", 1], Inner, list[Inner], tuple[int, ...]],
    ids=str,
)
def test_what_is_a_column_only_where_asked_for_is_left_out(annotation):
    assert resolve_manifest_fields(one_field(annotation)) == {}


@pytest.mark.parametrize(
    "annotation",
    [NDArray, NDArray[np.float32], bytes, dict, dict[str, int], Any, list, list[dict], list[bytes]],
    ids=str,
)
def test_what_makes_no_column_is_left_out(annotation):
    assert resolve_manifest_fields(one_field(annotation)) == {}


def test_a_list_of_lists_is_left_out():
    assert resolve_manifest_fields(one_field(list[list[int]])) == {}


def test_a_union_of_two_types_is_left_out():
    @dataclasses.dataclass
    class Sample:
        value: int | str

    assert columns_of(Sample) == ()


def test_fields_come_in_the_order_of_the_class():
    @atdata.packable
    class Sample:
        zebra: str
        pixels: NDArray
        apple: int
        mango: list[str]

    assert list(resolve_manifest_fields(Sample)) == ["zebra", "apple", "mango"]


def test_an_annotation_overrules_what_would_be_inferred():
    assert column_of(Annotated[int, ManifestField("categorical")]) == ("value", "categorical", pl.Int64())


def test_an_annotation_inside_optional_counts():
    assert column_of(Annotated[int, ManifestField("categorical")] | None) == ("value", "categorical", pl.Int64())


def test_an_annotation_around_optional_counts():
    assert column_of(Annotated[int | None, ManifestField("categorical")]) == ("value", "categorical", pl.Int64())


def test_a_bare_list_that_is_asked_for_holds_text():
    assert column_of(Annotated[list, ManifestField("set")]) == ("value", "set", pl.List(pl.String()))


def test_an_excluded_field_is_left_out():
    assert resolve_manifest_fields(one_field(Annotated[str, ManifestField("categorical", exclude=True)])) == {}


def test_an_excluded_field_may_be_of_any_type():
    assert resolve_manifest_fields(one_field(Annotated[NDArray, ManifestField("numeric", exclude=True)])) == {}


def test_inherited_fields_are_columns_too():
    @atdata.packable
    class Base:
        label: str

    @atdata.packable
    class Derived(Base):
        score: float

    assert aggregates(Derived) == {"label": "categorical", "score": "numeric"}


def test_a_dict_sample_has_no_manifest_fields():
    assert resolve_manifest_fields(atdata.DictSample) == {}


@pytest.mark.parametrize(
    ("annotation", "aggregate"),
    [
        (str, "numeric"),
        (bool, "numeric"),
        (list[int], "numeric"),
        (str, "set"),
        (int, "set"),
        (list[str], "categorical"),
        (NDArray, "numeric"),
        (NDArray, "set"),
        (bytes, "categorical"),
        (dict, "set"),
        (Any, "categorical"),
        (list[dict], "set"),
        (list, "numeric"),
        (int | str, "categorical"),
    ],
    ids=str,
)
def test_an_aggregate_that_does_not_fit_names_class_and_field(annotation, aggregate):
    @dataclasses.dataclass
    class Photo:
        wanted: Annotated[annotation, ManifestField(aggregate)]

    with pytest.raises(atdata.SchemaError, match=r"Photo\.wanted: .* makes no "):
        resolve_manifest_fields(Photo)


def test_a_field_named_like_a_location_column_is_refused():
    @dataclasses.dataclass
    class Sample:
        __offset__: int

    with pytest.raises(atdata.SchemaError, match=r"Sample\.__offset__: names with '__'"):
        resolve_manifest_fields(Sample)


def test_a_field_named_like_a_location_column_may_be_excluded():
    @dataclasses.dataclass
    class Sample:
        __offset__: Annotated[int, ManifestField("numeric", exclude=True)]

    assert resolve_manifest_fields(Sample) == {}


class Plain:
    label: str


@pytest.mark.parametrize("wrong", [int, Plain, Colour, "Photo", None, 3])
def test_what_is_no_dataclass_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="is no dataclass"):
        resolve_manifest_fields(wrong)


def test_a_manifest_field_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ManifestField("numeric").aggregate = "set"


def test_manifest_fields_of_the_same_content_are_equal_and_hash_alike():
    assert {ManifestField("set"), ManifestField("set", exclude=False)} == {ManifestField("set")}


@pytest.mark.parametrize("unknown", ["mean", "", "Numeric", None])
def test_an_unknown_aggregate_is_refused_by_name(unknown):
    with pytest.raises(
        atdata.SchemaError, match=f"unknown aggregate {unknown!r}; expected one of 'categorical', 'numeric', 'set'"
    ):
        ManifestField(unknown)


def test_a_manifest_field_without_its_aggregate_is_refused():
    @atdata.packable
    class Photo:
        label: Annotated[str, ManifestField]

    with pytest.raises(atdata.SchemaError, match=r"Photo\.label: write ManifestField with its aggregate"):
        resolve_manifest_fields(Photo)
