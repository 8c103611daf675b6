"""Which shards might hold what a predicate selects."""

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._polars import calls_python, draws_lots

from ._tree import Node, flattened, node

__all__ = [
    "NEGATED",
    "SHARD",
    "Listed",
    "Side",
    "Statistics",
    "Test",
    "answer",
    "compared",
    "is_one_of",
    "side",
    "starts_with",
    "survivors",
    "test_of",
]

#: Values beyond which asking all of them might take longer than reading rows.
_TOO_MANY = 5_000_000


class Listed(NamedTuple):
    """A question to the listed values of a field."""

    #: The column of the answer: true where a shard might hold such a row, false where not, null where that is unknown.
    column: str
    field: str
    #: A condition over that field alone; of a field of lists a literal, looked for among the elements.
    asked: pl.Expr
    #: What the condition is to give.
    wanted: bool

    @property
    def values(self) -> str:
        """The column of the field's listed values."""
        return f"values:{self.field}"

    @property
    def nulls(self) -> str:
        """The column of how many rows of the field are null."""
        return f"nulls:{self.field}"


def answer(listed: Listed, statistics: pl.DataFrame) -> pl.Series | None:
    """Return the answer, one a shard; None where there is none.

    Args:
        listed: The question.
        statistics: One row a shard, with the question's columns.
    """
    lists = statistics[listed.values]
    lengths = lists.list.len().fill_null(0)
    if lists.null_count() == len(lists) or lengths.sum() > _TOO_MANY:
        return None
    if listed.asked.meta.is_literal():
        # Null and NaN are never listed, and may be elements.
        sought = pl.select(listed.asked).to_series()
        if sought.dtype.is_float() and sought.is_nan().any():
            return None
        held = pl.when(listed.asked.is_not_null()).then(pl.col(listed.values).list.contains(listed.asked))
        return statistics.select(held.alias(listed.column)).to_series()
    values = lists.explode(empty_as_null=False, keep_nulls=False)
    holds = _holds(listed, values.extend_constant(None, 1))
    shards = np.repeat(np.arange(len(lists)), lengths.to_numpy())
    some = np.zeros(len(lists), dtype=np.bool_)
    some[shards[holds[:-1]]] = True
    might = pl.Series(some) | (pl.col(listed.nulls) > 0).fill_null(True) if holds[-1] else pl.lit(pl.Series(some))
    return statistics.select(pl.when(pl.col(listed.values).is_not_null()).then(might).alias(listed.column)).to_series()


def _holds(listed: Listed, values: pl.Series) -> NDArray[np.bool_]:
    """Tell of which values the condition gives what is wanted."""
    frame = pl.DataFrame({listed.field: values})
    holds = frame.select(listed.asked.eq_missing(listed.wanted)).to_series().to_numpy()
    if values.dtype.is_float():
        # Of two zeros one is listed; a condition may tell them apart.
        value = pl.col(listed.field)
        other = frame.select(pl.when(value == 0).then(-value).otherwise(value).alias(listed.field))
        holds = holds | other.select(listed.asked.eq_missing(listed.wanted)).to_series().to_numpy()
    return holds


#: Integers by the range that they hold, ends included.
_INTEGERS: dict[pl.DataType, tuple[int, int]] = {
    **{
        dtype: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        for bits, dtype in [(8, pl.Int8()), (16, pl.Int16()), (32, pl.Int32()), (64, pl.Int64()), (128, pl.Int128())]
    },
    **{
        dtype: (0, 2**bits - 1)
        for bits, dtype in [(8, pl.UInt8()), (16, pl.UInt16()), (32, pl.UInt32()), (64, pl.UInt64())]
    },
}
#: Strict, lax, wrapping: they differ for values that do not fit.
_CASTS = ((False, False), (True, False), (False, True))
#: What is true of two values where the comparison is false.
NEGATED = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "eq_missing": "ne_missing",
    "ne_missing": "eq_missing",
}


