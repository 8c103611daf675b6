"""How much tests try: a fixed few in a check, more and at random where ``SOAK`` is set in the environment.

``SOAK=1`` is about 50 minutes of CPU time, and other numbers scale it. ``SOAK_SEED`` repeats a run whose seed pytest's
header printed.
"""

import os
import random
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase

__all__ = ["SEED", "SOAK", "chance", "law", "rounds", "slow_beyond"]

Test = TypeVar("Test", bound=Callable[..., Any])

#: Where examples that failed are kept for the next soak.
DATABASE = Path(__file__).parents[1] / ".hypothesis" / "examples"
#: How many times as many rounds, and examples of laws, a soak tries at ``SOAK=1``, where nothing else is said.
ROUNDS, EXAMPLES = 10, 20


def read_soak(text: str | None) -> float:
    """Return how long to soak, in runs of ``SOAK=1``; 0 where the variable is not set."""
    if text is None:
        return 0.0
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 10_000:  # a NaN is neither
        raise ValueError(f"SOAK={text!r} is not a number above 0; SOAK=1 soaks for about 50 minutes of CPU time")
    return number


def read_seed(text: str | None) -> int:
    """Return the number that all random numbers of a soak follow from: the one that was set, or a new one."""
    if text is None:
        return secrets.randbelow(10**9)
    if not text.isdecimal():
        raise ValueError(f"SOAK_SEED={text!r} is not a whole number; take the one in the header of a soak")
    return int(text)


SOAK = read_soak(os.environ.get("SOAK"))
SEED = read_seed(os.environ.get("SOAK_SEED")) if SOAK else 0
if SOAK:
    os.environ["SOAK_SEED"] = str(SEED)  # for the workers of pytest-xdist, which read it anew


def rounds(count: int, *, soaking: int | None = None) -> int:
    """Return how many times to try: ``count``, or when soaking ``soaking`` at ``SOAK=1`` (ten times ``count``)."""
    return max(1, round(SOAK * (soaking or ROUNDS * count))) if SOAK else count


def chance(*names: object) -> random.Random:
    """Return random numbers for some names: the same in every check, and others in each soak."""
    return random.Random(f"{SEED} {names}")


def law(examples: int, *, soaking: int | None = None, **options: Any) -> Callable[[Test], Test]:
    """Return a decorator for property tests, which sets how many examples are tried and where they come from.

    Args:
        examples: in a check, always the same ones.
        soaking: examples at ``SOAK=1``, random ones; twenty times ``examples`` by default. Those that fail are tried
            first in the next soak.
        **options: further settings of Hypothesis.
    """
    options["suppress_health_check"] = [HealthCheck.too_slow, *options.get("suppress_health_check", ())]
    options |= {"deadline": None, "print_blob": True}  # time says more about the machine than about the code
    if SOAK:
        options |= {"derandomize": False, "database": DirectoryBasedExampleDatabase(DATABASE)}
    else:
        options |= {"derandomize": True, "database": None}
    chosen = settings(max_examples=rounds(examples, soaking=soaking or EXAMPLES * examples), **options)

    def decorate(test: Test) -> Test:
        if SOAK:  # before the settings, because a seed alone would do without the database
            test = seed(f"{SEED} {test.__module__} {test.__qualname__}")(test)
        return chosen(pytest.mark.soak(test))

    return decorate


def slow_beyond(count: int, values: Iterable[Any]) -> list[Any]:
    """Return parameters, or tuples of some, of which the first few are for every check and the others are slow."""
    sets = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*each, marks=[pytest.mark.slow] if at >= count else []) for at, each in enumerate(sets)]
