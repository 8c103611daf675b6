"""What pruning is told by headers: counts of nulls, bounds and values, and nothing that is not certain."""

import hashlib
import json

import polars as pl
import pytest

from atdata._manifest._dtypes import parse_dtype
from atdata._manifest._manifest_header import parse_header
from atdata._query._stored import HeaderStatistics

NUMERIC = {"type": "numeric", "min": 1, "max": 5, "mean": 3.0, "count": 10, "null_count": 0}
CATEGORICAL = {"type": "categorical", "cardinality": 2, "value_counts": {"x": 4, "y": 6}, "null_count": 0}
SET = {"type": "set", "all_values": ["x", "y"], "null_count": 0}
DTYPES = {"numeric": "Int64", "categorical": "String", "set": "List(String)"}


TABLE = {"file": "s.manifest.parquet", "size_bytes": 1, "sha256": "0" * 64}


def header(aggregate, dtype=None, **changes):
    """Return a header of ten samples whose one field has this aggregate."""
    members = {
        "manifest_version": "1.1.0",
        "shard_id": "s",
        "schema_type": "T",
        "schema_version": "1.0.0",
        "num_samples": 10,
        "size_bytes": 10240,
        "created_at": "2026-01-01",
        "aggregates": {} if aggregate is None else {"a": aggregate},
        "samples": TABLE | {"columns": {"a": dtype or DTYPES[aggregate["type"]]}},
    } | changes
    body = json.dumps(members).removesuffix("}").encode()
    return parse_header(body + b',"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'"}', "s")


def told(*headers, dtype):
    """Return what is known of the field, one row a shard."""
    return HeaderStatistics(["s"] * len(headers), lambda: headers, {"a": dtype}).frame(["a"]).rows(named=True)


def one(aggregate, dtype, **changes):
    (row,) = told(header(aggregate, **changes), dtype=dtype)
    return row


def test_a_numeric_field_has_bounds_and_no_values():
    expected = {"rows": 10, "nulls:a": 0, "min:a": 1, "max:a": 5, "values:a": None}
    assert one(NUMERIC, pl.Int64()) == expected


def test_a_categorical_field_has_its_values():
    assert one(CATEGORICAL, pl.String())["values:a"] == ["x", "y"]


def test_a_set_has_its_elements_and_no_bounds():
    assert one(SET, pl.List(pl.String())) == {"rows": 10, "nulls:a": 0, "values:a": ["x", "y"]}


@pytest.mark.parametrize("aggregate", [CATEGORICAL, SET], ids=["categorical", "set"])
def test_values_of_which_some_are_left_out_are_not_listed(aggregate):
    dtype = pl.List(pl.String()) if aggregate is SET else pl.String()
    assert one(aggregate | {"truncated": True}, dtype)["values:a"] is None


@pytest.mark.parametrize(
    ("counts", "nulls"),
    [
        ({"count": 10, "null_count": 0}, 0),
        ({"count": 7, "null_count": 3}, 3),
        ({"count": 7, "null_count": 1, "nan_count": 2}, 3),  # NaN is null in the table
        ({"count": 8, "null_count": 0, "nan_count": 2}, 2),
        ({"count": 7, "null_count": 2}, None),  # one sample is unaccounted for
        ({"count": 7, "null_count": 4}, None),
    ],
)
def test_nulls_are_counted_where_every_sample_is_accounted_for(counts, nulls):
    assert one(NUMERIC | counts, pl.Int64())["nulls:a"] == nulls


@pytest.mark.parametrize(("null_count", "nulls"), [(0, 0), (1, None)])
def test_the_counts_of_values_are_the_rows_that_have_one(null_count, nulls):
    assert one(CATEGORICAL | {"null_count": null_count}, pl.String())["nulls:a"] == nulls


def test_nulls_of_values_that_are_not_all_counted_are_those_that_are_recorded():
    truncated = {"value_counts": {"x": 4}, "truncated": True, "null_count": 2}
    assert one(CATEGORICAL | truncated, pl.String())["nulls:a"] == 2


def test_a_set_without_a_count_of_nulls_tells_none():
    assert one({"type": "set", "all_values": ["x"]}, pl.List(pl.String()))["nulls:a"] is None


def test_a_field_without_an_aggregate_is_unknown():
    (row,) = told(header(None, dtype="Int64"), dtype=pl.Int64())
    assert row == {"rows": 10, "nulls:a": None, "min:a": None, "max:a": None, "values:a": None}


@pytest.mark.parametrize(
    "aggregate",
    [NUMERIC | {"count": -1}, NUMERIC | {"min": []}, {"type": "numeric"}, {"type": None}],
    ids=str,
)
def test_a_malformed_aggregate_proves_nothing(aggregate):
    expected = {"rows": 10, "nulls:a": None, "min:a": None, "max:a": None, "values:a": None}
    (row,) = told(header(aggregate, dtype="Int64"), dtype=pl.Int64())
    assert row == expected


def test_an_aggregate_of_an_unknown_kind_proves_nothing():
    (row,) = told(header(NUMERIC | {"type": "quantiles"}, dtype="Int64"), dtype=pl.Int64())
    assert row == {"rows": 10, "nulls:a": None, "min:a": None, "max:a": None, "values:a": None}


def test_a_shard_without_the_column_has_nulls_alone():
    statistics = HeaderStatistics(["s"], lambda: [header(NUMERIC)], {"b": pl.Int64()}).frame(["b"])
    assert statistics.rows(named=True) == [{"rows": 10, "nulls:b": 10, "min:b": None, "max:b": None, "values:b": []}]


def test_version_1_0_and_a_header_that_promises_no_table_tell_of_no_field():
    old = header(NUMERIC, manifest_version="1.0.0")
    bare = header(NUMERIC, samples=None)
    for row in told(old, bare, dtype=pl.Int64()):
        assert row == {"rows": 10, "nulls:a": None, "min:a": None, "max:a": None, "values:a": None}


def test_a_shard_of_which_nothing_may_be_concluded_is_unknown_beside_one_that_is_known():
    unknown, known = told(None, header(NUMERIC), dtype=pl.Int64())
    assert set(unknown.values()) == {None}
    assert (known["min:a"], known["max:a"]) == (1, 5)


@pytest.mark.parametrize("bound", ["text", 1.5, 2**70], ids=str)
def test_bounds_that_the_column_cannot_hold_are_unknown(bound):
    row = one(NUMERIC | {"min": bound}, pl.Int64())
    assert (row["min:a"], row["max:a"]) == (None, 5)


def test_values_that_the_column_cannot_hold_are_unknown():
    assert one(CATEGORICAL, pl.Int64())["values:a"] is None


@pytest.mark.parametrize("dtype", ["Date", "Decimal(10, 2)", "Datetime(us)", "Time", "Duration(us)"])
def test_text_that_stands_for_no_value_of_the_column_is_unknown(dtype):
    row = one(NUMERIC | {"min": "text"}, parse_dtype(dtype), samples=TABLE | {"columns": {"a": dtype}})
    assert row["min:a"] is None


def test_shards_come_in_their_order():
    shards = HeaderStatistics(["s-1", "s-0"], lambda: [None, None], {}).frame(["__shard__"])
    assert shards["__shard__"].to_list() == ["s-1", "s-0"]
