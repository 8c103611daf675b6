"""The programs of `make mutants`: which mutants are drawn, what is held against them, and what is counted."""

import contextlib
import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.mutants.choosing import Chooser
from tests.mutants.copies import PROGRAMS, Copy, digest
from tests.mutants.mutations import Mutation, mutated, mutations, worth_running
from tests.mutants.places import Places
from tests.mutants.processes import Limits
from tests.mutants.recording import Test, record
from tests.mutants.reporting import Reasons, report, wilson
from tests.mutants.results import Results
from tests.mutants.running import Judge, Verdict
from tests.mutants.sampling import Mutant, drawn, mutant_of, sample, shares
from tests.mutants.strata import STRATA, files_of

ROOT = Path(__file__).parents[2]
SOURCE = '''\
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    LIMIT = 1

def half(number: int | None, *, up: bool = False) -> int | None:
    """Divide."""
    if number is None:
        return None
    return -(-number // 2) if up else number // 2
'''


def mutant(name, stratum="tar", line=1):
    return Mutant(name, stratum, Mutation("a.py", "core/X", 0, line, 0), "f", "a < b", "a > b", "")


def verdict(name, status, how="", test=None):
    return Verdict(name, status, how, test, ran=3, left_out=0)


# Strata


@pytest.mark.parametrize("name", STRATA)
def test_each_stratum_matches_modules(name):
    assert files_of(ROOT, STRATA[name])


def test_strata_share_no_module():
    files = [file for globs in STRATA.values() for file in files_of(ROOT, globs)]
    assert len(files) == len(set(files))


def test_a_glob_without_a_module_is_an_error():
    with pytest.raises(FileNotFoundError, match="atdata/_gone/\\*\\.py"):
        files_of(ROOT, ("atdata/_tar/_*.py", "atdata/_gone/*.py"))


# Positions


def test_a_place_is_the_statement_in_its_function():
    places = Places(
        "class A:\n    def f(self):\n        if x:\n            return g(\n                1\n            )\n"
    )
    assert places.place(5) == ("A.f", (4, 6), False)


def test_a_compound_statement_is_its_head():
    places = Places("def f():\n    while (\n        a\n        and b\n    ):\n        c()\n")
    assert places.place(4).lines == (2, 5)


def test_a_handler_is_looked_into():
    places = Places("def f():\n    try:\n        a()\n    except E:\n        b()\n")
    assert places.place(5).lines == (5, 5)


@pytest.mark.parametrize("line", [1, 2, 3])
def test_constants_decorators_and_heads_run_at_import(line):
    assert Places("A = 1\n@d\ndef f(x=2):\n    return 3\n").place(line).at_import


def test_a_body_does_not_run_at_import():
    assert not Places("A = 1\n@d\ndef f(x=2):\n    return 3\n").place(4).at_import


# Mutations


def changed_lines(source):
    pytest.importorskip("cosmic_ray")
    return {(mutation.line, mutation.operator.partition("/")[2]) for mutation in mutations("a.py", source)}


def test_operators_are_mutated():
    assert (10, "ReplaceBinaryOperator_FloorDiv_Mul") in changed_lines(SOURCE)


def test_code_for_type_checkers_is_left_alone():
    assert 4 not in {line for line, _ in changed_lines(SOURCE)}


def test_annotations_and_the_star_of_a_signature_are_left_alone():
    operators = {name for line, name in changed_lines(SOURCE) if line == 6}
    assert operators == {"ReplaceFalseWithTrue"}


def test_identity_is_not_made_equality():
    operators = {name for _, name in changed_lines("a is b\na is not b\n")}
    assert "ReplaceComparisonOperator_Is_IsNot" in operators
    assert operators.isdisjoint({"ReplaceComparisonOperator_Is_Eq", "ReplaceComparisonOperator_IsNot_NotEq"})


