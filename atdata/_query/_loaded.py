"""Rows held in memory: questions are answered from a few columns, locations are gathered for matching rows alone."""

import functools
import operator
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import DamagedManifestError, MemoryLimitError, PredicateError
from atdata._index import few_values
from atdata._manifest import KEY, PLACE, SHARD, ShardManifest
from atdata._polars import calls_python, enter_polars
from atdata._pruning import conjuncts
from atdata._shards import LocationProblem

from ._key_index import KeyIndex
from ._predicate import Question, check_row_wise, only_column
from ._scans import FAILURES, TableRows
from ._source import ManifestSource, ShardFacts

__all__ = ["Coded", "LoadedManifests", "LoadedTable", "coded"]

#: How many distinct values a column has at most, so that numbers of 16 bits are enough.
_MOST = 1 << 16
#: Numbers of 8 bits are enough for so many.
_BYTE = 1 << 8
#: So many values are compared one by one.
_COMPARED = 8
#: So many rows are looked up at once: what that takes stays in the processor's cache.
_AT_ONCE = 1 << 18


class Coded(NamedTuple):
    """A column of numbers, and the values that they stand for, null among them."""

    #: UInt8 or UInt16, one a row.
    codes: pl.Series
    values: pl.Series

    @property
    def size(self) -> int:
        """What it takes in memory, in bytes."""
        return int(self.codes.estimated_size() + self.values.estimated_size())

    def holds(self, condition: pl.Expr) -> pl.Series:
        """Return for which rows a condition on this column alone holds; null counts as no.

        Raises:
            polars.exceptions.PolarsError: It fails on one of the values.
        """
        of_values = self.values.to_frame().select(condition.fill_null(value=False)).to_series()
        wanted = of_values.arg_true().to_list()
        if not wanted:
            return pl.repeat(value=False, n=len(self.codes), eager=True)
        if len(wanted) <= _COMPARED:
            # Each comparison takes a tenth of what looking up takes.
            found: pl.Series = functools.reduce(operator.or_, (self.codes == code for code in wanted))
            return found
        table = np.zeros(_BYTE if self.codes.dtype == pl.UInt8 else len(of_values), np.bool_)
        table[: len(of_values)] = of_values.to_numpy()
        return pl.Series(_looked_up(table, self.codes.to_numpy()))

    def decoded(self) -> pl.Expr:
        """Return the column's values, as an expression over a frame that has its numbers under its name."""
        return pl.lit(self.values).gather(pl.col(self.values.name)).alias(self.values.name)


def coded(column: pl.Series) -> Coded | None:
    """Return a column as numbers; None where it has too many distinct values, or is as small as numbers are."""
    few = few_values(column, _MOST) if column.dtype == pl.String or isinstance(column.dtype, pl.List) else None
    if few is None:
        return None
    dtype = pl.UInt8 if len(few.values) <= _BYTE else pl.UInt16
    return Coded(few.places.cast(dtype).alias(column.name), few.values)


def _looked_up(table: NDArray[np.bool_], codes: NDArray[np.integer]) -> NDArray[np.bool_]:
    found = np.empty(len(codes), np.bool_)
    for begin in range(0, len(codes), _AT_ONCE):
        some = codes[begin : begin + _AT_ONCE]
        # Of bytes, faster than NumPy, which makes 8 bytes of each number first.
        found[begin : begin + _AT_ONCE] = (
            np.frombuffer(some.tobytes().translate(table.tobytes()), np.bool_)
            if codes.dtype == np.uint8
            else np.take(table, some)
        )
    return found


#: The column that says for which rows the conditions on coded columns hold.
_HOLDS = "__holds__"
#: How many operands a comparison has.
_TWO = 2


class LoadedTable(NamedTuple):
    """What an executor holds in memory."""

    rows: int
    #: Bytes by column.
    columns: dict[str, int]
    #: How long it took to load, in seconds.
    seconds: float

    @property
    def size(self) -> int:
        """Bytes of all columns together."""
        return sum(self.columns.values())

    def __str__(self) -> str:
        return f"{self.rows:,} rows of {len(self.columns)} columns in {self.size:,} bytes, in {self.seconds:.2f} s"


