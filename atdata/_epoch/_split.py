"""How ranks and workers share what is left of an epoch, as arithmetic.

What is left is one sequence. A *step* takes the next ``world_size * batch_size`` positions of it, and each rank gets
one batch of them: rank 0 the first, rank 1 the second. A rank's worker ``w`` of ``W`` serves its steps ``w``,
``w + W``, ``w + 2 W``, …, so that taking from the workers in turns gives the rank's batches in order.

The last step may find fewer positions. With ``drop`` it is left out. Otherwise the ranks share it evenly, and where
that does not come out even, it is filled up from the start of what is left: at most ``world_size - 1`` positions come
twice. One rank alone just gets a shorter batch.
"""

import dataclasses
import re
from decimal import Decimal
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from atdata._options import check_limit

__all__ = ["ShuffleWindow", "Split", "WindowLike"]

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
