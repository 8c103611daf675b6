"""From what a caller gives as ``where`` to one question: an expression, and functions of pandas frames."""

import enum
import functools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import polars as pl

from atdata._errors import PredicateError, first_line

from ._comparison import Predicate, combined, literal, operand
from ._proxy import FieldProxy

__all__ = ["PandasFunction", "Question", "SqlCondition", "Where", "parse_sql", "parse_where"]

# Patterns are compiled when the first SQL text comes.
#: What holds no word of SQL: text and quoted names. The first group is a name in double quotes.
_QUOTED = r"""(?xs)
      '(?:[^']|'')*'                    # text
    | "((?:[^"]|"")*)"                  # a name
    | `[^`]*`                           # a name, as MySQL writes it
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$   # text, as PostgreSQL writes it
    """
_COMMENT = r"--|/\*"
_STATEMENT = r"(?i)\s*(SELECT|WITH|FROM|INSERT|UPDATE|DELETE|CREATE|DROP|EXPLAIN|SHOW|TABLE|VALUES)\b(?!\s*[=<>!])"
_WHERE = r"(?i)\bWHERE\b"
_NESTED = r"(?i)\b(SELECT|EXISTS|UNION|INTERSECT|EXCEPT)\b|\(\s*(FROM|TABLE|VALUES|WITH)\b"
_READS = r"(?i)\b((?:read|scan)_\w+|glob|delta_scan|iceberg_scan)\s*\("
_ELSEWHERE = "Ask that of the whole table: ds.scan() is a Polars LazyFrame, and pl.SQLContext(ds=ds.scan()) takes SQL"


class SqlCondition(NamedTuple):
    """What an SQL text says."""

    expr: pl.Expr
    #: The names that stand in double quotes.
    quoted: frozenset[str]


def parse_sql(text: str) -> SqlCondition:
    """Return an SQL condition, such as ``label = 'dog' AND confidence > 0.9``, as an expression.

    Aggregates and windows are not found here, but by the check that every predicate passes.

    Raises:
        PredicateError: It is no condition; the error says what it is and what to do instead.
    """
    bare = re.sub(_QUOTED, " ' ", text)  # a quote stays, so that no two words become neighbours
    if problem := _problem(bare):
        raise PredicateError(f"the SQL {text!r:.200} {problem}")
    try:
        expression = pl.sql_expr(text)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise PredicateError(
            f"the SQL {text!r:.200} is no condition that Polars understands: {first_line(error)}"
        ) from None
    if not expression.meta.eq(expression.meta.undo_aliases()):
        raise PredicateError(
            f"the SQL {text!r:.200} names its result {expression.meta.output_name()!r}; a condition has no name, and a "
            "word that stands alone after one is taken for it: is an AND or OR missing?"
        )
    if ".subplan(" in str(expression):
        raise PredicateError(f"the SQL {text!r:.200} nests a query. {_ELSEWHERE}")
    quoted = (found[1].replace('""', '"') for found in re.finditer(_QUOTED, text) if found[1])
    return SqlCondition(expression, frozenset(quoted))


def _problem(bare: str) -> str | None:
    only = "give the condition alone, such as \"label = 'dog' AND confidence > 0.9\""
    if not bare.strip():
        return f"is empty; {only}, or leave it out to select every row"
    if ";" in bare:
        return f"holds ';', as several statements do; {only}, or several conditions in a list"
    if re.search(_COMMENT, bare):
        return f"holds a comment, which may hide a part of the condition; {only}"
    if reads := re.search(_READS, bare):
        return f"calls {reads[1]}, which reads files; {only}. {_ELSEWHERE}"
    if statement := re.match(_STATEMENT, bare):
        return f"is a whole statement ({statement[1].upper()}); {only}, without what stands before or after it"
    if re.search(_WHERE, bare):
        return f"holds WHERE; {only}, without the WHERE"
    if nested := re.search(_NESTED, bare):
        word = (nested[1] or nested[2]).upper()
        return f"nests a query ({word}); {only}. {_ELSEWHERE}. (A column of that name stands in double quotes)"
    return None


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
