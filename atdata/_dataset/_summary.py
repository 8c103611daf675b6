"""Summaries of a dataset: in a line, of what is known without reading, and as plain values from its headers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from atdata._sample import is_sample_type

from ._selection import Taken
from ._sequence import SampleSequence, type_text

__all__ = ["Summary", "counts_of", "describe", "shard_paths", "summary_of"]

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
    return [sequence.opened.store.url(f"{shard_id}.tar") for shard_id in sequence.selection.shard_ids]


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
