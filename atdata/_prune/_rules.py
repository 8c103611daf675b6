"""From a condition to a test of shards: which rule speaks for which operator."""

import functools
import operator
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

import polars as pl

from ._bounds import NEGATED, Side, compared, is_one_of, side, starts_with
from ._tree import Node, flattened, node
from ._values import Listed

__all__ = ["SHARD", "Test", "test_of"]

#: The column that says which shard a row is in: known exactly.
SHARD = "__shard__"
#: Parts that are joined, and operators in operators, beyond which a condition is not looked into.
_MANY, _DEEP = 256, 50
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
                parts = list(islice(flattened(condition, join), _MANY + 1))
                together = _all if (join == "&") == wanted else _any
                return together(inner(part, wanted=wanted) for part in parts) if len(parts) <= _MANY else None
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