def test_a_mutation_changes_one_place():
    pytest.importorskip("cosmic_ray")
    mutation = next(
        item for item in mutations("a.py", SOURCE) if item.operator.endswith("FloorDiv_Mul") and item.line == 10
    )
    text = mutated(SOURCE, mutation)
    assert text is not None
    before, after = SOURCE.splitlines(), text.splitlines()
    assert before[:9] == after[:9]
    assert after[9] == "    return -(-number * 2) if up else number // 2"


def test_a_dotted_exception_in_a_tuple_is_left_out():
    pytest.importorskip("cosmic_ray")
    source = "try:\n    f()\nexcept (OSError, a.Error):\n    pass\n"
    texts = [mutated(source, item) for item in mutations("a.py", source) if item.operator.endswith("ExceptionReplacer")]
    assert [text is None for text in texts] == [False, True]


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1  # another comment\n", "x = (\n    1\n)\n"])
def test_what_does_not_compile_or_compiles_alike_is_not_run(text):
    assert not worth_running("x = 1\n", text, "a.py")


def test_another_constant_is_run():
    assert worth_running("def f():\n    return 1\n", "def f():\n    return 2\n", "a.py")


# Sampling


def test_shares_are_even():
    assert shares(8, ["a", "b", "c"]) == {"a": 3, "b": 3, "c": 2}


ALTERNATIVES = [Mutation("a.py", f"core/Replace_{name}", 0, 1, 0) for name in "abcdefgh"]
SINGLE = [Mutation("a.py", "core/AddNot", 0, line, 0) for line in (2, 3, 4)]


def test_a_place_with_alternatives_counts_once_before_any_counts_twice():
    first = list(drawn([*ALTERNATIVES, *SINGLE], "1"))[:4]
    assert {mutation.line for mutation in first} == {1, 2, 3, 4}


def test_all_are_drawn_in_the_end():
    assert sorted(drawn([*ALTERNATIVES, *SINGLE], "1")) == sorted([*ALTERNATIVES, *SINGLE])


def test_a_seed_decides_and_the_order_of_candidates_does_not():
    candidates = [*ALTERNATIVES, *SINGLE]
    assert list(drawn(candidates, "1")) == list(drawn(candidates[::-1], "1"))
    assert list(drawn(candidates, "1")) != list(drawn(candidates, "2"))