class Side(NamedTuple):
    """What is known of one side of a comparison, in each shard."""

    #: None of a literal.
    dtype: pl.DataType | None
    #: Bounds of its values.
    low: pl.Expr
    high: pl.Expr
    #: Whether some row has a value, and whether some row has none.
    valued: pl.Expr
    missing: pl.Expr


def side(expression: pl.Expr, schema: Mapping[str, pl.DataType]) -> Side | None:
    """Return what is known of a literal, of a field, or of a field of numbers widened; None of anything else."""
    if expression.meta.is_literal():
        return Side(None, expression, expression, expression.is_not_null(), expression.is_null())
    if expression.meta.is_column():
        name = expression.meta.output_name()
        counts = pl.col(f"nulls:{name}"), pl.col("rows")
        bounds = pl.col(f"min:{name}"), pl.col(f"max:{name}")
        return Side(schema[name], *bounds, counts[0] < counts[1], counts[0] > 0)
    operands = expression.meta.pop()
    if len(operands) != 1 or not operands[0].meta.is_column():
        return None
    # A cast that keeps the order keeps the bounds: low <= x gives cast(low) <= cast(x), also where both round.
    for target in _wider(schema[operands[0].meta.output_name()]):
        if any(
            expression.meta.eq(operands[0].cast(target, strict=strict, wrap_numerical=wraps))
            for strict, wraps in _CASTS
        ):
            known = side(operands[0], schema)
            return known and known._replace(dtype=target, low=known.low.cast(target), high=known.high.cast(target))
    return None


def _wider(dtype: pl.DataType) -> list[pl.DataType]:
    """Return the dtypes to which every number of a dtype can be cast, in order, and none becomes null."""
    floats: list[pl.DataType] = [pl.Float64(), pl.Float32()] if dtype.is_integer() else [pl.Float64()]
    if dtype not in _INTEGERS:
        return floats if dtype.is_numeric() else []
    low, high = _INTEGERS[dtype]
    return floats + [wider for wider, held in _INTEGERS.items() if held[0] <= low and high <= held[1]]


def compared(sign: str, left: Side, right: Side) -> pl.Expr:
    """Tell whether a comparison of two sides might be true of some row."""
    if sign == "eq_missing":
        return compared("==", left, right) | (left.missing & right.missing)
    if sign == "ne_missing":
        return compared("!=", left, right) | (left.missing & right.valued) | (left.valued & right.missing)
    return left.valued & right.valued & _RULES[sign](left, right)


#: x and y have values. Each proof is of the opposite: where the rule is false, no x and y fulfil the comparison.
_RULES: dict[str, Callable[[Side, Side], pl.Expr]] = {
    # x <= high(x) <= low(y) <= y
    ">": lambda x, y: x.high > y.low,
    # x <= high(x) < low(y) <= y
    ">=": lambda x, y: x.high >= y.low,
    # y <= high(y) <= low(x) <= x
    "<": lambda x, y: x.low < y.high,
    # y <= high(y) < low(x) <= x
    "<=": lambda x, y: x.low <= y.high,
    # x is above y, or below
    "==": lambda x, y: (x.low <= y.high) & (x.high >= y.low),
    # high(x) <= low(y) <= high(y) <= low(x): all are one value
    "!=": lambda x, y: (x.low < y.high) | (x.high > y.low),
}


def is_one_of(found: Side, listed: pl.Series, *, nulls_equal: bool, wanted: bool) -> pl.Expr | None:
    """Tell whether a side might be among listed values for some row, or, where that is not wanted, not among them.

    Args:
        found: The side.
        listed: The values.
        nulls_equal: Whether null is among values of which one is null.
        wanted: What the test is to give.
    """
    if listed.dtype != found.dtype:
        return None
    values = listed.drop_nulls().unique().sort()
    if values.is_empty():
        among, beside = pl.lit(False), pl.lit(True)
    else:
        # The first value that is not below low; null where all are.
        place = pl.lit(values).search_sorted(found.low, side="left")
        first = pl.lit(values).gather(pl.when(place < len(values)).then(place))
        known = found.low.is_not_null() & found.high.is_not_null()
        # The values before the first are below every x, and if it is above high, then so are those after it.
        among = pl.when(known).then((first <= found.high).fill_null(False))
        # Every x is one value, and it is listed.
        beside = pl.when(known).then((found.low < found.high) | (first != found.low).fill_null(True))
    might = found.valued & (among if wanted else beside)
    return might | found.missing if nulls_equal and (not wanted or listed.has_nulls()) else might


