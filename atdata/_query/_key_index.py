"""Finding one key among millions."""

import bisect

import polars as pl

__all__ = ["KeyIndex"]


class KeyIndex:
    """Where each key stands: default keys are sorted already and are bisected, of others the hashes are sorted once.

    Args:
        keys: The keys.

    Attributes:
        size: What it keeps in memory beside the keys, in bytes.

    Examples:
        >>> index = KeyIndex(pl.Series(["b", "a", "b"]))
        >>> index.rows("b"), index.rows("c")
        ([0, 2], [])
    """

    def __init__(self, keys: pl.Series) -> None:
        self._keys = keys
        self._order: pl.Series | None = None
        # Polars sorts text by its bytes, which in UTF-8 is the order of Python's comparison.
        self._sorted = keys
        if not keys.is_sorted():
            hashes = keys.hash()
            self._order = hashes.arg_sort()
            self._sorted = hashes.gather(self._order)
        self.size = 0 if self._order is None else int(self._order.estimated_size() + self._sorted.estimated_size())

    def rows(self, key: str) -> list[int]:
        """Return the rows of a key, ascending."""
        wanted = key if self._order is None else pl.Series([key]).hash().item()
        first = bisect.bisect_left(self._sorted, wanted)
        last = first
        while last < len(self._sorted) and self._sorted[last] == wanted:
            last += 1
        if self._order is None:
            return list(range(first, last))
        # Two keys may have one hash.
        return sorted(row for row in self._order[first:last].to_list() if self._keys[row] == key)
