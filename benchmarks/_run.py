"""What one run found, in memory and as JSON lines."""

import dataclasses
import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any

from ._catalogue import QUESTIONS

__all__ = ["Machine", "Record", "Run", "Sizes", "jobs_of", "load"]


def load() -> float:
    """Return how many processes wanted a core in the last minute, on average."""
    return round(os.getloadavg()[0], 2)


def jobs_of(job: str) -> list[str]:
    """Return what a job is made of: `query` is one for each question."""
    return [f"query/{name}" for name in QUESTIONS] if job == "query" else [job]


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    #: Samples of 64 x 64 x 3 bytes that are written and read.
    samples: int = 20_000
    shards: int = 4
    #: Samples that are fetched from, and how many are fetched.
    fetched: int = 100_000
    fetched_shards: int = 10
    picks: int = 10_000
    #: Rows that are asked about.
    rows: int = 1_000_000
    row_shards: int = 100
    #: Samples of the epoch that is taken up.
    epoch: int = 10_000_000
    #: Small samples that are written in ten shards while memory is watched.
    small: int = 1_000_000
    rounds: int = 7
    #: Rounds that slow candidates take part in.
    slow_rounds: int = 5


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a run was measured on."""

    platform: str
    cpus: int
    #: Memory, in bytes.
    memory: int

    @classmethod
    def here(cls) -> "Machine":
        """Return this machine."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(f"{platform.system()} {platform.machine()}", os.cpu_count() or 1, memory)


@dataclasses.dataclass(frozen=True)
class Record:
    """What was measured of one candidate at one job."""

    #: `query/<question>` for questions.
    job: str
    candidate: str
    #: Seconds round by round; bytes for the job `memory`.
    values: tuple[float, ...]
    #: Samples it worked on or found.
    count: int
    #: Digest of all it found or wrote; None where nothing is found, as for limits.
    digest: str | None = None
    #: The load before the job.
    load: float = 0.0

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run found."""

    machine: Machine
    sizes: Sizes
    #: Versions of Python and of each package, by environment.
    versions: dict[str, dict[str, str]]
    load_before: float
    load_after: float
    #: How long the measuring took, in seconds.
    seconds: float
    records: tuple[Record, ...]

    def find(self, job: str, candidate: str) -> Record | None:
        """Return what was measured of a candidate, or None."""
        return next((each for each in self.records if (each.job, each.candidate) == (job, candidate)), None)

    def ratio(self, job: str, over: str, under: str) -> float | None:
        """Return one candidate's median over another's, or None where one was not measured, or the other is nothing."""
        first, second = self.find(job, over), self.find(job, under)
        return first.median / second.median if first and second and second.median else None

    def difference(self, job: str, candidate: str, other: str) -> float | None:
        """Return how much longer a candidate took than another, in seconds: the median over the rounds, or None."""
        first, second = self.find(job, candidate), self.find(job, other)
        if first is None or second is None:
            return None
        return statistics.median([one - two for one, two in zip(first.values, second.values, strict=False)])

    def append_to(self, file: Path) -> None:
        """Append the run to a file, one JSON line for each record."""
        file.parent.mkdir(parents=True, exist_ok=True)
        about: dict[str, Any] = {**dataclasses.asdict(self), "records": None}
        del about["records"]
        with file.open("a", encoding="utf-8") as lines:
            for each in self.records:
                lines.write(json.dumps({**dataclasses.asdict(each), "median": each.median, "run": about}) + "\n")
