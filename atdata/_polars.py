"""Polars: its unstable API in one place, and its threads, which do not survive a fork."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from atdata._errors import AtdataError

__all__ = ["WIDENED", "calls_python", "draws_lots", "enter_polars", "passes_through", "pushed_predicate"]


def calls_python(expression: pl.Expr) -> bool:
    """Tell whether an expression calls a Python function (or holds text that looks so)."""
    return ".python_udf(" in str(expression)


def draws_lots(expression: pl.Expr) -> bool:
    """Tell whether an expression samples or shuffles (or holds text that looks so): equal rows may differ in it."""
    text = str(expression)
    return "sample" in text or "shuffle" in text


def pushed_predicate(predicate: pl.Expr, schema: Mapping[str, pl.DataType]) -> list[pl.Expr | None]:
    """Return what Polars would push down to a source for a filter by the predicate.

    One element: the predicate as its optimiser normalises it, or None where it may not be pushed because it looks at
    more than one row. No element: the optimiser found that no row can match, and asked for none.

    Polars would have to serialise a Python function to push it: an expression that calls one is not asked.

    Raises:
        polars.exceptions.PolarsError: The predicate does not fit the schema.
    """
    seen: list[pl.Expr | None] = []

    def capture(
        columns: list[str] | None, pushed: pl.Expr | None, rows: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        del rows, batch
        seen.append(pushed)
        frame = pl.DataFrame(schema=dict(schema))
        if pushed is not None:
            frame = frame.filter(pushed)  # of no rows: finds operands that do not go together
        yield frame if columns is None else frame.select(columns)

    source = register_io_source(capture, schema=dict(schema))
    try:
        source.filter(predicate).collect()
    except pl.exceptions.PolarsError:
        # What fails on no rows at all (a gather, a sample) was not pushed, and that is the answer.
        if not any(each is None for each in seen):
            raise
    return seen


def passes_through(predicate: pl.Expr, schema: Mapping[str, pl.DataType]) -> bool:
    """Tell whether Polars moves a filter by the predicate below another column's making: only where it is row-wise.

    Says the same as :func:`pushed_predicate`, also of Python functions, because nothing leaves the plan; what it says
    is read from the plan's text.
    """
    plan = pl.LazyFrame(schema=dict(schema)).with_columns(pl.lit(1).alias("__made__")).filter(predicate).explain()
    return not plan.lstrip().startswith("FILTER")


#: What makes a scan of Parquet files whose columns are among its schema's: missing ones are null, numbers widen, and
#: filters push down.
WIDENED: dict[str, Any] = {
    "missing_columns": "insert",
    "cast_options": pl.ScanCastOptions(integer_cast=["upcast", "allow-float"], float_cast="upcast"),
}


class _Polars:
    #: The process that Polars' threads were started in, as far as this library started them.
    pid: int | None = None


def enter_polars() -> None:
    """Note that Polars is used in this process.

    Raises:
        AtdataError: This process was forked from one that had used it.
    """
    pid = os.getpid()
    if _Polars.pid is None:
        _Polars.pid = pid
    elif _Polars.pid != pid:
        raise AtdataError(
            f"process {pid} was forked from {_Polars.pid}, which had already used Polars: its threads are gone here, "
            "and a query, reading in order or writing manifests would hang. Start workers with 'spawn' or 'forkserver' "
            "(multiprocessing.get_context), or ask before the fork and only fetch after it, by locations that have "
            "size and CRC"
        )
