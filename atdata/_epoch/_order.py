"""The order of an epoch, as arithmetic: shuffling, and splitting among ranks and workers.

An epoch is one sequence of all rows. It is a function of the dataset's digest, the number of rows, the seed, the epoch
and the window alone: of no machine, no worker, no rank and no version of NumPy.
"""

import dataclasses
import functools
import hashlib
import math
import re
from decimal import Decimal
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from atdata._options import check_limit

__all__ = ["Order", "Permutation", "ShuffleUnits", "ShuffleWindow", "Split", "WindowLike"]

#: None for everything, a number of shards, or an amount such as ``"256 MB"``.
WindowLike: TypeAlias = int | str | None

_UNITS = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
#: What a 64-bit number holds; so a state never grows.
_LARGEST = (1 << 63) - 1
_AMOUNT = re.compile(rf"(\d+(?:\.\d+)?) ?({'|'.join(_UNITS)})", re.ASCII)


class ShuffleWindow(NamedTuple):
    """How much is shuffled together; everything where neither is given."""

    shards: int | None = None
    #: In bytes.
    size: int | None = None

    @classmethod
    def parse(cls, window: WindowLike) -> Self:
        """Make it of what a caller says.

        Raises:
            ValueError: It is neither None, a whole number from 1, nor an amount of at least one byte.
        """
        if not isinstance(window, str):
            check_limit("window", window)
            if window is not None and window > _LARGEST:
                raise ValueError(f"window is at most {_LARGEST} shards; found {window}")
            return cls(shards=window)
        amount = _AMOUNT.fullmatch(window)
        size = int(Decimal(amount[1]) * _UNITS[amount[2]]) if amount else 0
        if not 1 <= size <= _LARGEST:
            raise ValueError(
                'window is None, a number of shards, or an amount of at least one byte, such as "256 MB"; '
                f"found {window!r}. The units are {', '.join(_UNITS)}"
            )
        return cls(size=size)

    @property
    def value(self) -> int | str | None:
        """The window in its one form, as a state keeps it; ``parse`` takes it back."""
        return self.shards if self.size is None else f"{self.size} B"


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """One rank's part of what is left of an epoch; the parts of all ranks are equally long."""

    rank: int = 0
    world_size: int = 1
    #: Samples a rank gets in a step.
    batch_size: int = 1
    #: Whether a last step that is not full is left out.
    drop: bool = False

    @property
    def stride(self) -> int:
        """How many positions a step takes."""
        return self.world_size * self.batch_size

    def steps(self, left: int) -> int:
        """Return how many steps there are where so many positions are left."""
        return left // self.stride if self.drop else -(-left // self.stride)

    def samples(self, left: int, steps: int) -> int:
        """Return how many samples the rank gets in the first so many steps."""
        full = min(steps, left // self.stride)
        return full * self.batch_size + (self._last(left) if steps > full else 0)

    def consumed(self, left: int, steps: int) -> int:
        """Return how many positions all ranks together are done with after so many steps."""
        return min(left, steps * self.stride)

    def positions(self, left: int, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of the rank's batches at some ascending steps, counted from where the rest begins."""
        full = steps[: np.searchsorted(steps, left // self.stride)]
        starts = full * self.stride + self.rank * self.batch_size
        found: NDArray[np.int64] = (starts[:, None] + np.arange(self.batch_size)).ravel()
        if len(full) == len(steps):
            return found
        each = self._last(left)
        last = steps[-1] * self.stride + self.rank * each + np.arange(each)
        return np.concatenate([found, last % left])

    def _last(self, left: int) -> int:
        """Return how many samples the rank gets in a last step that is not full."""
        return -(-(left % self.stride) // self.world_size)


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


Rows = NDArray[np.int64]

#: A window of bytes is made of pieces of neighbouring rows, each of about such a part of it: small enough that a window
#: draws from many places of the dataset, large enough that each is read in one go.
_PIECES_A_WINDOW = 16
#: Rows whose sizes are summed up at once, so that they stay in the processor's cache.
_SUMMED = 1 << 17


class ShuffleUnits(NamedTuple):
    """Pieces of a dataset that are read together: its shards, or parts of them. It is the same for all epochs."""

    #: The rows shard by shard, or None where they are so already.
    by_shard: Rows | None
    #: Where each piece begins among those rows, and at the end how many rows there are.
    bounds: Rows
    #: Each piece's length in bytes; empty where nobody asks.
    sizes: Rows

    @classmethod
    def of(cls, shards: NDArray[np.uint32], sizes: NDArray[np.int64], window: ShuffleWindow) -> Self:
        """Cut rows, given with their shard and size in bytes, into the pieces that a window is made of."""
        starts = _runs(shards)
        by_shard = None
        if len(np.unique(shards[starts])) < len(starts):  # a shard's rows lie apart
            by_shard = np.argsort(shards, kind="stable").astype(np.int64, copy=False)
            shards, sizes = shards[by_shard], sizes[by_shard]
            starts = _runs(shards)
        if window.size is not None:
            starts = np.union1d(starts, _cuts(sizes, -(-window.size // _PIECES_A_WINDOW)))
        bytes_of = np.add.reduceat(sizes, starts) if window.size is not None and len(sizes) else np.zeros(0, np.int64)
        return cls(by_shard, np.append(starts, len(shards)), bytes_of)


class Order:
    """The order of one epoch: a permutation of all rows, window by window.

    The pieces of the layout are permuted, a window takes as many of them as fit (at least one), and its rows are
    permuted among themselves. Without a window all rows are.

    Args:
        count: How many rows there are.
        layout: Their pieces; None where all rows are permuted.
        window: How much is permuted together.
        key: What the order is a function of; None for the order of the dataset.
    """

    def __init__(self, count: int, layout: ShuffleUnits | None, window: ShuffleWindow, key: str | None) -> None:
        self._count = count
        self._key = key
        self._by_shard = None if layout is None else layout.by_shard
        self._permutation = functools.lru_cache(maxsize=2)(self._permutation_of)
        if layout is None or key is None:  # one window of one piece
            layout = ShuffleUnits(None, np.array([0, count]), np.zeros(0, np.int64))
            pieces, firsts = np.zeros(1, np.int64), [0, 1]
        else:
            number = len(layout.bounds) - 1
            pieces = Permutation(number, f"{key}\npieces").at(np.arange(number))
            firsts = _full_windows(layout.sizes[pieces], window.size) if window.size else _every(window.shards, number)
        #: Where each piece begins in the dataset, and at which position of the epoch, in the order of the epoch.
        self._starts = layout.bounds[pieces]
        self._positions = _running(layout.bounds[pieces + 1] - self._starts)
        #: At which position each window begins, and at the end how many there are.
        self._windows = self._positions[firsts]

    def rows(self, positions: Rows) -> Rows:
        """Return the rows at some positions, each at least 0 and below the count.

        What this takes grows with the number of positions and of the windows that they lie in, and with nothing else.
        """
        if self._key is None:
            return positions
        found = np.empty_like(positions)
        windows = np.searchsorted(self._windows, positions, side="right") - 1
        for window in np.unique(windows):
            inside = np.flatnonzero(windows == window)
            first, end = self._windows[window : window + 2].tolist()
            permutation = self._permutation(int(window), end - first)
            found[inside] = self._row_of(first + permutation.at(positions[inside] - first))
        return found

    def _permutation_of(self, window: int, count: int) -> Permutation:
        return Permutation(count, f"{self._key}\nwindow {window}")

    def _row_of(self, positions: Rows) -> Rows:
        """Return the rows at positions of the sequence in which pieces are permuted and their rows are not."""
        pieces = np.searchsorted(self._positions, positions, side="right") - 1
        rows: Rows = self._starts[pieces] + (positions - self._positions[pieces])
        return rows if self._by_shard is None else self._by_shard[rows]


def _runs(shards: NDArray[np.uint32]) -> Rows:
    """Return where runs of rows of one shard begin."""
    changes = np.flatnonzero(shards[1:] != shards[:-1]) + 1
    return np.concatenate([np.zeros(min(1, len(shards)), np.int64), changes])


def _cuts(sizes: NDArray[np.int64], length: int) -> Rows:
    """Return where pieces of so many bytes begin: the first row that begins in each stretch of that length."""
    found = [np.zeros(0, np.int64)]
    at = 0
    for first in range(0, len(sizes), _SUMMED):
        begins = at + _running(sizes[first : first + _SUMMED])
        stretches = np.arange(-(-at // length), -(-int(begins[-1]) // length))
        found.append(first + np.searchsorted(begins[:-1], stretches * length))
        at = int(begins[-1])
    cuts: Rows = np.unique(np.concatenate(found))
    return cuts[cuts < len(sizes)]


def _running(amounts: NDArray[np.int64]) -> Rows:
    """Return what comes before each, and at the end the sum."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(amounts)])


def _every(step: int | None, number: int) -> list[int]:
    return [*range(0, number, step or number), number]


def _full_windows(sizes: NDArray[np.int64], limit: int) -> list[int]:
    """Return the first piece of each window, and at the end how many there are."""
    ends, firsts = _running(sizes), [0]
    while firsts[-1] < len(sizes):
        end: Any = np.searchsorted(ends, ends[firsts[-1]] + limit, side="right")
        firsts.append(max(firsts[-1] + 1, int(end) - 1))
    return firsts
