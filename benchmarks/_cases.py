"""What each job is measured at."""

import dataclasses
from collections.abc import Iterator

from ._catalogue import DATA_KINDS, GROWTH, JOBS, QUESTIONS, Case
from ._run import Sizes

__all__ = ["GROWING", "LARGE", "Choice", "cases"]

#: The size that is measured only when it is asked for.
LARGE = "100m"
#: Questions that are asked of some sizes only.
_ONLY = {"list": ("1m",)}
#: The sizes and kinds of rows that jobs beside `query` are measured at.
_SIZES = {
    "open": {"1m": ("clustered",), "10m-small-shards": ("clustered",), LARGE: tuple(DATA_KINDS)},
    "index": {"10m": tuple(DATA_KINDS), "10m-small-shards": ("random",)},
    "describe": {"1m": ("random",), "10m-small-shards": tuple(DATA_KINDS), LARGE: tuple(DATA_KINDS)},
}
#: Growth is measured where pruning can do something.
GROWING = "clustered"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The part that is measured."""

    jobs: tuple[str, ...] = tuple(JOBS)
    sizes: tuple[str, ...] = ("1m", "10m", "10m-small-shards")
    kinds: tuple[str, ...] = tuple(DATA_KINDS)
    questions: tuple[str, ...] = tuple(QUESTIONS)
    #: Shards that growth is measured at, at most and at least.
    growth: tuple[int, int] = (0, 10_000)


def cases(job: str, sizes: Sizes, choice: Choice) -> Iterator[Case]:
    """Yield what a job is measured at."""
    if job == "query":
        for size in choice.sizes:
            for kind in choice.kinds:
                asked = (name for name in choice.questions if size in _ONLY.get(name, choice.sizes))
                yield from (Case(job, *sizes.rows[size], size, kind, name) for name in asked)
    elif job in _SIZES:
        for size in choice.sizes:
            kinds = (kind for kind in _SIZES[job].get(size, ()) if kind in choice.kinds)
            yield from (Case(job, *sizes.rows[size], size, kind) for kind in kinds)
    elif job == "growth":
        first, last = choice.growth
        for count in (each for each in sizes.growth if first <= each <= last):
            yield from (Case(job, count * sizes.growth_rows, count, str(count), GROWING, what) for what in GROWTH)
    else:
        yield Case(job, *_plain(job, sizes))


def _plain(job: str, sizes: Sizes) -> tuple[int, int]:
    if job == "fetch":
        return sizes.fetched, sizes.fetched_shards
    return (sizes.epoch, 1) if job == "resume" else (sizes.samples, sizes.shards)
