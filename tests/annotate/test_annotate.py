"""Late columns: frames and functions of batches, matched with samples, seen by whoever opens the dataset again."""

import datetime as dt
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

import atdata
from atdata import AmbiguousKeyError, Dataset, ManifestError, SampleKeyError, SchemaError
from tests.tiers import law


@atdata.packable
class Item:
    data: NDArray[np.uint8]
    label: str
    index: int


def make_items(count: int, first: int = 0) -> list[Item]:
    return [Item(np.full(4, i % 251, np.uint8), "abc"[i % 3], i) for i in range(first, first + count)]


@pytest.fixture
def ds(tmp_path: Path) -> Dataset[Item]:
    """25 items in three shards."""
    atdata.write_samples(make_items(25), tmp_path / "items.tar", maxcount=10, manifest=True, durable=False)
    return Dataset[Item](tmp_path)


def keys(ds: Dataset[Any]) -> pl.DataFrame:
    return ds.scan().select("__shard__", "__key__", "index").collect()


def scores(ds: Dataset[Any], *, both: bool = False) -> pl.DataFrame:
    """A score for each item, in no particular order."""
    on = ["__shard__", "__key__"] if both else ["__key__"]
    return keys(ds).select(*on, score=pl.col("index") / 2).sample(fraction=1, shuffle=True, seed=1)


def column(path: Path, name: str) -> list[Any]:
    return Dataset(path).scan().collect()[name].to_list()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tars(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("*.tar")}


def checked_header(path: Path) -> dict[str, Any]:
    """Read a header without the library: strict JSON, and a digest that fits."""

    def refuse(token: str) -> Any:
        raise AssertionError(token)

    text = path.read_bytes()
    header: dict[str, Any] = json.loads(text, parse_constant=refuse)
    body, _, _ = text.rpartition(b',\n  "digest"')
    assert hashlib.sha256(body).hexdigest() == header["digest"]
    table = (path.parent / header["samples"]["file"]).read_bytes()
    assert (len(table), hashlib.sha256(table).hexdigest()) == (
        header["samples"]["size_bytes"],
        header["samples"]["sha256"],
    )
    return header


# A frame


@pytest.mark.parametrize("both", [False, True])
def test_a_frames_values_are_columns_of_the_samples_that_its_keys_name(tmp_path, ds, both):
    on = ["__shard__", "__key__"] if both else "__key__"
    late = ds.annotate(scores(ds, both=both), on)
    for each in (late, Dataset[Item](tmp_path)):
        assert each.scan().select(pl.col("score") * 2 == pl.col("index")).collect()["score"].all()
        assert [item.index for item in each.where(pl.col("score") >= 11.5)] == [23, 24]


def test_the_dataset_that_was_annotated_keeps_its_type_and_digest_and_all_samples(ds):
    before, late = list(ds), ds.annotate(scores(ds))
    assert late.sample_type is Item
    assert late.digest == ds.digest
    assert late == ds
    assert [item.index for item in late] == [item.index for item in before]


def test_no_tar_is_touched_and_every_shard_has_one_table(tmp_path, ds):
    before = tars(tmp_path)
    ds.annotate(scores(ds))
    assert tars(tmp_path) == before
    stems = [f"items-{index:06d}" for index in range(3)]
    tables = sorted(tmp_path.glob("*.parquet"))
    assert [path.name.split(".")[0] for path in tables] == stems
    assert all(path.name.count(".") == 3 for path in tables)
    assert len(list(tmp_path.iterdir())) == 9


def test_headers_are_strict_json_with_aggregates_and_everything_that_they_said_before(tmp_path, ds):
    before = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]
    ds.annotate(scores(ds))
    after = [checked_header(path) for path in sorted(tmp_path.glob("*.json"))]
    for old, new in zip(before, after, strict=True):
        assert new["aggregates"]["score"]["type"] == "numeric"
        assert {name: new["aggregates"][name] for name in old["aggregates"]} == old["aggregates"]
        for name in old.keys() - {"aggregates", "samples", "digest"}:
            assert new[name] == old[name]
    assert [new["aggregates"]["score"]["max"] for new in after] == [4.5, 9.5, 12.0]


