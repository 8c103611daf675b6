"""How a dataset shows itself: in a line, and in a notebook."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import atdata._frames as tables
import atdata._notebook as notebook
from atdata._sample import is_sample_type

from ._base import DatasetBase, type_text
from ._selection import Everything, Taken

__all__ = ["Showing"]

S = TypeVar("S")

#: Headers of at most so many shards are read to show a dataset.
_SHARDS = 1000
_PICTURES = 6
#: How much of a predicate is shown, in characters; explain() has all of it.
_LONGEST = 300
#: What the headers say of a field; each is a column of the table where some field has it.
_STATISTICS = ("nulls", "min", "max", "mean", "distinct", "top")


class Showing(DatasetBase[S]):
    """What shows a dataset."""

    def __repr__(self) -> str:
        parts = [repr(self._opened.store.url()), _shards(len(self._opened.shard_ids)), *self._choice()]
        return f"{self._name()}({', '.join(parts)})"

    def _repr_html_(self) -> str:
        return notebook.shown(self, self._facts)

    def _name(self) -> str:
        named = self._named_type()
        if named is None or is_sample_type(named):
            named = self.sample_type
        return f"Dataset[{getattr(named, '__name__', named)}]"

    def _choice(self) -> Iterator[str]:
        """Yield what makes this dataset another one than all samples of its shards; nothing is read for it."""
        if isinstance(self._selection, Taken):
            count = self._selection.count()
            yield f"{count:,} sample{'s'[: count != 1]} taken"
        if (predicate := self._selection.predicate) is not None:
            yield f"where {predicate if len(predicate) <= _LONGEST else predicate[: _LONGEST - 1] + '…'}"
        for kind in ("filter", "map"):
            if count := sum(step.kind == kind for step in self._steps):
                yield f"{count} {kind}{'s'[: count != 1]}"

    def _facts(self) -> "notebook.Facts":
        opened, shards = self._opened, len(self._opened.shard_ids)
        title, notes = self._name(), [opened.store.url()]
        if not opened.has_manifests or shards > _SHARDS:
            why = "describe() reads all headers" if opened.has_manifests else "no manifests: len() walks the tars"
            return notebook.Facts(title, [f"{_shards(shards)}; {why}", *notes], list(self._choice()))
        statistics = {row["field"]: row for row in opened.executor.describe().iter_rows(named=True)}
        if statistics and not isinstance(self._selection, Everything):
            notes.append("the statistics are those of all samples")
        head, rows = self._table(statistics)
        pictures = list(itertools.islice(self._pictures(), _PICTURES))
        return notebook.Facts(
            title, [f"{self._counts()} {_shards(shards)}", *notes], list(self._choice()), head, rows, pictures
        )

    def _counts(self) -> str:
        everything = self._opened.count()
        if isinstance(self._selection, Everything) and not self._filters:
            return f"{everything:,} samples in"
        chosen = "some" if self._filters else f"{self._selection.count():,}"
        return f"{chosen} of {everything:,} samples in"

    def _table(self, statistics: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
        types = {name: type_text(kind) for name, kind in self.schema.items()}
        columns = {name: str(row["dtype"] or "") for name, row in statistics.items()}
        used = [each for each in _STATISTICS if any(row[each] not in (None, 0) for row in statistics.values())]
        rows = [
            [name, kind, *(statistics[name][each] if name in statistics else None for each in used)]
            for name, kind in (types | {name: dtype for name, dtype in columns.items() if name not in types}).items()
        ]
        return ["field", "type", *used], rows

    def _pictures(self) -> "Iterator[notebook.Picture]":
        """Yield the first image of each of the first samples; what a function makes may take long, and is not read."""
        if self._seen_type() is None or self._filters:
            return
        everything = isinstance(self._selection, Everything)  # whose first samples are found without all its tables
        first = self if everything else self._over(self._selection.first(_PICTURES))
        for sample in first._samples():  # noqa: SLF001 -- of one class
            values = tables.row_of(sample)
            uri = next((found for value in values.values() if (found := notebook.picture_of(value)) is not None), None)
            if uri is None:
                return
            yield notebook.Picture(uri, _caption(values))


def _shards(count: int) -> str:
    return f"{count:,} shard{'s'[: count != 1]}"


def _caption(values: Mapping[str, Any]) -> str:
    """Return the first values that are short, as text."""
    short = (value for value in values.values() if isinstance(value, str | int | float))
    return ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in itertools.islice(short, 2))
