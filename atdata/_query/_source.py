"""The rows of some shards, lazily: alike until they are found to differ."""

import abc
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, ManifestNotFoundError, PredicateError, first_line
from atdata._manifest import KEY, SHARD, ShardManifest, Table, as_union, unified
from atdata._polars import enter_polars
from atdata._shards import LocationProblem

from ._describe import ShardFacts
from ._predicate import Question
from ._row_wise import check_row_wise

__all__ = ["FAILURES", "GivenManifests", "ManifestSource", "Rows", "predicate_failed"]

#: What Polars raises where files or rows are not what a plan expects.
FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


class Rows(NamedTuple):
    """All rows, as plans of them or of those of some shards, and their columns."""

    schema: pl.Schema
    #: Makes a plan of the rows of the shards that are True, one Boolean a shard; of all rows for None.
    scan: Callable[[pl.Series | None], pl.LazyFrame]
    #: Makes a plan of such rows for which an expression holds, where there is a better way than to filter them.
    filtered: Callable[[pl.Series | None, pl.Expr], pl.LazyFrame] | None = None

    def where(self, kept: pl.Series | None, expression: pl.Expr) -> pl.LazyFrame:
        """Return a plan of the rows of some shards for which an expression holds."""
        if self.filtered is not None:
            return self.filtered(kept, expression)
        return self.scan(kept).filter(expression)

    @property
    def lazy(self) -> pl.LazyFrame:
        """All rows."""
        return self.scan(None)

    @property
    def columns(self) -> pl.Schema:
        """The columns of one sample table: all but the shard."""
        return pl.Schema({name: dtype for name, dtype in self.schema.items() if name != SHARD})


class Asked(NamedTuple):
    """What a question selects, before it is collected."""

    lazy: pl.LazyFrame
    #: The shards that are scanned, one Boolean a shard; None for all of them.
    kept: pl.Series | None


class ManifestSource(abc.ABC):
    """The sample tables of some shards, in shard order.

    Attributes:
        uncommitted: The ids of tars that have no manifest, sorted.
    """

    uncommitted: Sequence[str] = ()

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
    def failed(self, error: BaseException) -> NoReturn:
        """Raise what a failed collect really means."""

    def damaged_locations(self, rows: pl.DataFrame, problem: LocationProblem) -> DamagedManifestError:
        """Describe rows that do not say where their samples are."""
        return DamagedManifestError(f"the manifest of shard {rows[SHARD][problem.row or 0]!r}: {problem}")

    @property
    @abc.abstractmethod
    def known(self) -> Rows:
        """The rows as far as they are known: the columns of the first shard, until all were asked for.

        A plan on shards that differ from the first one fails, and never answers for them.

        Raises:
            ManifestNotFoundError: There is no manifest.
        """

    @property
    @abc.abstractmethod
    def whole(self) -> Rows:
        """All rows with all columns of all shards: ``__shard__``, the location columns, the fields.

        Raises:
            ManifestNotFoundError: There is no manifest.
            SchemaError: The shards' columns do not go together.
        """

    def pruned(self, pushed: Sequence[pl.Expr | None], rows: Rows) -> pl.Series | None:
        """Return which shards may hold rows that a predicate selects, one Boolean a shard; None for all of them.

        Args:
            pushed: The predicate, as Polars would push it down to ``rows``.
            rows: What it is asked of.
        """
        del pushed, rows
        return None

    def collect(self, question: Question, select: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        """Collect what is made of the rows that a question's expressions select.

        Shards are taken to be alike; where that fails, their columns are read and put together, once.

        Raises:
            ManifestError: A sidecar is damaged or gone; the error names it.
            SchemaError: The shards' columns do not go together.
            PredicateError: The question cannot be asked, or the rows are fine, and it fails on them.
        """
        enter_polars()
        rows = self._rows_for(question)
        try:
            return select(self._asked(question, rows).lazy).collect()
        except PredicateError:
            if self.whole is rows:
                raise
        except FAILURES as error:
            if self.mended():
                return self.collect(question, select)
            if self.whole is rows:
                self.failed(error)
        try:
            return select(self._asked(question, self.whole).lazy).collect()
        except FAILURES as error:
            self.failed(error)

    def mended(self) -> bool:
        """Tell whether what made a question fail was set aside, so that it can be asked again."""
        return False

    def asked(self, question: Question) -> Asked:
        """Return the rows for which a question's expressions hold, as a plan; no row is read.

        Raises:
            PredicateError: They cannot be asked.
            ManifestError: A sidecar is damaged or gone.
            SchemaError: The shards' columns do not go together.
        """
        rows = self._rows_for(question)
        try:
            return self._asked(question, rows)
        except PredicateError:
            if self.whole is rows:
                raise
        return self._asked(question, self.whole)

    def _asked(self, question: Question, rows: Rows) -> Asked:
        expression = question.expression
        if expression is None:
            return Asked(rows.lazy, None)
        kept = self.pruned(check_row_wise(expression, rows.schema, question.quoted), rows)
        return Asked(rows.where(kept, expression), kept)

    def _rows_for(self, question: Question) -> Rows:
        # A selector means other columns where there are more of them.
        expression = question.expression
        by_selector = expression is not None and expression.meta.has_multiple_outputs()
        return self.whole if by_selector else self.known

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
        return {name: value for name, value in vars(self).items() if name not in ("whole", "plain")}


class GivenManifests(ManifestSource):
    """Manifests in memory. A shard is what its manifest calls it."""

    def __init__(self, manifests: Sequence[ShardManifest]) -> None:
        self._manifests = list(manifests)

    @property
    def shard_ids(self) -> list[str]:
        """The shards, in the order given."""
        return [manifest.shard_id for manifest in self._manifests]

    @property
    def known(self) -> Rows:
        """All rows; the columns of frames cost nothing to know."""
        return self.whole

    @functools.cached_property
    def whole(self) -> Rows:
        """All rows, lazily."""
        if not self._manifests:
            raise ManifestNotFoundError("there is no manifest to query; give at least one")
        enter_polars()
        union = unified([Table(each.shard_id, each.frame.schema, len(each.frame) > 0) for each in self._manifests])
        whole = pl.Schema({SHARD: pl.String(), **union})
        parts = [
            each.frame.lazy().select(pl.lit(each.shard_id).alias(SHARD), *as_union(each.frame.schema, union))
            for each in self._manifests
            if len(each.frame)
        ]
        lazy = pl.concat(parts) if parts else pl.LazyFrame(schema=whole)
        return Rows(whole, lambda kept: lazy)  # noqa: ARG005 -- nothing to gain: the rows are in memory

    def manifests(self) -> list[ShardManifest]:
        """Return the manifests."""
        return self._manifests

    def frames(self, kept: pl.Series | None = None) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each shard's sample table."""
        union = self.whole.columns
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

    def failed(self, error: BaseException) -> NoReturn:
        """Raise what a failed collect means: the frames were read already, so it is the predicate."""
        raise predicate_failed(error) from error


def predicate_failed(error: BaseException) -> PredicateError | ManifestError:
    """Describe a question that fails on sound rows."""
    return PredicateError(f"the manifests are sound, and the query fails on their rows: {first_line(error)}")
