"""Results: a row for each ratio, with its interval and verdict; counts that are compared exactly."""

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._jobs import PARALLEL, REFERENCE
from ._measure import Measured
from ._paired import Interval, difference, interval_of, ratios, verdict

__all__ = ["IDEAL", "Count", "Row", "Speedup", "counts_of", "rows_of", "speedups_of"]

#: The row of parallel writing after over what the machine gave at that moment.
IDEAL = f"{PARALLEL}/ideal"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A ratio of two series of measurements."""

    #: A job, after over before; or two jobs, ``first/second``, both after.
    name: str
    unit: str
    #: What the ratio is over, and what it is of; medians are shown.
    under: tuple[float, ...]
    over: tuple[float, ...]
    interval: Interval
    limit: float | None

    @property
    def verdict(self) -> str:
        """The verdict on the limit; without one, the difference of the versions; nothing for two jobs."""
        if self.limit is not None:
            return verdict(self.interval, self.limit)
        return "" if "/" in self.name else difference(self.interval)

    @property
    def medians(self) -> tuple[float, float]:
        """Medians of both series."""
        return statistics.median(self.under), statistics.median(self.over)

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return dataclasses.asdict(self) | {"verdict": self.verdict}


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """One count of a job: its least and greatest value on both sides."""

    job: str
    name: str
    before: tuple[int, int]
    after: tuple[int, int]

    @property
    def exact(self) -> bool:
        """Whether it was the same each time, on both sides."""
        return self.before[0] == self.before[1] and self.after[0] == self.after[1]

    @property
    def equal(self) -> bool:
        """Whether both sides' are exact and equal."""
        return self.exact and self.before == self.after


@dataclasses.dataclass(frozen=True, slots=True)
class Speedup:
    """How many times faster several processes were than one, beside what the machine gave them at that moment."""

    side: str
    speedup: Interval
    #: How many times the work of one process several did in the same time, in a loop that does nothing else.
    capacity: Interval


def rows_of(series: Sequence[Measured], limits: Mapping[str, float], general: float | None) -> list[Row]:
    """Return the rows: jobs after over before; imports after over the reference; further pairs that limits name.

    Args:
        series: The measurements; those that failed have no rows.
        limits: Limits by the name of the row.
        general: The limit of all jobs that have none of their own.
    """
    values = {measured.job.name: _values(measured) for measured in series if not measured.failure}
    rows = [_row(name, before, after, limits.get(name, general)) for name, (before, after) in values.items()]
    for name in _further(values, limits):
        over, _, under = name.partition("/")
        if over in values and under in values:
            rows.append(_row(name, values[under][1], values[over][1], limits.get(name)))
    if PARALLEL in values:
        after = values[PARALLEL][1]
        rows.append(_row(IDEAL, (1.0,) * len(after), after, limits.get(IDEAL)))
    return rows


def _further(names: Mapping[str, Any], limits: Mapping[str, float]) -> list[str]:
    imports = [f"{name}/{REFERENCE}" for name in names if name.startswith("import") and name != REFERENCE]
    return list(dict.fromkeys([*imports, *(name for name in limits if "/" in name and name != IDEAL)]))


def _row(name: str, under: tuple[float, ...], over: tuple[float, ...], limit: float | None) -> Row:
    unit = "x ideal" if name.startswith(PARALLEL) else "ms"
    return Row(name, unit, under, over, interval_of(ratios(under, over)), limit)


def _values(measured: Measured) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return CPU milliseconds before and after; for the parallel job, wall time over the ideal."""
    if measured.job.name == PARALLEL:
        before, after = (tuple(fact["capacity"] / fact["speedup"] for fact in facts) for facts in measured.facts)
    else:
        before, after = (tuple(1000 * seconds for seconds in cpu) for cpu in measured.cpu)
    return before, after


def counts_of(series: Sequence[Measured]) -> Iterator[Count]:
    """Yield the counts that both sides have."""
    for measured in series:
        before, after = measured.counts
        if measured.failure or not before or not after:
            continue
        for name in (name for name in before[0] if name in after[0]):
            yield Count(measured.job.name, name, _bounds(before, name), _bounds(after, name))


def _bounds(counts: Sequence[Mapping[str, int]], name: str) -> tuple[int, int]:
    values = [count[name] for count in counts]
    return min(values), max(values)


def speedups_of(series: Sequence[Measured]) -> Iterator[Speedup]:
    """Yield the speed-ups of the parallel job, before and after."""
    for measured in series:
        if measured.job.name == PARALLEL and not measured.failure:
            for side, facts in zip(("before", "after"), measured.facts, strict=True):
                speedup, capacity = (interval_of([fact[name] for fact in facts]) for name in ("speedup", "capacity"))
                yield Speedup(side, speedup, capacity)
