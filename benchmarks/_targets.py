"""What the library is meant to reach, and whether a run reached it."""

import dataclasses
from collections.abc import Callable

from ._run import Run

__all__ = ["TARGETS", "Target"]


@dataclasses.dataclass(frozen=True)
class Target:
    """One figure to reach."""

    words: str
    #: The figure, or None where the run did not measure it.
    found: Callable[[Run], float | None]
    needed: float
    stretch: float | None = None
    #: Whether more is better.
    at_least: bool = True
    unit: str = "x"

    def verdict(self, run: Run) -> str:
        """Say whether a run reached it."""
        found = self.found(run)
        if found is None:
            return "not measured"
        if not self._reached(found, self.needed):
            return "**missed**"
        return "met, stretch too" if self.stretch is not None and self._reached(found, self.stretch) else "met"

    def _reached(self, found: float, limit: float) -> bool:
        return found >= limit if self.at_least else found <= limit


def _times(job: str, other: str, ours: str = "atdata") -> Callable[[Run], float | None]:
    return lambda run: run.ratio(job, other, ours)


def _beyond_columns(run: Run) -> float | None:
    found = run.find("query/broad", "atdata")
    extra = run.difference("query/broad", "atdata", "atdata, rows")
    return extra / found.count * 1e6 if found and extra is not None else None


def _megabytes(run: Run) -> float | None:
    found = run.find("memory", "atdata")
    return found.median / 1e6 if found else None


def _over(job: str, ours: str, other: str) -> Callable[[Run], float | None]:
    return lambda run: run.ratio(job, ours, other)


def _milliseconds(job: str, candidate: str) -> Callable[[Run], float | None]:
    def found(run: Run) -> float | None:
        record = run.find(job, candidate)
        return record.median * 1e3 if record else None

    return found


TARGETS = (
    Target("write: times as fast as the original, both with manifests", _times("write", "original"), 4, 6),
    Target("write: times as fast as lance", _times("write", "lance"), 0.8, 1.0),
    Target("write: times as fast as lance from rows", _times("write", "lance, rows"), 0.8, 1.0),
    Target("read: times as fast as the original on its own tars", _times("read", "original"), 4.5, 7),
    Target("read: times as fast as webdataset", _times("read", "webdataset"), 4),
    Target("read: times as fast as lance", _times("read", "lance"), 1.3),
    Target("read: times as fast as datasets", _times("read", "datasets"), 1.3),
    Target("read: times as fast as webshart", _times("read", "webshart"), 1.3),
    Target("batches of 32: times as fast as the original's",
           _times("read", "original, batches of 32", "atdata, batches of 32"), 6),
    Target("batches of 32: of the time of single samples, at most", _over("read", "atdata, batches of 32", "atdata"), 1,
           None, False),
    Target("where and take: of the time of fetch, at most", _over("fetch", "atdata, where and take", "atdata"), 1.2,
           None, False),
    Target("one by one: of the time of fetch, at most", _over("fetch", "atdata, one by one", "atdata"), 2, None, False),
    Target("fetch: times as fast as lance", _times("fetch", "lance"), 1.5),
    Target("fetch: of the time of bare pread, at most", _over("fetch", "atdata", "limit: pread"), 3.2, 2.5, False),
    Target("slice: times as fast as webdataset, which reads all", _times("slice", "webdataset"), 5),
    Target("loader: times as fast as webdataset", _times("loader", "webdataset"), 1.5),
    Target("resume: in the middle of an epoch, at most", _milliseconds("resume", "atdata"), 50, None, False, "ms"),
    Target(
        "query, selective, cold: times as fast as the original",
        _times("query/selective", "original, cold", "atdata, cold"),
        30,
    ),
    Target("query, broad: times as fast as the original, both opened", _times("query/broad", "original"), 20),
    Target("query, broad: beyond the columns, at most, a location", _beyond_columns, 0.5, None, False, "us"),
    Target("import: of the time of polars and numpy, at most", _over("import", "atdata", "polars and numpy"), 1.15,
           None, False),
    Target("memory: while a million small samples are written, at most", _megabytes, 200, None, False, "MB"),
)  # fmt: skip
