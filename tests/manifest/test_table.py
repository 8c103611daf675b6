import io
from typing import Annotated

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata._manifest._columns import Column
from atdata._manifest._table import ColumnGatherer, parquet_bytes
from atdata.manifest import ManifestField
from tests.tiers import law

LAW = law(60)


@atdata.packable
class Everything:
    label: str | None
    ok: bool | None
    count: int | None
    score: float | None
    tags: list[str] | None
    sizes: list[int] | None
    level: Annotated[int, ManifestField("categorical")] = 0


ROWS = [
    Everything("dog", True, 2**53 + 1, 0.5, ["a", "b"], [1, 2]),
    Everything(None, None, None, None, None, None),
    Everything("", False, -(2**63), float("nan"), [], []),
    Everything("漢\U0001f600", True, 0, float("inf"), ["é"], [2**63 - 1], 7),
]
#: What the sample table holds of them: NaN is null.
VALUES = {
    "__key__": ["k000000", "k000001", "k000002", "k000003"],
    "__offset__": [0, 1024, 2048, 3072],
    "__size__": [1024, 1024, 1024, 1024],
    "__crc32__": [0, 1, 2, 3],
    "label": ["dog", None, "", "漢\U0001f600"],
    "ok": [True, None, False, True],
    "count": [2**53 + 1, None, -(2**63), 0],
    "score": [0.5, None, None, float("inf")],
    "tags": [["a", "b"], None, [], ["é"]],
    "sizes": [[1, 2], None, [], [2**63 - 1]],
    "level": [0, 0, 0, 7],
}


@pytest.fixture
def table(manifest_of, tmp_path):
    path = tmp_path / "s.manifest.parquet"
    path.write_bytes(parquet_bytes(manifest_of(ROWS).frame))
    return path


def gathered(values, dtype):
    gatherer = ColumnGatherer(Column("value", "categorical", dtype))
    for value in values:
        gatherer.append(value)
    return gatherer.series()


def test_a_sample_table_has_the_documented_columns(manifest_of):
    assert dict(manifest_of(ROWS).frame.schema) == {
        "__key__": pl.String,
        "__offset__": pl.Int64,
        "__size__": pl.Int64,
        "__crc32__": pl.UInt32,
        "label": pl.String,
        "ok": pl.Boolean,
        "count": pl.Int64,
        "score": pl.Float64,
        "tags": pl.List(pl.String),
        "sizes": pl.List(pl.Int64),
        "level": pl.Int64,
    }


def test_a_sample_table_holds_the_samples_values_with_nan_as_null(manifest_of):
    assert manifest_of(ROWS).frame.to_dict(as_series=False) == VALUES


def test_polars_reads_the_table(table):
    assert pl.read_parquet(table).to_dict(as_series=False) == VALUES


def test_pyarrow_reads_the_table(table):
    assert pq.read_table(table).to_pydict() == VALUES


def test_pandas_reads_the_table(table):
    frame = pd.read_parquet(table, dtype_backend="pyarrow")
    read = {name: [None if each is pd.NA else each for each in frame[name]] for name in frame}
    for name in ("tags", "sizes"):
        read[name] = [None if each is None else list(each) for each in read[name]]
    assert read == VALUES


def test_duckdb_reads_the_table(table):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        columns = connection.execute("select * from read_parquet(?)", [str(table)]).fetchall()
    assert dict(zip(VALUES, map(list, zip(*columns, strict=True)), strict=True)) == VALUES


def test_duckdb_finds_nothing_above_a_bound_where_the_sample_holds_nan(table):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        found = connection.execute("select __key__ from read_parquet(?) where score > 0.9", [str(table)]).fetchall()
    assert found == [("k000003",)]


