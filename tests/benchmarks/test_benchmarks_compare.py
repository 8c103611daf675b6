"""Two versions are compared by paired ratios; a limit is broken only if the whole interval lies beyond it."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._driver import WorkerFailedError
from benchmarks.compare import _command, _measure, main
from benchmarks.compare._jobs import JOBS, Job
from benchmarks.compare._measure import Measured, measure
from benchmarks.compare._paired import (
    FineLimitError,
    Interval,
    check_limit,
    difference,
    interval_of,
    ratios,
    verdict,
)
from benchmarks.compare._rows import Count, Row, Speedup, counts_of, rows_of, speedups_of
from benchmarks.compare._side import Side
from benchmarks.compare._table import control_line, counts_lines, speedup_lines, table
from benchmarks.compare._trees import TreeNotFoundError, copy_tree
from tests.tiers import law

pytestmark = pytest.mark.timeout(900)  # two tests wait for comparisons: a few seconds alone

ROOT = Path(__file__).resolve().parents[2]
VALUES = st.lists(st.floats(0.1, 10), min_size=1, max_size=30)


def exact(ratio: float) -> Interval:
    return Interval(ratio, ratio, ratio)


# Statistics


def test_ratios_are_after_over_before_pair_by_pair():
    assert ratios([1.0, 2.0, 4.0], [2.0, 2.0, 2.0]) == [2.0, 1.0, 0.5]


def test_measurements_that_are_not_pairs_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_a_measurement_of_nothing_is_refused():
    with pytest.raises(ValueError, match="expected positive measurements"):
        ratios([1.0, 0.0], [1.0, 1.0])


def test_the_median_is_not_moved_by_an_outlier():
    assert interval_of([1.0] * 11 + [50.0] * 3).median == 1.0


def test_an_interval_of_no_values_is_refused():
    with pytest.raises(ValueError, match="at least one value"):
        interval_of([])


@law(50)
@given(VALUES)
def test_the_interval_lies_among_the_values(values):
    interval = interval_of(values)
    assert min(values) <= interval.low <= interval.high <= max(values)


@law(50)
@given(VALUES, st.floats(0.5, 2))
def test_the_interval_scales_with_the_values(values, factor):
    interval, scaled = interval_of(values), interval_of([factor * value for value in values])
    assert (scaled.low, scaled.median, scaled.high) == pytest.approx(
        (factor * interval.low, factor * interval.median, factor * interval.high)
    )


def test_the_interval_is_the_same_each_time():
    values = np.random.default_rng(0).random(20).tolist()
    assert interval_of(values) == interval_of(values)


def test_the_interval_holds_the_true_median_19_times_of_20():
    random = np.random.default_rng(5)
    samples = random.lognormal(0, 0.05, (100, 20)).tolist()
    holding = sum(interval.low <= 1 <= interval.high for interval in map(interval_of, samples))
    assert 88 <= holding <= 99


def test_more_pairs_give_a_narrower_interval():
    values = np.random.default_rng(2).lognormal(0, 0.1, 320).tolist()
    few, many = interval_of(values[:20]), interval_of(values)
    assert many.high - many.low < (few.high - few.low) / 2


# Limits and verdicts


@pytest.mark.parametrize("limit", [1.0, 1.049, 1.01, 0.953])
def test_a_limit_finer_than_5_percent_is_refused(limit):
    with pytest.raises(FineLimitError, match=r"finer than 5 %.*expected at least 1\.05, or at most 0\.9524"):
        check_limit(limit)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_is_not_a_positive_number_is_refused(limit):
    with pytest.raises(FineLimitError, match="positive number"):
        check_limit(limit)


@pytest.mark.parametrize("limit", [1.05, 2.0, 0.95, 1 / 1.05])
def test_a_limit_of_5_percent_or_more_is_accepted(limit):
    assert check_limit(limit) == limit


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1.21, 1.4, "broken"), (1.2, 1.4, "undecided"), (1.1, 1.21, "undecided"), (1.1, 1.2, "kept"), (0.5, 0.6, "kept")],
)
def test_a_limit_is_decided_only_by_the_whole_interval(low, high, expected):
    assert verdict(Interval((low + high) / 2, low, high), 1.2) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.06, 1.2, "slower"),
        (0.8, 0.95, "faster"),
        (0.96, 1.04, "same"),
        (0.94, 1.04, "undecided"),
        (0.96, 1.06, "undecided"),
        (1.04, 1.06, "undecided"),
    ],
)
def test_a_difference_is_more_than_5_percent(low, high, expected):
    assert difference(Interval((low + high) / 2, low, high)) == expected


# Rows


def measured(name: str, before: list[float], after: list[float], **options) -> Measured:
    return Measured(JOBS[name], cpu=(before, after), **options)


def test_a_row_has_milliseconds_and_the_ratio_after_over_before():
    (row,) = rows_of([measured("open", [0.1, 0.1, 0.1], [0.2, 0.2, 0.2])], {}, None)
    assert (row.name, row.medians, row.interval, row.verdict) == ("open", (100.0, 200.0), exact(2.0), "slower")


def test_a_limit_of_its_own_goes_before_the_general_one():
    series = [measured(name, [0.1], [0.2]) for name in ("open", "query")]
    assert [row.verdict for row in rows_of(series, {"open": 3.0}, 1.5)] == ["kept", "broken"]


def test_imports_are_also_compared_with_the_reference_of_the_same_version():
    series = [measured("import-polars", [0.1], [0.4]), measured("import", [0.1], [0.5])]
    beside = {row.name: row for row in rows_of(series, {}, None)}["import/import-polars"]
    assert (beside.interval, beside.verdict) == (exact(1.25), "")


def test_a_limit_of_two_jobs_makes_a_row():
    series = [measured("query", [9.0], [0.1]), measured("query-index", [9.0], [0.3])]
    rows = {row.name: row for row in rows_of(series, {"query-index/query": 2.0}, None)}
    assert rows["query-index/query"].interval.median == pytest.approx(3.0)
    assert rows["query-index/query"].verdict == "broken"


def test_a_job_that_failed_has_no_row():
    assert rows_of([measured("open", [0.1], [0.2], failure="gone")], {}, None) == []


def parallel() -> Measured:
    facts = [[{"speedup": 1.5, "capacity": 1.8}], [{"speedup": 1.2, "capacity": 1.8}]]
    return measured("parallel", [9.0], [9.0], facts=(facts[0], facts[1]))


def test_parallel_work_is_compared_by_its_time_over_the_ideal_of_the_same_moment():
    rows = {row.name: row.interval.median for row in rows_of([parallel()], {}, None)}
    assert rows == pytest.approx({"parallel": 1.25, "parallel/ideal": 1.5})


def test_a_speedup_stands_beside_the_calibration():
    assert list(speedups_of([parallel()])) == [
        Speedup("before", exact(1.5), exact(1.8)),
        Speedup("after", exact(1.2), exact(1.8)),
    ]
    (line,) = speedup_lines([Speedup("after", exact(1.2), exact(1.8))], 2)
    assert "2 processes are 1.20 [1.20, 1.20] times as fast" in line
    assert "2 busy processes 1.80 [1.80, 1.80] times" in line


def test_the_table_has_a_line_for_each_row():
    row = Row("open", "ms", (100.0,), (200.0,), Interval(2.0, 1.9, 2.1), 1.5)
    assert table([row]).splitlines()[-1] == "| open | 100.000 | 200.000 | ms | 2.000 | [1.900, 2.100] | 1.5 | broken |"


def test_a_control_counts_the_intervals_that_show_a_difference():
    intervals = [exact(1.0), Interval(1.02, 1.01, 1.03), Interval(1.1, 1.06, 1.2), Interval(1.0, 0.9, 1.1)]
    rows = [Row("open", "ms", (1.0,), (1.0,), interval, None) for interval in intervals]
    assert (
        control_line(rows)
        == "control: of 4 intervals, 2 exclude 1 and 1 lie wholly beyond 5 %; 2 lie wholly within 5 %"
    )


# Counts


def counted(before: list[int], after: list[int]) -> Count:
    counts = ([{"opens": number} for number in before], [{"opens": number} for number in after])
    (count,) = counts_of([measured("open", [0.1], [0.1], counts=counts)])
    return count


def test_counts_are_compared_exactly():
    assert counted([3, 3], [3, 3]).equal
    assert not counted([3, 3], [4, 4]).equal
    assert counts_lines([counted([4, 4], [3, 3])]) == ["- open: **differ**: opens 4 before, 3 after (0.750)"]
    assert counts_lines([counted([4, 4], [4, 4])]) == ["- open: equal: opens 4"]


def test_a_count_that_varies_is_not_called_equal_or_different():
    count = counted([3, 4], [3, 4])
    assert (count.exact, count.equal) == (False, False)
    assert counts_lines([count]) == ["- open: vary from run to run: opens"]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's counters are those of Linux")
def test_counting_sees_the_block_and_nothing_of_its_own(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 1000)
    program = (
        f"import sys; sys.path.append({str(ROOT / 'benchmarks' / 'workers')!r})\n"
        "import cost, os, json\n"
        "with cost.counting() as counts:\n"
        "    descriptor = os.open(sys.argv[1], os.O_RDONLY); os.read(descriptor, 4000)\n"
        "print(json.dumps(counts))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "file")]
    counts = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert counts == {
        "bytes read": 1000, "bytes written": 0, "read calls": 1, "write calls": 0, "opens": 1, "modules imported": 0,
    }  # fmt: skip


# The order of measuring


class FakeSide:
    """Stands in for a side: gives made-up costs, and records who did what."""

    calls: list[tuple[str, str]]
    repeats: list[int]
    count_after = 7
    failing = ""

    def __init__(self, name, tree, folder, seed) -> None:  # noqa: ARG002 -- as a side's
        self.name = name

    def __enter__(self):
        self.calls.append(("begin", self.name))
        return self

    def __exit__(self, *_):
        return None

    def prepare(self, job):
        if job.name == self.failing and self.name == "after":
            raise WorkerFailedError("after: no such function")

    def measure(self, job, repeats):
        self.calls.append((job.name, self.name))
        self.repeats.append(repeats)
        return {"cpu": 0.01, "count": 7 if self.name == "before" else self.count_after, "facts": {}}

    def count(self, job):  # noqa: ARG002 -- as a side's
        return {"opens": 1}


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(FakeSide, "calls", [], raising=False)
    monkeypatch.setattr(FakeSide, "repeats", [], raising=False)
    monkeypatch.setattr(_measure, "Side", FakeSide)
    return FakeSide


def measured_by(pairs: int, *jobs: str, small: bool = True) -> list[Measured]:
    return measure((None, None), [Job(name, "") for name in jobs], pairs, Path(), small=small)


def test_sides_take_turns_in_an_order_that_alternates(fake):
    measured_by(3, "open")
    pairs = [name for job, name in fake.calls if job == "open"][2:]  # the first two warm up
    assert pairs == ["before", "after", "after", "before", "before", "after"]


def test_all_pairs_are_measured_by_several_pairs_of_processes(fake):
    (open_,) = measured_by(20, "open", small=False)
    assert [len(values) for values in open_.cpu] == [20, 20]
    assert [name for job, name in fake.calls if job == "begin"] == ["before", "after"] * 5


def test_short_jobs_are_repeated_as_often_on_both_sides(fake):
    (open_,) = measured_by(20, "open", small=False)
    assert open_.repeats == 15
    assert fake.repeats.count(15) == 40


def test_a_job_that_fails_is_noted_and_the_others_go_on(fake, monkeypatch):
    monkeypatch.setattr(fake, "failing", "query")
    query, open_ = measured_by(2, "query", "open")
    assert (query.failure, query.cpu) == ("after: no such function", ([], []))
    assert (open_.failure, len(open_.cpu[1])) == ("", 2)


def test_answers_that_differ_are_not_compared(fake, monkeypatch):
    monkeypatch.setattr(fake, "count_after", 8)
    (open_,) = measured_by(2, "open")
    assert (open_.failure, open_.cpu) == ("the answers differ: 7 before, 8 after", ([], []))


# The jobs


@pytest.fixture(scope="module")
def side(tmp_path_factory):
    folder = tmp_path_factory.mktemp("side")
    with Side("before", copy_tree(".", ROOT, folder / "tree"), folder / "a", seed=0) as side:
        yield side


#: Samples, shards or facts that each job of long-lived processes counts.
COUNTS = {
    "open": 30, "query": 0, "query-index": 0, "getitem": 10, "iterate": 30, "batches": 30, "shuffled": 30, "fetch": 10,
    "write": 30, "write-durable": 30, "append": 30, "annotate": 30, "compact": 3, "slice": 13, "describe": 9,
    "parallel": 30,
}  # fmt: skip


@pytest.mark.parametrize("name", JOBS)
def test_a_job_does_its_work_again_and_again_and_tells_its_cost(name, side):
    job = JOBS[name].small()
    if name == "parallel":
        job = dataclasses.replace(job, picks=2)
    side.prepare(job)
    answer = side.measure(job, 2)
    assert answer["cpu"] > 0
    assert answer["count"] == COUNTS.get(name, 0)
    assert answer["facts"].keys() == ({"speedup", "capacity"} if name == "parallel" else set())


# Versions


def git(folder: Path, *arguments: str) -> None:
    names = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", folder, *names, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = tmp_path / "repository"
    (root / "atdata").mkdir(parents=True)
    (root / "atdata" / "__init__.py").write_text("first")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "first")
    (root / "atdata" / "__init__.py").write_text("second")
    return root


def test_a_revision_is_copied_as_it_was_and_the_working_tree_as_it_is(repository, tmp_path):
    first, second = (copy_tree(name, repository, tmp_path / name) for name in ("HEAD", "."))
    assert [(tree.folder / "atdata" / "__init__.py").read_text() for tree in (first, second)] == ["first", "second"]
    assert len(first.commit) == 40
    assert second.commit == ""
    assert first.digest != second.digest


def test_a_version_that_does_not_exist_is_refused(repository, tmp_path):
    with pytest.raises(TreeNotFoundError, match="version not found: 'nowhere' is neither a folder with 'atdata' nor"):
        copy_tree("nowhere", repository, tmp_path / "copy")


# The command


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "compare", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["HEAD", "--limit", "1.02"], "limit 1.02 is finer than 5 %"),
        (["HEAD", "--limit", "open=abc"], "expected a number as a limit, found 'abc'"),
        (["HEAD", "--limit", "nothing=2"], "unknown job in 'nothing=2'"),
        (["HEAD", "--limit", "open=2", "--jobs", "query"], "limits of jobs that are not measured: open"),
        (["HEAD", "--pairs", "19"], "expected at least 20 pairs, found 19"),
        (["HEAD", ".", "--control"], "omit AFTER"),
        (["HEAD", "--processes", "1"], "expected at least 2 processes, found 1"),
    ],
)
def test_options_that_cannot_be_decided_are_refused(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as raised:
        main(arguments, tmp_path)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def itself(tmp_path_factory):
    """A comparison of the working tree with itself."""
    folder = tmp_path_factory.mktemp("compare")
    jobs = ("open", "first-query")
    options = ("--jobs", *jobs, "--small", "--pairs", "2", "--limit", "50", "--folder", str(folder))
    done = compare(".", *options, "--out", str(folder / "out.jsonl"))
    return done, [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()], folder


def test_a_version_keeps_a_wide_limit_beside_itself(itself):
    done, (about, *lines), _ = itself
    assert done.returncode == 0, done.stderr
    assert about["before"]["files"] == about["after"]["files"]
    assert {line["name"]: line["verdict"] for line in lines if "interval" in line} == {
        "open": "kept",
        "first-query": "kept",
    }


def test_each_pair_is_kept(itself):
    lines = {line["name"]: line for line in itself[1][1:] if "interval" in line}
    assert all(len(line["under"]) == len(line["over"]) == 2 for line in lines.values())


def test_a_version_has_the_same_counts_as_itself(itself):
    opens = {line["job"]: line for line in itself[1] if line.get("name") == "opens"}
    assert (opens["open"]["before"], opens["open"]["equal"]) == ([3, 3], True)


def test_copies_and_data_are_removed(itself):
    assert [path.name for path in itself[2].iterdir()] == ["out.jsonl"]


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A comparison with a version whose `write_samples` burns CPU, and whose `save_slice` fails."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(ROOT / "atdata", folder / "atdata", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "atdata" / "__init__.py").open("a") as module:
        module.write(
            "\nfrom atdata._dataset import Dataset, write_samples as _plain\n"
            "def write_samples(*samples, **options):\n"
            "    sum(range(20_000_000))\n"
            "    return _plain(*samples, **options)\n"
            "Dataset.save_slice = None\n"
        )
    jobs = ("--jobs", "write", "slice", "--limit", "write=2")
    return compare(".", str(folder), *jobs, "--small", "--pairs", "2", "--folder", str(folder))


def test_a_slowed_version_breaks_a_limit(changed):
    assert changed.returncode == 1, changed.stderr
    assert "| 2 | broken |" in changed.stdout


def test_a_job_that_only_one_version_can_do_is_not_compared(changed):
    assert "- slice: cannot be compared. after: TypeError: 'NoneType' object is not callable" in changed.stdout
    assert "| slice |" not in changed.stdout


@pytest.mark.parametrize(("failure", "status"), [("", 0), ("gone", 2)])
def test_the_exit_status_tells_whether_all_could_be_compared(failure, status, tmp_path, monkeypatch):
    monkeypatch.setattr(_command, "measure", lambda *_, **__: [measured("open", [0.1], [0.1], failure=failure)])
    assert main([str(ROOT), str(ROOT), "--jobs", "open"], tmp_path) == status


@pytest.mark.parametrize(("after", "status"), [([0.2, 0.2], 1), ([0.1, 0.9], 0), ([0.1, 0.1], 0)])
def test_the_exit_status_is_1_only_if_a_limit_is_broken(after, status, tmp_path, monkeypatch):
    monkeypatch.setattr(_command, "measure", lambda *_, **__: [measured("open", [0.1, 0.1], after)])
    assert main([str(ROOT), str(ROOT), "--jobs", "open", "--limit", "1.5"], tmp_path) == status
