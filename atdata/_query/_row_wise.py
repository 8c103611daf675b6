"""Whether a predicate decides each row by that row alone: Polars itself is asked."""

import operator
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from atdata._errors import PredicateError, first_line
from atdata._polars import calls_python, draws_lots, passes_through, pushed_predicate

__all__ = ["check_row_wise", "only_column"]

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
