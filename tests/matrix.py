"""Run the tests on every supported Python, with the pinned, the newest and the oldest dependencies, and without extras.

``python tests/matrix.py run`` runs every row that this machine has a Python for; ``python tests/matrix.py update``
renews the pinned versions in ``constraints/``. Needs nothing but Python itself.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints"
#: The supported Pythons, oldest first; a test holds them equal to the classifiers in pyproject.toml.
PYTHONS = ("3.11", "3.12", "3.13")
#: The extras whose packages are pinned. Those for users are among them; PyTorch only on the one Python that tests it.
DEVELOPERS = ("dev", "mutants", "docs")
#: How much of the output of a failed row is shown, in lines.
_TAIL = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One environment of the matrix."""

    name: str
    python: str
    #: The file of constraints, relative to the root; empty for the newest releases.
    constraints: str
    #: The extras of the distribution that are installed.
    extras: str = "dev"
    #: The targets of the Makefile that are made in it.
    targets: tuple[str, ...] = ("types", "test-all")

    @property
    def folder(self) -> str:
        """Name of its virtual environment, relative to the root."""
        return f".venvs/{self.name}"


ROWS = (
    *(Row(python, python, f"constraints/{python}.txt") for python in PYTHONS),
    *(Row(f"{python}-newest", python, "") for python in PYTHONS),
    Row("oldest", PYTHONS[0], "constraints/oldest.txt", targets=("test-all",)),
    Row("no-extras", PYTHONS[-1], f"constraints/{PYTHONS[-1]}.txt", extras="test", targets=("test-all",)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python tests/matrix.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run rows one after the other, and report on all of them")
    run.add_argument("names", nargs="*", metavar="ROW", help=f"all by default: {', '.join(row.name for row in ROWS)}")
    run.add_argument("--others", action="store_true", help="only pinned rows of Pythons other than this one")
    run.add_argument("--targets", nargs="+", metavar="TARGET", help="of the Makefile, in place of the row's own")
    commands.add_parser("rows", help="print the rows as JSON")
    commands.add_parser("update", help="renew constraints/3.*.txt: the newest releases that install together")
    options = parser.parse_args(arguments)
    if options.command == "rows":
        print(json.dumps([{"name": row.name, "python": row.python} for row in ROWS]))
        return 0
    if options.command == "update":
        return update()
    rows = _chosen(options.names, others=options.others)
    return run_rows(rows, options.targets)


def _chosen(names: Sequence[str], *, others: bool) -> list[Row]:
    if others:
        here = "{}.{}".format(*sys.version_info[:2])
        return [row for row in ROWS if row.name in PYTHONS and row.python != here]
    by_name = {row.name: row for row in ROWS}
    if unknown := set(names) - by_name.keys():
        sys.exit(f"unknown row {', '.join(sorted(unknown))}; expected one of {', '.join(by_name)}")
    return [by_name[name] for name in names or by_name]


def find_python(version: str) -> str | None:
    """Return an interpreter of a version, such as "3.12", from the PATH or from pyenv; None without one."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = [path for path in [shutil.which(name)] if path]
    candidates = [sys.executable, *on_path, *map(str, sorted(pyenv.glob(f"{version}.*/bin/{name}"), reverse=True))]
    return next((path for path in candidates if _version_of(path) == version), None)


def _version_of(interpreter: str) -> str | None:
    program = "import ensurepip, venv, sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([interpreter, "-c", program], capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout.strip()


def run_rows(rows: Sequence[Row], targets: Sequence[str] | None = None) -> int:
    """Run rows, print a line for each, and return 1 if one failed; a row whose Python is missing is reported."""
    failed = False
    for row in rows:
        python = find_python(row.python)
        if python is None:
            print(f"{row.name:12}  skipped: Python {row.python} not found", flush=True)
            continue
        failed |= not _run(row, python, targets or row.targets)
    return int(failed)


def _run(row: Row, python: str, targets: Sequence[str]) -> bool:
    folder = ROOT / row.folder
    if not row.constraints:  # the newest of today, not of the last run
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    log, start, before = folder / "make.log", time.monotonic(), os.times()
    settings = {"PYTHON": python, "VENV": row.folder, "CONSTRAINTS": row.constraints, "EXTRAS": row.extras}
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            [os.environ.get("MAKE", "make"), *targets, *(f"{name}={value}" for name, value in settings.items())],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=_environment(), check=False,
        )  # fmt: skip
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    summary = next((line.strip("= ") for line in reversed(lines) if " passed" in line or " failed" in line), "no tests")
    state = f"failed (make exited with {done.returncode})" if done.returncode else "ok"
    print(f"{row.name:12}  {state}  {time.monotonic() - start:.0f} s, {cpu:.0f} s of CPU  {summary}", flush=True)
    if done.returncode:
        print("\n".join(["", *lines[-_TAIL:], f"({log.relative_to(ROOT)} has all of it)", ""]), flush=True)
    return not done.returncode


def _environment() -> dict[str, str]:
    """Return the environment without what a calling make hands on to the makes that it starts."""
    return {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}


def update() -> int:
    """Write constraints/3.*.txt anew, for each Python that is here, and say what was left as it is."""
    for python in PYTHONS:
        target = CONSTRAINTS / f"{python}.txt"
        interpreter = find_python(python)
        if interpreter is None:
            print(f"{target.name}: left as it is, because Python {python} was not found")
            continue
        folder = ROOT / ".venvs" / "update"
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        everything = f"{ROOT}[{','.join(DEVELOPERS)}]"
        subprocess.run([*pip, "install", "--quiet", "--no-compile", "--editable", everything], check=True)
        frozen = subprocess.run([*pip, "freeze", "--exclude-editable"], capture_output=True, text=True, check=True)
        target.write_text(pinned(python, frozen.stdout), encoding="utf-8")
        shutil.rmtree(folder)
        print(f"{target.name}: {len(frozen.stdout.splitlines())} versions")
    return 0


def pinned(python: str, frozen: str) -> str:
    """Return what ``pip freeze`` printed as a file of constraints: names and versions, without builds and addresses."""
    versions = re.findall(r"^([\w.-]+)==([^+\s]+)", frozen, flags=re.MULTILINE)
    lines = [f"{name.lower().replace('_', '-')}=={version}" for name, version in versions]
    head = f"# What `make` installs on Python {python}. Renew with `make update`; do not edit by hand."
    return "\n".join([head, *sorted(lines), ""])


if __name__ == "__main__":
    sys.exit(main())
