"""Expressions as trees: which operator stands at the root, and on what.

Polars gives an expression's operands, and not its operator: an operator is recognised by applying it to the operands
and comparing. That tells apart strict and lax casts, which ends a range includes, and whether nulls equal each other.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import polars as pl

__all__ = ["Node", "conjuncts", "flattened", "node"]

#: What makes an expression of operands.
_Make = Callable[..., pl.Expr]


class Node(NamedTuple):
    """An expression whose operator is known."""

    #: The operator: a sign of `_SIGNS`, or a name.
    name: str
    operands: tuple[pl.Expr, ...]
    #: What the operator takes besides operands: which ends a range includes, whether nulls equal each other.
    option: Any = None


def _with(name: str, **options: Any) -> _Make:
    def make(first: pl.Expr, *rest: pl.Expr) -> pl.Expr:
        made: pl.Expr = getattr(first, name)(*rest, **options)
        return made

    return make


def _contains(lists: pl.Expr, value: pl.Expr) -> pl.Expr:
    return lists.list.contains(value)


def _starts_with(text: pl.Expr, prefix: pl.Expr) -> pl.Expr:
    return text.str.starts_with(prefix)


def _when(then: pl.Expr, otherwise: pl.Expr, condition: pl.Expr) -> pl.Expr:
    # In the order in which Polars gives its operands.
    return pl.when(condition).then(then).otherwise(otherwise)


#: By the number of operands: the operator's name, its option, and how it is applied.
_OPERATORS: dict[int, list[tuple[str, Any, _Make]]] = {
    1: [
        ("not", None, operator.invert),
        ("is_null", None, _with("is_null")),
        ("is_not_null", None, _with("is_not_null")),
    ],
    2: [
        ("&", None, operator.and_),
        ("==", None, operator.eq),
        (">", None, operator.gt),
        (">=", None, operator.ge),
        ("<", None, operator.lt),
        ("<=", None, operator.le),
        ("|", None, operator.or_),
        ("!=", None, operator.ne),
        ("is_in", False, _with("is_in", nulls_equal=False)),
        ("contains", None, _contains),
        ("starts_with", None, _starts_with),
        ("is_in", True, _with("is_in", nulls_equal=True)),
        ("eq_missing", None, _with("eq_missing")),
        ("ne_missing", None, _with("ne_missing")),
        ("fill_null", None, _with("fill_null")),
    ],
    3: [
        *(("is_between", closed, _with("is_between", closed=closed)) for closed in ("both", "left", "right", "none")),
        ("when", None, _when),
    ],
}
#: Of any number of operands.
_JOINS: list[tuple[str, _Make]] = [("&", pl.all_horizontal), ("|", pl.any_horizontal)]


def node(expression: pl.Expr) -> Node | None:
    """Return the operator at an expression's root with its operands; None where it is none that is known."""
    if expression.meta.is_column():
        return Node("column", (expression,))
    if expression.meta.is_literal():
        return Node("literal", (expression,))
    operands = tuple(reversed(expression.meta.pop()))
    for name, option, make in _OPERATORS.get(len(operands), ()):
        if expression.meta.eq(make(*operands)):
            return Node(name, operands, option)
    joins = (Node(name, operands) for name, make in _JOINS if operands and expression.meta.eq(make(*operands)))
    return next(joins, None)


def conjuncts(predicate: pl.Expr) -> list[pl.Expr]:
    """Return the conditions that must all hold for a predicate to hold.

    Examples:
        >>> a, b = pl.col("a"), pl.col("b")
        >>> [str(each) for each in conjuncts((a > 1) & (b > 2) & pl.all_horizontal(a > 3, b > 4))]
        ['[(col("a")) > (dyn int: 1)]', '[(col("b")) > (dyn int: 2)]', ..., '[(col("b")) > (dyn int: 4)]']
    """
    return list(flattened(predicate, "&"))


def flattened(expression: pl.Expr, join: str) -> Iterator[pl.Expr]:
    """Yield what is joined by `&` or by `|`, however it nests; programs join hundreds, and Python nests no deeper."""
    left = [expression]
    while left:
        each = left.pop()
        read = node(each)
        if read is not None and read.name == join:
            left += reversed(read.operands)
        else:
            yield each
