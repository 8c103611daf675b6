"""A pytest plugin: runs listed tests in their order, and writes down what happens, line by line.

`MUTANTS_LOG` names the file that it writes, and `MUTANTS_TESTS` one that lists the tests to run, all if unset.
"""

import json
import multiprocessing.process
import os
import resource
import sys
from pathlib import Path
from typing import Any

import pytest

#: Events of Python's that a process begins with.
_SPAWNING = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"}
#: CPU seconds after which a process ends.
_LONGEST = 1800


class Log:
    """The lines: one for each test that begins, fails or ends."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 -- as long as the process
        self._began = 0.0
        self.spawned = False
        self.coverage = _coverage()

    def write(self, **event: Any) -> None:
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        listed = os.environ.get("MUTANTS_TESTS")
        if listed:
            order = {test: place for place, test in enumerate(json.loads(Path(listed).read_text(encoding="utf-8")))}
            items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])
        self.write(event="collected", tests=[item.nodeid for item in items] if not listed else len(items))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._began, self.spawned = _cpu_seconds(), False
        if self.coverage is not None:
            self.coverage.switch_context(nodeid)
        self.write(event="start", test=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.write(event="failed", test=report.nodeid, when=report.when)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.write(event="uncollected", test=report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        seconds = _cpu_seconds() - self._began
        self.write(event="end", test=nodeid, seconds=round(seconds, 4), spawned=self.spawned)
        if self.coverage is not None:
            self.coverage.switch_context("")

    def notice(self, event: str, _: Any) -> None:
        if event in _SPAWNING:
            self.spawned = True


def _cpu_seconds() -> float:
    """Return the time that this process and those that it waited for have worked: a busy machine makes it no longer."""
    return sum(os.times()[:4])


def _coverage() -> Any:
    if "coverage" not in sys.modules:
        return None
    from coverage import Coverage  # noqa: PLC0415 -- loaded already, where it is of use

    return Coverage.current()


def _notice_processes(log: Log) -> None:
    """Make the log notice each process that begins: what it runs is in no coverage."""
    start = multiprocessing.process.BaseProcess.start

    def noticed(self: multiprocessing.process.BaseProcess) -> None:
        log.spawned = True
        start(self)

    multiprocessing.process.BaseProcess.start = noticed  # type: ignore[method-assign]
    sys.addaudithook(log.notice)


def pytest_configure(config: pytest.Config) -> None:
    # Whoever watches this process ends it long before; it ends by itself where they were killed.
    resource.setrlimit(resource.RLIMIT_CPU, (_LONGEST, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    log = Log(os.environ["MUTANTS_LOG"])
    config.pluginmanager.register(log)
    if log.coverage is not None:
        _notice_processes(log)
