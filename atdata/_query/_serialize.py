"""A question as text that a file can hold, and back: only plain expressions, so that no file can bring code along."""

import io
import json
import re
from typing import Any

import msgspec
import polars as pl

from atdata._errors import PredicateError, first_line

from ._predicate import Question, parse_sql

__all__ = ["read_question", "written_question"]

#: The members of a node that are operands, by the kind of node.
_OPERANDS = {
    "BinaryExpr": ("left", "right"),
    "Cast": ("expr",),
    "Ternary": ("predicate", "truthy", "falsy"),
}
#: Kinds of functions that are computed by Polars itself, and read nothing but their operands.
_FUNCTIONS = {
    *("Abs", "ArrayExpr", "BinaryExpr", "Bitwise", "Boolean", "Ceil", "Clip", "Coalesce", "Exp", "FillNull", "Floor"),
    *("ListExpr", "Log", "Negate", "Pow", "Round", "RoundSF", "Sign", "StringExpr", "StructExpr", "TemporalExpr"),
}
#: Kinds of values that are data and nothing else.
_VALUES = re.compile(r"U?Int\d*|Float\d*|Str(ing)?|Boolean|Date|Datetime|Duration|Time|Decimal|List|Null|Binary")


class _StoredCondition(msgspec.Struct, frozen=True, omit_defaults=True):
    #: What people read; SQL where there is no expression.
    text: str
    #: As Polars writes it.
    expression: dict[str, Any] | None = None


def written_question(question: Question) -> str | None:
    """Return a question as JSON; None where it holds what cannot be written down, such as a Python function."""
    if question.functions:
        return None
    conditions = [_condition(*each) for each in zip(question.expressions, question.texts, strict=True)]
    if None in conditions:
        return None
    return msgspec.json.encode(conditions).decode()


def read_question(text: str) -> Question:
    """Return a question that was written down.

    Raises:
        PredicateError: It is none, or holds more than plain expressions.
    """
    try:
        conditions = msgspec.json.decode(text, type=list[_StoredCondition])
    except msgspec.DecodeError as error:
        raise PredicateError(f"what was written down is no question: {error}") from error
    if not conditions:
        raise PredicateError("what was written down asks for nothing")
    both = [(_read(each), each.text) for each in conditions]
    return Question(tuple(expression for expression, _ in both), texts=tuple(text for _, text in both))


def _condition(expression: pl.Expr, text: str) -> _StoredCondition | None:
    try:
        if parse_sql(text).expr.meta.eq(expression):
            return _StoredCondition(text)
    except PredicateError:
        pass  # it was given in another form
    try:
        node = json.loads(expression.meta.serialize(format="json"))
        return _StoredCondition(text, node) if _expression(node).meta.eq(expression) else None
    except (pl.exceptions.PolarsError, ImportError, PredicateError):
        return None


def _read(condition: _StoredCondition) -> pl.Expr:
    return parse_sql(condition.text).expr if condition.expression is None else _expression(condition.expression)


def _expression(node: Any) -> pl.Expr:
    _check_plain(node)
    try:
        return pl.Expr.deserialize(io.StringIO(json.dumps(node)), format="json")
    except pl.exceptions.PolarsError as error:
        raise PredicateError(
            f"Polars {pl.__version__} does not read an expression that another version wrote down: {first_line(error)}"
        ) from error


def _check_plain(node: Any) -> None:
    """Check that a node and all below it are of kinds that are known to be plain."""
    kind, content = next(iter(node.items())) if isinstance(node, dict) and len(node) == 1 else (str(node), None)
    if kind == "Column" and isinstance(content, str):
        return
    if kind == "Literal" and isinstance(content, dict) and _is_value(content):
        return
    if kind == "Function" and isinstance(content, dict) and _function_kind(content) in _FUNCTIONS:
        operands = content["input"]
    elif kind in _OPERANDS and isinstance(content, dict):
        operands = [content[name] for name in _OPERANDS[kind] if name in content]
    else:
        raise PredicateError(
            f"what was written down holds a {kind[:40]!r}, which is no plain expression, and is not asked. Give the "
            "predicate again: ds.where(...)"
        )
    for operand in operands:
        _check_plain(operand)


def _is_value(literal: dict[str, Any]) -> bool:
    (form, value), *others = literal.items()
    kind = next(iter(value)) if isinstance(value, dict) and value else value
    return not others and form in ("Dyn", "Scalar") and isinstance(kind, str) and _VALUES.fullmatch(kind) is not None


def _function_kind(content: dict[str, Any]) -> str | None:
    if content.keys() != {"input", "function"} or not isinstance(content["input"], list):
        return None
    function = content["function"]
    if isinstance(function, dict) and len(function) == 1:
        return str(next(iter(function)))
    return function if isinstance(function, str) else None
