"""A condition in SQL, as a Polars expression. Only the condition: nothing that reads files or asks other questions."""

import re
from typing import NamedTuple

import polars as pl

from atdata._errors import PredicateError, first_line

__all__ = ["Condition", "parse_sql"]

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


class Condition(NamedTuple):
    """What an SQL text says."""

    expr: pl.Expr
    #: The names that stand in double quotes.
    quoted: frozenset[str]


def parse_sql(text: str) -> Condition:
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
    return Condition(expression, frozenset(quoted))


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
