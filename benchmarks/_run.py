"""One run: every candidate answers every question, the answers are compared, and only then is time taken."""

import dataclasses
import importlib.metadata
import os
import platform
import statistics
import sys

import atdata

from ._data import Recipe, Sidecars
from ._measure import Candidate, Timing, measure
from ._queries import Answers, candidates
from ._questions import Question, questions

__all__ = ["DifferentAnswersError", "Machine", "Result", "Run", "run"]


class DifferentAnswersError(Exception):
    """Two candidates gave different answers to one question."""


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What a run was measured on."""

    python: str
    polars: str
    numpy: str
    pandas: str
    pyarrow: str
    atdata: str
    platform: str
    cpus: int
    #: Memory, in bytes.
    memory: int
    #: How many processes wanted a core in the minute before the run, on average.
    load: float

    @classmethod
    def here(cls) -> "Machine":
        """Return this machine, now."""
        return cls(
            python=platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("polars", "numpy", "pandas", "pyarrow")},
            atdata=atdata.__version__,
            platform=f"{platform.system()} {platform.machine()}",
            cpus=os.cpu_count() or 1,
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            load=_load(),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What was measured of one candidate on one question."""

    question: str
    candidate: str
    #: How many samples its answer names, and a digest of their shards and keys; None for a part of the work.
    locations: int | None
    digest: str | None
    timing: Timing


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one run found."""

    machine: Machine
    recipe: Recipe
    #: Length of the sample tables, in bytes.
    size_bytes: int
    repetitions: int
    slow_repetitions: int
    #: The load when the run was over; the run itself is part of it.
    load_after: float
    questions: tuple[Question, ...]
    results: tuple[Result, ...]

    def seconds(self, question: str, candidate: str) -> float:
        """Return a candidate's median, in seconds."""
        return self._find(question, candidate).timing.median

    def difference(self, question: str, candidate: str, other: str) -> float:
        """Return how much longer a candidate took than another, in seconds: the median over the rounds."""
        ours, theirs = (self._find(question, name).timing.seconds for name in (candidate, other))
        return statistics.median([one - two for one, two in zip(ours, theirs, strict=True)])

    def locations(self, question: str) -> int:
        """Return how many samples answer a question."""
        return self._find(question, "query").locations or 0

    def _find(self, question: str, candidate: str) -> Result:
        return next(each for each in self.results if (each.question, each.candidate) == (question, candidate))


def run(sidecars: Sidecars, *, repetitions: int, slow_repetitions: int) -> Run:
    """Ask all questions of all candidates.

    Raises:
        DifferentAnswersError: Two candidates disagree; nothing of that question was timed.
    """
    machine = Machine.here()
    asked = questions(sidecars.recipe.rows)
    answers = Answers(sidecars)
    results: list[Result] = []
    for question in asked:
        sys.stderr.write(f"{question.name}: {question.words}\n")
        everyone = candidates(question, sidecars)
        digests = {each.name: _answer(each, answers) for each in everyone}
        _check_equal(question, digests)
        timings = measure(everyone, repetitions=repetitions, slow_repetitions=slow_repetitions)
        results += [
            Result(question.name, name, count, digest, timings[name]) for name, (count, digest) in digests.items()
        ]
    return Run(
        machine=machine,
        recipe=sidecars.recipe,
        size_bytes=sidecars.size_bytes,
        repetitions=repetitions,
        slow_repetitions=slow_repetitions,
        load_after=_load(),
        questions=tuple(asked),
        results=tuple(results),
    )


def _load() -> float:
    return round(os.getloadavg()[0], 2)


def _answer(candidate: Candidate, answers: Answers) -> tuple[int, str] | tuple[None, None]:
    answer = candidate.run()
    return answers.digest(answer) if candidate.answers else (None, None)


def _check_equal(question: Question, digests: dict[str, tuple[int, str] | tuple[None, None]]) -> None:
    given = {name: each for name, each in digests.items() if each != (None, None)}
    if len(set(given.values())) > 1:
        counts = ", ".join(f"{name} names {count} ({digest})" for name, (count, digest) in given.items())
        raise DifferentAnswersError(f"{question.name}, {question.words}: the answers differ: {counts}")
