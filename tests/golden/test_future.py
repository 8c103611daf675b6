"""Headers that later versions may write: what is not known is ignored, carried on, or refused by name."""

import json
import re
import runpy
import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import atdata
from atdata import F
from atdata.manifest import QueryExecutor
from tests.aging import age

HERE = Path(__file__).parent
SHARD = "set-000000"
HEADER = f"{SHARD}.manifest.json"
#: What stands in a header of each sort that this version does not know, byte for byte.
UNKNOWN = {
    "unknown-members": [
        b'"colour": {"depth": 1.50, "shades": [9E-1, 18446744073709551617]}',
        b'"weight": 2.50',
        b'"blocks": [1.0E1]',
        b'"pages": 3.0E0',
    ],
    "unknown-kinds": [
        b'"levels": [0.50, 9E-1],\n      "min": 1E300,\n      "max": 2E300,',
        b'"whole and real": {"type": "correlation", "is": -0.50}',
    ],
    "unknown-aggregate-members": [b'"entropy": 1.50', b'"deviation": {"of": 2.50}', b'"longest": 3.0E0'],
    "version-2": [b'"manifest_version": "2.3.0",\n  "required_features": []'],
}
REFUSED = {
    "required-feature": r"set-000000\.manifest\.json: .*'one-member-per-field'.*Use a newer atdata-polars",
    "version-3": r"set-000000\.manifest\.json: manifest_version '3\.0\.0'.*Use a newer atdata-polars",
}


@pytest.fixture(scope="module")
def today():
    return runpy.run_path(str(HERE / "make_1_1_0.py"))


@pytest.fixture(scope="module")
def made():
    return runpy.run_path(str(HERE / "make_future.py"))


