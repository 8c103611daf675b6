"""What one run measures, and what it found."""

import dataclasses
import os
import platform
import statistics

__all__ = ["Machine", "Peak", "Record", "Run", "Sizes", "load"]


def load() -> float:
    """Return how many processes wanted a core in the last minute, on average."""
    return round(os.getloadavg()[0], 2)


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
    #: Samples of the epoch that is taken up.
    epoch: int = 10_000_000
    #: Small samples that are written in ten shards while memory is watched.
    small: int = 1_000_000
    #: Rows that are asked about, and their shards, by name.
    rows: dict[str, tuple[int, int]] = dataclasses.field(
        default_factory=lambda: {
            "1m": (1_000_000, 100),
            "10m": (10_000_000, 1000),
            "10m-small-shards": (10_000_000, 10_000),
            "100m": (100_000_000, 100_000),
        }
    )
    #: Shards that growth is measured at, and rows in each.
    growth: tuple[int, ...] = (100, 1000, 10_000, 100_000)
    growth_rows: int = 1000
    #: Rounds that a candidate takes part in, at most and at least.
    rounds: int = 5
    fewest_rounds: int = 2
    #: Seconds that a candidate's rounds of one case may take together before it takes part in fewer.
    budget: float = 2.5


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
    """What was measured of one candidate at one case."""

    #: The case's name.
    case: str
    candidate: str
    #: Seconds round by round; bytes for the job `memory`.
    values: tuple[float, ...]
    #: Samples it worked on or found.
    count: int
    #: Digest of all it found or wrote; None where nothing is found, as for limits.
    digest: str | None = None
    #: The load before the case.
    load: float = 0.0
    #: What else is known of what it made, in bytes by name.
    facts: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def job(self) -> str:
        """The job that the case is of."""
        return self.case.partition("/")[0]

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)


@dataclasses.dataclass(frozen=True)
class Peak:
    """By how much the peak of resident memory rose while a fresh process did all of a group's cases."""

    group: str
    candidate: str
    #: In bytes.
    peak: int


@dataclasses.dataclass(frozen=True)
class Run:
    """One run, without what it found."""

    #: When it began and the process that it was: tells it from others.
    name: str
    machine: Machine
    sizes: Sizes
    #: Versions of Python and of each package, by environment.
    versions: dict[str, dict[str, str]]
    load_before: float
    #: Whether it was a test that all runs, whose figures say nothing.
    small: bool = False
    #: What it was asked for.
    command: str = ""
