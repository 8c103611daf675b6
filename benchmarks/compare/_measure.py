"""The measuring: both sides do each job in turn, in an order that alternates, in several pairs of processes."""

import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks._driver import WorkerFailedError

from ._jobs import Job
from ._side import Side
from ._trees import Tree

__all__ = ["Measured", "measure"]

#: Pairs of long-lived processes: what one process has by chance, such as its memory's layout, is not the version's.
_LIVES = 5
#: A measurement repeats a job until it takes about this many CPU seconds.
_PIECE = 0.15
_MOST_REPEATS = 500


@dataclasses.dataclass(slots=True)
class Measured:
    """The measurements of one job, those before in the first list and those after in the second."""

    job: Job
    #: CPU seconds of one repeat, pair by pair.
    cpu: tuple[list[float], list[float]] = dataclasses.field(default_factory=lambda: ([], []))
    #: Further numbers of each measurement.
    facts: tuple[list[dict[str, float]], list[dict[str, float]]] = dataclasses.field(default_factory=lambda: ([], []))
    #: Counts of one run in each life, to see whether they are the same each time.
    counts: tuple[list[dict[str, int]], list[dict[str, int]]] = dataclasses.field(default_factory=lambda: ([], []))
    repeats: int = 1
    #: Why the job cannot be compared; empty where it can.
    failure: str = ""


def measure(trees: tuple[Tree, Tree], jobs: Sequence[Job], pairs: int, folder: Path, *, small: bool) -> list[Measured]:
    """Return what each job cost on both sides.

    A job that fails on one side, or whose counts of samples differ, is not measured further, and says why.

    Args:
        trees: The versions before and after.
        jobs: What they do.
        pairs: How often each side does it.
        folder: Holds the sides' data.
        small: Whether jobs are done once a measurement, however short they are, by one pair of processes.

    Raises:
        WorkerFailedError: A version cannot be imported.
    """
    series = [Measured(job) for job in jobs]
    lives = 1 if small else min(_LIVES, pairs)
    for life in range(lives):
        share = range(life * pairs // lives, (life + 1) * pairs // lives)
        with (
            Side("before", trees[0], folder / "a", life) as before,  # names of one length, as files may hold paths
            Side("after", trees[1], folder / "b", life) as after,
        ):
            sides = (before, after)
            _with_each(series, lambda measured, sides=sides: _warm(sides, measured))
            if life == 0 and not small:
                _with_each(series, lambda measured, sides=sides: _choose_repeats(sides, measured))
            for pair in share:
                sys.stderr.write(f"pair {pair + 1} of {pairs}\n")
                order = (1, 0) if pair % 2 else (0, 1)
                _with_each(series, lambda measured, sides=sides, order=order: _pair(sides, measured, order))
            _with_each(series, lambda measured, sides=sides: _count(sides, measured))
    return series


def _with_each(series: Sequence[Measured], do: Callable[[Measured], None]) -> None:
    """Do something with each job that has not failed; note those that fail."""
    for measured in series:
        if not measured.failure:
            try:
                do(measured)
            except WorkerFailedError as error:
                measured.failure = str(error)


def _warm(sides: Sequence[Side], measured: Measured) -> None:
    """Prepare a job on both sides and do it, so that files are cached, and modules are imported and compiled."""
    for side in sides:
        side.prepare(measured.job)
    counts = [side.measure(measured.job, 1)["count"] for side in sides]
    if counts[0] != counts[1]:
        measured.failure = f"the answers differ: {counts[0]} before, {counts[1]} after"


def _choose_repeats(sides: Sequence[Side], measured: Measured) -> None:
    shortest = max(1e-6, min(side.measure(measured.job, 1)["cpu"] for side in sides))
    measured.repeats = min(_MOST_REPEATS, math.ceil(_PIECE / shortest))


def _pair(sides: Sequence[Side], measured: Measured, order: Sequence[int]) -> None:
    for index in order:
        answer = sides[index].measure(measured.job, measured.repeats)
        measured.cpu[index].append(answer["cpu"])
        measured.facts[index].append(answer["facts"])


def _count(sides: Sequence[Side], measured: Measured) -> None:
    for index, side in enumerate(sides):
        measured.counts[index].append(side.count(measured.job))
