"""Windows: how much of a dataset is shuffled together."""

import re
from decimal import Decimal
from typing import NamedTuple, Self, TypeAlias

from atdata._options import check_limit

__all__ = ["Window", "WindowLike"]

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


class Window(NamedTuple):
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
