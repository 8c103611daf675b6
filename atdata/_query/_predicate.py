"""From what a caller gives as ``where`` to one question about single rows: expressions, SQL, pandas functions."""

import enum
import functools
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import polars as pl

from atdata._errors import PredicateError, first_line
from atdata._polars import calls_python, draws_lots, passes_through, pushed_predicate

from ._comparison import FieldProxy, Predicate, combined, literal, operand

__all__ = [
    "PandasFunction",
    "Question",
    "SqlCondition",
    "Where",
    "check_row_wise",
    "only_column",
    "parse_sql",
    "parse_where",
]

#: Levels of operands within operands; Polars hands on a few hundred.
_DEEP = 400

#: What may be made of a Python function's result without being asked about.
_COMBINATIONS = (
    operator.and_,
    operator.or_,
    operator.xor,
    operator.eq,
    operator.ne,
    operator.gt,
    operator.ge,
    operator.lt,
    operator.le,
)


def check_row_wise(
    predicate: pl.Expr, schema: Mapping[str, pl.DataType], quoted: Collection[str] = frozenset()
) -> list[pl.Expr | None]:
    """Return a predicate as Polars would push it down, once it fits the columns, gives booleans, and is row-wise.

    A Python function (``map_elements``, ``map_batches``) cannot be looked into; it is taken at its word. What is made
    of the result of ``map_batches``, beyond comparing and combining it, needs ``is_elementwise=True`` there.

    Args:
        predicate: The predicate.
        schema: The columns.
        quoted: Names that stood in double quotes in SQL, where people mean text.

    Returns:
        What :func:`pushed_predicate` says; ``[None]`` of a predicate that calls a Python function.

    Raises:
        PredicateError: It does not; the error says which and what to do.
    """
    try:
        given = pl.LazyFrame(schema=dict(schema)).select(predicate).collect_schema()
        _check_boolean(predicate, given)
        pushed: list[pl.Expr | None] = [None] if calls_python(predicate) else pushed_predicate(predicate, schema)
        row_wise = _is_row_wise(predicate, schema, pushed)
    except pl.exceptions.ColumnNotFoundError as error:
        raise _unknown_column(predicate, schema, quoted, error) from None
    except pl.exceptions.PolarsError as error:
        raise PredicateError(
            f"the predicate {_shown(predicate)} does not fit the columns: {first_line(error)}"
            f"{_of_times(predicate, schema)}"
        ) from error
    if not row_wise and _is_too_deep(predicate, schema):
        raise PredicateError(
            f"the predicate {_shown(predicate)} joins more conditions, one after another, than Polars looks through; "
            "ask for one of several values with .is_in([...]), or join them by pl.any_horizontal or pl.all_horizontal"
        )
    if not row_wise and _compares_with_none(predicate, schema):
        raise PredicateError(
            f"the predicate {_shown(predicate)} compares with None, which is null for every row and selects none; "
            "ask with .is_null() or .is_not_null()"
        )
    if not row_wise:
        raise PredicateError.not_row_wise(_shown(predicate), calls_python=calls_python(predicate))
    return pushed


def only_column(condition: pl.Expr) -> str | None:
    """Return the column whose value alone decides a row-wise condition; None where others do, or chance.

    Examples:
        >>> only_column(pl.col("tags").list.contains("dog"))
        'tags'
        >>> only_column(pl.col("tags").list.contains(pl.col("label")))
    """
    names = set(condition.meta.root_names())
    return names.pop() if len(names) == 1 and not draws_lots(condition) else None


def _is_row_wise(predicate: pl.Expr, schema: Mapping[str, pl.DataType], pushed: Sequence[pl.Expr | None]) -> bool:
    if not calls_python(predicate):
        return all(each is not None for each in pushed)
    return passes_through(predicate, schema) or _is_excused(predicate, schema)


def _is_excused(part: pl.Expr, schema: Mapping[str, pl.DataType]) -> bool:
    """Tell whether an expression is held back for no other reason than a Python function over whole columns.

    Such a function cannot be looked into: alone, or compared and combined with other parts, it is taken at its word.
    """
    operands = part.meta.pop(schema=dict(schema)) if calls_python(part) else []
    # Operands come in reverse; the last is what the method was called on.
    is_function = bool(operands) and str(part).startswith(f"{operands[-1]}.python_udf(")
    return (is_function or _is_combination(part, operands)) and all(
        # `is_null` looks at one row, and makes a predicate of any part.
        each.meta.is_literal() or passes_through(each.is_null(), schema) or _is_excused(each, schema)
        for each in operands
    )


def _is_combination(part: pl.Expr, operands: Sequence[pl.Expr]) -> bool:
    if len(operands) == 1:
        return part.meta.eq(~operands[0])
    return len(operands) == len(("left", "right")) and any(
        part.meta.eq(combine(operands[1], operands[0])) for combine in _COMBINATIONS
    )


def _compares_with_none(predicate: pl.Expr, schema: Mapping[str, pl.DataType]) -> bool:
    parts = [predicate]
    while parts:
        part = parts.pop()
        operands = part.meta.pop(schema=dict(schema))
        if len(operands) == 2:  # noqa: PLR2004 -- a comparison's, the right one first
            right, left = operands
            compared = part.meta.eq(left == right) or part.meta.eq(left != right)
            if compared and (right.meta.eq(pl.lit(None)) or left.meta.eq(pl.lit(None))):
                return True
        parts += operands
    return False


def _is_too_deep(predicate: pl.Expr, schema: Mapping[str, pl.DataType]) -> bool:
    """Tell whether an expression nests so deeply that Polars, failing to hand it to a source, holds it back."""
    parts, depth = [predicate], 0
    while parts and depth < _DEEP:
        parts = [operand for part in parts for operand in part.meta.pop(schema=dict(schema))]
        depth += 1
    return bool(parts)


def _check_boolean(predicate: pl.Expr, given: Mapping[str, pl.DataType]) -> None:
    wrong = {name: dtype for name, dtype in given.items() if dtype != pl.Boolean}
    if wrong or not given:
        found = ", ".join(f"{name!r}: {dtype}" for name, dtype in wrong.items()) or "no column"
        raise PredicateError(f"the predicate {_shown(predicate)} gives {found}; expected a Boolean for each row")


def _of_times(predicate: pl.Expr, schema: Mapping[str, pl.DataType]) -> str:
    """Return how times are written, for a predicate about some."""
    dtypes = [schema[name] for name in predicate.meta.root_names() if name in schema]
    if not any((dtype.inner if isinstance(dtype, pl.List) else dtype).is_temporal() for dtype in dtypes):
        return ""
    return (
        "; a time is no text: in Python give a date, time, datetime or timedelta; in SQL DATE '2026-01-02', "
        "TIME '03:04:05', TIMESTAMP '2026-01-02 03:04:05', INTERVAL '5 seconds', and for a column in UTC "
        "CAST('2026-01-02T03:04:05Z' AS TIMESTAMPTZ)"
    )


def _unknown_column(
    predicate: pl.Expr,
    schema: Mapping[str, pl.DataType],
    quoted: Collection[str],
    error: pl.exceptions.ColumnNotFoundError,
) -> PredicateError:
    unknown = next((name for name in predicate.meta.root_names() if name not in schema), first_line(error))
    return PredicateError.unknown_column(unknown, list(schema), quoted=unknown in quoted)


def _shown(predicate: pl.Expr, limit: int = 200) -> str:
    text = str(predicate)
    return text if len(text) <= limit else text[: limit - 1] + "…"


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
