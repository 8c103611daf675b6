"""A manifest's columns changed: new bytes from old ones."""

import hashlib
import io
import json

import polars as pl
import pytest

from atdata import SampleValueError
from atdata._manifest import default_kind
from atdata._manifest._manifest_header import encode_header, parse_header
from atdata._manifest._publish import Change, amended, marks_of
from atdata._manifest._table import parquet_bytes, replaced_by, table_facts

TABLE = pl.DataFrame(
    {
        "__key__": ["a", "b", "c"],
        "__offset__": [0, 1024, 2048],
        "__size__": [1024, 1024, 1024],
        "__crc32__": pl.Series([1, 2, 3], dtype=pl.UInt32),
        "label": ["cat", "dog", "cat"],
        "score": [0.5, None, 1.5],
    }
)
DATA = parquet_bytes(TABLE)
MEMBERS = {
    "manifest_version": "1.1.0",
    "from_the_future": {"kept": True},
    "shard_id": "s",
    "schema_type": "T",
    "schema_version": "3.0.0",
    "num_samples": 3,
    "size_bytes": 4096,
    "created_at": "2026-01-01T00:00:00+00:00",
    "content_metadata": {"camera": "rooftop"},
    "provenance": {"source_job_id": "nightly-7"},
    "aggregates": {
        "label": {"type": "categorical", "cardinality": 2, "value_counts": {"cat": 2, "dog": 1}},
        "score": {"type": "numeric", "min": 0.5, "max": 1.5, "mean": 1.0, "count": 2, "null_count": 1},
    },
    "shard": {"file": "s.tar", "size_bytes": 4096, "sha256": "0" * 64},
    "samples": {**table_facts("s.manifest.parquet", DATA, TABLE.schema), "also_from_the_future": 1},
}
SHA256 = MEMBERS["samples"]["sha256"]


def old(**changed):
    return encode_header({**MEMBERS, **changed}, {"label": pl.String(), "score": pl.Float64()})


def change(*columns, dropped=(), run=None, **kinds):
    return Change(columns, {each.name: default_kind(each.dtype) for each in columns} | kinds, frozenset(dropped), run)


def amend(given, header=None):
    return amended(old() if header is None else header, TABLE, SHA256, "s", given)


def header_of(found):
    parse_header(found.header, "here")  # its digest and types are right
    return json.loads(found.header)


PREDICTED = pl.Series("predicted", ["cat", "cat", "bird"])


def test_a_new_column_comes_last_and_all_others_stay():
    found = amend(change(PREDICTED))
    table = pl.read_parquet(io.BytesIO(found.table))
    assert table.equals(TABLE.with_columns(PREDICTED))
    assert table.columns == [*TABLE.columns, "predicted"]


def test_the_table_is_named_by_the_first_digits_of_its_hash():
    found = amend(change(PREDICTED))
    digits = hashlib.sha256(found.table).hexdigest()[:8]
    assert found.table_name == f"s.{digits}.manifest.parquet"
    assert amended(old(), TABLE, SHA256, "a/s", change(PREDICTED)).table_name == f"a/s.{digits}.manifest.parquet"


def test_the_header_tells_of_the_new_table_and_keeps_the_rest():
    found = amend(change(PREDICTED))
    header = header_of(found)
    assert header.pop("samples") == {
        "file": found.table_name,
        "size_bytes": len(found.table),
        "sha256": hashlib.sha256(found.table).hexdigest(),
        "columns": {**MEMBERS["samples"]["columns"], "predicted": "String"},
        "also_from_the_future": 1,
    }
    assert header.pop("aggregates") == {
        **MEMBERS["aggregates"],
        "predicted": {"type": "categorical", "cardinality": 2, "value_counts": {"cat": 2, "bird": 1}},
    }
    assert header.pop("provenance") == {"source_job_id": "nightly-7", "annotated": {"predicted": None}}
    header.pop("digest")
    assert header == {name: value for name, value in MEMBERS.items() if name in header}
    assert list(header_of(found)) == [*MEMBERS, "digest"]


def test_a_header_names_its_table_by_a_bare_name():
    found = amended(old(), TABLE, SHA256, "folder/s", change(PREDICTED))
    assert header_of(found)["samples"]["file"] == found.table_name.removeprefix("folder/")


def test_a_replaced_column_stays_in_its_place_with_a_new_aggregate():
    found = amend(change(pl.Series("label", ["x", None, "x"])))
    assert pl.read_parquet(io.BytesIO(found.table)).columns == TABLE.columns
    assert list(header_of(found)["aggregates"]) == ["label", "score"]
    assert header_of(found)["aggregates"]["label"] == {
        "type": "categorical",
        "cardinality": 1,
        "value_counts": {"x": 2},
        "null_count": 1,
    }


def test_a_dropped_column_goes_with_its_aggregate():
    found = amend(change(dropped=["label"]))
    assert pl.read_parquet(io.BytesIO(found.table)).equals(TABLE.drop("label"))
    assert list(header_of(found)["aggregates"]) == ["score"]
    assert "label" not in header_of(found)["samples"]["columns"]


