"""The format is what the committed files are: today's code writes the same bytes, and reads them."""

import hashlib
import json
import re
import runpy
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import atdata

HERE = Path(__file__).parent
CURRENT = HERE / "1.1.0"
SHARDS = ["set-000000", "set-000001"]


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(HERE / "make_1_1_0.py"))


@pytest.fixture(scope="module")
def rewritten(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rewritten")
    script["write"](folder)
    return folder


@pytest.fixture(scope="module")
def committed(script):
    return atdata.Dataset[script["Everything"]](CURRENT)


def polars_of_the_files():
    return re.search(r"`1.1.0/`.*Polars ([0-9.]+)", (HERE / "README.md").read_text())[1]


def header_but_for_the_table_bytes(path):
    members = json.loads(path.read_bytes())
    del members["digest"], members["samples"]["sha256"], members["samples"]["size_bytes"]
    return json.dumps(members)  # text, so that the order counts too


def test_the_same_files_are_written(rewritten):
    assert sorted(path.name for path in rewritten.iterdir()) == sorted(path.name for path in CURRENT.iterdir())


@pytest.mark.parametrize("shard", SHARDS)
def test_the_same_tars_are_written(rewritten, shard):
    assert (rewritten / f"{shard}.tar").read_bytes() == (CURRENT / f"{shard}.tar").read_bytes()


@pytest.mark.parametrize("shard", SHARDS)
def test_the_same_headers_are_written(rewritten, shard):
    name = f"{shard}.manifest.json"
    assert header_but_for_the_table_bytes(rewritten / name) == header_but_for_the_table_bytes(CURRENT / name)


@pytest.mark.parametrize("shard", SHARDS)
def test_the_same_tables_are_written(rewritten, shard):
    name = f"{shard}.manifest.parquet"
    assert_frame_equal(pl.read_parquet(rewritten / name), pl.read_parquet(CURRENT / name), check_exact=True)


@pytest.mark.parametrize("suffix", [".manifest.json", ".manifest.parquet"])
@pytest.mark.parametrize("shard", SHARDS)
def test_the_same_bytes_are_written_with_the_same_polars(rewritten, shard, suffix):
    if pl.__version__ == polars_of_the_files():  # Parquet's encoding is Polars' business
        assert (rewritten / (shard + suffix)).read_bytes() == (CURRENT / (shard + suffix)).read_bytes()


@pytest.mark.parametrize("shard", SHARDS)
def test_the_committed_header_tells_the_committed_files(shard):
    header = json.loads((CURRENT / f"{shard}.manifest.json").read_bytes())
    for part in ("shard", "samples"):
        data = (CURRENT / header[part]["file"]).read_bytes()
        assert (header[part]["size_bytes"], header[part]["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_committed_samples_are_read_in_order(script, committed):
    expected = [script["sample"](position).packed for position in range(14)]
    assert [sample.packed for sample in committed] == expected  # as bytes, so that NaN is NaN
    assert len(committed) == 14


def test_the_committed_samples_are_found_and_fetched(script, committed):
    found = committed.query((pl.col("text") == "cat") & pl.col("words").list.contains("night"))
    wholes = [each.whole for each in committed.fetch(found, verify="full")]
    expected = [script["sample"](position) for position in range(14)]
    assert wholes == [each.whole for each in expected if each.text == "cat" and "night" in each.words]
    assert len(wholes) > 1


def test_a_program_written_for_the_original_runs(tmp_path):
    program = runpy.run_path(str(HERE / "make_1_0_0.py"))
    written = atdata.write_samples(
        map(program["photo"], range(50)), tmp_path / "photos.tar", maxcount=20, manifest=True
    )
    assert [path.name for path in sorted(tmp_path.iterdir())] == sorted(
        path.name for path in (HERE / "1.0.0").iterdir()
    )
    assert [photo.index for photo in written] == [position * 3 - 20 for position in range(50)]
