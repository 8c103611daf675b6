"""One run of pytest in a process of its own, watched test by test."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from .copies import Copy

__all__ = ["Limits", "Outcome", "StoppedError", "file_of", "run_pytest", "workers"]

_FLAGS = ("-q", "-o", "timeout=0", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "tests.mutants.plugin")
_IMPORTING = "while loading conftest"
#: Seconds between two looks at a process.
_POLL = 0.25
#: Bytes of the log that hold its last events.
_TAIL = 16 << 10
_TESTS_FAILED, _INTERRUPTED, _USAGE = 1, 2, 4


_stopping = threading.Event()


class StoppedError(Exception):
    """A run of pytest was ended before its time."""


@contextlib.contextmanager
def workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Hold threads that run pytest; an error in the block, or an interrupt, ends what they run."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        _stopping.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        _stopping.clear()


class Limits(NamedTuple):
    """How long a test may take before it counts as hung.

    Generous, and of CPU time: on a busy machine a test is slow, and no mutant made it so.
    """

    #: CPU seconds until the first test begins, and after the last one has ended.
    outside: float = 120.0
    #: CPU seconds for any test.
    least: float = 30.0
    #: Times the CPU seconds that the test took unchanged.
    times: float = 20.0
    #: Times as long by the clock: for a test that waits and does nothing.
    waiting: float = 10.0

    def passed(self, test: str | None, seconds: float, clock: float, cpu: float) -> bool:
        """Return whether a test, or what is outside of any, is over its limit.

        Args:
            test: The test.
            seconds: CPU seconds that it took unchanged.
            clock: Seconds since it began.
            cpu: CPU seconds since it began.
        """
        limit = self.outside if test is None else self.least + self.times * seconds
        return cpu > limit or clock > self.waiting * limit


class Outcome(NamedTuple):
    """The end of a run.

    ``passed``, ``failed`` (a test did), ``import`` (a module does not import), ``crashed`` (the process did), ``hung``
    (a test did not end) or ``error`` (the run says nothing).
    """

    kind: str
    #: The test that failed, hung or crashed.
    test: str | None
    events: list[dict[str, Any]]
    #: The end of the output.
    output: str

    @property
    def ended(self) -> list[str]:
        """The tests that ended."""
        return [event["test"] for event in self.events if event["event"] == "end"]


def file_of(test: str) -> str:
    """Return a test's file."""
    return test.partition("::")[0]


def _argument(test: str) -> str:
    """Return the argument that collects a test.

    A module of the package that is named itself would be taken for a file of tests, and not only for one of examples.
    """
    return "atdata" if test.startswith("atdata/") else file_of(test)


def run_pytest(
    copy: Copy,
    arguments: Sequence[str],
    *,
    tests: Sequence[str] | None = None,
    seconds: Mapping[str, float] | None = None,
    python: Sequence[str] = (),
    limits: Limits = Limits(),  # noqa: B008 -- a value
) -> Outcome:
    """Run tests in a copy.

    Args:
        copy: The copy.
        arguments: Arguments of pytest.
        tests: The tests to run, in this order; None for all.
        seconds: CPU seconds that tests took unchanged; None for no limit.
        python: What stands between python and pytest.
        limits: When a test counts as hung.
    """
    folder = Path(tempfile.mkdtemp(prefix="m-"))
    try:
        return _run(copy, folder, arguments, tests=tests, seconds=seconds, python=python, limits=limits)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(copy: Copy, folder: Path, arguments: Sequence[str], *, tests, seconds, python, limits) -> Outcome:
    log, output, temporary = folder / "log", folder / "out", folder / "t"
    log.touch()
    temporary.mkdir()
    environment = copy.environment() | {
        "MUTANTS_LOG": os.fspath(log),
        "TMPDIR": os.fspath(temporary),
        "HYPOTHESIS_STORAGE_DIRECTORY": os.fspath(folder / "hypothesis"),
    }
    if tests is not None:
        (folder / "tests").write_text(json.dumps(list(tests)), encoding="utf-8")
        environment["MUTANTS_TESTS"] = os.fspath(folder / "tests")
        arguments = [*dict.fromkeys(map(_argument, tests)), *arguments]
    command = [sys.executable, *(python or ("-m",)), "pytest", *_FLAGS, *arguments]
    with output.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=copy.root,
            env=environment,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            hung = _watch(process, log, seconds, limits)
        finally:
            _end(process)
    return _outcome(process.returncode, _events(log), output.read_text(errors="replace"), hung=hung)


def _watch(process: subprocess.Popen[bytes], log: Path, seconds: Mapping[str, float] | None, limits: Limits) -> bool:
    """Wait for the end of a process; return whether it hung.

    Raises:
        StoppedError: The block of :func:`workers` is left.
    """
    size, test, clock, cpu = -1, None, time.monotonic(), 0.0
    while not _ended(process, _POLL):
        if _stopping.is_set():
            raise StoppedError
        if log.stat().st_size != size:
            size, clock, cpu = log.stat().st_size, time.monotonic(), _cpu_seconds(process.pid)
            test = _running(_events(log, last=_TAIL))
        elif seconds is not None:
            usual = seconds.get(test or "", 0.0)
            if limits.passed(test, usual, time.monotonic() - clock, _cpu_seconds(process.pid) - cpu):
                return True
    return False


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait a while; return whether the process has ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _cpu_seconds(group: int) -> float:
    """Return the CPU time of a group of processes, and of those that they waited for; 0 where there is no /proc."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15])) if int(fields[2]) == group else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _events(log: Path, last: int | None = None) -> list[dict[str, Any]]:
    """Return the events, or those in the last so many bytes."""
    with log.open("rb") as file:
        cut = last is not None and file.seek(0, os.SEEK_END) > last
        file.seek(-(last or 0) if cut else 0, os.SEEK_END if cut else os.SEEK_SET)
        lines = file.read().split(b"\n")
    return [json.loads(line) for line in lines[cut:-1]]  # the last one is empty, or not whole yet


def _running(events: list[dict[str, Any]]) -> str | None:
    """Return the test that began and has not ended."""
    for event in reversed(events):
        if event["event"] in {"start", "end"}:
            return event["test"] if event["event"] == "start" else None
    return None


def _outcome(code: int, events: list[dict[str, Any]], output: str, *, hung: bool) -> Outcome:
    failed = [event["test"] for event in events if event["event"] == "failed"]
    kind, test = "error", None
    if hung:
        kind, test = "hung", _running(events)
    elif code == 0:
        kind = "passed"
    elif code == _TESTS_FAILED and failed:
        kind, test = "failed", failed[0]
    elif code < 0:
        kind, test = "crashed", _running(events)
    elif _not_imported(code, events, output):
        kind = "import"
    return Outcome(kind, test, events, output[-4000:])


def _not_imported(code: int, events: list[dict[str, Any]], output: str) -> bool:
    """Return whether pytest ended because a test file or a conftest did not import."""
    if code == _USAGE:
        return _IMPORTING in output
    return code in {_TESTS_FAILED, _INTERRUPTED} and any(event["event"] == "uncollected" for event in events)
