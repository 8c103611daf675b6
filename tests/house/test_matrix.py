"""The supported versions are the tested ones, and the matrix reports what fails."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests import matrix

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
HERE = "{}.{}".format(*sys.version_info[:2])


def versions(name: str) -> dict[str, str]:
    lines = (ROOT / "constraints" / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def names(requirements: list[str], python: str) -> set[str]:
    """Return the distributions that requirements name on one Python; the project itself is none of them."""
    here = [each for each in requirements if f"python_version == '{python}'" in each or "python_version" not in each]
    return {re.match(r"[\w-]+", each).group() for each in here} - {PROJECT["name"]}


def test_the_supported_pythons_are_those_of_the_matrix():
    prefix = "Programming Language :: Python :: "
    stated = [each.removeprefix(prefix) for each in PROJECT["classifiers"] if each.startswith(prefix)]
    assert stated == list(matrix.PYTHONS)
    assert PROJECT["requires-python"] == f">={matrix.PYTHONS[0]}"


def test_each_python_is_tried_with_pinned_and_with_newest_versions():
    rows = {(row.python, row.constraints) for row in matrix.ROWS}
    assert rows >= {(python, f"constraints/{python}.txt") for python in matrix.PYTHONS}
    assert rows >= {(python, "") for python in matrix.PYTHONS}


def test_every_row_names_constraints_and_extras_that_exist():
    assert [row.name for row in matrix.ROWS if row.constraints and not (ROOT / row.constraints).is_file()] == []
    assert {row.extras for row in matrix.ROWS} <= EXTRAS.keys()


def test_the_oldest_versions_are_the_lower_bounds():
    bounds = dict(re.match(r"([\w-]+)>=([\w.]+)", each).groups() for each in PROJECT["dependencies"])
    stated = versions("oldest.txt")
    assert stated.keys() == bounds.keys()
    wrong = {name: (stated[name], bound) for name, bound in bounds.items() if not same(stated[name], bound)}
    assert wrong == {}


def same(version: str, bound: str) -> bool:
    """Return whether a version is the first that a bound admits: 2.1.0 for 2.1."""
    return re.fullmatch(re.escape(bound) + r"(\.0)*", version) is not None


@pytest.mark.parametrize("python", matrix.PYTHONS)
def test_everything_that_make_installs_is_pinned(python):
    extras = {*matrix.DEVELOPERS, *(row.extras for row in matrix.ROWS)}
    wanted = PROJECT["dependencies"] + [each for extra in extras for each in EXTRAS[extra]]
    assert names(wanted, python) - versions(f"{python}.txt").keys() == set()


def test_constraints_name_no_address():
    files = sorted((ROOT / "constraints").iterdir())
    assert [file.name for file in files if re.search(r"://|@|--", file.read_text())] == []
    assert {file.name for file in files} == {"oldest.txt", *(f"{python}.txt" for python in matrix.PYTHONS)}


def test_a_frozen_environment_is_pinned_without_builds_and_addresses():
    frozen = "torch==2.13.0+cpu\nPyYAML==6.0.4\nmine @ file:///wheels/mine.whl\n-e git+ssh://host/x.git#egg=x\n"
    assert matrix.pinned("3.11", frozen).splitlines()[1:] == ["pyyaml==6.0.4", "torch==2.13.0"]


def test_this_interpreter_is_found_by_its_version():
    assert matrix.find_python(HERE) == sys.executable


def test_a_python_that_is_not_installed_is_not_found():
    assert matrix.find_python("3.0") is None


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Put a program in make's place, and rows into a folder of their own; return what writes that program."""
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    script = tmp_path / "make"
    monkeypatch.setenv("MAKE", str(script))

    def write(body: str) -> None:
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)

    return write


def test_a_row_is_made_with_its_python_versions_and_extras(make, capsys):
    make('echo "$@"; echo "== 3 passed in 1s =="')
    row = matrix.Row("mine", HERE, "constraints/x.txt", extras="test", targets=("types",))
    assert matrix.run_rows([row]) == 0
    log = (matrix.ROOT / ".venvs" / "mine" / "make.log").read_text()
    assert f"types PYTHON={sys.executable} VENV=.venvs/mine CONSTRAINTS=constraints/x.txt EXTRAS=test" in log
    assert re.search(r"mine +ok .* 3 passed in 1s\n", capsys.readouterr().out)


def test_a_failing_row_fails_the_run_shows_its_output_and_the_others_are_run(make, capsys):
    make('echo "boom in $2"; [ "$1" = good ]')
    rows = [matrix.Row("first", HERE, "x", targets=("bad",)), matrix.Row("second", HERE, "x", targets=("good",))]
    assert matrix.run_rows(rows) == 1
    shown = capsys.readouterr().out
    assert re.search(r"first +failed \(make exited with 1\)", shown)
    assert "boom in PYTHON=" in shown
    assert re.search(r"second +ok", shown)


def test_a_row_whose_python_is_not_here_is_reported(make, capsys):
    make("exit 1")
    assert matrix.run_rows([matrix.Row("ancient", "3.0", "x")]) == 0
    assert "ancient       skipped: Python 3.0 not found" in capsys.readouterr().out


def test_newest_versions_are_installed_anew(make):
    make("true")
    (matrix.ROOT / ".venvs" / "newest").mkdir(parents=True)
    (matrix.ROOT / ".venvs" / "newest" / "old").touch()
    matrix.run_rows([matrix.Row("newest", HERE, "")])
    assert not (matrix.ROOT / ".venvs" / "newest" / "old").exists()


def test_an_unknown_row_is_refused_with_the_known_ones():
    with pytest.raises(SystemExit, match="unknown row 3.99; expected one of 3.11"):
        matrix.main(["run", "3.99"])
