"""What is done to each sample after it was read: kept or not, made into something else."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from atdata._sample import SampleBatch

__all__ = ["Step", "Steps", "batched", "through"]


class Step(NamedTuple):
    """One function that samples pass through."""

    kind: Literal["filter", "map"]
    function: Callable[[Any], Any]


#: Steps in the order in which samples pass through them.
Steps: TypeAlias = tuple[Step, ...]


def through(samples: Iterable[Any], steps: Steps) -> Iterator[Any]:
    """Yield what comes out of some steps."""
    for step in steps:
        samples = map(step.function, samples) if step.kind == "map" else filter(step.function, samples)
    return iter(samples)


def batched(samples: Iterable[Any], batch_size: int) -> Iterator[SampleBatch[Any]]:
    """Yield samples in batches; the last may be shorter."""
    rest = iter(samples)
    while batch := list(itertools.islice(rest, batch_size)):
        yield SampleBatch(batch)
