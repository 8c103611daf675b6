"""What was found is read back as it was written; figures that are compared are of one run."""

import json

import pytest

from benchmarks._results import Results, Writer, read_results
from benchmarks._run import Machine, Peak, Record, Run, Sizes


def run_of(name: str, *, small: bool = False) -> Run:
    return Run(name, Machine("Linux", 2, 1), Sizes(), {"peers": {"python": "3.12.1"}}, 0.5, small)


def write(file, run, *found):
    writer = Writer(file, run)
    writer.add(found)
    writer.close()


def test_what_was_written_is_read_back(tmp_path):
    file = tmp_path / "results.jsonl"
    record = Record("index/10m/random", "atdata", (1.0, 2.0), 10, "d", 0.25, {"index_bytes": 3.0})
    write(file, run_of("a"), record, Peak("index/10m/random", "atdata", 7))
    results = read_results([file])
    assert results.used == [run_of("a")]
    assert results.find("index/10m/random", "atdata") == record
    assert results.peak("index/10m/random", "atdata") == 7
    assert results.peak("index/10m/random", "polars") is None


def test_a_case_is_of_the_last_run_that_measured_it(tmp_path):
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    write(first, run_of("a"), Record("write", "atdata", (1.0,), 1), Record("write", "lance", (1.0,), 1),
          Record("read", "atdata", (1.0,), 1))  # fmt: skip
    write(second, run_of("b"), Record("write", "atdata", (9.0,), 1))
    results = read_results([first, second])
    assert results.ratio("write", "lance", "atdata") is None
    assert [each.candidate for each in results.records("write")] == ["atdata"]
    assert results.find("read", "atdata") is not None
    assert [run.name for run in results.used] == ["a", "b"]


def test_a_run_of_which_nothing_is_left_is_not_among_those_used():
    results = Results()
    for name in ("a", "b"):
        results.add(run_of(name), [Record("write", "atdata", (1.0,), 1)])
    assert [run.name for run in results.used] == ["b"]


def test_figures_of_a_small_run_are_passed_over(tmp_path):
    write(tmp_path / "file", run_of("a", small=True), Record("write", "atdata", (1.0,), 1))
    assert read_results([tmp_path / "file"]).cases == []


def test_what_was_found_is_in_the_file_before_the_run_ends(tmp_path):
    writer = Writer(tmp_path / "file", run_of("a"))
    writer.add([Record("write", "atdata", (1.0,), 1)])
    assert read_results([tmp_path / "file"]).find("write", "atdata") is not None
    writer.close()


def test_a_line_of_no_run_is_refused(tmp_path):
    (tmp_path / "file").write_text(json.dumps({"run": "nobody's", "case": "write"}) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: of no run that the file tells of"):
        read_results([tmp_path / "file"])


def test_a_difference_is_the_median_of_those_of_the_rounds():
    results = Results()
    results.add(run_of("a"), [Record("w", "x", (5.0, 9.0, 4.0), 1), Record("w", "y", (1.0, 1.0, 1.0), 1)])
    assert results.difference("w", "x", "y") == 4.0
    assert results.difference("w", "x", "z") is None
