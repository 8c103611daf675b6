"""Which shards might hold what a predicate selects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import polars as pl

from atdata._unstable import calls_python

from ._rules import SHARD, Test, test_of
from ._tree import flattened
from ._values import answer

__all__ = ["Statistics", "survivors"]

#: Conditions that must all hold, beyond which the rest is not looked at.
_MANY = 64
ROWS = "rows"
_COUNTS = (ROWS, "nulls:")
#: The column of what a test gives: no name of a statistic.
_MIGHT = "might"
#: What Polars raises where it cannot evaluate.
_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


class Statistics(Protocol):
    """What is known of shards."""

    def frame(self, fields: Sequence[str]) -> pl.DataFrame:
        """Return what is known of some fields, one row a shard, in the order of the shards.

        A column that is missing is unknown of all shards, and a null of one; neither ever prunes.

        - ``rows``: how many rows there are; always there. Null where nothing is known of a shard.
        - ``min:<field>``, ``max:<field>``: bounds of the values, in the dtype of the field's column. No value lies
          beyond them; they need not be values. ``__key__`` is a field, too.
        - ``nulls:<field>``: how many rows are null; all of them in a shard without the column.
        - ``values:<field>``: the distinct values that are not null, as a list, in any order; of a field of lists, the
          distinct elements that are not null. Null unless all are listed.
        - ``__shard__``, for the field of that name: the shard's name.
        """
        ...


def survivors(
    pushed: Sequence[pl.Expr | None], schema: Mapping[str, pl.DataType], statistics: Statistics, shards: int
) -> pl.Series | None:
    """Return which shards might hold a row that a predicate selects: false only where it is proved that none does.

    Statistics are asked for once, and not at all where no rule says anything about the predicate.

    Args:
        pushed: The predicate, as :func:`atdata._unstable.pushed_predicate` returns it.
        schema: The columns that the predicate may name.
        statistics: What is known of the shards.
        shards: How many shards there are.

    Returns:
        One Boolean a shard; None where every shard might.

    Examples:
        >>> class Known:
        ...     def frame(self, fields):
        ...         return pl.DataFrame({"rows": [9, 9], "min:a": [0, 5], "max:a": [4, 9], "nulls:a": [0, 0]})
        >>> survivors([pl.col("a") > 6], {"a": pl.Int64()}, Known(), 2).to_list()
        [False, True]
    """
    if not pushed:
        return pl.repeat(False, shards, dtype=pl.Boolean, eager=True)
    if len(pushed) != 1 or pushed[0] is None or calls_python(pushed[0]):
        return None
    tests = list(_tests(pushed[0], schema))
    if not tests:
        return None
    names = {ROWS}.union(*(test.columns for test in tests))
    table = _table(statistics.frame(sorted(_fields(names))), names, schema)
    might = (table[ROWS] != 0).fill_null(value=True)
    # Bounds cost little. Listed values cost more, and are asked about the shards that are left.
    for test, listed in [*((test, False) for test in tests), *((test, True) for test in tests if test.listed)]:
        if not might.any():
            break
        rows = table if might.all() else table.select(ROWS, *(test.columns - {ROWS})).filter(might)
        passed = _passed(test, rows, listed=listed)
        if passed is not None:
            might = might.scatter(might.arg_true().filter(~passed), False)
    return None if might.all() else might


def _tests(predicate: pl.Expr, schema: Mapping[str, pl.DataType]) -> Iterator[Test]:
    try:
        for number, condition in enumerate(islice(flattened(predicate, "&"), _MANY)):
            test = test_of(condition, schema, number)
            if test is not None:
                yield test
    except _FAILURES:
        return  # the conditions before may be tested alone


def _passed(test: Test, rows: pl.DataFrame, *, listed: bool) -> pl.Series | None:
    """Return which shards pass a test, or might; None where it says nothing."""
    try:
        answers = [answer(each, rows) if listed else None for each in test.listed]
        if listed and not any(each is not None for each in answers):
            return None
        unknown = pl.lit(None, pl.Boolean)
        columns = {
            each.column: unknown if given is None else given for each, given in zip(test.listed, answers, strict=True)
        }
        return rows.with_columns(**columns).with_columns(test.might.fill_null(value=True).alias(_MIGHT))[_MIGHT]
    except _FAILURES:
        return None  # what cannot be evaluated proves nothing


def _fields(names: Iterable[str]) -> set[str]:
    return {name.partition(":")[2] or name for name in names if name != ROWS}


def _table(given: pl.DataFrame, names: Iterable[str], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return just the columns that tests look at: of the dtypes that they expect, and null where nothing is known."""
    unknown = given[ROWS].null_count() > 0
    columns: dict[str, pl.Expr] = {}
    for name in names:
        dtype, found = _dtype(name, schema), given.schema.get(name)
        if found != dtype and not (found and found.is_integer() and name.startswith(_COUNTS)):
            columns[name] = pl.lit(None, dtype)
        elif unknown and name != SHARD:
            columns[name] = pl.when(pl.col(ROWS).is_not_null()).then(pl.col(name))
        else:
            columns[name] = pl.col(name)
    return given.select(**columns)


def _dtype(name: str, schema: Mapping[str, pl.DataType]) -> pl.DataType:
    what, _, field = name.partition(":")
    if name.startswith(_COUNTS):
        return pl.UInt32()
    if name == SHARD:
        return pl.String()
    dtype = schema[field]
    if what == "values":
        return pl.List(dtype.inner if isinstance(dtype, pl.List) else dtype)
    return dtype
