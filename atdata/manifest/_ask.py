"""Putting a question to the manifests of some shards: which rows, how many, and at what cost."""

import functools
import operator
from collections.abc import Iterator, Sequence

import polars as pl

from atdata._sidecars._pandas import row_mask
from atdata._sidecars._process import enter_polars
from atdata._sidecars._table import KEY, PLACE, SHARD, SIZE

from ._explain import Explanation
from ._predicate import Question
from ._row_wise import check_row_wise
from ._rows import ManifestSource

__all__ = ["check", "count", "explain", "select"]


def check(source: ManifestSource, question: Question) -> None:
    """Check that a question can be asked, without asking it.

    Raises:
        PredicateError: It cannot; the error says why.
        ManifestError: A manifest is damaged, gone, or was never written.
    """
    if question.expression is not None:
        source.asked(question)
    else:
        source.known  # noqa: B018 -- raises where there is no manifest


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


def explain(source: ManifestSource, question: Question) -> Explanation:
    """Return what a question selects and reads; it is asked for it.

    Raises:
        PredicateError: The question cannot be asked.
        ManifestError: A manifest is damaged or gone.
        SchemaError: The shards' columns do not go together.
    """
    _, all_rows, all_size = everything = _totals(source, Question())
    shards, rows, size = _totals(source, question) if question.texts else everything
    asked = source.asked(question)
    ruled_out = 0 if asked.kept is None else len(asked.kept) - int(asked.kept.sum())
    after = [f"\nthen, shard by shard: {question}"] if question.functions else []
    return Explanation(
        predicate=str(question) or None,
        shards=len(source.shard_ids),
        shards_selected=shards,
        rows=all_rows,
        rows_selected=rows,
        bytes_selected=size,
        bytes=all_size,
        table_bytes=source.table_bytes(),
        plan="".join([asked.lazy.select(PLACE).explain(), *after]),
        shards_ruled_out=ruled_out,
        shards_indexed=source.indexed,
    )


def _totals(source: ManifestSource, question: Question) -> tuple[int, int, int]:
    """Return the shards, the rows and the bytes of samples that a question selects."""
    sums = pl.col(SHARD).n_unique(), pl.len(), pl.col(SIZE).sum()
    if question.functions:
        shards, rows, size = select(source, question, PLACE).select(*sums).row(0)
    else:
        shards, rows, size = source.collect(question, lambda found: found.select(*sums)).row(0)
    return int(shards), int(rows), int(size)


def _masked(source: ManifestSource, question: Question, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    expression, whole = question.expression, source.whole
    kept = None
    if expression is not None:
        kept = source.pruned(check_row_wise(expression, whole.schema, question.quoted), whole)
    yield whole.schema.to_frame().select(columns)  # where no shard is left
    # Series by series: of a small shard, planning a select and a filter would cost more than doing them.
    for shard_id, frame in source.frames(kept):
        mask = functools.reduce(operator.and_, (row_mask(each, frame, shard_id) for each in question.functions))
        if expression is not None:
            mask &= source.hold(expression, frame, shard_id)
        shard = pl.Series(SHARD, [shard_id], pl.String).new_from_index(0, int(mask.sum()))
        yield pl.DataFrame([shard if name == SHARD else frame[name].filter(mask) for name in columns])
