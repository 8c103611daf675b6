"""Samples as tables, field by field."""

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Annotated, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray

import atdata
from atdata import DictSample, SchemaError
from atdata._frames._frames import row_of, to_dict, to_pandas, to_polars


@atdata.packable
class Photo:
    pixels: NDArray[np.uint8]
    label: str | None
    size: int | None
    taken: dt.date
    tags: list[str]


def photos(count: int = 3) -> list[Photo]:
    return [
        Photo(np.full((2, 2), n, np.uint8), f"l{n}" if n else None, n or None, dt.date(2026, 1, n + 1), ["a"] * n)
        for n in range(count)
    ]


OPEN = [DictSample(a=1, b="x"), DictSample(b="y", c=[1]), DictSample(a=2)]


def test_a_dict_holds_each_fields_values_as_they_are() -> None:
    found = to_dict(photos(), Photo)
    assert list(found) == ["pixels", "label", "size", "taken", "tags"]
    assert (found["label"], found["tags"]) == ([None, "l1", "l2"], [[], ["a"], ["a", "a"]])
    assert found["pixels"][2].tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize("sample_type", [None, DictSample])
def test_samples_of_no_type_have_the_fields_of_any_of_them(sample_type: Any) -> None:
    assert to_dict(OPEN, sample_type) == {"a": [1, None, 2], "b": ["x", "y", None], "c": [None, [1], None]}


@pytest.mark.parametrize("convert", [to_dict, to_pandas, to_polars])
def test_a_limit_reads_no_further(convert: Any) -> None:
    def samples() -> Any:
        yield from photos(2)
        raise AssertionError

    assert len(convert(samples(), Photo, 2)["label"]) == 2
    assert len(convert(samples(), Photo, 0)["label"]) == 0


def test_no_samples_are_a_table_of_their_fields() -> None:
    assert to_dict([], Photo) == {"pixels": [], "label": [], "size": [], "taken": [], "tags": []}
    assert to_polars([], Photo).schema == {
        "pixels": pl.Null,
        "label": pl.String,
        "size": pl.Int64,
        "taken": pl.Date,
        "tags": pl.List(pl.String),
    }
    assert list(to_pandas([], Photo).columns) == ["pixels", "label", "size", "taken", "tags"]
    assert to_polars([], DictSample).shape == (0, 0)


def test_a_polars_frame_has_the_dtypes_of_the_annotations() -> None:
    frame = to_polars(photos(), Photo)
    assert frame.schema == {
        "pixels": pl.Array(pl.UInt8, (2, 2)),
        "label": pl.String,
        "size": pl.Int64,
        "taken": pl.Date,
        "tags": pl.List(pl.String),
    }
    assert frame.rows()[1] == ([[1, 1], [1, 1]], "l1", 1, dt.date(2026, 1, 2), ["a"])
    assert frame["label"].to_list() == [None, "l1", "l2"]


def test_a_polars_frame_of_samples_of_no_type_has_the_dtypes_of_the_values() -> None:
    frame = to_polars(OPEN, DictSample)
    assert frame.schema == {"a": pl.Int64, "b": pl.String, "c": pl.List(pl.Int64)}
    assert frame["c"].to_list() == [None, [1], None]


def test_a_field_that_makes_no_column_is_named() -> None:
    with pytest.raises(SchemaError, match="field 'a': its values make no column: int and str"):
        to_polars([DictSample(a=1), DictSample(a="x")], DictSample)


def test_nan_stays_nan() -> None:
    @atdata.packable
    class Score:
        score: float | None

    frame = to_polars([Score(float("nan")), Score(None), Score(1.0)], Score)
    assert (frame["score"].is_nan().to_list(), frame["score"].null_count()) == ([True, None, False], 1)


# -- pandas


def test_a_pandas_frame_keeps_arrays_as_they_are() -> None:
    frame = to_pandas(photos(), Photo)
    assert list(frame.columns) == ["pixels", "label", "size", "taken", "tags"]
    assert frame["pixels"].dtype == frame["tags"].dtype == object
    assert frame["pixels"][1].shape == (2, 2)
    assert frame["tags"].tolist() == [[], ["a"], ["a", "a"]]
    assert frame["label"].tolist()[1:] == ["l1", "l2"]


def test_arrays_of_one_dimension_stay_arrays_too() -> None:
    frame = to_pandas([DictSample(x=np.arange(2)), DictSample(x=np.arange(2))], DictSample)
    assert [array.tolist() for array in frame["x"]] == [[0, 1], [0, 1]]


def test_large_integers_with_none_among_them_are_not_rounded() -> None:
    frame = to_pandas([DictSample(n=2**60 + 1), DictSample(n=None)], DictSample)
    assert (str(frame["n"].dtype), frame["n"][0]) == ("Int64", 2**60 + 1)
    assert pd.isna(frame["n"][1])


def test_numbers_are_numbers() -> None:
    frame = to_pandas([DictSample(n=1, x=0.5, flag=True, when=dt.datetime(2026, 1, 1))], DictSample)
    assert [kind.kind for kind in frame.dtypes] == ["i", "f", "b", "M"]


# -- rows


@dataclasses.dataclass
class Plain:
    a: int


@pytest.mark.parametrize("sample", [DictSample(a=1), {"a": 1}, Plain(1)])
def test_what_has_fields_is_a_row(sample: Any) -> None:
    assert row_of(sample) == {"a": 1}
    assert to_polars([sample], None)["a"].to_list() == [1]


@pytest.mark.parametrize("sample", ["text", 3, np.zeros(2)])
def test_what_has_no_fields_is_no_row(sample: Any) -> None:
    with pytest.raises(SchemaError, match=r"is no row of a table: map\(\) the samples to dicts"):
        to_dict([sample], None)


def test_decimals_have_the_places_of_their_annotation() -> None:
    @atdata.packable
    class Price:
        net: Annotated[Decimal, pl.Decimal(12, 2)]

    frame = to_polars([Price(Decimal("1.5"))], Price)
    assert (frame.schema["net"], frame["net"][0]) == (pl.Decimal(12, 2), Decimal("1.50"))
