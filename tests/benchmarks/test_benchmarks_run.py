"""The benchmarks run, and all who are installed give the same answers; times are nobody's business here."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._catalogue import CATALOGUE, QUESTIONS

pytestmark = pytest.mark.timeout(400)  # the first test to run waits for all jobs of a small run

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = {"webdataset", "duckdb", "pyarrow", *(["torch"] if importlib.util.find_spec("torch") else [])}
ABLE = [each for each in CATALOGUE if each.environment != "original" and set(each.needs) <= INSTALLED]
TRAINING = ["slice", *(["loader"] if "torch" in INSTALLED else [])]
JOBS = ["write", "read", "fetch", *TRAINING, *(f"query/{name}" for name in QUESTIONS)]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    file = tmp_path_factory.mktemp("benchmarks") / "results.jsonl"
    done = run("--small", "--out", str(file))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("job", [*JOBS, "resume", "import", "memory"])
def test_everyone_who_is_installed_is_measured(lines, job):
    wanted = {each.name for each in ABLE if each.job == job.partition("/")[0]}
    assert wanted <= {line["candidate"] for line in lines if line["job"] == job and line["values"]}


@pytest.mark.parametrize("job", JOBS)
def test_all_give_the_same_answer_and_only_limits_give_none(lines, job):
    given = {line["candidate"]: line["digest"] for line in lines if line["job"] == job}
    without = {name for name, digest in given.items() if digest is None}
    assert without <= {"limit: bytes", "limit: pread", "limit: pread, dropped"}
    assert len(set(given.values()) - {None}) == 1


def test_what_is_read_is_what_was_written(lines):
    assert len({line["digest"] for line in lines if line["job"] in {"write", "read"}} - {None}) == 1


def test_the_answers_are_not_empty(lines):
    assert all(line["count"] > 0 for line in lines if line["job"] != "query/selective")


def test_a_line_says_what_was_measured_on_what(lines):
    about = lines[0]["run"]
    assert about["sizes"]["samples"] == 60
    assert about["machine"].keys() >= {"platform", "cpus", "memory"}
    assert about["versions"]["peers"].keys() >= {"python", "polars", "numpy", "pandas", "atdata-polars"}


@pytest.mark.parametrize("options", [["--small"], ["--jobs", "read"]])
def test_parts_and_small_figures_stay_out_of_the_documentation(options):
    done = run(*options, "--write-docs")
    assert done.returncode == 2
    assert "--write-docs takes all jobs of one run at full size" in done.stderr


def test_a_job_that_does_not_exist_is_refused():
    done = run("--small", "--jobs", "read,reed")
    assert done.returncode == 2
    assert "no such job: reed" in done.stderr
