import datetime as dt
import decimal
import io

import numpy as np
import pandas as pd
import polars as pl
import pytest

import atdata
from atdata._manifest._dtypes import SCALARS
from atdata._manifest._manifest import from_pandas, row_mask, to_pandas
from atdata._manifest._table import parquet_bytes

DTYPES = sorted({*SCALARS.values(), pl.Datetime("us", "UTC"), pl.Decimal(12, 2)}, key=str)
FRAME = pl.DataFrame(
    {
        "__key__": ["a", "b", "c"],
        "label": ["dog", None, "cat"],
        "score": [0.5, None, 1.0],
        "count": [1, 2, 3],
        "tags": [["x", "y"], None, []],
    }
)


def values_of(dtype):
    if dtype == pl.String:
        return ["x", ""]
    if dtype.is_decimal():
        return [decimal.Decimal("1.50"), decimal.Decimal(-7)]
    if dtype.is_temporal():
        moment = dt.datetime(2026, 1, 2, 3, 4, 5, 6)
        return {
            pl.Date(): [moment.date(), dt.date(1, 1, 1)],
            pl.Time(): [moment.time(), dt.time(0)],
            pl.Duration("us"): [dt.timedelta(1, 2, 3), dt.timedelta(-1)],
            pl.Datetime("us"): [moment, moment.replace(year=1)],
            pl.Datetime("us", "UTC"): [moment.replace(tzinfo=dt.UTC), moment.replace(year=9999, tzinfo=dt.UTC)],
        }[dtype]
    return [True, False] if dtype == pl.Boolean else [1, 0]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("rows", ["plain", "with nulls", "all null", "empty"])
def test_a_column_has_the_dtype_and_values_that_pandas_reads(dtype, rows):
    plain = values_of(dtype)
    values = {"plain": plain, "with nulls": [*plain, None], "all null": [None, None], "empty": []}[rows]
    frame = pl.DataFrame(
        {"value": pl.Series(values, dtype=dtype), "row": pl.Series(range(len(values)), dtype=pl.Int64)}
    )
    read = pd.read_parquet(io.BytesIO(parquet_bytes(frame)))
    pd.testing.assert_frame_equal(to_pandas(frame), read)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_list_column_has_python_lists_of_what_pandas_reads(dtype):
    values = [[], None, values_of(dtype), [None, values_of(dtype)[0]]]
    frame = pl.DataFrame({"row": [0, 1, 2, 3], "value": pl.Series(values, dtype=pl.List(dtype))})
    column = to_pandas(frame)["value"]
    read = pd.read_parquet(io.BytesIO(parquet_bytes(frame)))["value"]
    assert column.dtype == read.dtype
    assert [type(value) for value in column] == [list, type(None), list, list]
    zoneless = [value.replace(tzinfo=None) for value in column[2]] if dtype == pl.Datetime("us", "UTC") else column[2]
    assert zoneless == list(read[2])  # of moments inside lists, pandas loses the zone; here it stays
    assert column.tolist() == values


def test_columns_keep_their_order():
    assert list(to_pandas(FRAME)) == FRAME.columns


def test_rows_are_numbered_from_0():
    assert list(to_pandas(FRAME.tail(2)).index) == [0, 1]


def test_a_pandas_frame_comes_back():
    again = from_pandas(to_pandas(FRAME))
    assert again.to_dict(as_series=False) == FRAME.to_dict(as_series=False)


def test_nan_of_pandas_is_null():
    assert from_pandas(pd.DataFrame({"a": [1.0, np.nan]}))["a"].to_list() == [1.0, None]