def starts_with(found: Side, prefix: pl.Expr) -> pl.Expr:
    """Tell whether a text might start with a prefix for some row.

    Such an x is not below its prefix, which high must reach; and as low <= x, low cut to that length is not above it.
    """
    return found.valued & (found.high >= prefix) & (found.low.str.head(prefix.str.len_chars()) <= prefix)


#: The column that says which shard a row is in: known exactly.
SHARD = "__shard__"
#: Parts that are joined, and operators in operators, beyond which a condition is not looked into.
_TOO_MANY_CONDITIONS, _DEEP = 256, 50
#: What each end of a range is compared by, by the ends that it includes.
_ENDS = {"both": (">=", "<="), "left": (">=", "<"), "right": (">", "<="), "none": (">", "<")}


class Test(NamedTuple):
    """What tells whether a shard might hold a row for which a condition is true."""

    #: Over the columns of statistics and of answers: false only where there is no such row, null where that is unknown.
    might: pl.Expr
    #: Questions to listed values, which cost more to answer than bounds.
    listed: tuple[Listed, ...]

    @property
    def columns(self) -> set[str]:
        """The columns of statistics that it looks at."""
        asked = {name for each in self.listed for name in (each.values, each.nulls)}
        return set(self.might.meta.root_names()) - {each.column for each in self.listed} | asked


def test_of(condition: pl.Expr, schema: Mapping[str, pl.DataType], number: int) -> Test | None:
    """Return the test of a condition; None where no rule says anything of it.

    Args:
        condition: A condition as Polars normalises it.
        schema: The columns.
        number: Another one for each condition of a predicate.
    """
    rules = _Rules(schema, number)
    might = rules.might(condition, wanted=True)
    return None if might is None else Test(might, tuple(rules.listed))