def test_pandas_reads_the_new_table(tmp_path, ds):
    ds.annotate(scores(ds))
    frame = pd.concat(map(pd.read_parquet, sorted(tmp_path.glob("*.parquet"))))
    assert (frame["score"] * 2 == frame["index"]).all()
    assert list(frame.columns) == ["__key__", "__offset__", "__size__", "__crc32__", "label", "index", "score"]


def test_describe_tells_of_the_new_column(tmp_path, ds):
    ds.annotate(scores(ds))
    row = atdata.QueryExecutor.from_directory(tmp_path).describe().filter(pl.col("field") == "score").row(0, named=True)
    assert (row["min"], row["max"], round(row["mean"], 9), row["nulls"]) == ("0.0", "12.0", 6.0, 0)


def test_a_slice_that_was_saved_before_is_valid_after(tmp_path, ds):
    saved = tmp_path / "some.slice.parquet"
    ds.where(label="a").save_slice(saved)
    ds.annotate(scores(ds))
    some = Dataset[Item](saved)
    assert [item.index for item in some] == list(range(0, 25, 3))
    assert [item.index for item in some.where(pl.col("score") > 11)] == [24]


def test_nan_is_null_in_the_table_and_counted_in_the_header(tmp_path, ds):
    ds.annotate(keys(ds).select("__key__", x=pl.when(pl.col("index") < 3).then(math.nan).otherwise(1.0)))
    assert column(tmp_path, "x") == [None] * 3 + [1.0] * 22
    assert checked_header(tmp_path / "items-000000.manifest.json")["aggregates"]["x"]["nan_count"] == 3


def test_an_aggregate_can_be_asked_for(tmp_path, ds):
    frame = keys(ds).select("__key__", digit=pl.col("index") % 10, tags=pl.concat_list(pl.col("index") % 2))
    ds.annotate(frame, aggregates={"digit": "categorical"})
    aggregates = checked_header(tmp_path / "items-000002.manifest.json")["aggregates"]
    assert aggregates["digit"]["value_counts"] == {"0": 1, "1": 1, "2": 1, "3": 1, "4": 1}
    assert aggregates["tags"]["type"] == "set"


@pytest.mark.parametrize(
    ("aggregates", "problem"),
    [
        ({"score": "set"}, "'score' of Float64 has no 'set' aggregate"),
        ({"score": "mean"}, "'score' of Float64 has no 'mean' aggregate"),
        ({"scores": "numeric"}, r"aggregates= names the column 'scores' \(did you mean 'score'\?\)"),
    ],
)
def test_an_aggregate_that_does_not_fit_is_refused(tmp_path, ds, aggregates, problem):
    frame, before = scores(ds), contents(tmp_path)
    with pytest.raises(SchemaError, match=problem):
        ds.annotate(frame, aggregates=aggregates)
    assert contents(tmp_path) == before


def test_a_replaced_column_is_summed_up_as_it_was(tmp_path, ds):
    digits = keys(ds).select("__key__", digit=pl.col("index") % 10)
    ds = ds.annotate(digits, aggregates={"digit": "categorical"})
    ds.annotate(digits.with_columns(pl.col("digit") + 1), replace=True)
    aggregate = checked_header(tmp_path / "items-000002.manifest.json")["aggregates"]["digit"]
    assert aggregate["value_counts"] == {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}


def test_a_field_that_was_no_column_becomes_one(ds):
    late = ds.annotate(lambda batch: {"data": [int(each[0]) for each in batch.data]})
    assert [item.data[0] for item in late.where(pl.col("data") == 7)] == [7]


# The input's forms


def test_a_query_gives_columns(ds):
    late = ds.annotate(ds.scan().select("__key__", double=pl.col("index") * 2))
    assert late.scan().select((pl.col("double") == pl.col("index") * 2).all()).collect().item()


def test_a_pandas_frame_gives_columns_with_keys_as_column_or_index(tmp_path, ds):
    frame = scores(ds).to_pandas()
    ds = ds.annotate(frame)
    ds.annotate(frame.rename(columns={"score": "again"}).set_index("__key__"))
    assert column(tmp_path, "score") == column(tmp_path, "again") == [i / 2 for i in range(25)]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".ipc", ".CSV"])