def project(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_sample_takes_as_many_of_each_stratum(tmp_path):
    pytest.importorskip("cosmic_ray")
    root = project(tmp_path, {"a.py": SOURCE, "b.py": "def f(x):\n    return x + 1 - 2 * 3\n" * 9})
    mutants = sample(root, {"one": ("a.py",), "two": ("b.py",)}, 10, seed=1)
    assert [item.stratum for item in mutants] == ["one"] * 5 + ["two"] * 5
    assert mutants == sample(root, {"one": ("a.py",), "two": ("b.py",)}, 10, seed=1)


def test_a_longer_sample_begins_with_the_shorter_one(tmp_path):
    pytest.importorskip("cosmic_ray")
    root = project(tmp_path, {"a.py": SOURCE})
    short, long = (sample(root, {"one": ("a.py",)}, count, seed=1) for count in (3, 6))
    assert long[:3] == short


# Choosing tests


class Recorded:
    """A recording of tests of `atdata/_tar/_x.py`."""

    def __init__(self, lines, *tests):
        self.tests = {test.id: test for test in tests}
        self._lines = lines

    def covering(self, file):
        assert file == "atdata/_tar/_x.py"
        return self._lines


def plan(recorded, line=2, budget=150, **options):
    source = "def f(a, b):\n    return a < b\n"
    change = Mutant("x", "tar", Mutation("atdata/_tar/_x.py", "core/X", 0, line, 0), "f", "", "", "")
    return Chooser(recorded, budget=budget, **options).plan(source, change)


def a_test(name, seconds=0.1, *, unmeasured=False):
    return Test(name, seconds, unmeasured)


def test_covering_tests_of_the_own_folder_come_first_and_fast_ones_before_slow_ones():
    recorded = Recorded(
        {1: {"tests/z/t.py::spawns"}, 2: {"tests/tar/t.py::slow", "tests/tar/t.py::fast", "tests/z/t.py::far"}},
        a_test("tests/tar/t.py::slow", 0.3),
        a_test("tests/tar/t.py::fast", 0.2),
        a_test("tests/z/t.py::far"),
        a_test("tests/z/t.py::spawns", unmeasured=True),
        a_test("tests/z/t.py::spawns other things", unmeasured=True),
        a_test("tests/house/t.py::whole", 0.2),
        a_test("tests/tar/t.py::other"),
        a_test("tests/z/t.py::unrelated"),
    )
    names = [name.partition("::")[2] for name in plan(recorded).stages[0]]
    assert names == ["fast", "slow", "whole", "far", "spawns", "other"]


def test_a_module_s_constants_are_tested_by_all_that_use_the_module():
    recorded = Recorded({2: {"tests/z/t.py::far"}}, a_test("tests/z/t.py::far"))
    assert plan(recorded, line=1).stages == (("tests/z/t.py::far",),)


def test_stages_keep_to_their_time_and_what_is_left_out_is_counted():
    tests = [a_test(f"tests/tar/t.py::{count}", 1.0) for count in range(30)]
    result = plan(Recorded({2: {test.id for test in tests}}, *tests), budget=25)
    assert [len(stage) for stage in result.stages] == [3, 17, 5]
    assert result.left_out == 5


def test_a_page_s_examples_run_together():
    page = [a_test(f"docs/p.md::line:{line}") for line in (3, 20, 11)]
    assert plan(Recorded({2: {page[2].id}}, *page)).stages == (tuple(test.id for test in page),)


def test_a_test_can_be_left_out():
    recorded = Recorded({2: {"tests/z/t.py::far"}}, a_test("tests/z/t.py::far"))
    assert plan(recorded, without=["tests/z/t.py::far"]).stages == ()


# Figures


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(90, 100, 0.8256, 0.9448), (0, 10, 0.0, 0.2775), (0, 0, 0, 1)]
)
def test_wilson(hits, total, low, high):
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-5)


def test_a_time_out_and_an_error_are_no_kills(tmp_path):
    statuses = ["killed", "survived", "timeout", "error"]
    mutants = [mutant(name) for name in statuses]
    verdicts = {name: verdict(name, name, "failed" if name == "killed" else "") for name in statuses}
    row = report(mutants, verdicts, Reasons(tmp_path / "none.toml")).splitlines()[1].split()
    assert row[:8] == ["tar", "4", "1", "0", "1", "1", "1", "25.0"]


def test_a_reason_stands_beside_a_survivor_and_leaves_the_figure_alone(tmp_path):
    path = tmp_path / "reasons.toml"
    path.write_text('[[reason]]\nfile="a.py"\nfunction="f"\nbefore="a < b"\nafter="a >b"\nreason="never equal"\n')
    text = report([mutant("x")], {"x": verdict("x", "survived")}, Reasons(path))
    assert "reason: never equal" in text
    assert text.splitlines()[1].split()[7] == "0.0"


def test_a_reason_without_the_change_holds_for_any(tmp_path):
    path = tmp_path / "reasons.toml"
    path.write_text('[[reason]]\nfile="a.py"\nfunction="f"\nbefore="a < b"\nreason="a limit"\n')
    assert Reasons(path).of(mutant("x")) == "a limit"
    assert Reasons(path).of(mutant("x")._replace(before="a <= b")) is None


def test_each_reason_is_of_a_line_that_there_is():
    reasons = tomllib.loads((ROOT / PROGRAMS / "reasons.toml").read_text())["reason"]
    lines = {
        item["file"]: {line.strip() for line in (ROOT / item["file"]).read_text().splitlines()} for item in reasons
    }
    assert [item["before"] for item in reasons if item["before"] not in lines[item["file"]]] == []


def test_mutants_without_a_verdict_are_counted(tmp_path):
    text = report([mutant("x"), mutant("y")], {"x": verdict("x", "killed")}, Reasons(tmp_path / "none.toml"))
    assert "1 of 2 mutants have not been run" in text


