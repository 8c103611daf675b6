"""Permutations that need no memory: any part of one is arithmetic, the same on any machine."""

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Permutation"]

#: Up to so many numbers are permuted by sorting random keys, which is exactly uniform; more by enciphering each.
_SORTED = 1 << 16
#: Rounds of the cipher; on more than ``_SORTED`` numbers, five pass the tests of chance that eight do.
_ROUNDS = 8
_HALF = np.uint64(32)
#: Multipliers and shifts of SplitMix64, which spreads each bit of a number over all others.
_SPREAD_1, _SPREAD_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2 = np.uint64(30), np.uint64(27)


class Permutation:
    """A random permutation of the numbers below ``count``, which a text determines.

    Nothing in it depends on NumPy's version: the bits are those of BLAKE2b and Philox, whose streams NumPy keeps.

    Args:
        count: How many numbers.
        key: What the permutation is a function of, beside ``count``.
    """

    def __init__(self, count: int, key: str) -> None:
        self._count = count
        bits = hashlib.blake2b(key.encode(), digest_size=8 * _ROUNDS).digest()
        self._sorted: NDArray[np.int64] | None = None
        if count <= _SORTED:
            random = np.random.Philox(key=int.from_bytes(bits[:16], "little")).random_raw(count)
            self._sorted = np.argsort(random, kind="stable").astype(np.int64, copy=False)
        self._keys = np.frombuffer(bits, "<u8").astype(np.uint64, copy=False)
        # The numbers are cells of a table that is as square as can be and hardly larger than they are many.
        self._height = math.isqrt(max(count - 1, 0)) + 1
        self._width = -(-count // self._height)

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers at some positions; each position is at least 0 and below the count."""
        if self._sorted is not None:
            return self._sorted[positions]
        found = self._enciphered(positions.astype(np.uint64))
        while len(outside := np.flatnonzero(found >= self._count)):  # cells beyond the last number: go on from there
            found[outside] = self._enciphered(found[outside])
        return found.astype(np.int64)

    def _enciphered(self, cells: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Permute cells of the table by a Feistel network: row and column shift each other in turns."""
        height, width = np.uint64(self._height), np.uint64(self._width)
        rows, columns = np.divmod(cells, width)
        for number, key in enumerate(self._keys):
            if number % 2:
                columns = _shifted(columns, rows, key, width)
            else:
                rows = _shifted(rows, columns, key, height)
        rows *= width
        rows += columns
        return rows


def _shifted(ones: NDArray[np.uint64], others: NDArray[np.uint64], key: Any, limit: np.uint64) -> NDArray[np.uint64]:
    """Shift ``ones`` around a circle of ``limit``, each by a random number that the key makes of its other."""
    by: NDArray[np.uint64] = others + key
    by ^= by >> _SHIFT_1
    by *= _SPREAD_1
    by ^= by >> _SHIFT_2
    by *= _SPREAD_2
    by >>= _HALF
    by *= limit
    by >>= _HALF  # below the limit
    by += ones
    np.minimum(by, by - limit, out=by)  # what is below the limit wraps to a huge number, and stays as it is
    return by
