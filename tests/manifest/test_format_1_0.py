import math
from pathlib import Path

import polars as pl
import pytest

from atdata._manifest._format_1_0 import (
    columns_today,
    frame_today,
    is_version_1_0,
    list_dtypes,
    normalised,
    stored_columns,
)
from atdata._manifest._table import LOCATION

GOLDEN = Path(__file__).parents[1] / "golden" / "1.0.0"
PLACES = {"__key__": ["a"], "__offset__": [0], "__size__": [7]}


def table(shard):
    rows = pl.scan_parquet(GOLDEN / f"photos-{shard:06d}.manifest.parquet")
    return rows, rows.collect_schema()


def read(shard):
    rows, schema = table(shard)
    return normalised(rows, schema, list_dtypes(rows, schema)).collect()


def column(cells):
    """Return the dtype and the values of one column of JSON text, as an old table holds it."""
    rows = pl.LazyFrame(
        {"__key__": [str(row) for row in range(len(cells))], "v": cells}, schema_overrides={"v": pl.Binary}
    )
    schema = rows.collect_schema()
    lists = list_dtypes(rows, schema)
    values = normalised(rows, schema, lists).collect()["v"]
    # Of lists without a single element nothing is known; alone they are lists of text.
    assert lists["v"] in (values.dtype, pl.List(pl.Null))
    return values.dtype, values.to_list()


def test_a_table_of_today_stays_as_it_is_and_is_not_read():
    frame = pl.DataFrame(schema={**LOCATION, "data": pl.Binary()})
    assert frame_today(frame) is frame
    assert columns_today(frame.schema, lambda: pytest.fail("it was read")) == (frame.schema, None)


def test_a_table_without_checksums_has_todays_columns_and_lists():
    frame = pl.DataFrame({**PLACES, "tags": [b'["a"]'], "score": [math.nan]})
    today = columns_today(frame.schema, frame.lazy)
    assert dict(today.schema) == {**LOCATION, "tags": pl.List(pl.String()), "score": pl.Float64()}
    assert today.encoded == {"tags"}
    assert frame_today(frame).rows() == [("a", 0, 7, None, ["a"], None)]
    assert dict(frame_today(frame).schema) == dict(today.schema)
    stored = stored_columns(today.schema, today.encoded)
    assert {name: stored[name] for name in frame.columns} == dict(frame.schema)


@pytest.mark.parametrize(("version", "expected"), [("1.0.0", True), ("1.0", True), ("1.1.0", False), ("10.0", False)])
def test_versions_that_are_old(version, expected):
    assert is_version_1_0(version) is expected


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        ([b'["a","b"]', b"[]", None], pl.String, [["a", "b"], [], None]),
        ([b'["say \\"x\\"","na\\u00efve, [1]"]'], pl.String, [['say "x"', "naïve, [1]"]]),
        ([b'["true","1",null]'], pl.String, [["true", "1", None]]),
        ([b"[]", b"[]"], pl.String, [[], []]),
        ([None, None], pl.String, [None, None]),
        ([b"[1,-2]", b"[]", None, b"[ 3 ]"], pl.Int64, [[1, -2], [], None, [3]]),
        ([b"[9223372036854775807]", b"[-9223372036854775808,null]"], pl.Int64, [[2**63 - 1], [-(2**63), None]]),
        ([b"[true,false]", b"[]", b"[null]"], pl.Boolean, [[True, False], [], [None]]),
        ([b"[1]", b"[0.5,1e+300]"], pl.Float64, [[1.0], [0.5, 1e300]]),
        ([b"[Infinity]", b"[-Infinity,null]"], pl.Float64, [[float("inf")], [float("-inf"), None]]),
    ],
)
def test_lists_are_decoded_to_what_they_hold(cells, dtype, values):
    assert column(cells) == (pl.List(dtype), values)


def test_nan_in_a_list_stays():
    dtype, ((first, second),) = column([b"[0.5,NaN]"])
    assert (dtype, first) == (pl.List(pl.Float64), 0.5)
    assert math.isnan(second)


@pytest.mark.parametrize("cell", [b"[[1],[2]]", b'[{"a":1}]', b'{"a":[1]}', b"[1,true]", b"3", b""])
def test_other_json_stays_text(cell):
    assert column([cell, b"[]"]) == (pl.String, [cell.decode(), "[]"])


def test_an_integer_out_of_range_is_no_null():
    with pytest.raises(pl.exceptions.PolarsError):
        column([b"[9223372036854775808]"])


def test_lists_are_lists_of_text_where_nothing_is_said():
    rows = pl.LazyFrame({**PLACES, "tags": [b'["a"]']})
    assert normalised(rows, rows.collect_schema()).collect()["tags"].to_list() == [["a"]]


def test_location_columns_come_first_with_todays_dtypes():
    rows = pl.LazyFrame({"label": ["dog"], "__size__": [7], "__key__": ["a"], "__offset__": [0]}).cast(
        {"__size__": pl.Int32, "__offset__": pl.UInt64}
    )
    frame = normalised(rows, rows.collect_schema()).collect()
    assert frame.schema == {**LOCATION, "label": pl.String()}
    assert frame.rows() == [("a", 0, 7, None, "dog")]


def test_nan_is_null():
    rows = pl.LazyFrame({**PLACES, "score": [float("nan")]})
    assert normalised(rows, rows.collect_schema()).collect()["score"].to_list() == [None]


def test_an_empty_table_has_the_location_columns_and_no_row():
    frame = read(2)
    assert frame.schema == LOCATION
    assert frame.is_empty()


@pytest.mark.parametrize("shard", [0, 1])
def test_the_tables_of_0_7_are_read_as_todays(shard):
    frame = read(shard)
    assert list(frame.schema.items())[:4] == list(LOCATION.items())
    assert frame["__crc32__"].null_count() == len(frame) == 20
    assert frame["tags"].to_list()[3] == ['say "cheese"', "naïve, [1]"]
    assert frame["marks"].to_list() == [[row + 20 * shard, row % 5] for row in range(20)]
    assert frame["label"].to_list() == ["dog", "cat", "fox", "owl", "elk"] * 4


def test_a_filter_goes_through_to_the_scan():
    rows, schema = table(0)
    plan = normalised(rows, schema).filter(pl.col("label") == "dog").select("__key__").explain()
    assert "SELECTION" in plan
    assert "PROJECT 2/" in plan