def test_nan_is_null_in_the_table_and_counted_in_the_header():
    found = amend(change(pl.Series("margin", [float("nan"), None, 2.0])))
    assert pl.read_parquet(io.BytesIO(found.table))["margin"].to_list() == [None, None, 2.0]
    assert header_of(found)["aggregates"]["margin"] == {
        "type": "numeric",
        "min": 2.0,
        "max": 2.0,
        "mean": 2.0,
        "count": 1,
        "null_count": 1,
        "nan_count": 1,
    }


def test_a_column_is_summed_up_as_it_is_asked():
    found = amend(change(pl.Series("digit", [1, 1, 7]), digit="categorical"))
    assert header_of(found)["aggregates"]["digit"]["value_counts"] == {"1": 2, "7": 1}


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (pl.Int8(), "numeric"),
        (pl.Float64(), "numeric"),
        (pl.Decimal(5, 1), "numeric"),
        (pl.Date(), "numeric"),
        (pl.Duration("us"), "numeric"),
        (pl.String(), "categorical"),
        (pl.Boolean(), "categorical"),
        (pl.List(pl.Int64()), "set"),
    ],
    ids=str,
)
def test_the_aggregate_follows_the_dtype(dtype, kind):
    assert default_kind(dtype) == kind


def test_the_same_change_gives_the_same_bytes():
    assert amend(change(PREDICTED, run="one")) == amend(change(PREDICTED, run="one"))


def test_a_table_says_which_one_it_replaced():
    assert replaced_by(DATA) is None
    assert replaced_by(amend(change(PREDICTED)).table) == SHA256


def test_a_table_that_is_changed_back_is_no_earlier_one():
    there = amend(change(PREDICTED))
    table, sha256 = pl.read_parquet(io.BytesIO(there.table)), hashlib.sha256(there.table).hexdigest()
    back = amended(there.header, table, sha256, "s", change(dropped=["predicted"]))
    again = amended(back.header, TABLE, hashlib.sha256(back.table).hexdigest(), "s", change(PREDICTED))
    assert pl.read_parquet(io.BytesIO(back.table)).equals(TABLE)
    assert pl.read_parquet(io.BytesIO(again.table)).equals(table)
    assert len({DATA, there.table, back.table, again.table}) == 4
    assert len({there.table_name, back.table_name, again.table_name}) == 3


def test_a_header_that_knew_no_provenance_gets_it_before_the_aggregates():
    bare = {name: value for name, value in MEMBERS.items() if name != "provenance"}
    header = header_of(amend(change(PREDICTED), encode_header(bare, {"label": pl.String(), "score": pl.Float64()})))
    assert header["provenance"] == {"annotated": {"predicted": None}}
    names = list(header)
    assert names.index("provenance") == names.index("aggregates") - 1


def marked(header):
    return marks_of(header_of(header)["provenance"] if hasattr(header, "header") else header)


def test_a_run_leaves_its_name_with_its_columns():
    found = amend(change(PREDICTED, pl.Series("margin", [1.0, 2.0, 3.0]), run="forest-1"))
    assert marked(found) == {"predicted": "forest-1", "margin": "forest-1"}


def test_a_run_of_which_a_column_was_replaced_is_not_done_any_more():
    first = amend(change(PREDICTED, pl.Series("margin", [1.0, 2.0, 3.0]), run="forest-1"))
    second = amend(change(pl.Series("margin", [0.0, 0.0, 0.0]), run="forest-2"), first.header)
    assert marked(second) == {"predicted": None, "margin": "forest-2"}


def test_a_run_of_which_a_column_was_dropped_is_not_done_any_more():
    first = amend(change(PREDICTED, pl.Series("margin", [1.0, 2.0, 3.0]), run="forest-1"))
    second = amend(change(dropped=["margin"]), first.header)
    assert marked(second) == {"predicted": None}
    assert "annotated" not in header_of(amend(change(dropped=["predicted"]), second.header))["provenance"]


@pytest.mark.parametrize("strange", [["label"], {"label": 1}, "all"])
def test_a_provenance_that_means_something_else_by_the_name_is_refused(strange):
    with pytest.raises(SampleValueError, match="'annotated', which is kept for the columns"):
        amend(change(PREDICTED), old(provenance={"annotated": strange}))


def test_aggregates_that_do_not_fit_are_truncated_as_when_a_shard_is_written():
    rows = 3000
    long = pl.Series("long", [f"{row:05d}{'x' * 100}" for row in range(rows)])
    table = pl.DataFrame(
        {
            "__key__": [str(row) for row in range(rows)],
            "__offset__": range(rows),
            "__size__": [512] * rows,
            "__crc32__": pl.Series([0] * rows, dtype=pl.UInt32),
        }
    )
    found = amended(old(num_samples=rows, aggregates={}), table, SHA256, "s", change(long))
    assert len(found.header) <= 64 << 10
    summary = header_of(found)["aggregates"]["long"]
    assert summary["truncated"]
    assert summary["cardinality"] == rows
    assert summary["min"] == long[0][:64]


def test_a_header_without_room_is_refused():
    with pytest.raises(SampleValueError, match="shorten content_metadata or provenance"):
        amend(change(pl.Series("n" * 50_000, [1, 2, 3])))
