"""From values to columns: which dtype, and what makes none."""

import datetime as dt
import enum
import pathlib
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

import atdata
from atdata import ImageField, ManifestField, SchemaError
from atdata._frames._frames import column, kind_of
from tests.tiers import law


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@atdata.packable
class Box:
    left: int
    label: Color | None


ZONE = dt.timezone(dt.timedelta(hours=1))
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 6)
UTC = pl.Datetime("us", "UTC")

KINDS: list[tuple[Any, Any, list[Any], list[Any]]] = [
    (str, pl.String(), ["a", None], ["a", None]),
    (bool, pl.Boolean(), [True], [True]),
    (int, pl.Int64(), [-1], [-1]),
    (float, pl.Float64(), [1, 0.5], [1.0, 0.5]),
    (bytes, pl.Binary(), [b"a"], [b"a"]),
    (Annotated[bytes, ImageField()], pl.Binary(), [b"a"], [b"a"]),
    (np.int8, pl.Int8(), [np.int8(3)], [3]),
    (np.float32, pl.Float32(), [np.float32(0.5)], [0.5]),
    (Annotated[int, pl.UInt16], pl.UInt16(), [7], [7]),
    (Annotated[str, ManifestField("categorical", exclude=True)], pl.String(), ["a"], ["a"]),
    (int | None, pl.Int64(), [None], [None]),
    (NewType("Name", str), pl.String(), ["a"], ["a"]),
    (Literal["a", "b"], pl.String(), ["b"], ["b"]),
    (Color, pl.String(), [Color.RED, None], ["RED", None]),
    (uuid.UUID, pl.String(), [uuid.UUID(int=1)], [str(uuid.UUID(int=1))]),
    (pathlib.PurePosixPath, pl.String(), [pathlib.PurePosixPath("a/b")], ["a/b"]),
    (dt.date, pl.Date(), [MOMENT.date()], [MOMENT.date()]),
    (dt.time, pl.Time(), [MOMENT.time()], [MOMENT.time()]),
    (dt.datetime, pl.Datetime("us"), [MOMENT], [MOMENT]),
    (Annotated[dt.datetime, UTC], UTC, [MOMENT.replace(tzinfo=ZONE)], [MOMENT.replace(tzinfo=ZONE)]),
    (dt.timedelta, pl.Duration("us"), [dt.timedelta(1)], [dt.timedelta(1)]),
    (Annotated[Decimal, pl.Decimal(12, 2)], pl.Decimal(12, 2), [Decimal("1.5")], [Decimal("1.50")]),
    (list[int], pl.List(pl.Int64()), [[1], [], None], [[1], [], None]),
    (list[Color], pl.List(pl.String()), [[Color.BLUE]], [["BLUE"]]),
    (list[list[str]], pl.List(pl.List(pl.String())), [[["a"], []]], [[["a"], []]]),
    (tuple[int, ...], pl.List(pl.Int64()), [(1, 2)], [[1, 2]]),
    (tuple[float, float], pl.List(pl.Float64()), [(1.0, 2.0)], [[1.0, 2.0]]),
    (
        Box,
        pl.Struct({"left": pl.Int64(), "label": pl.String()}),
        [Box(1, Color.RED), None, Box(2, None)],
        [{"left": 1, "label": "RED"}, None, {"left": 2, "label": None}],
    ),
    (
        dict[str, Color],
        pl.List(pl.Struct({"key": pl.String(), "value": pl.String()})),
        [{"a": Color.RED}, {}, None],
        [[{"key": "a", "value": "RED"}], [], None],
    ),
]


@pytest.mark.parametrize(("annotation", "dtype", "values", "cells"), KINDS, ids=lambda each: str(each)[:40])
def test_an_annotation_says_its_column(
    annotation: Any, dtype: pl.DataType, values: list[Any], cells: list[Any]
) -> None:
    kind = kind_of(annotation)
    assert kind is not None
    made = column("x", values, kind)
    assert (made.name, made.dtype, made.to_list()) == ("x", dtype, cells)
    assert column("x", [], kind).dtype == dtype


