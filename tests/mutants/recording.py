"""The tests as they are: which there are, how long they take, and which lines each runs."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from .copies import PROGRAMS, Copy, digest
from .processes import file_of, run_pytest, workers

__all__ = ["Recording", "Test", "code_digest", "record"]

#: Test files that one process runs.
_CHUNK = 6


class Test(NamedTuple):
    """A test, recorded."""

    __test__ = False  # no class of tests

    id: str
    #: Of CPU time, that of its processes included.
    seconds: float
    #: Whether it starts processes, or was not measured: the lines that it runs are not all known.
    unmeasured: bool


class Recording:
    """What was recorded of the tests as they stand.

    Args:
        folder: The files, a pair for each chunk.
        digests: The test files as they stand, and a digest of each.
    """

    def __init__(self, folder: Path, digests: dict[str, str]) -> None:
        self.tests: dict[str, Test] = {}
        self.files: set[str] = set()
        self._coverage: list[Any] = []
        for facts in sorted(folder.glob("*.json")):
            chunk = json.loads(facts.read_text(encoding="utf-8"))
            current = {file for file, value in chunk["files"].items() if digests.get(file) == value}
            self.files |= current
            self.tests |= {row[0]: Test(*row) for row in chunk["tests"] if file_of(row[0]) in current}
            self._coverage.append(_read_coverage(facts.with_suffix(".coverage")))

    def covering(self, file: str) -> dict[int, set[str]]:
        """Return the tests that run each line of a module."""
        lines: dict[int, set[str]] = {}
        for data in self._coverage:
            for line, tests in data.contexts_by_lineno(file).items():
                lines.setdefault(line, set()).update(test for test in tests if test in self.tests)
        return lines


def _read_coverage(path: Path) -> Any:
    from coverage import CoverageData  # noqa: PLC0415 -- all else here works without it

    data = CoverageData(str(path))
    data.read()
    return data


def code_digest(copy: Copy) -> str:
    """Return a digest of whatever every test depends on: the package, what tests share, their settings, Python."""
    root = copy.root
    shared = [path for path in root.glob("tests/**/*.py") if not path.name.startswith("test_")]
    code = digest(root, [*root.glob("atdata/**/*.py"), *shared, root / "conftest.py", root / "pyproject.toml"])
    return hashlib.sha256(f"{code} {sys.version}".encode()).hexdigest()[:12]


def record(copies: list[Copy], folder: Path, say: Callable[[str], None]) -> Recording:
    """Return the recording of the tests as they stand, once those that are missing in it are recorded.

    Raises:
        RuntimeError: Tests fail without any mutant.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = copies[0].root
    tests = _collected(copies[0])
    digests = {file: digest(root, [root / file]) for file in tests}
    recorded = Recording(folder, digests).files
    missing = [file for file in tests if file not in recorded]
    chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def run(place: int) -> None:
        copy = free.get()
        try:
            _record(copy, {file: tests[file] for file in chunks[place]}, folder, digests)
        finally:
            free.put(copy)
        say(f"recorded {place + 1} of {len(chunks)}: {', '.join(chunks[place])}")

    with workers(len(copies)) as pool:
        list(pool.map(run, range(len(chunks))))
    return Recording(folder, digests)


def _collected(copy: Copy) -> dict[str, list[str]]:
    """Return the tests by file."""
    outcome = run_pytest(copy, ["--collect-only", f"--ignore={PROGRAMS}"])
    collected = [event["tests"] for event in outcome.events if event["event"] == "collected"]
    if outcome.kind != "passed" or not collected:
        raise RuntimeError(f"pytest does not collect the tests:\n{outcome.output}")
    by_file: dict[str, list[str]] = {}
    for test in collected[0]:
        by_file.setdefault(file_of(test), []).append(test)
    return by_file


def _record(copy: Copy, files: dict[str, list[str]], folder: Path, digests: dict[str, str]) -> None:
    name = hashlib.sha256(repr([(file, digests[file]) for file in files]).encode()).hexdigest()[:12]
    data = folder / f"{name}.coverage"
    data.unlink(missing_ok=True)
    # Paths relative to the copy: every copy has the same.
    settings = copy.root / ".coveragerc"
    settings.write_text("[run]\nrelative_files = true\nsource = atdata\n")
    python = ("-m", "coverage", "run", f"--data-file={data}", f"--rcfile={settings}", "-m")
    outcome = run_pytest(copy, [], tests=[test for tests in files.values() for test in tests], python=python)
    failed = {event["test"] for event in outcome.events if event["event"] == "failed"}
    if outcome.kind not in {"passed", "failed"}:
        raise RuntimeError(f"the tests of {', '.join(files)} do not run:\n{outcome.output}")
    _check_unmeasured(copy, sorted(failed))
    ended = [event for event in outcome.events if event["event"] == "end"]
    rows = [(event["test"], event["seconds"], event["spawned"] or event["test"] in failed) for event in ended]
    facts = {"files": {file: digests[file] for file in files}, "tests": rows}
    (folder / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")


def _check_unmeasured(copy: Copy, tests: Iterable[str]) -> None:
    """Raise where tests fail that were not measured; some fail only because they are."""
    tests = list(tests)
    outcome = run_pytest(copy, [], tests=tests) if tests else None
    if outcome is not None and outcome.kind != "passed":
        raise RuntimeError(f"tests fail without any mutant; mend them first:\n{outcome.output}")