def test_a_file_gives_columns(tmp_path, suffix):
    atdata.write_samples(
        make_items(25),
        tmp_path / "ds" / "items.tar",
        manifest=True,
        keys=lambda index, _: f"{index:04d}",  # which a CSV reader takes for numbers
        durable=False,
    )
    ds = Dataset[Item](tmp_path / "ds")
    write = {".parquet": "write_parquet", ".csv": "write_csv", ".ipc": "write_ipc"}[suffix.lower()]
    getattr(scores(ds), write)(tmp_path / f"scores{suffix}")
    ds.annotate(tmp_path / f"scores{suffix}")
    assert column(tmp_path / "ds", "score") == [i / 2 for i in range(25)]


def test_a_file_of_another_kind_is_refused(ds):
    with pytest.raises(ValueError, match=r"files named .parquet, .pq, .csv, .ipc, .arrow, .feather; found 'x.json'"):
        ds.annotate("x.json")


def test_a_file_that_is_not_there_is_an_error(ds):
    with pytest.raises(FileNotFoundError):
        ds.annotate("nowhere.parquet")


@pytest.mark.parametrize("given_", [5, None, {"score": [1]}, [1, 2]])
def test_what_gives_no_columns_is_refused(ds, given_):
    with pytest.raises(ValueError, match="columns are a Polars or pandas frame, a LazyFrame, the path"):
        ds.annotate(given_)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (pl.DataFrame({"key": ["a"], "x": [1]}), r"no column '__key__', by which .* \(did you mean 'key'\?\)"),
        (pl.DataFrame({"__key__": ["a"]}), "no column beside '__key__': there is nothing to add"),
        (pl.DataFrame({"__key__": [1], "x": [1]}), "__key__ is text, as ds.scan.* found Int64: cast it"),
        (pl.DataFrame({"__key__": ["a", None], "x": [1, 2]}), "__key__ is null in 1 of its rows, the first of them 1"),
        (pl.DataFrame({"__key__": ["a"], "__size__": [1]}), "can be called '__size__'.*leave it out"),
        (pl.DataFrame({"__key__": ["a"], "__shard__": ["b"], "x": [1]}), "say on=.'__shard__', '__key__'."),
        (pl.DataFrame({"__key__": ["a"], "x": [b"bytes"]}), "'x' is Binary, which no sample table holds"),
        (pl.DataFrame({"__key__": ["a"], "x": [None]}), "'x' is Null, which no sample table holds"),
    ],
)
def test_a_frame_that_cannot_be_columns_is_refused(tmp_path, ds, frame, problem):
    before = contents(tmp_path)
    with pytest.raises(SchemaError, match=problem):
        ds.annotate(frame)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("on", ["index", "__shard__", [], ["__key__", "index"], ["__key__", "__key__"], 5])
def test_rows_are_matched_by_key_or_shard_and_key_alone(ds, on):
    with pytest.raises(ValueError, match="rows are matched on='__key__', or on="):
        ds.annotate(scores(ds), on)