# Time


@pytest.mark.parametrize(
    ("clock", "cpu", "expected"), [(9, 9, False), (99, 9, False), (11, 11, True), (101, 0, True), (99, 0, False)]
)
def test_a_test_hangs_by_its_cpu_time_or_long_after(clock, cpu, expected):
    limits = Limits(outside=1, least=4, times=2, waiting=10)
    assert limits.passed("t.py::t", 3, clock, cpu) is expected


# Continuing


def test_results_are_read_back(tmp_path):
    Results(tmp_path / "r.jsonl").add(verdict("x", "killed", "failed", "t.py::t"))
    results = Results(tmp_path / "r.jsonl")
    assert results.verdicts == {"x": verdict("x", "killed", "failed", "t.py::t")}
    assert results.missing(["x", "y"]) == {"y"}


def test_a_line_that_was_cut_off_is_run_again(tmp_path):
    path = tmp_path / "r.jsonl"
    Results(path).add(verdict("x", "killed"))
    path.write_text(path.read_text() + json.dumps({"id": "y"})[:5])
    Results(path).add(verdict("z", "killed"))
    assert Results(path).missing(["x", "y", "z"]) == {"y"}


def test_a_mutant_whose_tests_did_not_run_is_run_again(tmp_path):
    Results(tmp_path / "r.jsonl").add(verdict("x", "error"))
    assert Results(tmp_path / "r.jsonl").missing(["x"]) == {"x"}


def test_those_that_were_not_killed_are_run_again_where_that_is_asked_for(tmp_path):
    results = Results(tmp_path / "r.jsonl")
    for status in ("killed", "survived", "timeout"):
        results.add(verdict(status, status))
    assert results.missing(["killed", "survived", "timeout"]) == set()
    assert results.missing(["killed", "survived", "timeout"], again=True) == {"survived", "timeout"}


# Copies


def git(root, *words):
    names = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", root, *names, *words], check=True, capture_output=True)


@pytest.fixture
def versioned(tmp_path):
    """A project whose test was changed after it was committed, as was its module."""
    before = {"atdata/_a.py": "A = 1\n", "tests/test_a.py": "old", "conftest.py": "", "pyproject.toml": "# old\n"}
    root = project(tmp_path / "project", before)
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "a test")
    return project(root, {"atdata/_a.py": "A = 2\n", "tests/test_a.py": "new", "tests/test_b.py": ""})


def test_a_copy_is_the_tree_as_it_stands_without_caches(versioned, tmp_path):
    project(versioned, {".venv/x.py": "", "atdata/__pycache__/x.pyc": "", ".mutants/copy-0/x.py": ""})
    copy = Copy(versioned, tmp_path / "copy").root
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert files == {"atdata/_a.py", "conftest.py", "pyproject.toml", "tests/test_a.py", "tests/test_b.py"}


def test_the_tests_of_a_revision_meet_today_s_code(versioned, tmp_path):
    copy = Copy(versioned, tmp_path / "copy", "HEAD").root
    assert (copy / "atdata/_a.py").read_text() == "A = 2\n"
    assert (copy / "tests/test_a.py").read_text() == "old"
    assert not (copy / "tests/test_b.py").exists()
    assert (copy / "tests/mutants/plugin.py").exists()


def test_a_change_is_undone_whatever_happens(versioned, tmp_path):
    copy = Copy(versioned, tmp_path / "copy")
    path = copy.root / "atdata/_a.py"
    times = [path.stat().st_mtime]
    with contextlib.suppress(KeyError), copy.changed("atdata/_a.py", "A = 3\n"):
        assert path.read_text() == "A = 3\n"
        times.append(path.stat().st_mtime)
        raise KeyError
    times.append(path.stat().st_mtime)
    assert path.read_text() == "A = 2\n"
    assert len({int(time) for time in times}) == 3


