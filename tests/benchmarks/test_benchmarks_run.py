"""The benchmarks run, and all who are installed give the same answers; times are nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._catalogue import CATALOGUE, DATA_KINDS, GROWTH, QUESTIONS
from tests.extras import installed
from tests.tiers import slow_beyond

pytestmark = pytest.mark.timeout(900)  # the first test to run waits for a small run: of all jobs, half a minute alone

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = set(filter(installed, ["webdataset", "duckdb", "pyarrow", "torch"]))
ABLE = [
    each for each in CATALOGUE if each.environment not in ("original", "streaming") and set(each.needs) <= INSTALLED
]
TRAINING = ["slice", *(["loader"] if "torch" in INSTALLED else [])]
SAMPLES = ["write", "read", "batch", "fetch", *TRAINING]
ASKED = [f"query/1m/{kind}/{name}" for kind in DATA_KINDS for name in QUESTIONS]
GROWN = [f"growth/2/clustered/{what}" for what in GROWTH]
#: The options of a run, and the cases that it has to measure.
RUNS = {
    "a part": (
        ["--jobs", "fetch", "tars", "query", "--kinds", "clustered", "--questions", "key", "selective"],
        ["fetch", "tars", "query/1m/clustered/key", "query/1m/clustered/selective"],
    ),
    "all": (
        [],
        [*SAMPLES, *ASKED, "describe/1m/random", *GROWN, "open/1m/clustered", "tars", "resume", "memory"],
    ),
}
#: What all who measure it have to answer alike.
COMPARED = {*SAMPLES, *ASKED, "describe/1m/random", "tars"}


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def lines_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module", params=slow_beyond(1, RUNS))
def measured(request, tmp_path_factory):
    """Return the file that a run wrote, and the cases that it has to measure."""
    options, cases = RUNS[request.param]
    file = tmp_path_factory.mktemp("benchmarks") / "results.jsonl"
    done = run("--small", "--no-memory", "--out", str(file), *options)
    assert done.returncode == 0, done.stderr
    return file, cases


@pytest.fixture(scope="module")
def lines(measured):
    return [line for line in lines_of(measured[0]) if "case" in line]


def does(candidate, case):
    job, _, rest = case.partition("/")
    question = rest.rpartition("/")[2]
    in_size = not candidate.sizes or "1m" in candidate.sizes
    return candidate.job == job and in_size and (not candidate.questions or question in candidate.questions)


def test_everyone_who_is_installed_is_measured(measured, lines):
    expected = {case: {each.name for each in ABLE if does(each, case)} for case in measured[1]}
    assert all(expected.values())
    assert expected == {
        case: {line["candidate"] for line in lines if line["case"] == case and line["values"]} for case in expected
    }


def test_all_give_the_same_answer_and_only_limits_give_none(measured, lines):
    for case in COMPARED.intersection(measured[1]):
        digests = {line["candidate"]: line["digest"] for line in lines if line["case"] == case}
        answers = {name: digest.split("+") for name, digest in digests.items() if digest is not None}
        assert all(name.startswith("limit: ") for name in digests.keys() - answers.keys()), case
        assert len({keys for keys, *_ in answers.values()}) == 1, case
        assert len({place for _, *places in answers.values() for place in places}) <= 1, case


def test_shards_are_compared_with_those_of_an_engine_that_is_not_ours(measured, lines):
    cases = [case for case in measured[1] if case in ASKED and not case.endswith("/count")]
    assert cases
    for case in cases:
        telling = {line["candidate"] for line in lines if line["case"] == case and "+" in (line["digest"] or "")}
        assert {name.startswith("atdata") for name in telling} == {True, False}, case


@pytest.mark.slow
@pytest.mark.parametrize("measured", ["all"], indirect=True)
def test_what_is_read_is_what_was_written(lines):
    assert len({line["digest"] for line in lines if line["case"] in {"write", "read", "batch"}} - {None}) == 1


def test_the_answers_are_not_empty(lines):
    assert all(line["count"] > 0 for line in lines if not line["case"].endswith("/selective"))
    assert any(line["count"] > 0 for line in lines if line["case"].endswith("/selective"))


def test_the_first_line_says_what_was_measured_on_what(measured):
    about = lines_of(measured[0])[0]
    assert about["sizes"]["samples"] == 60
    assert about["machine"].keys() >= {"platform", "cpus", "memory"}
    assert about["versions"]["peers"].keys() >= {"python", "polars", "numpy", "pandas", "atdata-polars"}


def test_parts_are_measured_alone_with_the_memory_they_need(tmp_path):
    file = tmp_path / "results.jsonl"
    done = run("--small", "--jobs", "query", "--kinds", "clustered", "--questions", "key", "tags", "--candidates",
               "polars", "limit*", "--out", str(file))  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, *found = lines_of(file)
    assert {line["case"] for line in found if "case" in line} == {f"query/1m/clustered/{q}" for q in ("key", "tags")}
    assert {line["group"] for line in found if "group" in line} == {"query/1m/clustered"}
    assert {line["candidate"] for line in found} == {
        each.name
        for each in ABLE
        if (each.name == "polars" or each.name.startswith("limit")) and does(each, "query/1m/clustered/key")
    }
    if sys.platform == "linux":
        peaks = {line["candidate"]: line["peak"] for line in found if "group" in line}
        assert peaks["polars"] > peaks["limit: bytes of one file"]


def test_figures_of_a_small_run_stay_out_of_the_documentation(measured):
    done = run("--small", "--write-docs")
    assert done.returncode == 2
    assert "--write-docs takes figures of full size" in done.stderr
    done = run("--from", str(measured[0]), "--write-docs")
    assert done.returncode == 1
    assert "there are no results of full size to write of" in done.stderr


def test_a_job_that_does_not_exist_is_refused():
    done = run("--small", "--jobs", "read", "reed")
    assert done.returncode == 2
    assert "invalid choice: 'reed'" in done.stderr
