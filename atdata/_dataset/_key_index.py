"""Finding one key among millions."""

import bisect

import polars as pl

__all__ = ["KeyIndex"]


class KeyIndex:
    """Where each key stands, by bisection: default keys are sorted already, others are sorted once.

    Args:
        keys: The keys.

    Examples:
        >>> index = KeyIndex(pl.Series(["b", "a", "b"]))
        >>> index.rows("b"), index.rows("c")
        ([0, 2], [])
    """

    def __init__(self, keys: pl.Series) -> None:
        is_sorted = keys.is_sorted()
        # Polars sorts text by its bytes, which in UTF-8 is the order of Python's comparison.
        self._order = None if is_sorted else keys.to_frame("key").with_row_index().sort("key", "index")["index"]
        self._keys = keys if self._order is None else keys.gather(self._order)

    def rows(self, key: str) -> list[int]:
        """Return the rows of a key, ascending."""
        first = bisect.bisect_left(self._keys, key)
        last = first
        while last < len(self._keys) and self._keys[last] == key:
            last += 1
        found = range(first, last)
        return list(found) if self._order is None else [int(self._order[at]) for at in found]
