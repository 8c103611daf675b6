"""From what a caller gives as ``where`` to one question: an expression, and functions of pandas frames."""

import enum
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import polars as pl

from atdata._errors import PredicateError

from ._comparison import Predicate, combined
from ._operand import literal, operand
from ._proxy import FieldProxy
from ._sql import parse_sql

__all__ = ["PandasFunction", "Question", "Where", "parse_where"]

#: A function from one shard's rows as a pandas frame to a boolean Series.
PandasFunction: TypeAlias = Callable[[Any], Any]
#: One condition: a Polars expression, an SQL condition, a comparison of fields, a function of a pandas frame.
Condition: TypeAlias = pl.Expr | str | Predicate | PandasFunction
#: What selects rows: a condition, or several that must all hold.
Where: TypeAlias = Condition | Sequence[Condition]


class Question(NamedTuple):
    """What must hold of a row that is selected: everything here."""

    #: Each condition that is an expression, and their text in the form that they were given in.
    expressions: tuple[pl.Expr, ...] = ()
    functions: tuple[PandasFunction, ...] = ()
    texts: tuple[str, ...] = ()
    #: The names that stand in double quotes in SQL; people mean text by them.
    quoted: frozenset[str] = frozenset()

    @property
    def expression(self) -> pl.Expr | None:
        """The expressions as one; None where there are only functions."""
        return combined(self.expressions, operator.and_) if self.expressions else None

    def __str__(self) -> str:
        return self.texts[0] if len(self.texts) == 1 else " AND ".join(f"({text})" for text in self.texts)

    def also(self, other: "Question") -> "Question":
        """Return the question whether both hold."""
        return Question(
            self.expressions + other.expressions,
            self.functions + other.functions,
            self.texts + other.texts,
            self.quoted | other.quoted,
        )


def parse_where(where: object, equalities: Mapping[str, object] | None = None) -> Question:
    """Return what a caller asks as a question.

    Args:
        where: One condition, or a list of some; None where there are equalities only.
        equalities: Columns, and the value that each must have.

    Raises:
        PredicateError: It is no condition, or there is none.
    """
    if where is None and equalities:
        conditions: list[Question] = []
    elif isinstance(where, list | tuple) and where:
        conditions = [_condition(each) for each in where]
    else:
        conditions = [_condition(where)]
    conditions += [_equality(name, value) for name, value in (equalities or {}).items()]
    return functools.reduce(Question.also, conditions)


def _condition(where: object) -> Question:
    if isinstance(where, pl.Expr):
        return Question((where,), texts=(_without_marks(where),))
    if isinstance(where, str):
        condition = parse_sql(where)
        return Question((condition.expr,), texts=(where.strip(),), quoted=condition.quoted)
    if isinstance(where, Predicate):
        return Question((where.expr,), texts=(repr(where),))
    if callable(where) and not isinstance(where, type):
        return Question(functions=(where,), texts=(f"{_name(where)}(df)",))
    if isinstance(where, FieldProxy):
        raise PredicateError(f"the field {where.name!r} alone is no condition; for booleans: F.{where.name} == True")
    raise PredicateError(
        "a predicate is a Polars expression such as pl.col('label') == 'dog', an SQL condition such as "
        "\"label = 'dog'\", a comparison such as F.label == 'dog', a function of a pandas frame, or several of these "
        f"in a list, beside equalities such as label='dog'; found {type(where).__name__} {where!r:.80}"
    )


def _equality(name: str, value: object) -> Question:
    if isinstance(value, pl.Expr | FieldProxy | Predicate | list | tuple | set | frozenset | dict):
        raise PredicateError(
            f"{name}={value!r:.60}: a column is compared with one value; for several use F.{name}.isin([...]) or "
            f"pl.col({name!r}).is_in([...]), for an element of a list F.{name}.contains(...)"
        )
    known = operand(value, name)
    text = f"{name}={value if isinstance(value, enum.Enum) else known!r}"
    return Question((pl.col(name) == literal(known),), texts=(text,))


def _name(function: Callable[..., Any]) -> str:
    inner = function.func if isinstance(function, functools.partial) else function
    if isinstance(owner := getattr(inner, "__self__", None), Predicate):
        return f"({owner!r}).compile()"
    return getattr(inner, "__name__", type(inner).__name__)


def _without_marks(expression: pl.Expr, limit: int = 1000) -> str:
    text = str(expression)
    return text if len(text) <= limit else text[: limit - 1] + "…"
