"""Questions to the rows of some shards, wherever these are."""

import abc
import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, ManifestNotFoundError, PredicateError, first_line
from atdata._manifest import (
    KEY,
    SHARD,
    FieldSummary,
    ShardManifest,
    ShardTable,
    as_union,
    dtype_text,
    find_aggregate,
    row_mask,
    unified,
    value_dtype,
    widened,
)
from atdata._polars import enter_polars
from atdata._shards import LocationProblem

from ._predicate import Question, check_row_wise
from ._scans import FAILURES, TableRows

__all__ = [
    "Asked",
    "GivenManifests",
    "ManifestSource",
    "ShardFacts",
    "check",
    "count",
    "describe",
    "predicate_failed",
    "select",
]

_COLUMNS: dict[str, pl.DataType] = {
    "field": pl.String(),
    "dtype": pl.String(),
    "aggregate": pl.String(),
    "samples": pl.Int64(),
    "nulls": pl.Int64(),
    "nans": pl.Int64(),
    "min": pl.String(),
    "max": pl.String(),
    "mean": pl.Float64(),
    "distinct": pl.Int64(),
    "top": pl.String(),
    "top_count": pl.Int64(),
}


class ShardFacts(NamedTuple):
    """Aggregates of one header, with its number of samples."""

    samples: int
    aggregates: Mapping[str, Mapping[str, Any]]
    #: The dtypes of the columns, where the header names them.
    dtypes: Mapping[str, pl.DataType]
    #: False for format 1.0.0, which counts neither nulls nor NaN and keeps bounds as floats.
    counts_nulls: bool = True


def describe(shards: Sequence[ShardFacts]) -> pl.DataFrame:
    """Return one row a field; null is what the headers do not tell."""
    names = dict.fromkeys(name for shard in shards for name in shard.aggregates)
    return pl.DataFrame([_row(name, shards) for name in names], schema=_COLUMNS, orient="row")


def _row(name: str, shards: Sequence[ShardFacts]) -> dict[str, Any]:
    having = [shard for shard in shards if name in shard.aggregates]
    parts = [_summary(name, shard) for shard in having]
    names = {part.members["type"] for part in parts}
    aggregates = [find_aggregate(kind) for kind in names]
    samples = sum(shard.samples for shard in shards)
    # What an aggregate of an unknown kind says of nulls may be anything.
    known = None not in aggregates and all(part.counts_nulls for part in parts)
    absent = samples - sum(shard.samples for shard in having)
    dtype = _dtype([shard.dtypes.get(name) for shard in having])
    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {
        "field": name,
        "dtype": None if dtype is None else dtype_text(dtype),
        "aggregate": names.pop() if len(names) == 1 else None,
        "samples": samples,
        "nulls": absent + sum(part.members.get("null_count", 0) for part in parts) if known else None,
        "nans": sum(part.members.get("nan_count", 0) for part in parts) if known else None,
    }
    only = aggregates[0] if len(aggregates) == 1 else None
    return row if only is None else row | only.describe(parts, dtype)


def _summary(name: str, shard: ShardFacts) -> FieldSummary:
    dtype = shard.dtypes.get(name)
    inner = None if dtype is None else value_dtype(dtype)
    return FieldSummary(shard.aggregates[name], shard.samples, shard.counts_nulls, inner)


def _dtype(dtypes: Sequence[pl.DataType | None]) -> pl.DataType | None:
    joint: pl.DataType | None = pl.Null()
    for dtype in dtypes:
        joint = None if joint is None or dtype is None else widened(joint, dtype)
    return joint


class Asked(NamedTuple):
    """What a question selects, before it is collected."""

    rows: TableRows
    #: The shards that are scanned, one Boolean a shard; None for all of them.
    kept: pl.Series | None
    #: What holds of the rows; None for all of them.
    expression: pl.Expr | None

    def plan(self) -> pl.LazyFrame:
        """Return the rows, as a plan.

        Raises:
            ManifestError: A sample table is not what its header says.
        """
        return self.rows.lazy if self.expression is None else self.rows.where(self.kept, self.expression)