def folder_of(sort, tmp_path):
    """Return a folder of the set of today, whose first header is one of the future."""
    shutil.copytree(HERE / "1.1.0", tmp_path / "set")
    shutil.copy(HERE / "future" / f"{sort}.manifest.json", tmp_path / "set" / HEADER)
    age(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture(params=UNKNOWN)
def sort(request):
    return request.param


@pytest.fixture
def folder(sort, tmp_path):
    return folder_of(sort, tmp_path)


@pytest.fixture
def ds(today, folder):
    return atdata.Dataset[today["Everything"]](folder)


def described(source):
    """Return the rows of ``describe()`` that do not stand for unknown kinds."""
    frame = source.describe()
    return frame.filter(~pl.col("field").is_in(["real", "whole and real"]))


def test_the_committed_headers_are_those_of_the_script(made):
    assert sorted(path.name for path in (HERE / "future").iterdir()) == sorted(
        f"{sort}.manifest.json" for sort in made["CHANGES"]
    )
    for sort in made["CHANGES"]:
        assert (HERE / "future" / f"{sort}.manifest.json").read_bytes() == made["header"](sort)


def test_each_header_of_the_future_holds_what_is_not_known(sort):
    data = (HERE / "future" / f"{sort}.manifest.json").read_bytes()
    assert [text for text in UNKNOWN[sort] if text not in data] == []


def test_samples_are_counted_read_and_fetched(today, ds):
    expected = [today["sample"](position).packed for position in range(14)]
    assert len(ds) == 14
    assert [sample.packed for sample in ds] == expected
    assert ds[3].packed == expected[3]
    assert [each.packed for each in ds.fetch(ds.query(F.whole > 0), verify="full")] == expected


def test_an_unknown_aggregate_rules_no_shard_out(ds, folder):
    for predicate in (F.real < 1, F.real.is_null(), F.text == "cat", F.int8 == -128):
        expected = atdata.Dataset(HERE / "1.1.0").where(predicate)
        assert len(ds.where(predicate)) == len(expected) > 0
    QueryExecutor.from_directory(folder).compact()
    assert len(QueryExecutor.from_directory(folder).query(F.real < 1)) == len(
        atdata.Dataset(HERE / "1.1.0").where(F.real < 1)
    )


def test_describe_tells_of_all_known_aggregates_and_shows_unknown_kinds(folder, sort):
    executor = QueryExecutor.from_directory(folder)
    assert_frame_equal(
        described(executor), described(QueryExecutor.from_directory(HERE / "1.1.0")), check_row_order=False
    )
    rows = {row["field"]: row for row in executor.describe().rows(named=True)}
    if sort == "unknown-kinds":
        assert rows["real"]["aggregate"] is None  # the other shard has a numeric one
        assert rows["whole and real"]["aggregate"] == "correlation"
        assert (rows["whole and real"]["min"], rows["whole and real"]["nulls"]) == (None, None)


def test_an_index_holds_such_shards_and_describes_them_as_their_headers_do(folder):
    before = QueryExecutor.from_directory(folder).describe()
    done = QueryExecutor.from_directory(folder).compact()
    assert (done.shards, done.failures, done.left_out) == (2, {}, {})
    assert_frame_equal(QueryExecutor.from_directory(folder).describe(), before)
    assert QueryExecutor.from_directory(folder).query(F.real < 1) == atdata.Dataset(HERE / "1.1.0").query(F.real < 1)


def test_annotate_and_drop_columns_carry_on_what_is_not_known_byte_for_byte(ds, folder, sort):
    late = ds.annotate(lambda batch: {"length": [len(text) for text in batch.text]})
    added = (folder / HEADER).read_bytes()
    assert [text for text in UNKNOWN[sort] if text not in added] == []
    assert len(late.where(F.length == 3)) > 0
    late.drop_columns("length", "flag")
    dropped = (folder / HEADER).read_bytes()
    assert [text for text in UNKNOWN[sort] if text not in dropped] == []
    assert json.loads(dropped)["samples"]["columns"].keys() == json.loads(added)["samples"]["columns"].keys() - {
        "length",
        "flag",
    }


def test_members_that_did_not_change_are_the_same_bytes_after_annotate(ds, folder):
    before = (folder / HEADER).read_bytes()
    ds.annotate(lambda batch: {"length": [len(text) for text in batch.text]})
    after = (folder / HEADER).read_bytes()
    aggregates = before[before.index(b'"aggregates": {') : before.index(b'\n  },\n  "shard"')]
    assert aggregates in after


def test_a_column_that_is_dropped_or_replaced_goes_with_its_unknown_aggregate(today, tmp_path):
    folder = folder_of("unknown-kinds", tmp_path)
    ds = atdata.Dataset[today["Everything"]](folder)
    ds = ds.annotate(lambda batch: {"real": [0.5] * len(batch)}, replace=True)
    assert json.loads((folder / HEADER).read_bytes())["aggregates"]["real"]["type"] == "numeric"
    ds.drop_columns("real")
    assert "real" not in json.loads((folder / HEADER).read_bytes())["aggregates"]


def test_export_keeps_the_samples_and_drops_what_may_not_be_true_of_other_rows(ds, tmp_path, sort):
    ds.where(F.level > 0).export(tmp_path / "other" / "part.tar")
    (header,) = (tmp_path / "other").glob("*.manifest.json")
    data = header.read_bytes()
    assert [text for text in UNKNOWN[sort] if text in data] == []
    assert json.loads(data)["manifest_version"] == "1.1.0"
    assert json.loads(data)["aggregates"]["real"]["type"] == "numeric"
    assert len(atdata.Dataset(tmp_path / "other")) == len(ds.where(F.level > 0))


def test_the_manifest_as_an_object_has_unknown_kinds_and_members(folder, sort):
    manifest = atdata.ShardManifest.from_files(folder / HEADER, folder / f"{SHARD}.manifest.parquet")
    if sort == "unknown-kinds":
        assert manifest.aggregates["real"]["levels"] == [0.5, 0.9]
    if sort == "unknown-aggregate-members":
        assert manifest.aggregates["text"]["entropy"] == 1.5
    assert len(manifest.frame) == 8


DOORS = {
    "len": len,
    "list": list,
    "describe": lambda ds: ds.describe(),
    "fetch": lambda ds: ds[3],
    "where": lambda ds: len(ds.where(F.level > 0)),
    "scan": lambda ds: ds.scan().collect(),
    "annotate": lambda ds: ds.annotate(lambda batch: {"length": [len(text) for text in batch.text]}),
    "drop_columns": lambda ds: ds.drop_columns("flag"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("refused", REFUSED)
def test_what_this_version_must_know_and_does_not_is_refused_by_name(today, tmp_path, refused, door):
    folder = folder_of(refused, tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(atdata.UnsupportedFormatError, match=re.compile(REFUSED[refused], re.DOTALL)):
        DOORS[door](atdata.Dataset[today["Everything"]](folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("refused", REFUSED)
def test_an_index_is_not_made_of_what_is_refused(tmp_path, refused):
    with pytest.raises(atdata.UnsupportedFormatError, match=re.compile(REFUSED[refused], re.DOTALL)):
        QueryExecutor.from_directory(folder_of(refused, tmp_path)).compact()
