"""A column in memory as numbers that stand for its distinct values, where these are few.

A condition on such a column alone is asked of each distinct value once, by Polars, and looked up row by row. So it
means what it means on the column itself, whatever it is: text, lists, null.
"""

import functools
import operator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._index import few_values

__all__ = ["Coded", "coded"]

#: How many distinct values a column has at most, so that numbers of 16 bits are enough.
_MOST = 1 << 16
#: Numbers of 8 bits are enough for so many.
_BYTE = 1 << 8
#: So many values are compared one by one.
_COMPARED = 8
#: So many rows are looked up at once: what that takes stays in the processor's cache.
_AT_ONCE = 1 << 18


class Coded(NamedTuple):
    """A column of numbers, and the values that they stand for, null among them."""

    #: UInt8 or UInt16, one a row.
    codes: pl.Series
    values: pl.Series

    @property
    def size(self) -> int:
        """What it takes in memory, in bytes."""
        return int(self.codes.estimated_size() + self.values.estimated_size())

    def holds(self, condition: pl.Expr) -> pl.Series:
        """Return for which rows a condition on this column alone holds; null counts as no.

        Raises:
            polars.exceptions.PolarsError: It fails on one of the values.
        """
        of_values = self.values.to_frame().select(condition.fill_null(value=False)).to_series()
        wanted = of_values.arg_true().to_list()
        if not wanted:
            return pl.repeat(value=False, n=len(self.codes), eager=True)
        if len(wanted) <= _COMPARED:
            # Each comparison takes a tenth of what looking up takes.
            found: pl.Series = functools.reduce(operator.or_, (self.codes == code for code in wanted))
            return found
        table = np.zeros(_BYTE if self.codes.dtype == pl.UInt8 else len(of_values), np.bool_)
        table[: len(of_values)] = of_values.to_numpy()
        return pl.Series(_looked_up(table, self.codes.to_numpy()))

    def decoded(self) -> pl.Expr:
        """Return the column's values, as an expression over a frame that has its numbers under its name."""
        return pl.lit(self.values).gather(pl.col(self.values.name)).alias(self.values.name)


def coded(column: pl.Series) -> Coded | None:
    """Return a column as numbers; None where it has too many distinct values, or is as small as numbers are."""
    few = few_values(column, _MOST) if column.dtype == pl.String or isinstance(column.dtype, pl.List) else None
    if few is None:
        return None
    dtype = pl.UInt8 if len(few.values) <= _BYTE else pl.UInt16
    return Coded(few.places.cast(dtype).alias(column.name), few.values)


def _looked_up(table: NDArray[np.bool_], codes: NDArray[np.integer]) -> NDArray[np.bool_]:
    found = np.empty(len(codes), np.bool_)
    for begin in range(0, len(codes), _AT_ONCE):
        some = codes[begin : begin + _AT_ONCE]
        # Of bytes, faster than NumPy, which makes 8 bytes of each number first.
        found[begin : begin + _AT_ONCE] = (
            np.frombuffer(some.tobytes().translate(table.tobytes()), np.bool_)
            if codes.dtype == np.uint8
            else np.take(table, some)
        )
    return found
