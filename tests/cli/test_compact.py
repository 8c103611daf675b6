"""Making an index from a terminal."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import atdata
from atdata import QueryExecutor

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(written: atdata.Dataset[object]) -> Path:
    return Path(written.list_shards()[0]).parent


def test_it_makes_the_index_and_says_what_it_did(run: Run, folder: Path) -> None:
    done = run("compact", str(folder))
    assert done.returncode == 0, done.stderr
    assert "3 shards, 250 samples:" in done.stdout
    assert "3 sample tables were read" in done.stdout
    assert QueryExecutor.from_directory(folder).explain().shards_indexed == 3


def test_a_second_time_reads_nothing(run: Run, folder: Path) -> None:
    run("compact", str(folder))
    assert "0 sample tables were read" in run("compact", str(folder)).stdout


def test_a_damaged_shard_is_one_message(run: Run, folder: Path) -> None:
    (folder / "photos-000001.manifest.parquet").write_bytes(b"none")
    done = run("compact", str(folder))
    assert done.returncode == 1
    assert done.stderr.startswith("atdata: ")
    assert "photos-000001.manifest.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_shard_can_be_left_out(run: Run, folder: Path) -> None:
    (folder / "photos-000001.manifest.parquet").write_bytes(b"none")
    done = run("compact", str(folder), "--keep-going")
    assert done.returncode == 1
    assert "2 shards" in done.stdout
    assert "failed: 'photos-000001'" in done.stdout
    rows = pl.read_parquet(folder / "_manifest_index" / "part-*.parquet")
    assert rows["__shard__"].unique(maintain_order=True).to_list() == ["photos-000000", "photos-000002"]


def test_it_runs_as_a_module(folder: Path) -> None:
    command = [sys.executable, "-m", "atdata", "compact", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 shards, 250 samples:" in done.stdout


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    done = run("compact", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere is no folder" in done.stderr


def test_a_reader_that_went_away_is_no_error(folder: Path) -> None:
    command = [sys.executable, "-m", "atdata", "compact", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait() == 1
