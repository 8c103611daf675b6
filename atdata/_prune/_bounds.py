"""What comparisons and null tests say of a shard whose bounds and counts are known.

Each function returns an expression over the table of statistics: whether some row of the shard might make the
comparison true. Polars evaluates it, in the columns' own dtypes; where a statistic is unknown it is null.

Write `low <= x <= high` for what is known of every value `x` on a side; a bound need not be attained.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import polars as pl

__all__ = ["NEGATED", "Side", "compared", "is_one_of", "side", "starts_with"]

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
