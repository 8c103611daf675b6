"""Which shards might hold what a predicate selects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._unstable import calls_python, draws_lots

from ._rules import SHARD, Test, test_of
from ._tree import flattened
from ._values import answer

__all__ = ["Statistics", "survivors"]

#: Conditions that must all hold, beyond which the rest is not looked at.
_MANY = 64
ROWS = "rows"
_COUNTS = (ROWS, "nulls:")
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
          distinct elements that are neither null nor NaN. Null unless all are listed.
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
    if len(pushed) != 1 or pushed[0] is None or calls_python(pushed[0]) or draws_lots(pushed[0]):
        return None
    tests = list(_tests(pushed[0], schema))
    if not tests:
        return None
    table = _table(statistics.frame(_fields(tests)), tests, schema)
    might = _passed(tests, table)
    for test in tests:
        # Listed values cost more than bounds, and are asked about the shards that are left.
        if might.any() and any(table[each.values].null_count() < shards for each in test.listed):
            rows = table if might.all() else table.filter(pl.Series(might))
            might[might] = _passed([test], _answered(test, rows))
    return None if might.all() else pl.Series(might)


def _tests(predicate: pl.Expr, schema: Mapping[str, pl.DataType]) -> Iterator[Test]:
    try:
        for number, condition in enumerate(islice(flattened(predicate, "&"), _MANY)):
            test = test_of(condition, schema, number)
            if test is not None:
                yield test
    except _FAILURES:
        return  # the conditions before may be tested alone


def _fields(tests: Iterable[Test]) -> list[str]:
    names = set[str]().union(*(test.columns for test in tests))
    return sorted({name.partition(":")[2] or name for name in names if name != ROWS})


def _table(given: pl.DataFrame, tests: Iterable[Test], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return just the columns that tests look at: of the dtypes that they expect, and null where nothing is known."""
    unknown = given[ROWS].null_count() > 0
    columns: dict[str, pl.Expr] = {}
    for name in {ROWS}.union(*(test.columns for test in tests)):
        dtype, found = _dtype(name, schema), given.schema.get(name)
        if found != dtype and not (found and found.is_integer() and name.startswith(_COUNTS)):
            columns[name] = pl.lit(None, dtype)
        elif unknown and name != SHARD:
            columns[name] = pl.when(pl.col(ROWS).is_not_null()).then(pl.col(name))
        else:
            columns[name] = pl.col(name)
    columns |= {each.column: pl.lit(None, pl.Boolean) for test in tests for each in test.listed}
    return given.select(**columns)


def _answered(test: Test, rows: pl.DataFrame) -> pl.DataFrame:
    """Return statistics with the answers of listed values."""
    try:
        answers = (answer(each, rows) for each in test.listed)
        return rows.with_columns(each for each in answers if each is not None)
    except _FAILURES:
        return rows  # a condition that fails on values says nothing


def _passed(tests: Sequence[Test], rows: pl.DataFrame) -> NDArray[np.bool_]:
    """Return which shards pass all of some tests, or might; one without rows passes none."""
    has_rows = (pl.col(ROWS) != 0).fill_null(value=True)
    passes = pl.all_horizontal(has_rows, *(test.might.fill_null(value=True) for test in tests))
    try:
        passed: NDArray[np.bool_] = rows.select(passes).to_series().to_numpy(writable=True)
    except _FAILURES:
        # What cannot be evaluated proves nothing, and takes nothing from the proofs of others.
        alone = [[test] for test in tests] if len(tests) > 1 else [[]]
        passed = np.all([_passed(each, rows) for each in alone], axis=0)
    return passed


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
