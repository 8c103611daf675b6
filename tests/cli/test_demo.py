"""The demonstration, as a person starts it."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import atdata
from atdata.cli import Digit
from atdata.cli._digits import ASCII_SHADES, draw, read_digits

Run = Callable[..., subprocess.CompletedProcess[str]]


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "atdata", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that `atdata demo --dir` keeps, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "digits"
    done = process("demo", "--dir", str(folder))
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_it_keeps_four_shards_that_can_be_opened(kept: tuple[Path, str]) -> None:
    folder, _ = kept
    dataset = atdata.Dataset[Digit](folder)
    assert len(dataset) == 1797
    assert len(dataset.list_shards()) == 4
    counts = dataset.scan().group_by("digit").len().sort("digit").collect()
    assert counts["len"].to_list() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_both_questions_give_the_count_of_a_plain_loop(kept: tuple[Path, str]) -> None:
    _, printed = kept
    expected = sum(each.digit == 9 and each.confidence < 0.1 for each in read_digits())
    assert re.findall(r"(\d+) samples in \d+ ms, as a", printed) == [str(expected)] * 2
    assert "the same samples" in printed


def test_it_draws_the_eight_least_confident_nines(kept: tuple[Path, str]) -> None:
    _, printed = kept
    nines = sorted((each for each in read_digits() if each.digit == 9), key=lambda each: each.confidence)
    for nine in nines[:8]:
        for line in draw(nine.pixels):
            assert line in printed
        assert f"confidence {nine.confidence:+.2f}" in printed


def test_confidence_is_negative_exactly_where_another_mean_is_nearer(kept: tuple[Path, str]) -> None:
    folder, _ = kept
    rows = atdata.QueryExecutor.from_directory(folder).rows()
    doubtful = rows["tags"].list.contains("doubtful")
    assert (doubtful == (rows["confidence"] < 0)).all()
    assert 0 < doubtful.sum() < 300


def test_a_second_run_refuses_the_folder_with_a_message(run: Run, kept: tuple[Path, str]) -> None:
    folder, _ = kept
    done = run("demo", "--dir", str(folder))
    assert done.returncode == 1
    assert "atdata: shard 'digits-000000'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_folder_nothing_is_left_behind(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run("demo").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_the_last_step_is_a_program_that_runs(kept: tuple[Path, str]) -> None:
    folder, printed = kept
    lines = printed[printed.index("import atdata, polars as pl") :].strip().splitlines()
    program = "\n".join(line.rstrip() for line in lines[:-1])
    last = f"print({lines[-1].strip()}.shape)"
    done = subprocess.run([sys.executable, "-c", f"{program}\n{last}"], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(10, 2)", done.stderr
    assert folder.is_dir()
    assert pl.col("digit") is not None


def test_the_version_is_the_packages(run: Run) -> None:
    assert run("--version").stdout.strip() == atdata.__version__


def test_a_terminal_without_unicode_gets_the_digits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = process("demo")
    assert done.returncode == 0, done.stderr
    nines = sorted((each for each in read_digits() if each.digit == 9), key=lambda each: each.confidence)
    assert all(line in done.stdout for line in draw(nines[0].pixels, ASCII_SHADES))


def test_a_narrow_terminal_gets_fewer_digits_abreast(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    printed = run("demo").stdout
    drawn = [line for line in printed.splitlines() if "█" in line]
    assert drawn
    assert max(map(len, drawn)) <= 40


def test_a_file_as_folder_is_one_message(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("demo", "--dir", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith("atdata: ")
    assert "Traceback" not in done.stderr
