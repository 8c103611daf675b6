"""The benchmarks run, and all who are installed give the same answers; times are nobody's business here."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._catalogue import CATALOGUE, DATA_KINDS, GROWTH, QUESTIONS

pytestmark = pytest.mark.timeout(900)  # the first test to run waits for all jobs of a small run: half a minute alone

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = {"webdataset", "duckdb", "pyarrow", *(["torch"] if importlib.util.find_spec("torch") else [])}
ABLE = [
    each for each in CATALOGUE if each.environment not in ("original", "streaming") and set(each.needs) <= INSTALLED
]
TRAINING = ["slice", *(["loader"] if "torch" in INSTALLED else [])]
SAMPLES = ["write", "read", "batch", "fetch", *TRAINING]
ASKED = [f"query/1m/{kind}/{name}" for kind in DATA_KINDS for name in QUESTIONS]
SUMMED = ["describe/1m/random"]
GROWN = [f"growth/2/clustered/{what}" for what in GROWTH]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def lines_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("benchmarks") / "results.jsonl"
    done = run("--small", "--no-memory", "--out", str(file))
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture(scope="module")
def lines(file):
    return [line for line in lines_of(file) if "case" in line]


def does(candidate, case):
    job, _, rest = case.partition("/")
    question = rest.rpartition("/")[2]
    in_size = not candidate.sizes or "1m" in candidate.sizes
    return candidate.job == job and in_size and (not candidate.questions or question in candidate.questions)


@pytest.mark.parametrize("case", [*SAMPLES, *ASKED, *SUMMED, *GROWN, "open/1m/clustered", "tars", "resume", "memory"])
def test_everyone_who_is_installed_is_measured(lines, case):
    wanted = {each.name for each in ABLE if does(each, case)}
    assert wanted
    assert wanted == {line["candidate"] for line in lines if line["case"] == case and line["values"]}


@pytest.mark.parametrize("case", [*SAMPLES, *ASKED, *SUMMED, "tars"])
def test_all_give_the_same_answer_and_only_limits_give_none(lines, case):
    given = {line["candidate"]: line["digest"] for line in lines if line["case"] == case}
    told = {name: digest.split("+") for name, digest in given.items() if digest is not None}
    assert all(name.startswith("limit: ") for name in given.keys() - told.keys())
    assert len({keys for keys, *_ in told.values()}) == 1
    assert len({place for _, *places in told.values() for place in places}) <= 1


@pytest.mark.parametrize("case", [case for case in ASKED if not case.endswith("/count")])
def test_shards_are_compared_with_those_of_an_engine_that_is_not_ours(lines, case):
    telling = {line["candidate"] for line in lines if line["case"] == case and "+" in (line["digest"] or "")}
    assert {name for name in telling if name.startswith("atdata")}
    assert {name for name in telling if not name.startswith("atdata")}


def test_what_is_read_is_what_was_written(lines):
    assert len({line["digest"] for line in lines if line["case"] in {"write", "read", "batch"}} - {None}) == 1


def test_the_answers_are_not_empty(lines):
    assert all(line["count"] > 0 for line in lines if not line["case"].endswith("/selective"))
    assert any(line["count"] > 0 for line in lines if line["case"].endswith("/selective"))


def test_the_first_line_says_what_was_measured_on_what(file):
    about = lines_of(file)[0]
    assert about["sizes"]["samples"] == 60
    assert about["machine"].keys() >= {"platform", "cpus", "memory"}
    assert about["versions"]["peers"].keys() >= {"python", "polars", "numpy", "pandas", "atdata-polars"}


def test_parts_are_measured_alone_with_the_memory_they_need(tmp_path):
    file = tmp_path / "results.jsonl"
    done = run("--small", "--jobs", "query", "--kinds", "clustered", "--questions", "key", "tags", "--candidates",
               "polars*", "limit*", "--out", str(file))  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, *found = lines_of(file)
    assert {line["case"] for line in found if "case" in line} == {f"query/1m/clustered/{q}" for q in ("key", "tags")}
    assert {line["group"] for line in found if "group" in line} == {"query/1m/clustered"}
    assert {line["candidate"] for line in found} == {
        each.name for each in ABLE if each.name.startswith(("polars", "limit")) and does(each, "query/1m/clustered/key")
    }
    if sys.platform == "linux":
        peaks = {line["candidate"]: line["peak"] for line in found if "group" in line}
        assert peaks["polars"] > peaks["limit: bytes of one file"]


def test_figures_of_a_small_run_stay_out_of_the_documentation(file):
    done = run("--small", "--write-docs")
    assert done.returncode == 2
    assert "--write-docs takes figures of full size" in done.stderr
    done = run("--from", str(file), "--write-docs")
    assert done.returncode == 1
    assert "there are no results of full size to write of" in done.stderr


def test_a_job_that_does_not_exist_is_refused():
    done = run("--small", "--jobs", "read", "reed")
    assert done.returncode == 2
    assert "invalid choice: 'reed'" in done.stderr
