"""What a dataset is, as far as it is known without reading: for its ``repr``, and for those who display it."""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from atdata._display import display_html
from atdata._sample import is_sample_type

from ._base import DatasetBase
from ._selection import Everything, Taken

__all__ = ["Showing", "Summary", "counts_of", "summary_of"]

S = TypeVar("S")

#: How much of a predicate is shown, in characters; explain() has all of it.
_LONGEST = 300


class Summary(NamedTuple):
    """What is known of a dataset without reading."""

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


class Showing(DatasetBase[S]):
    """What shows a dataset."""

    def __repr__(self) -> str:
        summary = summary_of(self)
        shards = f"{summary.num_shards:,} shard{'s'[: summary.num_shards != 1]}"
        return f"{summary.name}({', '.join([repr(summary.url), shards, *summary.choice])})"

    def _repr_html_(self) -> str:
        return display_html(self)


def summary_of(dataset: DatasetBase[Any]) -> Summary:
    """Return what is known of a dataset without reading."""
    opened, selection = dataset._opened, dataset._selection  # noqa: SLF001 -- of this room
    return Summary(
        name=_name(dataset),
        url=opened.store.url(),
        num_shards=len(opened.shard_ids),
        has_manifests=opened.has_manifests,
        choice=list(_choice(dataset)),
        is_selection=not isinstance(selection, Everything),
        is_computed=any(step.kind == "filter" for step in dataset._steps) or not _is_typed(dataset),  # noqa: SLF001 -- as above
    )


def counts_of(dataset: DatasetBase[Any]) -> tuple[int | None, int]:
    """Return how many samples are selected, None behind a filter, and how many the shards hold."""
    everything = dataset._opened.count()  # noqa: SLF001 -- of this room
    return None if dataset._filters else dataset._selection.count(), everything  # noqa: SLF001 -- as above


def _is_typed(dataset: DatasetBase[Any]) -> bool:
    return not dataset._steps or dataset._seen_type() is not None  # noqa: SLF001 -- of this room


def _name(dataset: DatasetBase[Any]) -> str:
    named = dataset._named_type()  # noqa: SLF001 -- of this room
    if named is None or is_sample_type(named):
        named = dataset.sample_type
    return f"Dataset[{getattr(named, '__name__', named)}]"


def _choice(dataset: DatasetBase[Any]) -> Iterator[str]:
    selection = dataset._selection  # noqa: SLF001 -- of this room
    if isinstance(selection, Taken):
        count = selection.count()
        yield f"{count:,} sample{'s'[: count != 1]} taken"
    if (predicate := selection.predicate) is not None:
        yield f"where {predicate if len(predicate) <= _LONGEST else predicate[: _LONGEST - 1] + '…'}"
    for kind in ("filter", "map"):
        if count := sum(step.kind == kind for step in dataset._steps):  # noqa: SLF001 -- of this room
            yield f"{count} {kind}{'s'[: count != 1]}"
