"""What listed values say of a shard: a condition is asked of every value that a field has there.

The condition is not interpreted: Polars evaluates it, on values in place of rows. As it looks at one row at a time, it
gives for a value what it gives for each row with that value.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Listed", "answer"]

#: Values beyond which asking all of them might take longer than reading rows.
_TOO_MANY = 5_000_000


class Listed(NamedTuple):
    """A question to the listed values of a field."""

    #: The column of the answer: true where a shard might hold such a row, false where not, null where that is unknown.
    column: str
    field: str
    #: A condition over that field alone; of a field of lists a literal, looked for among the elements.
    asked: pl.Expr
    #: What the condition is to give.
    wanted: bool

    @property
    def values(self) -> str:
        """The column of the field's listed values."""
        return f"values:{self.field}"

    @property
    def nulls(self) -> str:
        """The column of how many rows of the field are null."""
        return f"nulls:{self.field}"


def answer(listed: Listed, statistics: pl.DataFrame) -> pl.Series | None:
    """Return the answer, one a shard; None where there is none.

    Args:
        listed: The question.
        statistics: One row a shard, with the question's columns.
    """
    lists = statistics[listed.values]
    lengths = lists.list.len().fill_null(0)
    if lists.null_count() == len(lists) or lengths.sum() > _TOO_MANY:
        return None
    if listed.asked.meta.is_literal():
        # Null and NaN are never listed, and may be elements.
        sought = pl.select(listed.asked).to_series()
        if sought.dtype.is_float() and sought.is_nan().any():
            return None
        held = pl.when(listed.asked.is_not_null()).then(pl.col(listed.values).list.contains(listed.asked))
        return statistics.select(held.alias(listed.column)).to_series()
    values = lists.explode(empty_as_null=False, keep_nulls=False)
    holds = _holds(listed, values.extend_constant(None, 1))
    shards = np.repeat(np.arange(len(lists)), lengths.to_numpy())
    some = np.zeros(len(lists), dtype=np.bool_)
    some[shards[holds[:-1]]] = True
    might = pl.Series(some) | (pl.col(listed.nulls) > 0).fill_null(True) if holds[-1] else pl.lit(pl.Series(some))
    return statistics.select(pl.when(pl.col(listed.values).is_not_null()).then(might).alias(listed.column)).to_series()


def _holds(listed: Listed, values: pl.Series) -> NDArray[np.bool_]:
    """Tell of which values the condition gives what is wanted."""
    frame = pl.DataFrame({listed.field: values})
    holds = frame.select(listed.asked.eq_missing(listed.wanted)).to_series().to_numpy()
    if values.dtype.is_float():
        # Of two zeros one is listed; a condition may tell them apart.
        value = pl.col(listed.field)
        other = frame.select(pl.when(value == 0).then(-value).otherwise(value).alias(listed.field))
        holds = holds | other.select(listed.asked.eq_missing(listed.wanted)).to_series().to_numpy()
    return holds
