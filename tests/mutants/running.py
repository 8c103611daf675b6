"""Judge mutants: killed, survived or timed out."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import as_completed
from queue import SimpleQueue
from typing import NamedTuple

from .choosing import Chooser
from .copies import Copy
from .processes import Limits, Outcome, run_pytest, workers
from .recording import Recording
from .sampling import Mutant

__all__ = ["Judge", "Verdict"]

#: Tests that may hang before a mutant counts as timed out: another may still fail.
_HANGS = 2


class Verdict(NamedTuple):
    """The result of one mutant."""

    id: str
    #: ``killed``, ``survived``, ``timeout`` or ``error``.
    status: str
    #: How it was killed: ``failed``, ``import`` or ``crashed``; empty otherwise.
    how: str
    #: The test that killed it, or hung.
    test: str | None
    #: How many tests ended, and how many there was no time for.
    ran: int
    left_out: int


class Judge:
    """Run mutants' tests in copies of the project.

    Args:
        copies: The copies; as many mutants run at once.
        recording: The tests.
        say: Called with news.
        budget: CPU seconds of tests for one mutant, as recorded.
        limits: When a test counts as hung.
    """

    def __init__(
        self,
        copies: list[Copy],
        recording: Recording,
        say: Callable[[str], None],
        *,
        budget: float,
        limits: Limits = Limits(),  # noqa: B008 -- a value
    ) -> None:
        self._recording, self._limits, self._say = recording, limits, say
        self._budget = budget
        self._seconds = {test.id: test.seconds for test in recording.tests.values()}
        self._chooser = Chooser(recording, budget=budget)
        self._lock = threading.Lock()
        #: By test: whether it passes alone, without a mutant.
        self._reliable: dict[str, bool] = {}
        self._workers = len(copies)
        self._free: SimpleQueue[Copy] = SimpleQueue()
        for copy in copies:
            self._free.put(copy)

    def judge_all(self, mutants: Iterable[Mutant], sources: Mapping[str, str]) -> Iterable[Verdict]:
        """Yield the verdicts as they come."""
        with workers(self._workers) as pool:
            pending = [pool.submit(self._judge_in_turn, mutant, sources[mutant.mutation.file]) for mutant in mutants]
            for future in as_completed(pending):
                yield future.result()

    def _judge_in_turn(self, mutant: Mutant, source: str) -> Verdict:
        copy = self._free.get()
        try:
            return self.judge(copy, mutant, source)
        finally:
            self._free.put(copy)

    def judge(self, copy: Copy, mutant: Mutant, source: str) -> Verdict:
        """Return a mutant's verdict."""
        while True:
            with self._lock:
                plan = self._chooser.plan(source, mutant)
            with copy.changed(mutant.mutation.file, mutant.text):
                verdict = self._run(copy, mutant, plan.stages, plan.left_out)
            if verdict.how != "failed" or self._is_reliable(copy, verdict.test or ""):
                return verdict

    def _run(self, copy: Copy, mutant: Mutant, stages: tuple[tuple[str, ...], ...], left_out: int) -> Verdict:
        hung: list[str | None] = []
        ran = 0
        for stage in stages:
            pending = list(stage)
            while pending and len(hung) < _HANGS:
                outcome = run_pytest(copy, ["-x"], tests=pending, seconds=self._seconds, limits=self._limits)
                ran += len(outcome.ended)
                if outcome.kind != "hung":
                    if outcome.kind != "passed":
                        return self._ended(mutant, outcome, ran, left_out)
                    break
                hung.append(outcome.test)
                ended = {*outcome.ended, outcome.test}
                pending = [test for test in pending if test not in ended] if outcome.test else []
        status = "timeout" if hung else "survived"
        return Verdict(mutant.id, status, "", hung[0] if hung else None, ran, left_out)

    def _ended(self, mutant: Mutant, outcome: Outcome, ran: int, left_out: int) -> Verdict:
        if outcome.kind == "error":
            self._say(f"{mutant.id}: pytest did not run:\n{outcome.output}")
            return Verdict(mutant.id, "error", "", None, ran, left_out)
        return Verdict(mutant.id, "killed", outcome.kind, outcome.test, ran, left_out)

    def _is_reliable(self, copy: Copy, test: str) -> bool:
        """Return whether a test passes without a mutant; one that does not is not run again."""
        if test not in self._reliable:
            self._reliable[test] = run_pytest(copy, ["-x"], tests=self._page(test)).kind == "passed"
            if not self._reliable[test]:
                self._say(f"{test} fails without a mutant, too, and kills none")
                with self._lock:
                    without = [name for name, passes in self._reliable.items() if not passes]
                    self._chooser = Chooser(self._recording, budget=self._budget, without=without)
        return self._reliable[test]

    def _page(self, test: str) -> list[str]:
        page = test.partition("::")[0]
        return [name for name in self._seconds if name.startswith(f"{page}::")] if page.endswith(".md") else [test]
