"""Columns that a function makes of samples: its results, and runs that go on where one was cut off."""

import datetime as dt
import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray

import atdata
from atdata import Dataset, SchemaError
from atdata.manifest import ManifestBuilder, ManifestWriter


@atdata.packable
class Item:
    data: NDArray[np.uint8]
    index: int


@pytest.fixture
def ds(tmp_path: Path) -> Dataset[Item]:
    """25 items in three shards."""
    items = (Item(np.full(4, i, np.uint8), i) for i in range(25))
    atdata.write_samples(items, tmp_path / "items.tar", maxcount=10, manifest=True, durable=False)
    return Dataset[Item](tmp_path)


def column(path: Path, name: str) -> list[Any]:
    return Dataset(path).scan().collect()[name].to_list()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Counting:
    """Doubles the index, and remembers the batches that it saw; raises where it is told to."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.seen: list[list[int]] = []
        self._fail_at = fail_at

    def __call__(self, batch: Any) -> dict[str, Any]:
        self.seen.append(batch.index)
        if self._fail_at in batch.index:
            raise RuntimeError("out of memory")
        return {"double": np.asarray(batch.index) * 2}


def test_a_function_gets_batches_of_a_shards_samples_in_order(tmp_path, ds):
    double = Counting()
    late = ds.annotate(double, batch_size=4)
    assert double.seen == [
        *([0, 1, 2, 3], [4, 5, 6, 7], [8, 9]),
        *([10, 11, 12, 13], [14, 15, 16, 17], [18, 19]),
        *([20, 21, 22, 23], [24]),
    ]
    assert column(tmp_path, "double") == [2 * i for i in range(25)]
    assert [item.index for item in late.where(double=14)] == [7]


@pytest.mark.parametrize(
    "make",
    [
        lambda batch: {"x": batch.index},
        lambda batch: {"x": np.array(batch.index)},
        lambda batch: {"x": pl.Series(batch.index)},
        lambda batch: {"x": pd.Series(batch.index, index=[-i for i in batch.index])},
        lambda batch: {"x": tuple(np.int64(i) for i in batch.index)},
        lambda batch: pl.DataFrame({"x": batch.index}),
        lambda batch: pl.LazyFrame({"x": batch.index}),
        lambda batch: pd.DataFrame({"x": batch.index}),
    ],
    ids=["list", "array", "Series", "pandas Series", "NumPy scalars", "frame", "query", "pandas frame"],
)
def test_a_function_returns_columns_in_any_common_form(tmp_path, ds, make):
    ds.annotate(make)
    assert column(tmp_path, "x") == list(range(25))


@pytest.mark.parametrize(
    ("cells", "stored"),
    [
        (lambda i: i / 2 if i % 2 else i, lambda i: float(i / 2 if i % 2 else i)),
        (lambda i: None if i < 20 else float(i), lambda i: None if i < 20 else float(i)),
        (lambda i: [i, 0.5], lambda i: [float(i), 0.5]),
        (lambda i: [1] if i % 2 else [2.5], lambda i: [1.0] if i % 2 else [2.5]),
        (lambda i: np.arange(i % 3), lambda i: list(range(i % 3))),
        (lambda i: None if i % 2 else ["a"], lambda i: None if i % 2 else ["a"]),
        (lambda _: np.float32(0.5), lambda _: 0.5),
        (lambda _: np.datetime64("2026-01-02T00:00:00", "ns"), lambda _: dt.datetime(2026, 1, 2)),
        (lambda i: bool(i % 2), lambda i: bool(i % 2)),
    ],
    ids=[
        "ints and floats",
        "None at first",
        "list of both",
        "lists of one",
        "arrays",
        "lists",
        "float32",
        "ns",
        "bool",
    ],
)
def test_values_come_back_as_they_are(tmp_path, cells, stored):
    atdata.write_samples([Item(np.zeros(1, np.uint8), i) for i in range(25)], tmp_path / "i.tar", manifest=True)
    Dataset[Item](tmp_path).annotate(lambda batch: {"x": [cells(i) for i in batch.index]}, batch_size=3)
    assert column(tmp_path, "x") == [stored(i) for i in range(25)]


def test_rows_of_an_array_are_lists(tmp_path, ds):
    ds.annotate(lambda batch: {"x": batch.data[:, :2].astype(np.float32)})
    assert column(tmp_path, "x") == [[float(i)] * 2 for i in range(25)]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda _: 5, "a dict from column name to values, or a frame; found a int"),
        (lambda batch: batch.index, "a dict from column name to values, or a frame; found a list"),
        (lambda _: {}, "the function returned no column"),
        (lambda _: {"x": [1, 2]}, "returned 2 values of 'x' for a batch of 10 samples; there is one a sample"),
        (lambda _: {"x": 1}, "returned a int for 'x'; expected one value a sample"),
        (lambda _: {"x": "ten chars!"}, "returned a str for 'x'; expected one value a sample"),
        (lambda _: pl.DataFrame({"x": [1, 2]}), "returned 2 rows for a batch of 10 samples"),
        (lambda batch: {"__key__": batch.index}, "no column can be called '__key__'"),
        (lambda batch: {5: batch.index}, "no column can be called 5"),
        (lambda batch: {"x": [object()] * len(batch)}, "'x' is Object, which no sample table holds"),
        (lambda _: {"x": [1, "a"] * 5}, "the values of 'x' are of several types: 'int', 'str'"),
        (lambda _: {"x": [1, [1]] * 5}, "some values of 'x' are lists, and others are not"),
        (lambda batch: {"x": [None] * len(batch)}, "'x' is Null, .*say what they would be: pl.Series"),
        (
            lambda batch: {"x": batch.index} if 0 in batch.index else {"y": batch.index},
            "'x' for one .* 'y' for another",
        ),
        (lambda batch: {"x": [1 if 0 in batch.index else "a"] * len(batch)}, "'Int64', 'String' for the column 'x'"),
    ],
)
def test_what_makes_no_columns_is_refused_before_anything_is_written(tmp_path, ds, make, problem):
    before = contents(tmp_path)
    size = 5 if "another" in problem or "Int64" in problem else 10
    with pytest.raises(SchemaError, match=problem):
        ds.annotate(make, batch_size=size)
    assert contents(tmp_path) == before


def test_a_column_that_is_there_is_found_after_the_first_shard_and_before_anything_is_written(tmp_path, ds):
    ds = ds.annotate(Counting())
    before, double = contents(tmp_path), Counting()
    with pytest.raises(SchemaError, match="3 of 3 shards have a column 'double' with other values .*annotate.. before"):
        ds.annotate(double)
    assert double.seen == [list(range(10))]
    assert contents(tmp_path) == before
    ds.annotate(lambda batch: {"double": [str(i) for i in batch.index]}, replace=True)
    assert column(tmp_path, "double") == [str(i) for i in range(25)]


def test_every_shard_has_the_dtype_of_the_first(tmp_path, ds):
    ds.annotate(lambda batch: {"x": batch.index if 10 in batch.index else [i / 2 for i in batch.index]})
    assert {pl.read_parquet_schema(path)["x"] for path in tmp_path.glob("*.parquet")} == {pl.Float64()}
    assert column(tmp_path, "x")[10:20] == list(range(10, 20))


def test_a_dtype_that_does_not_fit_that_of_the_shards_before_ends_the_work_and_says_what_to_do(tmp_path, ds):
    with pytest.raises(
        SchemaError, match=r"'x' are Float64, and the column is Int64 in other shards.*dtype=pl.Int64"
    ) as e:
        ds.annotate(lambda batch: {"x": [i / 2 for i in batch.index] if 10 in batch.index else batch.index}, run="a")
    assert e.value.__notes__ == [
        "1 of 3 shards were done, and the others not. The same call, with run='a', does the rest."
    ]
    assert column(tmp_path, "x") == [*range(10), *[None] * 15]


def test_other_columns_for_another_shard_are_refused(ds):
    with pytest.raises(SchemaError, match="the columns 'y' for shard 'items-000001', and 'x' before"):
        ds.annotate(lambda batch: {"y" if 10 in batch.index else "x": batch.index})


def test_mapped_samples_are_what_the_function_gets(tmp_path, ds):
    ds.map(lambda item: atdata.DictSample(half=item.index / 2)).annotate(lambda batch: {"half": batch.half})
    assert column(tmp_path, "half") == [i / 2 for i in range(25)]


def test_samples_that_are_damaged_are_not_annotated(tmp_path, ds):
    tar = tmp_path / "items-000001.tar"
    data = bytearray(tar.read_bytes())
    data[600] ^= 1
    tar.write_bytes(data)
    with pytest.raises(atdata.ShardChangedError, match="items-000001"):
        ds.annotate(Counting())
    with pytest.raises(atdata.PartialFailureError) as caught:
        Dataset[Item](tmp_path).annotate(Counting(), replace=True, on_error="collect")
    assert caught.value.failed_shards == ["items-000001"]
    assert column(tmp_path, "double") == [2 * i if not 10 <= i < 20 else None for i in range(25)]


@pytest.mark.usefixtures("ds")
def test_a_shard_without_samples_gets_the_column_too(tmp_path):
    ManifestWriter(tmp_path / "a-empty").write(ManifestBuilder(Item, "a-empty").build())
    Dataset[Item](tmp_path).annotate(Counting())
    assert pl.read_parquet_schema(next(tmp_path.glob("a-empty.*.parquet")))["double"] == pl.Int64()


# Runs


def test_a_run_goes_on_where_it_was_cut_off(tmp_path, ds):
    with pytest.raises(RuntimeError, match="out of memory") as caught:
        ds.annotate(Counting(fail_at=14), run="double-1")
    (note,) = caught.value.__notes__
    assert note == "1 of 3 shards were done, and the others not. The same call, with run='double-1', does the rest."
    assert column(tmp_path, "double") == [2 * i if i < 10 else None for i in range(25)]
    again = Counting()
    Dataset[Item](tmp_path).annotate(again, run="double-1")
    assert [batch[0] for batch in again.seen] == [10, 20]
    assert column(tmp_path, "double") == [2 * i for i in range(25)]


def test_a_run_that_is_done_computes_nothing(tmp_path, ds):
    ds = ds.annotate(Counting(), run="double-1")
    before, again = contents(tmp_path), Counting()
    for replace in (False, True):
        ds.annotate(again, run="double-1", replace=replace)
    assert again.seen == []
    assert contents(tmp_path) == before


def test_a_run_without_a_name_is_begun_anew(ds):
    with pytest.raises(RuntimeError) as caught:
        ds.annotate(Counting(fail_at=14))
    assert "Columns that take long are made with run='a name'" in caught.value.__notes__[0]
    with pytest.raises(SchemaError, match="1 of 3 shards have a column 'double' .*annotate.. before.*replace=True"):
        ds.annotate(Counting(), run="double-1")
    again = Counting()
    ds.annotate(again, run="double-1", replace=True)
    assert len(again.seen) == 3


def test_another_run_replaces_the_columns_of_one_before_and_that_one_is_not_done_any_more(tmp_path, ds):
    def triple(batch: Any) -> dict[str, Any]:
        return {"double": [3 * i for i in batch.index]}

    ds = ds.annotate(lambda batch: {**Counting()(batch), "other": batch.index}, run="double-1")
    with pytest.raises(SchemaError, match="3 of 3 shards .* 'double' .*made by the run 'double-1'"):
        ds.annotate(triple, run="triple-1")
    ds = ds.annotate(triple, run="triple-1", replace=True)
    assert column(tmp_path, "double") == [3 * i for i in range(25)]
    again = Counting()
    ds.annotate(again, run="double-1", replace=True)
    assert len(again.seen) == 3
    assert column(tmp_path, "double") == [2 * i for i in range(25)]


def test_a_cut_off_run_that_replaces_goes_on_too(tmp_path, ds):
    ds = ds.annotate(lambda batch: {"double": batch.index}, run="wrong")
    with pytest.raises(RuntimeError):
        ds.annotate(Counting(fail_at=14), run="right", replace=True)
    again = Counting()
    Dataset[Item](tmp_path).annotate(again, run="right", replace=True)
    assert [batch[0] for batch in again.seen] == [10, 20]
    assert column(tmp_path, "double") == [2 * i for i in range(25)]


def test_a_name_that_stands_for_other_columns_is_refused(tmp_path, ds):
    with pytest.raises(RuntimeError):
        ds.annotate(Counting(fail_at=14), run="one")
    before = contents(tmp_path)
    with pytest.raises(
        SchemaError, match="the run 'one' made the columns 'double' of shard 'items-000000', and the fun"
    ):
        Dataset[Item](tmp_path).annotate(lambda batch: {"other": batch.index}, run="one")
    assert contents(tmp_path) == before


def test_shards_that_were_added_later_are_done_by_the_same_run(tmp_path, ds):
    ds.annotate(Counting(), run="double-1")
    more = [Item(np.zeros(4, np.uint8), i) for i in range(25, 30)]
    atdata.write_samples(more, tmp_path / "items.tar", maxcount=10, manifest=True, append=True, durable=False)
    again = Counting()
    Dataset[Item](tmp_path).annotate(again, run="double-1")
    assert again.seen == [[25, 26, 27, 28, 29]]
    assert column(tmp_path, "double") == [2 * i for i in range(30)]


def test_a_run_on_a_selection_is_a_run_of_its_own(tmp_path, ds):
    some = ds.where(pl.col("index") < 12)
    some.annotate(Counting(), run="one")
    whole, again = Dataset[Item](tmp_path), Counting()
    whole.where(pl.col("index") < 12).annotate(again, run="one")
    assert again.seen == []
    whole.where(pl.col("index") >= 12).annotate(again, run="one", replace=True)
    assert [batch[0] for batch in again.seen] == [12, 20]
    assert column(tmp_path, "double") == [2 * i for i in range(25)]


def test_the_name_of_a_run_is_in_the_headers(tmp_path, ds):
    ds.annotate(Counting(), run="double-1")
    for path in tmp_path.glob("*.json"):
        assert json.loads(path.read_text())["provenance"] == {"annotated": {"double": "double-1"}}


RUN = """
import sys, atdata, numpy as np
from numpy.typing import NDArray

