"""The benchmarks run, and all candidates give the same answers; times are nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = {"plain", "plain_places", "plain_shards", "rows", "query", "query_cold", "pandas", "pandas_cold"}
PARTS = {"part_check", "part_plan", "part_scan", "part_locations", "part_read", "part_convert", "part_function"}
QUESTIONS = ["Q1", "Q2", "Q3", "Q6"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    file = tmp_path_factory.mktemp("benchmarks") / "results.jsonl"
    done = run("--small", "--out", str(file))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_comparison_is_measured(lines, question):
    assert {line["candidate"] for line in lines if line["question"] == question} == ANSWERS | PARTS


@pytest.mark.parametrize("question", QUESTIONS)
def test_all_candidates_give_the_same_answer(lines, question):
    given = {line["candidate"]: line["digest"] for line in lines if line["question"] == question}
    assert len({given[name] for name in ANSWERS}) == 1


def test_the_answers_are_not_empty(lines):
    assert all(line["locations"] > 0 for line in lines if line["candidate"] == "query" and line["question"] != "Q1")


def test_a_line_says_what_was_measured_on_what(lines):
    assert lines[0]["recipe"] == {"rows": 2000, "shards": 4, "seed": 1}
    assert {"python", "polars", "numpy", "pandas", "atdata", "cpus", "platform"} <= lines[0]["machine"].keys()


def test_small_figures_stay_out_of_the_documentation():
    done = run("--small", "--write-docs")
    assert done.returncode == 2
    assert "--small measures nothing" in done.stderr