@pytest.mark.parametrize(
    "options", [{"missing": "skip"}, {"extra": "drop"}, {"on_error": "log"}, {"batch_size": 0}, {"run": ""}, {"run": 1}]
)
def test_an_option_without_such_a_value_is_refused(ds, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is .*; found"):
        ds.annotate(scores(ds), **options)


# Rows and samples that do not fit


def test_samples_without_a_row_are_counted_and_five_are_shown(tmp_path, ds):
    frame, before = scores(ds).filter(pl.col("score") < 4), contents(tmp_path)
    with pytest.raises(SampleKeyError, match="17 of 25 samples have no row in the frame") as caught:
        ds.annotate(frame)
    shown = "'000000-000008', '000000-000009', '000001-000000', '000001-000001', '000001-000002' and 12 more"
    assert shown in str(caught.value)
    assert "missing='null'" in str(caught.value)
    assert caught.value.key == "000000-000008"
    assert contents(tmp_path) == before


def test_samples_without_a_row_can_be_null(tmp_path, ds):
    ds.annotate(scores(ds).filter(pl.col("score") < 4), missing="null")
    assert column(tmp_path, "score") == [i / 2 if i < 8 else None for i in range(25)]
    assert checked_header(tmp_path / "items-000002.manifest.json")["aggregates"]["score"]["null_count"] == 5


def test_rows_without_a_sample_are_counted_and_five_are_shown(tmp_path, ds):
    strangers = pl.DataFrame({"__key__": [f"no-{i}" for i in range(7)], "score": [0.0] * 7})
    frame, before = pl.concat([strangers, scores(ds)]), contents(tmp_path)
    with pytest.raises(
        SampleKeyError, match="7 of the frame's 32 rows are of no sample here: 'no-0', 'no-1'"
    ) as caught:
        ds.annotate(frame)
    assert "'no-4' and 2 more (extra='ignore' passes over them). Nothing was changed" in str(caught.value)
    assert contents(tmp_path) == before
    ds.annotate(frame, extra="ignore")
    assert column(tmp_path, "score") == [i / 2 for i in range(25)]


def test_rows_that_name_an_unknown_shard_are_of_no_sample(ds):
    frame = scores(ds, both=True).with_columns(pl.col("__shard__").str.replace("items-000001", "item-000001"))
    with pytest.raises(SampleKeyError, match="10 of the frame's 25 rows are of no sample here: 'item-000001/0000") as e:
        ds.annotate(frame, ["__key__", "__shard__"])
    assert "10 of 25 samples have no row in the frame: 'items-000001/000001-000000'" in str(e.value)


@pytest.mark.parametrize("both", [False, True])
def test_samples_with_two_rows_are_counted_and_shown(tmp_path, ds, both):
    frame, before = scores(ds, both=both).sort("score"), contents(tmp_path)
    with pytest.raises(AmbiguousKeyError, match="2 samples have more than one row in the frame: .*000000-000000") as e:
        ds.annotate(pl.concat([frame, frame.head(2), frame.head(1)]), ["__shard__", "__key__"] if both else "__key__")
    assert "frame.unique(" in str(e.value)
    assert contents(tmp_path) == before


def test_a_key_in_two_shards_has_to_be_told_by_shard(tmp_path):
    for stem in ("a", "b"):
        atdata.write_samples(make_items(3), tmp_path / f"{stem}.tar", manifest=True, durable=False)
    ds, before = Dataset[Item](tmp_path), contents(tmp_path)
    frame = keys(ds).select("__shard__", "__key__", where=pl.col("__shard__") + pl.col("index").cast(pl.String))
    with pytest.raises(
        AmbiguousKeyError, match="3 keys of the frame name a sample in more than one shard: '000000-"
    ) as e:
        ds.annotate(frame.head(3).drop("__shard__"))
    assert "(the first in 'a', 'b')" in str(e.value)
    assert "on=['__shard__', '__key__']" in str(e.value)
    assert contents(tmp_path) == before
    ds.annotate(frame, ["__shard__", "__key__"])
    assert column(tmp_path, "where") == ["a0", "a1", "a2", "b0", "b1", "b2"]


VALUES: dict[Any, Any] = {
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.UInt8(): st.integers(0, 255),
    pl.Float64(): st.floats(),
    pl.String(): st.text(max_size=5),
    pl.Boolean(): st.booleans(),
    pl.Date(): st.dates(),
    pl.Datetime("us"): st.datetimes(),
    pl.Duration("us"): st.timedeltas(dt.timedelta(-(10**5)), dt.timedelta(10**5)),
    pl.Decimal(10, 2): st.decimals(-1000, 1000, places=2),
    pl.List(pl.String()): st.lists(st.text(max_size=3), max_size=3),
    pl.List(pl.Int64()): st.lists(st.integers(-5, 5), max_size=3),
}


@law(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_annotating_is_a_left_join(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("joined")
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3), "sizes of shards")
    for number, size in enumerate(sizes):
        atdata.write_samples(make_items(size), folder / f"s{number}.tar", manifest=True, durable=False)
    ds = Dataset[Item](folder)
    samples = keys(ds)
    dtype = data.draw(st.sampled_from(list(VALUES)), "dtype")
    rows = data.draw(st.lists(st.integers(0, len(samples) + 2), unique=True, max_size=len(samples) + 3), "rows")
    cells = data.draw(st.lists(VALUES[dtype] | st.none(), min_size=len(rows), max_size=len(rows)), "values")
    strangers = pl.DataFrame({"__shard__": "s0", "__key__": ["x", "y", "z"]})
    named = pl.concat([samples.select("__shard__", "__key__"), strangers])[rows]
    frame = named.with_columns(late=pl.Series(cells, dtype=dtype, strict=True))
    before = ds.scan().collect()

    late = ds.annotate(frame, ["__shard__", "__key__"], missing="null", extra="ignore")

    expected = before.join(frame, on=["__shard__", "__key__"], how="left", maintain_order="left")
    if dtype == pl.Float64():
        expected = expected.with_columns(pl.col("late").fill_nan(None))
    for each in (late, Dataset[Item](folder)):
        assert_frame_equal(each.scan().collect(), expected, check_exact=True)
    nulls = late._sequence.opened.executor.describe().filter(pl.col("field") == "late")["nulls"].item()
    nans = sum(
        isinstance(cell, float) and math.isnan(cell)
        for row, cell in zip(rows, cells, strict=True)
        if row < len(samples)
    )
    assert nulls + nans == expected["late"].null_count()


# Columns that are there


def test_a_column_that_is_there_with_other_values_is_not_replaced_unasked(tmp_path, ds):
    frame = scores(ds)
    ds = ds.annotate(frame)
    before = contents(tmp_path)
    with pytest.raises(SchemaError, match="3 of 3 shards have a column 'score' with other values .*replace=True"):
        ds.annotate(frame.with_columns(pl.col("score") + 1))
    with pytest.raises(SchemaError, match="have a column 'label' with other values"):
        ds.annotate(keys(ds).select("__key__", label=pl.lit("x")))
    assert contents(tmp_path) == before


def test_the_same_values_again_change_nothing(tmp_path, ds):
    ds.annotate(scores(ds))
    before = contents(tmp_path)
    again = Dataset[Item](tmp_path)
    for options in ({}, {"replace": True}):
        again.annotate(scores(again), **options)
        assert contents(tmp_path) == before


def test_of_a_frame_with_old_and_new_columns_the_old_ones_must_be_the_same(tmp_path, ds):
    whole = ds.scan().select("__key__", "label", "index", late=pl.col("index") + 1).collect()
    ds = ds.annotate(whole)
    assert column(tmp_path, "late") == list(range(1, 26))
    with pytest.raises(SchemaError, match="'label' with other values"):
        ds.annotate(whole.with_columns(label=pl.lit("x"), other=1))


def test_a_column_is_replaced_when_asked_also_by_another_dtype(tmp_path, ds):
    ds = ds.annotate(scores(ds))
    ds = ds.annotate(keys(ds).select("__key__", score=pl.col("index").cast(pl.String)), replace=True)
    assert column(tmp_path, "score") == [str(i) for i in range(25)]
    assert ds.where(pl.col("score") == "7").head()[0].index == 7
    assert checked_header(tmp_path / "items-000000.manifest.json")["aggregates"]["score"]["type"] == "categorical"
    assert len(list(tmp_path.iterdir())) == 9


def test_a_dataset_that_was_opened_before_can_be_annotated_again(tmp_path, ds):
    ds.annotate(scores(ds))
    frame = pl.DataFrame({"__key__": [f"{i // 10:06d}-{i % 10:06d}" for i in range(25)], "more": range(25)})
    late = ds.annotate(frame)  # which knows the files of before
    assert late.where(pl.col("more") > 22, pl.col("score") < 12).head()[0].index == 23
    assert len(list(tmp_path.iterdir())) == 9


def test_what_was_written_later_lacks_the_column_until_it_is_annotated_too(tmp_path, ds):
    ds.annotate(scores(ds))
    path = tmp_path / "items.tar"
    atdata.write_samples(make_items(5, 25), path, maxcount=10, manifest=True, append=True, durable=False)
    grown = Dataset[Item](tmp_path)
    assert column(tmp_path, "score") == [i / 2 for i in range(25)] + [None] * 5
    grown.annotate(scores(grown))
    assert column(tmp_path, "score") == [i / 2 for i in range(30)]


def test_a_set_that_was_annotated_is_replaced_whole(tmp_path, ds):
    ds.annotate(scores(ds))
    path = tmp_path / "items.tar"
    atdata.write_samples(make_items(5), path, maxcount=10, manifest=True, overwrite=True, durable=False)
    assert sorted(contents(tmp_path)) == [
        f"items-000000{end}" for end in (".manifest.json", ".manifest.parquet", ".tar")
    ]


def test_files_that_were_given_another_name_together_are_annotated(tmp_path, ds):
    keep = [path for path in tmp_path.iterdir() if "000001" in path.name]
    for path in tmp_path.iterdir():
        if path not in keep:
            path.unlink()
        else:
            path.rename(path.with_name(path.name.replace("items", "things")))
    ds = Dataset[Item](tmp_path)
    ds.annotate(scores(ds))
    assert column(tmp_path, "score") == [i / 2 for i in range(10, 20)]
    assert len(list(tmp_path.iterdir())) == 3


def test_shards_in_folders_are_annotated_in_their_folders(tmp_path):
    for folder in ("train", "val"):
        atdata.write_samples(make_items(3), tmp_path / folder / "a.tar", manifest=True, durable=False)
    ds = Dataset[Item]([tmp_path / "train" / "a.tar", tmp_path / "val" / "a.tar"])
    assert ds.list_shards() == [str(tmp_path / "train" / "a.tar"), str(tmp_path / "val" / "a.tar")]
    frame = keys(ds).select("__shard__", "__key__", which=pl.col("__shard__"))
    ds.annotate(frame, ["__shard__", "__key__"])
    assert column(tmp_path / "val", "which") == ["val/a"] * 3
    assert len(list((tmp_path / "train").iterdir())) == 3


# What cannot be annotated


def test_shards_without_manifests_cannot_be_annotated(tmp_path):
    atdata.write_samples(make_items(3), tmp_path / "a.tar", durable=False)
    with pytest.raises(TypeError, match="has no manifests that could get columns; write_samples"):
        Dataset[Item](tmp_path).annotate(pl.DataFrame({"__key__": ["a"], "x": [1]}))


def test_shards_of_version_1_0_are_refused_with_what_to_do():
    golden = Path(__file__).parents[1] / "golden" / "1.0.0"
    ds = Dataset(golden)
    before = contents(golden)
    with pytest.raises(
        atdata.UnsupportedFormatError, match="of version 1.0.0, whose columns are not changed.*write_sam"
    ):
        ds.annotate(pl.DataFrame({"__key__": ["a"], "x": [1]}), missing="null", extra="ignore")
    assert contents(golden) == before


def test_filtered_samples_cannot_be_annotated(ds):
    with pytest.raises(TypeError, match=r"which samples pass a filter is known once they are read.*where\(\)"):
        ds.filter(lambda item: item.index > 3).annotate(scores(ds))


def test_a_provenance_that_means_something_else_is_not_written_over(tmp_path):
    atdata.write_samples(
        make_items(3), tmp_path / "a.tar", manifest=True, provenance={"annotated": "by hand"}, durable=False
    )
    ds, before = Dataset[Item](tmp_path), contents(tmp_path)
    with pytest.raises(atdata.SampleValueError, match="a member 'annotated', which is kept for the columns"):
        ds.annotate(scores(ds))
    assert contents(tmp_path) == before


# Selections


def test_a_selection_gets_values_and_other_samples_are_null(tmp_path, ds):
    some = ds.where(label="a")
    late = some.annotate(keys(some).select("__key__", late=pl.col("index")))
    assert [item.index for item in late] == list(range(0, 25, 3))
    assert column(tmp_path, "late") == [i if i % 3 == 0 else None for i in range(25)]


def test_outside_of_a_selection_values_stay(tmp_path, ds):
    ds = ds.annotate(scores(ds))
    wrong = ds.where(pl.col("score") > 10)
    mended = wrong.annotate(keys(wrong).select("__key__", score=pl.lit(0.0)), replace=True)
    assert column(tmp_path, "score") == [i / 2 if i <= 20 else 0.0 for i in range(25)]
    assert [item.index for item in mended] == [21, 22, 23, 24]  # the same samples, whatever is said of them now
    assert checked_header(tmp_path / "items-000002.manifest.json")["aggregates"]["score"]["max"] == 10.0


def test_shards_without_samples_of_a_selection_are_not_touched(tmp_path, ds):
    before = contents(tmp_path)
    some = ds.where(pl.col("index") > 20)
    some.annotate(keys(some).select("__key__", late=pl.col("index")))
    after = contents(tmp_path)
    assert all(after[name] == data for name, data in before.items() if "000002" not in name)
    assert column(tmp_path, "late") == [None] * 21 + [21, 22, 23, 24]


def test_a_selections_samples_count_alone_when_rows_are_matched(tmp_path, ds):
    some = ds.take(["000000-000003", "000001-000001", "000000-000003"])
    with pytest.raises(SampleKeyError, match="23 of the frame's 25 rows are of no sample here"):
        some.annotate(scores(ds))
    with pytest.raises(SampleKeyError, match="1 of 2 samples have no row in the frame: '000001-000001'"):
        some.annotate(scores(ds).filter(pl.col("__key__") == "000000-000003"))
    late = some.annotate(scores(ds), extra="ignore")
    assert [item.index for item in late] == [3, 11, 3]
    assert column(tmp_path, "score") == [i / 2 if i in (3, 11) else None for i in range(25)]


def test_a_selection_cannot_change_a_columns_dtype(tmp_path, ds):
    ds = ds.annotate(keys(ds).select("__key__", late=pl.col("index")))
    some = ds.where(pl.col("index") > 20)
    before = contents(tmp_path)
    with pytest.raises(
        SchemaError, match="the new values of 'late' are String, and the column is Int64 in other shards"
    ):
        some.annotate(keys(some).select("__key__", late=pl.lit("x")), replace=True)
    assert contents(tmp_path) == before
    some.annotate(keys(some).select("__key__", late=pl.lit(0, pl.Int8)), replace=True)
    assert column(tmp_path, "late") == [*range(21), 0, 0, 0, 0]


def test_a_function_sees_the_samples_of_a_selection_once_in_shard_order(tmp_path, ds):
    seen: list[int] = []

    def remember(batch: Any) -> dict[str, Any]:
        seen.extend(batch.index)
        return {"late": batch.index}

    ds.take(["000002-000001", "000000-000003", "000000-000001", "000000-000003"]).annotate(remember)
    assert seen == [1, 3, 21]
    assert column(tmp_path, "late") == [i if i in seen else None for i in range(25)]


def test_an_empty_selection_changes_nothing(tmp_path, ds):
    before = contents(tmp_path)
    none = ds.where(pl.col("index") < 0)
    assert len(none.annotate(lambda batch: {"late": batch.index})) == 0
    none.annotate(pl.DataFrame(schema={"__key__": pl.String, "late": pl.Int64}))
    assert contents(tmp_path) == before


# Dropping


def test_dropping_takes_names(ds):
    with pytest.raises(ValueError, match="takes the names of columns"):
        ds.drop_columns()


def test_dropped_columns_are_gone_and_the_rest_stays(tmp_path, ds):
    before = tars(tmp_path)
    ds = ds.annotate(scores(ds))
    rest = ds.drop_columns("label", "score")
    for each in (rest, Dataset[Item](tmp_path)):
        assert each.scan().collect_schema().names()[5:] == ["index"]
        assert [item.label for item in each] == ["abc"[i % 3] for i in range(25)]
    assert tars(tmp_path) == before
    assert rest.digest == ds.digest
    assert checked_header(tmp_path / "items-000000.manifest.json")["aggregates"].keys() == {"index"}
    assert len(list(tmp_path.iterdir())) == 9


def test_a_column_of_some_shards_is_dropped_from_those(tmp_path, ds):
    some = ds.where(pl.col("index") > 20)
    ds = some.annotate(keys(some).select("__key__", late=pl.col("index")))
    before = contents(tmp_path)
    Dataset[Item](tmp_path).drop_columns("late")
    after = contents(tmp_path)
    assert "late" not in Dataset(tmp_path).scan().collect_schema().names()
    assert all(after[name] == data for name, data in before.items() if "000002" not in name)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("lable",), r"no shard has a column 'lable' \(did you mean 'label'\?\); the columns are 'label', 'index'"),
        (("__key__",), "no column can be called '__key__': names with '__' are the manifest's own"),
        (("data",), "no shard has a column 'data'"),
    ],
)
def test_what_is_no_column_cannot_be_dropped(tmp_path, ds, names, problem):
    before = contents(tmp_path)
    with pytest.raises(SchemaError, match=problem):
        ds.drop_columns("label", *names)
    assert contents(tmp_path) == before