@pytest.mark.parametrize(
    "annotation",
    [
        Any,
        int | str,
        NDArray[np.uint8],
        dict,
        list,
        tuple[int, str],
        Decimal,
        list[Any],
        Annotated[bytes, ImageField("pil")],
    ],
    ids=str,
)
def test_an_annotation_that_says_no_column_leaves_it_to_the_values(annotation: Any) -> None:
    assert kind_of(annotation) is None


# -- by their values


@pytest.mark.parametrize(
    ("values", "dtype", "cells"),
    [
        (["a", None], pl.String(), ["a", None]),
        ([1, 2.5], pl.Float64(), [1.0, 2.5]),
        ([float("nan"), 1.0, None], pl.Float64(), [float("nan"), 1.0, None]),
        ([1, (1 << 63) + 1, None], pl.UInt64(), [1, (1 << 63) + 1, None]),
        ([None, None], pl.Null(), [None, None]),
        ([], pl.Null(), []),
        ([Decimal("1.5"), Decimal("2.25")], pl.Decimal(3, 2), [Decimal("1.50"), Decimal("2.25")]),
        (
            [{"a": 1}, {"b": "x"}],
            pl.Struct({"a": pl.Int64, "b": pl.String}),
            [{"a": 1, "b": None}, {"a": None, "b": "x"}],
        ),
        ([[1], [], None], pl.List(pl.Int64), [[1], [], None]),
        ([np.float32(0.5), np.int8(1)], pl.Float64(), [0.5, 1.0]),
        ([[np.array([1, 2])]], pl.List(pl.List(pl.Int64)), [[[1, 2]]]),
        ([Color.RED], pl.String(), ["RED"]),
        ([Box(1, None)], pl.Struct({"left": pl.Int64, "label": pl.Null}), [{"left": 1, "label": None}]),
        ([MOMENT.replace(tzinfo=ZONE)], UTC, [MOMENT.replace(tzinfo=ZONE)]),
        ([MOMENT], pl.Datetime("us"), [MOMENT]),
    ],
    ids=lambda each: str(each)[:40],
)
def test_values_say_their_column(values: list[Any], dtype: pl.DataType, cells: list[Any]) -> None:
    made = column("x", values, None)
    assert made.dtype == dtype
    assert str(made.to_list()) == str(cells) if "nan" in str(cells) else made.to_list() == cells


def test_structs_have_their_fields_in_the_order_of_the_keys() -> None:
    made = column("x", [None, [{"b": {"d": 1, "c": 2}}], [{"b": None, "a": 0.5}]], None)
    inner = pl.Struct({"d": pl.Int64, "c": pl.Int64})
    assert made.dtype == pl.List(pl.Struct({"b": inner, "a": pl.Float64}))
    assert made.to_list() == [None, [{"b": {"d": 1, "c": 2}, "a": None}], [{"b": None, "a": 0.5}]]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([1, "a"], "int and str"),
        ([True, 2], "bool and int"),
        ([b"a", "a"], "bytes and str"),
        ([MOMENT, MOMENT.date()], "date and datetime without one"),
        ([MOMENT, MOMENT.replace(tzinfo=ZONE)], "datetime with a zone and datetime without one"),
        ([{"a": [1]}, {"a": ["x"]}], r"int and str at \['a'\]\[\]"),
        ([{"a": 1}, 3], "dict and int"),
        ([2**60 + 1, 0.5], "Integer value 1152921504606846977 is outside of the range exactly"),
        ([-1, 2**63], "can't convert negative value|negative"),
        ([object()], "object"),
        ([np.zeros(2), "a"], "arrays, and a str among them"),
    ],
    ids=range(11),
)
def test_values_that_make_no_column_are_told_of_by_field(values: list[Any], problem: str) -> None:
    with pytest.raises(
        SchemaError, match=rf"field 'x': its values make no column: .*({problem}).*; map\(\) the samples"
    ):
        column("x", values, None)


def test_a_value_that_its_annotation_does_not_allow_is_told_of_by_field() -> None:
    with pytest.raises(SchemaError, match="field 'x': its values make no column: .*Int64"):
        column("x", ["a"], kind_of(int))