def mask(function, frame=FRAME):
    return row_mask(function, frame, "shard-000000").to_list()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda df: df["label"] == "dog", [True, False, False]),
        (lambda df: df.label == "dog", [True, False, False]),
        (lambda df: df["score"] > 0.4, [True, False, True]),
        (lambda df: df["count"].isin([1, 2]), [True, True, False]),
        (lambda df: df["score"].isna(), [False, True, False]),
        (lambda df: df["tags"].map(lambda tags: tags is not None and "x" in tags), [True, False, False]),
        (lambda df: df.apply(lambda row: row["count"] > 1, axis=1), [False, True, True]),
        (lambda df: df["score"].to_numpy() > 0.4, [True, False, True]),
        (lambda _: np.array([True, False, True]), [True, False, True]),
        (lambda df: df["count"].sort_values(ascending=False) > 1, [False, True, True]),
        (lambda df: (df["count"] > 1).sample(frac=1, random_state=1), [False, True, True]),
        (lambda _: pd.Series([True, None, False], dtype="boolean"), [True, False, False]),
        (lambda _: pd.array([True, True, False], dtype="boolean").to_numpy(), [True, True, False]),
    ],
    ids=[
        "by name",
        "by attribute",
        "null compares false",
        "isin",
        "isna",
        "lists",
        "row by row",
        "numpy comparison",
        "numpy",
        "sorted",
        "shuffled",
        "nullable boolean",
        "boolean array",
    ],
)
def test_a_function_selects_rows(function, expected):
    assert mask(function) == expected


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        np.True_,
        1,
        "label",
        [True, False, True],
        pd.Series([1, 0, 1]),
        pd.Series([1.0, 0.0, 1.0]),
        pd.Series(["a", "b", "c"]),
        pd.Series([True, None, False]),
        pd.Series([True, False]),
        pd.Series([True, False, True, True]),
        pd.Series([True, False, True], index=[7, 8, 9]),
        pd.Series([], dtype=bool),
        pd.DataFrame({"a": [True, False, True]}),
        np.array([1, 0, 1]),
        np.array([True, False]),
        np.array([[True], [False], [True]]),
        np.zeros((0,), bool),
    ],
    ids=[
        "None",
        "scalar",
        "numpy scalar",
        "number",
        "text",
        "list",
        "integers",
        "floats",
        "texts",
        "objects",
        "too short",
        "too long",
        "other rows",
        "empty",
        "frame",
        "numpy integers",
        "numpy too short",
        "numpy column",
        "numpy empty",
    ],
)
def test_what_is_no_boolean_for_each_row_is_refused_with_the_shard(answer):
    with pytest.raises(atdata.PredicateError, match=r"returned a .*'shard-000000'; expected a boolean Series"):
        mask(lambda _: answer)


def test_the_refusal_says_how_many_rows_and_which_columns_there_are():
    with pytest.raises(atdata.PredicateError, match=r"each of its 3 rows.*'__key__', 'label', 'score'"):
        mask(lambda _: None)


@pytest.mark.parametrize(
    "function", [lambda df: df["labell"] == "dog", lambda df: df.labell == "dog"], ids=["by name", "by attribute"]
)
def test_an_unknown_column_is_named_with_near_misses_and_columns(function):
    with pytest.raises(
        atdata.PredicateError, match=r"a column 'labell'.*did you mean 'label'.*columns are '__key__', 'label', 'score'"
    ):
        mask(function)


class OwnError(Exception):
    pass


@pytest.mark.parametrize("error", [OwnError("x"), ValueError("x"), KeyError(3), KeyError("label"), AttributeError("x")])
def test_other_errors_of_a_function_pass_through_unchanged(error):
    def function(_):
        raise error

    with pytest.raises(type(error)) as caught:
        mask(function)
    assert caught.value is error


def test_a_missing_attribute_of_something_else_passes_through():
    with pytest.raises(AttributeError, match="nothing"):
        mask(lambda df: df["label"].nothing)


def test_a_key_error_of_the_functions_own_mapping_passes_through():
    weights = {"dog": 1}
    with pytest.raises(KeyError, match="cat") as caught:
        mask(lambda df: df["label"].fillna("dog").map(lambda label: weights[label] > 0))
    assert not isinstance(caught.value, atdata.AtdataError)
    assert type(caught.value) is KeyError


def test_what_a_function_does_to_its_frame_stays_there():
    def function(df):
        df["label"] = "dog"
        return df["label"] == "dog"

    assert mask(function) == [True, True, True]
    assert FRAME["label"].to_list() == ["dog", None, "cat"]


@pytest.mark.parametrize(
    "function",
    [
        lambda df: df["label"] == "dog",
        lambda df: df["tags"].map(lambda tags: "x" in tags),
        lambda df: df.apply(lambda row: row["count"] > 1, axis=1),
    ],
    ids=["comparison", "map", "row by row"],
)
def test_of_no_rows_a_function_selects_none(function):
    assert mask(function, FRAME.clear()) == []