def test_columns_are_dropped_from_the_whole_dataset_alone(ds):
    with pytest.raises(TypeError, match="columns are dropped from whole shards, and this is a selection"):
        ds.where(label="a").drop_columns("label")


# Others at work


def test_another_writers_column_is_not_lost(tmp_path, ds):
    frame = scores(ds)

    def late(batch: Any) -> dict[str, Any]:
        if 10 in batch.index:
            Dataset[Item](tmp_path).annotate(frame)
        return {"late": batch.index}

    with pytest.raises(ManifestError, match="'items-000001': another writer replaced its header") as caught:
        ds.annotate(late, run="one")
    assert caught.value.__notes__ == [
        "1 of 3 shards were done, and the others not. The same call, with run='one', does the rest."
    ]
    assert column(tmp_path, "score") == [i / 2 for i in range(25)]
    assert column(tmp_path, "late") == [*range(10), *[None] * 15]
    Dataset[Item](tmp_path).annotate(lambda batch: {"late": batch.index}, run="one")
    assert column(tmp_path, "late") == list(range(25))
    assert column(tmp_path, "score") == [i / 2 for i in range(25)]
    assert len(list(tmp_path.iterdir())) == 9


def test_a_shard_that_another_writer_changed_before_its_turn_is_left_to_it(tmp_path, ds):
    frame = scores(ds)
    old = {path.name: path.read_bytes() for path in tmp_path.glob("*.parquet")}

    def late(batch: Any) -> dict[str, Any]:
        if 0 in batch.index:
            Dataset[Item](tmp_path).where(pl.col("index") > 20).annotate(frame, extra="ignore")
            (tmp_path / "items-000002.manifest.parquet").write_bytes(
                old["items-000002.manifest.parquet"]
            )  # as a kill would
        return {"late": batch.index}

    with pytest.raises(ManifestError, match="'items-000002': another writer replaced its header"):
        ds.annotate(late)
    assert column(tmp_path, "late") == [*range(20), *[None] * 5]
    assert column(tmp_path, "score") == [None] * 21 + [10.5, 11.0, 11.5, 12.0]


