"""Questions about a selection's samples, which manifests answer: the vocabulary of QueryExecutor, for some samples."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from atdata._errors import PredicateError
from atdata._manifest import PLACE, SampleLocation
from atdata._query import FAILURES, Explanation, Question, Where, check, parse_where, result_columns, select
from atdata._read import as_locations, cost_of
from atdata._sample import is_sample_type
from atdata._tar import tar_name

from ._selection import Everything, Matching, Selection, Taken
from ._sequence import SampleSequence, type_text

__all__ = [
    "Summary",
    "count",
    "counts_of",
    "describe",
    "explain",
    "narrow",
    "query",
    "rows",
    "shard_paths",
    "sort",
    "summary_of",
    "value_counts",
]

#: How much of a predicate is shown, in characters; explain() has all of it.
_LONGEST = 300


class Summary(NamedTuple):
    """Facts about a dataset that are known without reading."""

    #: Such as ``Dataset[Photo]``.
    name: str
    url: str
    num_shards: int
    has_manifests: bool
    #: What makes it another dataset than all samples of its shards, in words.
    choice: list[str]
    #: Whether it has only some samples of its shards, or others in another order.
    is_selection: bool
    #: Whether a function makes its samples, or says which there are.
    is_computed: bool

    def __str__(self) -> str:
        shards = f"{self.num_shards:,} shard{'s'[: self.num_shards != 1]}"
        return f"{self.name}({', '.join([repr(self.url), shards, *self.choice])})"


def summary_of(sequence: SampleSequence) -> Summary:
    """Return the facts about a dataset that are known without reading."""
    opened = sequence.opened
    return Summary(
        name=_name(sequence),
        url=opened.store.url(),
        num_shards=len(opened.shard_ids),
        has_manifests=opened.has_manifests,
        choice=list(_choice(sequence)),
        is_selection=not sequence.is_whole,
        is_computed=sequence.filters or (bool(sequence.steps) and sequence.seen_type is None),
    )


def counts_of(sequence: SampleSequence) -> tuple[int | None, int]:
    """Return how many samples are selected, None behind a filter, and how many the shards hold."""
    everything = sequence.opened.count()
    return None if sequence.filters else sequence.selection.count(), everything


def shard_paths(sequence: SampleSequence) -> list[str]:
    """Return the paths of the shards that hold the samples, in order."""
    return [sequence.opened.store.url(tar_name(shard_id)) for shard_id in sequence.selection.shard_ids]


def describe(sequence: SampleSequence) -> dict[str, Any]:
    """Return the facts about a dataset that its headers tell, as plain values."""
    opened, shards = sequence.opened, shard_paths(sequence)
    return {
        "sample_type": sequence.sample_type.__name__,
        "fields": {name: type_text(annotation) for name, annotation in sequence.schema.items()},
        "num_samples": None if sequence.filters else sequence.selection.count(),
        "num_shards": len(shards),
        "shards": shards,
        "url": opened.store.url(),
        "metadata": sequence.content_metadata,
        "predicate": sequence.selection.predicate,
        "statistics": opened.executor.statistics().to_dicts() if opened.has_manifests else [],
    }


def _name(sequence: SampleSequence) -> str:
    named = sequence.named_type
    if named is None or is_sample_type(named):
        named = sequence.sample_type
    return f"Dataset[{getattr(named, '__name__', named)}]"


def _choice(sequence: SampleSequence) -> Iterator[str]:
    selection = sequence.selection
    if isinstance(selection, Taken):
        count = selection.count()
        yield f"{count:,} sample{'s'[: count != 1]} taken"
    if (predicate := selection.predicate) is not None:
        yield f"where {predicate if len(predicate) <= _LONGEST else predicate[: _LONGEST - 1] + '…'}"
    for kind in ("filter", "map"):
        if count := sum(step.kind == kind for step in sequence.steps):
            yield f"{count} {kind}{'s'[: count != 1]}"


def narrow(selection: Selection, predicates: Sequence[Where], equalities: Mapping[str, object]) -> Selection:
    """Return the samples for which all predicates hold.

    Raises:
        PredicateError: A predicate cannot be asked; the error says why.
        ManifestError: A manifest is damaged, gone, or was never written.
    """
    conditions = [parse_where(predicate) for predicate in predicates]
    if equalities or not conditions:
        conditions.append(parse_where(None, equalities))
    question = functools.reduce(Question.also, conditions)
    check(selection.opened.manifests, question)
    return selection.narrowed(question)


def query(selection: Selection, where: Where | None, equalities: Mapping[str, Any]) -> list[SampleLocation]:
    """Return the locations of the samples that a predicate selects."""
    if isinstance(selection, Everything):
        return selection.opened.executor.query(where, **equalities)
    return list(as_locations(selection.narrowed(parse_where(where, equalities)).locations.to_frame()))


def rows(
    selection: Selection, where: Where | None, columns: Sequence[str] | None, equalities: Mapping[str, Any]
) -> pl.DataFrame:
    """Return the rows of the samples that a predicate selects, in the selection's order."""
    manifests = selection.opened.manifests
    if isinstance(selection, Everything):
        return selection.opened.executor.rows(where, columns, **equalities)
    narrowed = _narrowed(selection, where, equalities)
    names = result_columns(manifests, columns)
    if isinstance(narrowed, Matching):
        return select(manifests, narrowed.question, names)
    return _collected(narrowed, lambda: narrowed.scan().select(names))