class ManifestSource(abc.ABC):
    """The sample tables of some shards, in shard order.

    Attributes:
        uncommitted: The ids of tars that have no manifest, sorted.
    """

    uncommitted: Sequence[str] = ()
    #: The last question and its plan: whoever checks a question asks it next.
    _planned: tuple[Question, Asked] | None = None

    @property
    def indexed(self) -> int:
        """For how many shards an index answers."""
        return 0

    @property
    @abc.abstractmethod
    def shard_ids(self) -> Sequence[str]:
        """The shards."""

    @abc.abstractmethod
    def manifests(self) -> list[ShardManifest]:
        """Return the manifests, one a shard, each read on first use."""

    @abc.abstractmethod
    def frames(self, kept: pl.Series | None = None) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table, one at a time, with the columns of all.

        Args:
            kept: Which shards, one Boolean a shard; None for all of them.
        """

    @abc.abstractmethod
    def facts(self) -> list[ShardFacts]:
        """Return what the headers say of the fields."""

    @abc.abstractmethod
    def table_bytes(self) -> int:
        """Return how long the sample tables are together, in bytes."""

    @abc.abstractmethod
    def failed(self, error: BaseException, kept: pl.Series | None = None) -> NoReturn:
        """Raise what a failed collect really means.

        Args:
            error: The failure.
            kept: The shards that were read, one Boolean a shard; None for all of them.
        """

    def damaged_locations(self, rows: pl.DataFrame, problem: LocationProblem) -> DamagedManifestError:
        """Describe rows that do not say where their samples are."""
        return DamagedManifestError(f"the manifest of shard {rows[SHARD][problem.row or 0]!r}: {problem}")

    @property
    @abc.abstractmethod
    def rows(self) -> TableRows:
        """All rows with all columns of all shards: ``__shard__``, the location columns, the fields.

        Raises:
            ManifestNotFoundError: There is no manifest.
            SchemaError: The shards' columns do not go together.
        """

    def pruned(self, pushed: Sequence[pl.Expr | None]) -> pl.Series | None:
        """Return which shards may hold rows that a predicate selects, one Boolean a shard; None for all of them.

        Args:
            pushed: The predicate, as Polars would push it down to the rows.
        """
        del pushed
        return None

    def collect(self, question: Question, select: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        """Collect what is made of the rows that a question's expressions select.

        The question is planned before a table is read; what it cannot be asked for is said by then.

        Raises:
            PredicateError: The question cannot be asked, or the rows are fine, and it fails on them.
            ManifestError: A manifest is damaged or gone; the error names it.
            SchemaError: The shards' columns do not go together.
        """
        enter_polars()
        asked = self.asked(question)
        try:
            return select(asked.plan()).collect()
        except ManifestError:  # as in scan()
            raise
        except FAILURES as error:
            if not self.mended():
                self.failed(error, asked.kept)
        return self.collect(question, select)

    def scan(self) -> pl.LazyFrame:
        """Return all rows, lazily.

        Raises:
            ManifestError: A manifest is damaged or gone; there is none.
            SchemaError: The shards' columns do not go together.
        """
        try:
            return self.rows.lazy
        except ManifestError:  # a file that is not there, among others
            raise
        except FAILURES as error:
            if not self.mended():
                self.failed(error)
        return self.scan()

    def mended(self) -> bool:
        """Return whether what made a question fail was set aside, so that it can be asked again."""
        return False

    def asked(self, question: Question) -> Asked:
        """Return the rows for which a question's expressions hold, before a table is read.

        Raises:
            PredicateError: They cannot be asked.
            ManifestError: A manifest is damaged or gone.
            SchemaError: The shards' columns do not go together.
        """
        if self._planned is not None and self._planned[0] is question:
            return self._planned[1]
        rows, expression = self.rows, question.expression
        pushed = None if expression is None else check_row_wise(expression, rows.schema, question.quoted)
        asked = Asked(rows, None if pushed is None else self.pruned(pushed), expression)
        self._planned = question, asked
        return asked

    def hold(self, expression: pl.Expr, frame: pl.DataFrame, shard_id: str) -> pl.Series:
        """Return for which rows of one shard an expression holds; null counts as no.

        Raises:
            PredicateError: It fails on them.
        """
        rows = frame.lazy().with_columns(pl.lit(shard_id).alias(SHARD))
        try:
            return rows.select(pl.col(KEY), expression.alias("__holds__").fill_null(value=False)).collect()["__holds__"]
        except FAILURES as error:
            self.failed(error)

    def __getstate__(self) -> dict[str, Any]:
        # Plans are made anew in another process.
        return {name: value for name, value in vars(self).items() if name not in ("rows", "_planned")}


class GivenManifests(ManifestSource):
    """Manifests in memory. A shard is what its manifest calls it."""

    def __init__(self, manifests: Sequence[ShardManifest]) -> None:
        self._manifests = list(manifests)

    @property
    def shard_ids(self) -> list[str]:
        """The shards, in the order given."""
        return [manifest.shard_id for manifest in self._manifests]

    @functools.cached_property
    def rows(self) -> TableRows:
        """All rows, lazily."""
        if not self._manifests:
            raise ManifestNotFoundError("there is no manifest to query; give at least one")
        enter_polars()
        union = unified([ShardTable(each.shard_id, each.frame.schema, len(each.frame) > 0) for each in self._manifests])
        whole = pl.Schema({SHARD: pl.String(), **union})
        parts = [
            each.frame.lazy().select(pl.lit(each.shard_id).alias(SHARD), *as_union(each.frame.schema, union))
            for each in self._manifests
            if len(each.frame)
        ]
        lazy = pl.concat(parts) if parts else pl.LazyFrame(schema=whole)
        return TableRows(whole, lambda kept: lazy)  # noqa: ARG005 -- nothing to gain: the rows are in memory

    def manifests(self) -> list[ShardManifest]:
        """Return the manifests."""
        return self._manifests

    def frames(self, kept: pl.Series | None = None) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table."""
        union = self.rows.columns
        for each in self._manifests if kept is None else itertools.compress(self._manifests, kept):
            if each.frame.schema == union:
                yield each.shard_id, each.frame
            else:
                # A table without rows may have any dtypes.
                fitted = each.frame.select(*as_union(each.frame.schema, union)) if len(each.frame) else union.to_frame()
                yield each.shard_id, fitted

    def facts(self) -> list[ShardFacts]:
        """Return what the manifests say of the fields."""
        headers = ((each, each.header_dict()) for each in self._manifests)
        return [ShardFacts(each.num_samples, header["aggregates"], each.frame.schema) for each, header in headers]

    def table_bytes(self) -> int:
        """Return how long the frames are together in memory, in bytes."""
        return int(sum(each.frame.estimated_size() for each in self._manifests))

    def failed(self, error: BaseException, kept: pl.Series | None = None) -> NoReturn:
        """Raise what a failed collect means: the frames were read already, so it is the predicate."""
        del kept
        raise predicate_failed(error) from error