class _Rules:
    """Reads one condition.

    A method returns an expression: whether a condition might give what is wanted, true or false, for some row of a
    shard. It returns None where no rule says anything.
    """

    def __init__(self, schema: Mapping[str, pl.DataType], number: int) -> None:
        self._schema = schema
        self._number = number
        self.listed: list[Listed] = []

    def might(self, condition: pl.Expr, *, wanted: bool, depth: int = 0, asked: bool = False) -> pl.Expr | None:
        """Read a condition.

        Args:
            condition: The condition.
            wanted: What it is to give.
            depth: How many operators it stands in.
            asked: Whether listed values are asked about something that it is a part of.
        """
        if depth > _DEEP:
            return None
        field, *others = set(condition.meta.root_names()) or [None]
        alone = field if not others else None
        if alone == SHARD:
            # Every row of the shard gives the same.
            return pl.when(pl.col(SHARD).is_not_null()).then(condition.eq_missing(wanted))
        by_values = None
        if alone is not None and not asked and not self._schema[alone].is_nested():
            by_values, asked = self._ask(alone, condition, wanted=wanted), True
        by_rule = self._by_rule(condition, wanted=wanted, depth=depth + 1, asked=asked)
        return _all([by_values, by_rule])

    def _ask(self, field: str, asked: pl.Expr, *, wanted: bool) -> pl.Expr:
        column = f"answer:{self._number}.{len(self.listed)}"
        self.listed.append(Listed(column, field, asked, wanted))
        return pl.col(column)

    def _by_rule(self, condition: pl.Expr, *, wanted: bool, depth: int, asked: bool) -> pl.Expr | None:
        inner = functools.partial(self.might, depth=depth, asked=asked)
        match node(condition):
            case Node("&" | "|" as join):
                parts = list(islice(flattened(condition, join), _TOO_MANY_CONDITIONS + 1))
                together = _all if (join == "&") == wanted else _any
                return (
                    together(inner(part, wanted=wanted) for part in parts)
                    if len(parts) <= _TOO_MANY_CONDITIONS
                    else None
                )
            case Node("not", (negated,)):
                return inner(negated, wanted=not wanted)
            case Node("literal", (value,)):
                return value.eq_missing(wanted)
            case Node("when", (then, otherwise, question)):
                # The first where the question is true, the second where it is false or null.
                first = _all([inner(question, wanted=True), inner(then, wanted=wanted)])
                return _any([first, inner(otherwise, wanted=wanted)])
            case Node("fill_null", (given, filling)):
                return _any([inner(given, wanted=wanted), inner(filling, wanted=wanted)])
            case Node("contains", (lists, value)) | Node("is_in", (value, lists)) if lists.meta.is_column():
                return self._has_element(lists, value, wanted=wanted)
            case Node("is_in", (value, listed), nulls_equal) if listed.meta.is_literal():
                found, values = side(value, self._schema), pl.select(listed).to_series()
                values = values.explode(empty_as_null=False) if values.dtype.is_nested() else values
                return found and is_one_of(found, values, nulls_equal=nulls_equal, wanted=wanted)
            case Node() as read:
                return self._compared(read, wanted=wanted)
        return None

    def _has_element(self, lists: pl.Expr, value: pl.Expr, *, wanted: bool) -> pl.Expr | None:
        found = side(lists, self._schema)
        if found is None or not isinstance(found.dtype, pl.List):
            return None
        # An element that is listed is in some row, and may be missing in another.
        if not wanted or not value.meta.is_literal():
            return found.valued
        return found.valued & self._ask(lists.meta.output_name(), value, wanted=wanted)

    def _compared(self, read: Node, *, wanted: bool) -> pl.Expr | None:
        sides = [side(operand, self._schema) for operand in read.operands]
        match read.name, sides:
            case "column", [Side() as found]:
                return found.valued & (found.high if wanted else ~found.low)
            case "is_null" | "is_not_null", [Side() as found]:
                return found.missing if (read.name == "is_null") == wanted else found.valued
            case _ if any(each and each.dtype and each.dtype.is_nested() for each in sides):
                return None
            case sign, [Side() as left, Side() as right] if sign in NEGATED:
                return compared(sign if wanted else NEGATED[sign], left, right)
            case "is_between", [Side() as found, Side() as low, Side() as high]:
                signs = _ENDS[read.option] if wanted else [NEGATED[sign] for sign in _ENDS[read.option]]
                tests = [compared(sign, found, end) for sign, end in zip(signs, (low, high), strict=True)]
                return (_all if wanted else _any)(tests)
            case "starts_with", [Side() as found, Side(None, prefix)] if wanted:
                return starts_with(found, prefix)
        return None


def _all(parts: Iterable[pl.Expr | None]) -> pl.Expr | None:
    """Join tests of which all must pass; one that says nothing might."""
    known = [part for part in parts if part is not None]
    return functools.reduce(operator.and_, known) if known else None


def _any(parts: Iterable[pl.Expr | None]) -> pl.Expr | None:
    """Join tests of which one must pass; where one says nothing, it might."""
    tests = list(parts)
    known = [test for test in tests if test is not None]
    return None if len(known) < len(tests) or not known else functools.reduce(operator.or_, known)


#: Conditions that must all hold, beyond which the rest is not looked at.
_MOST_CONJUNCTS = 64
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
        pushed: The predicate, as :func:`atdata._polars.pushed_predicate` returns it.
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
        for number, condition in enumerate(islice(flattened(predicate, "&"), _MOST_CONJUNCTS)):
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