def count(selection: Selection, where: Where | None, equalities: Mapping[str, Any]) -> int:
    """Return how many samples a predicate selects."""
    if isinstance(selection, Everything):
        return selection.opened.executor.count(where, **equalities)
    return _narrowed(selection, where, equalities).count()


def explain(selection: Selection, where: Where | None, equalities: Mapping[str, Any]) -> Explanation:
    """Return what the samples that a predicate selects are, and what finding and reading them takes."""
    narrowed = _narrowed(selection, where, equalities)
    explanation = narrowed.explain()
    if isinstance(narrowed, Everything):  # read tar by tar
        return explanation
    return explanation.planned(*cost_of(narrowed.locations, selection.opened.store.limits))


def sort(selection: Selection, by: Any, descending: Any) -> Taken:
    """Return the samples sorted by columns or expressions.

    Raises:
        PredicateError: There is no such column, or it cannot be sorted by.
    """
    frame = _collected(
        selection, lambda: selection.scan().sort(by, descending=descending, maintain_order=True).select(PLACE)
    )
    return Taken(selection.opened, selection.opened.places.of_rows(frame), selection.predicate)


def value_counts(selection: Selection, field: str, name: str) -> pl.DataFrame:
    """Return how many samples have each value of a column, the most frequent first.

    Raises:
        PredicateError: There is no such column.
        ValueError: ``name`` is that of the field.
    """
    if name == field:
        raise ValueError(
            f"the numbers would be a second column {name!r}; call them otherwise: "
            f"value_counts({field!r}, name={name + 's'!r})"
        )
    schema = selection.scan().collect_schema()
    if field not in schema:
        raise PredicateError.unknown_column(field, [column for column in schema if not column.startswith("__")])
    known = selection.opened.manifests.value_counts(field) if isinstance(selection, Everything) else None
    if known is None:
        return _collected(selection, lambda: _by_frequency(_counted(selection.scan(), field, name), field, name))
    counts = known.lazy().select(pl.col("value").alias(field), pl.col("count").cast(pl.UInt32).alias(name))
    return _collected(selection, lambda: _by_frequency(counts, field, name))


def _narrowed(selection: Selection, where: Where | None, equalities: Mapping[str, Any]) -> Selection:
    if where is None and not equalities:
        return selection
    return selection.narrowed(parse_where(where, equalities))


def _counted(scan: pl.LazyFrame, field: str, name: str) -> pl.LazyFrame:
    values = scan.select(field)
    if isinstance(values.collect_schema()[field], pl.List):
        values = values.explode(field, empty_as_null=False)
    return values.group_by(field).agg(pl.len().alias(name))


def _by_frequency(counts: pl.LazyFrame, field: str, name: str) -> pl.LazyFrame:
    return counts.sort([name, field], descending=[True, False])


def _collected(selection: Selection, plan: Callable[[], pl.LazyFrame]) -> pl.DataFrame:
    manifests = selection.opened.manifests
    try:
        return plan().collect()
    except pl.exceptions.ColumnNotFoundError as error:
        name = str(error).partition('"')[2].partition('"')[0] or str(error).strip().partition("\n")[0]
        raise PredicateError.unknown_column(name, selection.scan().collect_schema().names()) from None
    except FAILURES as error:
        if not manifests.mended():
            manifests.failed(error)
    return _collected(selection, plan)  # of other files: the index was removed, or made anew