def test_the_columns_of_numpy_fields_keep_their_width(manifest_of):
    @atdata.packable
    class Sample:
        a: np.uint8
        b: np.float32
        c: np.int16

    frame = manifest_of([Sample(np.uint8(255), np.float32(0.1), np.int16(-5))]).frame
    assert frame.select("a", "b", "c").schema == {"a": pl.UInt8, "b": pl.Float32, "c": pl.Int16}
    assert frame.select("a", "b", "c").row(0) == (255, float(np.float32(0.1)), -5)


def test_the_same_frame_gives_the_same_bytes(manifest_of):
    assert parquet_bytes(manifest_of(ROWS).frame) == parquet_bytes(manifest_of(ROWS).frame)


def test_a_table_has_statistics_for_its_columns(table):
    group = pq.ParquetFile(table).metadata.row_group(0)
    bounds = {}
    for index in range(group.num_columns):
        column = group.column(index)
        if column.path_in_schema in ("count", "level"):
            bounds[column.path_in_schema] = (column.statistics.min, column.statistics.max)
    assert bounds == {"count": (-(2**63), 2**53 + 1), "level": (0, 7)}


def test_a_row_group_has_at_most_131072_rows():
    data = parquet_bytes(pl.DataFrame({"n": pl.Series(range(300_000), dtype=pl.Int64)}))
    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert max(groups) <= 131_072
    assert sum(groups) == 300_000


@LAW
@given(st.lists(st.none() | st.lists(st.none() | st.text(max_size=3), max_size=4), max_size=12))
def test_a_list_column_holds_the_lists_it_was_given(values):
    assert gathered(values, pl.List(pl.String())).to_list() == values


@LAW
@given(st.lists(st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False), max_size=12))
def test_ints_among_floats_become_floats(values):
    assert gathered(values, pl.Float64()).to_list() == [None if value is None else float(value) for value in values]


@LAW
@given(st.lists(st.integers(-128, 127) | st.integers(-128, 127).map(np.int8) | st.none(), max_size=12))
def test_numpy_scalars_become_their_values(values):
    assert gathered(values, pl.Int8()).to_list() == [None if value is None else int(value) for value in values]


def test_numpy_booleans_become_booleans():
    assert gathered([np.True_, False, None], pl.Boolean()).to_list() == [True, False, None]


def test_tuples_become_lists():
    assert gathered([("a",), (), ["b"]], pl.List(pl.String())).to_list() == [["a"], [], ["b"]]


@pytest.mark.parametrize(
    ("good", "bad", "dtype"),
    [
        ("a", 3, pl.String()),
        ("a", b"a", pl.String()),
        ("a", ..., pl.String()),
        ("a", "\ud800", pl.String()),
        ("a", np.zeros(2), pl.String()),
        (1, "1", pl.Int64()),
        (1, 1.5, pl.Int64()),
        (1, True, pl.Int64()),
        (1, 2**63, pl.Int64()),
        (1, 2**70, pl.Int64()),
        (1, 256, pl.UInt8()),
        (1, -1, pl.UInt64()),
        (1.0, "1", pl.Float64()),
        (1.0, True, pl.Float64()),
        (True, 1, pl.Boolean()),
        (True, "True", pl.Boolean()),
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_names_field_and_row(good, bad, dtype):
    with pytest.raises(atdata.SampleValueError, match=r"field 'value'.*row 2 ") as caught:
        gathered([good, good, bad, good], dtype)
    assert caught.value.field == "value"


def test_an_element_that_does_not_fit_names_field_and_row():
    with pytest.raises(atdata.SampleValueError, match=r"field 'value'.*int 3.*row 3 of the shard"):
        gathered([["a"], [], None, ["b", 3], ["c"]], pl.List(pl.String()))


def test_a_table_is_compressed_with_lz4_in_every_column():
    import pyarrow.parquet as pq  # noqa: PLC0415 -- needed here alone

    data = parquet_bytes(pl.DataFrame({"__key__": ["a"], "label": ["dog"], "tags": [["x"]]}))
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    assert {group.column(index).compression for index in range(group.num_columns)} == {"LZ4"}