@atdata.packable
class Item:
    data: NDArray[np.uint8]
    index: int

def double(batch):
    print(batch.index[0], flush=True)
    if batch.index[0] == 10 and len(sys.argv) > 2:
        sys.stdin.readline()  # until it is killed
    return {"double": [2 * i for i in batch.index]}

atdata.Dataset[Item](sys.argv[1]).annotate(double, run="double-1", batch_size=5)
"""


@pytest.mark.usefixtures("ds")
def test_a_run_that_was_killed_does_only_the_shards_that_it_had_not_done(tmp_path):
    begin = [sys.executable, "-c", RUN, str(tmp_path)]
    with subprocess.Popen(
        [*begin, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        assert [child.stdout.readline() for _ in range(3)] == ["0\n", "5\n", "10\n"]
        child.send_signal(signal.SIGKILL)
    assert column(tmp_path, "double") == [2 * i if i < 10 else None for i in range(25)]
    done = subprocess.run(begin, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["10", "15", "20"]
    assert column(tmp_path, "double") == [2 * i for i in range(25)]
    assert len([path for path in tmp_path.iterdir() if not path.name.startswith(".tmp-")]) == 9


@pytest.mark.usefixtures("ds")
@pytest.mark.parametrize(("progress", "shown"), [("None", True), ("True", True), ("False", False)])
def test_a_terminal_sees_how_far_a_function_is(tmp_path, progress, shown):
    program = RUN.replace("batch_size=5", f"progress={progress}").replace("print(", "str(").replace("flush=True", "")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stderr=theirs, env=environment) as child:
        os.close(theirs)
        said = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
            if not part:
                break
            said += part
    os.close(ours)
    assert child.returncode == 0, said
    assert ("annotating" in said.decode() and "25 samples" in said.decode()) is shown