def predicate_failed(error: BaseException) -> PredicateError | ManifestError:
    """Describe a question that fails on sound rows."""
    return PredicateError(f"the manifests are sound, and the query fails on their rows: {first_line(error)}")


def check(source: ManifestSource, question: Question) -> None:
    """Check that a question can be asked, without asking it.

    Raises:
        PredicateError: It cannot; the error says why.
        ManifestError: A manifest is damaged, gone, or was never written.
    """
    source.asked(question)


def select(source: ManifestSource, question: Question, columns: Sequence[str]) -> pl.DataFrame:
    """Return some columns of the rows that a question selects, in shard order, then tar order.

    Raises:
        PredicateError: The question cannot be asked.
        ManifestError: A manifest is damaged or gone.
        SchemaError: The shards' columns do not go together.
    """
    if not question.functions:
        return source.collect(question, lambda rows: rows.select(columns))
    enter_polars()
    return pl.concat(_masked(source, question, columns))


def count(source: ManifestSource, question: Question) -> int:
    """Return how many rows a question selects.

    Raises:
        PredicateError: The question cannot be asked.
        ManifestError: A manifest is damaged or gone.
        SchemaError: The shards' columns do not go together.
    """
    if question.functions:
        return len(select(source, question, (KEY,)))
    return int(source.collect(question, lambda rows: rows.select(pl.len())).item())


def _masked(source: ManifestSource, question: Question, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    rows, kept, expression = source.asked(question)
    yield rows.schema.to_frame().select(columns)  # where no shard is left
    # Series by series: of a small shard, planning a select and a filter would cost more than doing them.
    for shard_id, frame in source.frames(kept):
        mask = functools.reduce(operator.and_, (row_mask(each, frame, shard_id) for each in question.functions))
        if expression is not None:
            mask &= source.hold(expression, frame, shard_id)
        shard = pl.Series(SHARD, [shard_id], pl.String).new_from_index(0, int(mask.sum()))
        yield pl.DataFrame([shard if name == SHARD else frame[name].filter(mask) for name in columns])
