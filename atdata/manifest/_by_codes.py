"""Conditions on a column of lists, asked of the different lists, and then of the codes that stand for them."""

from collections.abc import Mapping

import polars as pl

from atdata._index import CODE
from atdata._prune import conjuncts
from atdata._unstable import calls_python

from ._row_wise import only_column
from ._rows import FAILURES

__all__ = ["by_codes"]


def by_codes(
    expression: pl.Expr, codes: Mapping[str, pl.DataFrame], schema: Mapping[str, pl.DataType]
) -> tuple[list[pl.Expr], dict[str, pl.DataType]]:
    """Return conditions that hold together where an expression holds, those on coded columns asked of their codes.

    A condition that looks at one such column and nothing else decides each row by its list alone, so it is evaluated
    once for each list that there is. What cannot be evaluated so stays as it is, to fail or not on the rows.

    Args:
        expression: Decides each row by that row.
        codes: By field, which list each code is: ``code`` and ``value``.
        schema: The columns that the expression means.

    Returns:
        The conditions, and the columns of codes that they look at.
    """
    # A selector is one condition for each column, of which there are more where there are codes.
    if calls_python(expression) or expression.meta.has_multiple_outputs():
        return [expression], {}
    # A list of another dtype is another list.
    same = {name for name, known in codes.items() if known["value"].dtype == schema.get(name)}
    conditions, used = list[pl.Expr](), dict[str, pl.DataType]()
    for condition in conjuncts(expression):
        name = only_column(condition)
        wanted = None if name is None or name not in same else _wanted(condition, name, codes[name])
        if name is None or wanted is None:
            conditions.append(condition)
        else:
            conditions.append(pl.col(CODE + name).is_in(wanted.implode()))
            used[CODE + name] = pl.UInt32()
    return conditions, used


def _wanted(condition: pl.Expr, name: str, codes: pl.DataFrame) -> pl.Series | None:
    """Return the codes of the lists for which a condition holds; None where it cannot be asked of them."""
    lists = codes["value"].alias(name).to_frame()
    try:
        holds = lists.select(condition.alias("__holds__")).to_series()
    except FAILURES:
        return None
    if holds.dtype != pl.Boolean or len(holds) != len(codes):
        return None
    return codes["code"].filter(holds.fill_null(value=False))