def test_who_opened_the_dataset_before_gets_the_old_answer_or_is_told_to_open_it_again(tmp_path, ds):
    asked, unasked = Dataset[Item](tmp_path), Dataset[Item](tmp_path)
    assert len(asked.query(pl.col("index") > 22)) == 2
    ds.annotate(scores(ds))
    for each in (asked, unasked):
        with pytest.raises(ManifestError, match="open the dataset again"):
            each.query(pl.col("index") > 22)
        with pytest.raises(ManifestError, match="open the dataset again"):
            list(each)
        assert [item.index for item in each.refresh().where(pl.col("score") > 11)] == [23, 24]


def test_who_opened_the_dataset_before_and_reads_the_new_header_is_told_so(tmp_path, ds):
    old = {path.name: path.read_bytes() for path in tmp_path.glob("*.parquet")}
    reader = Dataset[Item](tmp_path)
    ds.annotate(scores(ds))
    for name, data in old.items():  # as they are for a moment, between the header's swap and their removal
        (tmp_path / name).write_bytes(data)
    for ask in (lambda: reader.query(pl.col("index") > 22), lambda: list(reader)):
        with pytest.raises(
            ManifestError, match="'items-000000' were changed after the dataset was opened: its header names"
        ):
            ask()
    with pytest.raises(ManifestError, match="open the dataset again"):
        _ = reader._sequence.opened.manifests.manifests()[0].frame


def test_a_damaged_table_is_still_called_damaged(tmp_path, ds):
    ds.annotate(scores(ds))
    path = next(tmp_path.glob("items-000001.*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(atdata.DamagedManifestError, match="Restore the file"):
        list(Dataset[Item](tmp_path))


def test_errors_of_shards_can_be_collected(tmp_path, ds):
    frame = scores(ds)
    (tmp_path / "items-000001.manifest.parquet").write_bytes(b"damaged")
    with pytest.raises(atdata.DamagedManifestError):
        ds.annotate(frame)
    assert not [path for path in tmp_path.glob("*.parquet") if path.name.count(".") == 3]
    with pytest.raises(atdata.PartialFailureError) as caught:
        ds.annotate(frame, extra="ignore", on_error="collect")
    assert caught.value.succeeded_shards == ["items-000000", "items-000002"]
    assert caught.value.failed_shards == ["items-000001"]
    assert isinstance(caught.value.errors["items-000001"], atdata.DamagedManifestError)
    assert caught.value.results == {"items-000000": 10, "items-000002": 5}
