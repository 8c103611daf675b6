"""Statistics of paired measurements: ratios, their median with a bootstrap interval, and verdicts on limits; pure."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

__all__ = [
    "FINEST", "Difference", "FineLimitError", "Interval", "Verdict", "check_limit", "difference", "interval_of",
    "ratios", "verdict",
]  # fmt: skip

#: No limit may be closer to 1 than this factor: the noise of a shared machine is of this size.
FINEST = 1.05
_CONFIDENCE = 0.95
_RESAMPLES = 10_000
_SEED = 0

Verdict = Literal["broken", "kept", "undecided"]
Difference = Literal["slower", "faster", "same", "undecided"]


class FineLimitError(ValueError):
    """A limit is closer to 1 than noise allows, or not a positive number."""


@dataclasses.dataclass(frozen=True, slots=True)
class Interval:
    """A median and the bounds of its 95 % confidence interval."""

    median: float
    low: float
    high: float


def ratios(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """Return after over before, pair by pair.

    Raises:
        ValueError: The measurements are not pairs, or one before is not positive.
    """
    if min(before, default=0.0) <= 0:
        raise ValueError(f"expected positive measurements before, found {list(before)}")
    return [second / first for first, second in zip(before, after, strict=True)]


def interval_of(values: Sequence[float]) -> Interval:
    """Return the median with its percentile bootstrap interval; the same for the same values.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("expected at least one value, found none")
    sample = np.asarray(values, np.float64)
    drawn = np.random.default_rng(_SEED).integers(len(sample), size=(_RESAMPLES, len(sample)))
    medians = np.median(sample[drawn], axis=1)
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(medians, (tail, 1 - tail))
    return Interval(float(np.median(sample)), float(low), float(high))


def check_limit(limit: float) -> float:
    """Return the limit if it can be decided under noise.

    Raises:
        FineLimitError: It is closer to 1 than 5 %, or not a positive number.
    """
    if not (math.isfinite(limit) and limit > 0):
        raise FineLimitError(f"expected a positive number as a limit, found {limit}")
    if 1 / FINEST < limit < FINEST:
        raise FineLimitError(
            f"limit {limit:g} is finer than 5 %, which noise does not allow; "
            f"expected at least {FINEST}, or at most {1 / FINEST:.4f} for a required gain"
        )
    return limit


def verdict(interval: Interval, limit: float) -> Verdict:
    """Return whether a ratio is at most the limit: decided only where the whole interval lies on one side."""
    if interval.low > limit:
        return "broken"
    return "kept" if interval.high <= limit else "undecided"


def difference(interval: Interval) -> Difference:
    """Return whether a ratio differs from 1 by more than 5 %: decided as for a limit."""
    if interval.low > FINEST:
        return "slower"
    if interval.high < 1 / FINEST:
        return "faster"
    return "same" if interval.low >= 1 / FINEST and interval.high <= FINEST else "undecided"
