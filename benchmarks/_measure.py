"""Timing: every candidate once a round, in an order that changes from round to round; the median counts."""

import dataclasses
import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["Candidate", "Timing", "measure"]


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """One way to do the work."""

    name: str
    run: Callable[[], Any]
    #: Whether what it returns is an answer to the question, to be compared with the others'.
    answers: bool = True
    #: Whether it goes through pandas, and so is repeated less often.
    slow: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """How long one candidate took, in seconds, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)


def measure(candidates: Sequence[Candidate], *, repetitions: int, slow_repetitions: int) -> Mapping[str, Timing]:
    """Time candidates in rounds; slow ones drop out after their repetitions.

    Args:
        candidates: What to time. Each must have run before, so that what is made once is made.
        repetitions: Rounds.
        slow_repetitions: Rounds that slow candidates take part in.
    """
    seconds: dict[str, list[float]] = {each.name: [] for each in candidates}
    order = random.Random(repetitions)  # noqa: S311 -- no secret
    gc.collect()
    gc.freeze()  # what candidates keep ready is not walked through while others are timed
    for repetition in range(repetitions):
        taking_part = [each for each in candidates if not each.slow or repetition < slow_repetitions]
        for each in order.sample(taking_part, len(taking_part)):
            seconds[each.name].append(_time(each.run))
    gc.unfreeze()
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def _time(run: Callable[[], Any]) -> float:
    gc.collect()
    begin = time.perf_counter()
    result = run()
    end = time.perf_counter()
    del result  # freeing it is not part of answering
    return end - begin
