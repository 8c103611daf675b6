"""Drawing rows at random, the same on any machine."""

import hashlib
import operator
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

__all__ = ["drawn"]


def drawn(n: int, count: int, seed: str) -> NDArray[np.int64]:
    """Return ``n`` different positions out of ``count``, ascending; every set of that size is as likely.

    Args:
        n: How many.
        count: How many there are.
        seed: What it all depends on.

    Raises:
        ValueError: ``n`` is negative, or more than there are.

    Examples:
        >>> drawn(3, 10, "a seed").tolist()
        [2, 8, 9]
    """
    if isinstance(n, bool) or not isinstance(n, SupportsIndex) or not 0 <= operator.index(n) <= count:
        raise ValueError(f"n is a number of samples from 0 to the {count} that there are; found {n!r}")
    words = np.frombuffer(hashlib.sha256(seed.encode()).digest(), "<u8")
    # Philox's output is specified; what is made of it by numpy.random's methods may change with a version.
    marks = np.random.Philox(key=words[:2], counter=[0, 0, *words[2:]]).random_raw(count)
    chosen: NDArray[np.int64] = np.sort(np.argsort(marks, kind="stable")[:n])
    return chosen