def test_a_digest_is_of_names_and_bytes_and_not_of_the_programs(tmp_path):
    root = project(tmp_path, {"a.py": "A", "b.py": "A", "tests/mutants/c.py": "A"})
    programs = root / "tests/mutants/c.py"
    assert digest(root, [root / "a.py"]) != digest(root, [root / "b.py"])
    assert digest(root, [root / "a.py"]) == digest(root, [root / "a.py", programs])


# From end to end, in a project of one module

MODULE = """\
def grow(size):
    while size < 5:
        size = size + 2
    return size


def idle(size):
    return size * 1


LIMIT = [8][0]


class Test:
    '''Named like a class of tests.

    >>> bool(idle(2))
    True
    '''

    def __init__(self):
        pass
"""
TESTS = """\
from atdata._grow import LIMIT, grow, idle

assert LIMIT == 8


def test_grow():
    assert grow(1) == 5


def test_idle():
    assert idle(0) == 0
"""


@pytest.fixture
def small(tmp_path):
    """A project of one module, with the programs beside its tests."""
    pytest.importorskip("coverage")
    pytest.importorskip("cosmic_ray")
    settings = """
[tool.pytest.ini_options]
addopts = "--doctest-modules"
filterwarnings = "error"
testpaths = ["tests", "atdata"]
pythonpath = ["."]
"""
    files = {"atdata/__init__.py": "", "atdata/_grow.py": MODULE, "tests/grow/test_grow.py": TESTS}
    root = project(tmp_path / "project", files | {"conftest.py": "", "pyproject.toml": settings})
    (root / "tests" / "mutants").symlink_to(ROOT / "tests" / "mutants")
    return root


def judged(root, folder, *changes):
    copies = [Copy(root, folder / "copy")]
    copies[0].check()
    recording = record(copies, folder / "recording", lambda _: None)
    changed = [change_of(*change) for change in changes]
    judge = Judge(copies, recording, lambda _: None, budget=60, limits=Limits(outside=60, least=4, times=1))
    verdicts = {item.id: item for item in judge.judge_all(changed, {"atdata/_grow.py": MODULE})}
    return [verdicts[item.id] for item in changed]


def change_of(operator, line):
    mutation = next(
        item for item in mutations("atdata/_grow.py", MODULE) if item.operator.endswith(operator) and item.line == line
    )
    result = mutant_of(MODULE, mutation, "grow")
    assert result is not None
    return result


def test_a_mutant_is_killed_another_survives_and_one_that_hangs_is_neither(small, tmp_path):
    changes = [("Lt_GtE", 2), ("Mul_Add", 8), ("Mul_Div", 8), ("Add_Mod", 3), ("NumberReplacer", 11)]
    verdicts = judged(small, tmp_path, *changes)
    assert [(item.status, item.how) for item in verdicts] == [
        ("killed", "failed"),
        ("killed", "failed"),
        ("survived", ""),
        ("timeout", ""),
        ("killed", "import"),
    ]
    assert verdicts[0].test == verdicts[3].test == "tests/grow/test_grow.py::test_grow"
    assert (small / "atdata/_grow.py").read_text() == (tmp_path / "copy/atdata/_grow.py").read_text() == MODULE


def test_tests_that_fail_without_a_mutant_are_an_error(small, tmp_path):
    (small / "tests/grow/test_grow.py").write_text(TESTS.replace("== 5", "== 6"))
    with pytest.raises(RuntimeError, match="mend them first"):
        record([Copy(small, tmp_path / "copy")], tmp_path / "recording", lambda _: None)


def test_only_tests_that_changed_are_recorded_again(small, tmp_path):
    news = []
    record([Copy(small, tmp_path / "copy")], tmp_path / "recording", lambda _: None)
    (small / "tests/grow/test_more.py").write_text("def test_more():\n    pass\n")
    recording = record([Copy(small, tmp_path / "copy")], tmp_path / "recording", news.append)
    assert news == ["recorded 1 of 1: tests/grow/test_more.py"]
    tests = {name.rpartition("::")[2] for name in recording.tests}
    assert tests == {"test_grow", "test_idle", "test_more", "atdata._grow.Test"}