class LoadedManifests(ManifestSource):
    """Some columns of some manifests, in memory. What they do not hold is asked of the manifests themselves.

    Args:
        base: The manifests.
        fields: Which fields are loaded, beside the location columns.
        limit: How many bytes it may take.

    Raises:
        MemoryLimitError: It would take more.
    """

    def __init__(self, base: ManifestSource, fields: Sequence[str], limit: int) -> None:
        begin = time.perf_counter()
        self.base = base
        self.uncommitted = base.uncommitted
        self._coded: dict[str, Coded] = {}
        held, sizes = list[pl.Series](), dict[str, int]()
        for name in dict.fromkeys([*PLACE, *fields]):
            column = base.collect(Question(), lambda rows, name=name: rows.select(name)).to_series()  # type: ignore[misc]  # mypy: lambdas with defaults
            short = coded(column)
            if name == SHARD and short is None:
                column = column.cast(pl.Enum(base.shard_ids))
            if short is not None:
                self._coded[name] = short
            # In one piece each: what is cut in other places than a mask is copied for each question.
            held.append((column if short is None else short.codes).rechunk())
            sizes[name] = int(column.estimated_size()) if short is None else short.size
            _check(sizes, limit)
        self._frame = frame = pl.DataFrame(held)
        #: Columns whose values others stand for.
        self._numbers = {SHARD, *self._coded}
        # Keys that repeat from shard to shard may be numbers by now: they are asked as other such columns are.
        self._keys = None if KEY in self._coded else KeyIndex(frame[KEY])
        sizes[KEY] += 0 if self._keys is None else self._keys.size
        _check(sizes, limit)
        self._schema = pl.Schema({name: base.rows.schema[name] for name in frame.columns})
        self.loaded = LoadedTable(len(frame), sizes, time.perf_counter() - begin)

    @property
    def shard_ids(self) -> Sequence[str]:
        """The shards."""
        return self.base.shard_ids

    @property
    def indexed(self) -> int:
        """For how many shards an index answers."""
        return self.base.indexed

    @property
    def rows(self) -> TableRows:
        """The rows of the manifests, with all columns."""
        return self.base.rows

    def collect(self, question: Question, select: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        """Collect what is made of the rows that a question's expressions select, from memory as far as that goes."""
        enter_polars()
        expression = question.expression
        if expression is not None and not self._answers(expression):
            return self.base.collect(question, select)
        try:
            if expression is None:
                return select(self._decoded(self._frame.lazy())).collect()
            check_row_wise(expression, self._schema, question.quoted)
            return select(self._where(expression)).collect()
        except (PredicateError, *FAILURES):  # a column that was not loaded, or what the manifests can say better
            return self.base.collect(question, select)

    def _answers(self, expression: pl.Expr) -> bool:
        by_name = not expression.meta.has_multiple_outputs() and not calls_python(expression)
        return by_name and set(expression.meta.root_names()) <= set(self._schema)

    def _where(self, expression: pl.Expr) -> pl.LazyFrame:
        """Return the rows for which all of a question's conditions hold, with the values that numbers stand for."""
        masks, held, rest = list[pl.Series](), list[pl.Expr](), list[pl.Expr]()
        for condition in conjuncts(expression):
            key = None if self._keys is None else _key_of(condition)
            if self._keys is not None and key is not None:
                found = pl.Series(self._keys.rows(key), dtype=pl.UInt32)
                return self._decoded(self._frame.select(pl.all().gather(found)).lazy()).filter(expression)
            if (name := only_column(condition)) in self._coded:
                masks.append(self._coded[name].holds(condition))
            elif self._numbers.isdisjoint(condition.meta.root_names()):
                held.append(condition)
            else:
                rest.append(condition)
        # Polars does not ask before it looks up what it could ask before, so the order is given here.
        needed = self._numbers & {name for condition in rest for name in condition.meta.root_names()}
        rows = self._decoded(_filtered(self._marked(masks), held), needed)
        return self._decoded(_filtered(rows, rest), self._numbers - needed)

    def _marked(self, masks: Sequence[pl.Series]) -> pl.LazyFrame:
        """Return the rows where all masks are True."""
        if not masks:
            return self._frame.lazy()
        # A column, and no literal: all of Polars' engines know how to cut it with the others.
        mask = functools.reduce(operator.and_, masks).alias(_HOLDS)
        return self._frame.with_columns(mask).lazy().filter(_HOLDS).drop(_HOLDS)

    def _decoded(self, rows: pl.LazyFrame, names: AbstractSet[str] | None = None) -> pl.LazyFrame:
        """Return rows with the values that the numbers in some columns, or in all, stand for.

        What is not asked for is not made.
        """
        names = self._numbers if names is None else names
        return rows.with_columns(
            self._coded[name].decoded() if name in self._coded else pl.col(name).cast(pl.String)
            for name in self._frame.columns
            if name in names
        )

    def manifests(self) -> list[ShardManifest]:
        """Return the manifests."""
        return self.base.manifests()

    def pruned(self, pushed: Sequence[pl.Expr | None]) -> pl.Series | None:
        """Return which shards may hold rows that a predicate selects."""
        return self.base.pruned(pushed)

    def frames(self, kept: pl.Series | None = None) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table."""
        return self.base.frames(kept)

    def facts(self) -> list[ShardFacts]:
        """Return what the headers say of the fields."""
        return self.base.facts()

    def table_bytes(self) -> int:
        """Return how long the sample tables are together, in bytes."""
        return self.base.table_bytes()

    def damaged_locations(self, rows: pl.DataFrame, problem: LocationProblem) -> DamagedManifestError:
        """Describe rows that do not say where their samples are."""
        return self.base.damaged_locations(rows, problem)

    def failed(self, error: BaseException, kept: pl.Series | None = None) -> NoReturn:
        """Raise what a failed collect means."""
        self.base.failed(error, kept)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _itself, (self.base,)  # another process loads for itself


def _itself(source: ManifestSource) -> ManifestSource:
    return source


def _check(sizes: dict[str, int], limit: int) -> None:
    size = sum(sizes.values())
    if size > limit:
        widest = ", ".join(f"{name!r} {sizes[name]:,}" for name in sorted(sizes, key=sizes.__getitem__, reverse=True))
        raise MemoryLimitError(
            f"the columns take {size:,} bytes of the {limit:,} that load() may use (so far: {widest}). Load the "
            "columns that questions name, load([...]), or allow more, load(max_bytes=...); nothing was kept"
        )


def _filtered(rows: pl.LazyFrame, conditions: Sequence[pl.Expr]) -> pl.LazyFrame:
    return rows.filter(*conditions) if conditions else rows


def _key_of(condition: pl.Expr) -> str | None:
    """Return the key that a condition asks for; None where it is another condition."""
    operands = condition.meta.pop()
    if len(operands) != _TWO or not condition.meta.eq(operands[1] == operands[0]):
        return None
    for column, value in (operands, operands[::-1]):
        if column.meta.eq(pl.col(KEY)) and value.meta.is_literal():
            key = pl.select(value).item()
            return key if isinstance(key, str) else None
    return None