def test_a_moment_with_a_zone_says_how_to_annotate_it() -> None:
    with pytest.raises(
        SchemaError, match=r'has a zone, .* annotate the field as Annotated\[datetime, pl.Datetime\("us", "UTC"'
    ):
        column("x", [MOMENT.replace(tzinfo=ZONE)], kind_of(dt.datetime))


# -- arrays


def test_arrays_of_one_shape_are_an_array_column() -> None:
    made = column("x", [np.ones((2, 3), np.uint8), None, np.zeros((2, 3), np.uint8)], None)
    assert made.dtype == pl.Array(pl.UInt8, (2, 3))
    assert made.to_list() == [[[1, 1, 1], [1, 1, 1]], None, [[0, 0, 0], [0, 0, 0]]]


def test_arrays_of_several_shapes_are_lists() -> None:
    made = column("x", [np.arange(2.0), None, np.arange(0.0), np.arange(1.0)], None)
    assert (made.dtype, made.to_list()) == (pl.List(pl.Float64), [[0.0, 1.0], None, [], [0.0]])


def test_arrays_are_lists_where_that_is_asked_for() -> None:
    made = column("x", [np.ones((1, 2), np.int8)] * 2, None, as_lists=True)
    assert (made.dtype, made.to_list()) == (pl.List(pl.List(pl.Int8)), [[[1, 1]], [[1, 1]]])


def test_arrays_of_no_dimension_are_scalars() -> None:
    made = column("x", [np.array(3, np.int16), np.array(4, np.int16)], None)
    assert (made.dtype, made.to_list()) == (pl.Int16(), [3, 4])


DTYPES = [
    "?",
    "i1",
    "u8",
    "<f2",
    "<f4",
    ">f8",
    ">i4",
    "<M8[ns]",
    "<M8[us]",
    "<M8[s]",
    "<M8[D]",
    "<m8[ms]",
    "<m8[h]",
    "<U3",
]
one_dtype = st.sampled_from(DTYPES).map(np.dtype)
shape = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)


def values_of(dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    count = int(np.prod(shape))
    if dtype.kind == "U":
        return np.array([f"é{n}" for n in range(count)], dtype).reshape(shape)
    return np.arange(count).astype("i8").astype(dtype).reshape(shape)


@law(100)
@given(one_dtype, st.lists(shape, min_size=1, max_size=4))
def test_any_arrays_of_one_dtype_come_back(dtype: np.dtype[Any], shapes: list[tuple[int, ...]]) -> None:
    shapes = [each for each in shapes if len(each) == len(shapes[0])]
    given_arrays = [values_of(dtype, each) for each in shapes]
    made = column("x", given_arrays, None)
    assert isinstance(made.dtype, pl.Array) == (len(set(shapes)) == 1)
    listed = [
        each.astype(
            "M8[us]" if dtype.kind == "M" and dtype != "M8[D]" else "m8[us]" if dtype.kind == "m" else dtype
        ).tolist()
        for each in given_arrays
    ]
    assert made.to_list() == listed


@law(100)
@given(arrays.arrays(np.float64, shape, elements=st.floats(width=64)))
def test_floats_come_back_bit_by_bit(array: NDArray[np.float64]) -> None:
    made = column("x", [array], None)
    again = np.array(made.to_list()[0], np.float64).reshape(array.shape)
    assert np.array_equal(again, array, equal_nan=True)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([np.zeros(2), np.zeros((2, 2))], "arrays of 'float64 of 1 dimensions', 'float64 of 2 dimensions'"),
        ([np.zeros(2), np.zeros(2, np.int8)], "arrays of 'float64 of 1 dimensions', 'int8 of 1 dimensions'"),
        ([np.zeros(2, np.complex64)], "Polars has no dtype for NumPy's complex64"),
        ([np.zeros(2, [("a", "i4")])], "Polars has no dtype for NumPy's"),
    ],
    ids=["dimensions", "dtypes", "complex", "structured"],
)
def test_arrays_that_make_no_column_are_told_of(values: list[Any], problem: str) -> None:
    with pytest.raises(SchemaError, match=f"field 'x': its values make no column: {problem}"):
        column("x", values, None)
