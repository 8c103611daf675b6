"""What comparisons and null tests say of a shard whose bounds and counts are known.

Each function returns an expression over the table of statistics: whether some row of the shard might make the
comparison true. Polars evaluates it, in the columns' own dtypes; where a statistic is unknown it is null.

Write `low <= x <= high` for what is known of every value `x` on a side; a bound need not be attained.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["NEGATED", "Listed", "Side", "answer", "compared", "is_one_of", "side", "starts_with"]

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


#: Integers by the range that they hold, ends included.
_INTEGERS: dict[pl.DataType, tuple[int, int]] = {
    **{
        dtype: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        for bits, dtype in [(8, pl.Int8()), (16, pl.Int16()), (32, pl.Int32()), (64, pl.Int64()), (128, pl.Int128())]
    },
    **{
        dtype: (0, 2**bits - 1)
        for bits, dtype in [(8, pl.UInt8()), (16, pl.UInt16()), (32, pl.UInt32()), (64, pl.UInt64())]
    },
}
#: Strict, lax, wrapping: they differ for values that do not fit.
_CASTS = ((False, False), (True, False), (False, True))
#: What is true of two values where the comparison is false.
NEGATED = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "eq_missing": "ne_missing",
    "ne_missing": "eq_missing",
}


class Side(NamedTuple):
    """What is known of one side of a comparison, in each shard."""

    #: None of a literal.
    dtype: pl.DataType | None
    #: Bounds of its values.
    low: pl.Expr
    high: pl.Expr
    #: Whether some row has a value, and whether some row has none.
    valued: pl.Expr
    missing: pl.Expr


def side(expression: pl.Expr, schema: Mapping[str, pl.DataType]) -> Side | None:
    """Return what is known of a literal, of a field, or of a field of numbers widened; None of anything else."""
    if expression.meta.is_literal():
        return Side(None, expression, expression, expression.is_not_null(), expression.is_null())
    if expression.meta.is_column():
        name = expression.meta.output_name()
        counts = pl.col(f"nulls:{name}"), pl.col("rows")
        bounds = pl.col(f"min:{name}"), pl.col(f"max:{name}")
        return Side(schema[name], *bounds, counts[0] < counts[1], counts[0] > 0)
    operands = expression.meta.pop()
    if len(operands) != 1 or not operands[0].meta.is_column():
        return None
    # A cast that keeps the order keeps the bounds: low <= x gives cast(low) <= cast(x), also where both round.
    for target in _wider(schema[operands[0].meta.output_name()]):
        if any(
            expression.meta.eq(operands[0].cast(target, strict=strict, wrap_numerical=wraps))
            for strict, wraps in _CASTS
        ):
            known = side(operands[0], schema)
            return known and known._replace(dtype=target, low=known.low.cast(target), high=known.high.cast(target))
    return None


def _wider(dtype: pl.DataType) -> list[pl.DataType]:
    """Return the dtypes to which every number of a dtype can be cast, in order, and none becomes null."""
    floats: list[pl.DataType] = [pl.Float64(), pl.Float32()] if dtype.is_integer() else [pl.Float64()]
    if dtype not in _INTEGERS:
        return floats if dtype.is_numeric() else []
    low, high = _INTEGERS[dtype]
    return floats + [wider for wider, held in _INTEGERS.items() if held[0] <= low and high <= held[1]]


def compared(sign: str, left: Side, right: Side) -> pl.Expr:
    """Tell whether a comparison of two sides might be true of some row."""
    if sign == "eq_missing":
        return compared("==", left, right) | (left.missing & right.missing)
    if sign == "ne_missing":
        return compared("!=", left, right) | (left.missing & right.valued) | (left.valued & right.missing)
    return left.valued & right.valued & _RULES[sign](left, right)


#: x and y have values. Each proof is of the opposite: where the rule is false, no x and y fulfil the comparison.
_RULES: dict[str, Callable[[Side, Side], pl.Expr]] = {
    # x <= high(x) <= low(y) <= y
    ">": lambda x, y: x.high > y.low,
    # x <= high(x) < low(y) <= y
    ">=": lambda x, y: x.high >= y.low,
    # y <= high(y) <= low(x) <= x
    "<": lambda x, y: x.low < y.high,
    # y <= high(y) < low(x) <= x
    "<=": lambda x, y: x.low <= y.high,
    # x is above y, or below
    "==": lambda x, y: (x.low <= y.high) & (x.high >= y.low),
    # high(x) <= low(y) <= high(y) <= low(x): all are one value
    "!=": lambda x, y: (x.low < y.high) | (x.high > y.low),
}


def is_one_of(found: Side, listed: pl.Series, *, nulls_equal: bool, wanted: bool) -> pl.Expr | None:
    """Tell whether a side might be among listed values for some row, or, where that is not wanted, not among them.

    Args:
        found: The side.
        listed: The values.
        nulls_equal: Whether null is among values of which one is null.
        wanted: What the test is to give.
    """
    if listed.dtype != found.dtype:
        return None
    values = listed.drop_nulls().unique().sort()
    if values.is_empty():
        among, beside = pl.lit(False), pl.lit(True)
    else:
        # The first value that is not below low; null where all are.
        place = pl.lit(values).search_sorted(found.low, side="left")
        first = pl.lit(values).gather(pl.when(place < len(values)).then(place))
        known = found.low.is_not_null() & found.high.is_not_null()
        # The values before the first are below every x, and if it is above high, then so are those after it.
        among = pl.when(known).then((first <= found.high).fill_null(False))
        # Every x is one value, and it is listed.
        beside = pl.when(known).then((found.low < found.high) | (first != found.low).fill_null(True))
    might = found.valued & (among if wanted else beside)
    return might | found.missing if nulls_equal and (not wanted or listed.has_nulls()) else might


def starts_with(found: Side, prefix: pl.Expr) -> pl.Expr:
    """Tell whether a text might start with a prefix for some row.

    Such an x is not below its prefix, which high must reach; and as low <= x, low cut to that length is not above it.
    """
    return found.valued & (found.high >= prefix) & (found.low.str.head(prefix.str.len_chars()) <= prefix)
