"""What a dataset is made of, and what all that it can do stands on."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, Self, TypeAlias, TypeVar, get_args, get_origin

import numpy as np
import polars as pl

import atdata._lens as lenses
from atdata._errors import SchemaError
from atdata._manifest import KEY, SHARD
from atdata._read import Opened, SampleReader, Step, Steps, batched, through
from atdata._sample import DictSample, SampleBatch, bare_type, fields_of, is_sample_type, written_type
from atdata._shards import Locations

from ._selection import Everything, Matching, Selection, Taken

__all__ = ["DatasetBase", "Source", "check_source", "type_text"]

S = TypeVar("S")

#: What a dataset is opened from.
Source: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class DatasetBase(Generic[S]):
    """Some samples of some shards, read as some type, through some steps; none of these ever changes."""

    _opened: Opened
    _selection: Selection
    _given_type: type[S] | None
    _content_metadata: Mapping[str, Any] | None
    _steps: Steps

    def _begin(self, opened: Opened, selection: Selection) -> None:
        self._opened = opened
        self._selection = selection
        self._given_type = opened.shards.sample_type
        self._content_metadata = opened.shards.content_metadata
        self._steps = ()

    def _but(self, **changed: Any) -> Self:
        """Return a dataset that differs in some of what it is made of."""
        other = object.__new__(type(self))
        kept = {name: value for name, value in vars(self).items() if name != "_reader"}
        vars(other).update(kept | changed)
        return other

    def _over(self, selection: Selection) -> Self:
        return self._but(_selection=selection, _opened=selection.opened)

    def _then(self, step: Step) -> Self:
        return self._but(_steps=(*self._steps, step))

    @property
    def sample_type(self) -> type[S]:
        """The type that samples are read as, or seen as (:meth:`Dataset.as_type`); ``map`` leaves it as it is.

        Raises:
            SchemaError: What was named is no sample type.
        """
        sample_type: type[S] = self._seen_type() or self._read_type()
        return sample_type

    def _read_type(self) -> Any:
        """Return the type that payloads are decoded as."""
        named: Any = self._named_type() or DictSample
        if not is_sample_type(named):
            raise SchemaError(f"{named} is no sample type; decorate the class with @atdata.packable")
        return named

    def _seen_type(self) -> Any:
        """Return the type of the samples that come out of all steps; None where a function makes them."""
        maps = [step.function for step in self._steps if step.kind == "map"]
        if not maps:
            return self._read_type()
        return maps[-1].view_type if isinstance(maps[-1], lenses.Lens) else None

    def _named_type(self) -> Any:
        return self._given_type or next(iter(self._type_arguments()), None)

    def _type_arguments(self) -> tuple[Any, ...]:
        if arguments := get_args(self.__dict__.get("__orig_class__")):
            return arguments
        for each in type(self).__mro__:  # class Photos(Dataset[Photo]), and what is made of it
            for base in vars(each).get("__orig_bases__", ()):
                origin, arguments = get_origin(base), get_args(base)
                named = isinstance(origin, type) and issubclass(origin, DatasetBase)
                if named and not isinstance(arguments[0], TypeVar):
                    return arguments
        return ()

    @property
    def content_metadata(self) -> Mapping[str, Any] | None:
        """What the writer said of the dataset as a whole; None where it said nothing, or there is no manifest."""
        return self._opened.places.content_metadata() if self._content_metadata is None else self._content_metadata

    def list_shards(self) -> list[str]:
        """Return the paths of the dataset's shards, in order; of a selection, of those that hold its samples.

        Raises:
            ManifestError: Of a selection: a manifest is damaged or gone.
        """
        return [self._opened.store.url(f"{shard_id}.tar") for shard_id in self._shard_ids]

    @property
    def schema(self) -> dict[str, Any]:
        """The fields of a sample, and the type of each; of DictSample the manifests' columns and their dtypes.

        Raises:
            SchemaError: The sample type has a field that cannot be stored.
            ManifestError: A manifest is damaged or gone.
        """
        if not issubclass(self.sample_type, DictSample):
            return {field.name: written_type(field.annotation) for field in fields_of(self.sample_type)}
        self._check_types(self._opened.shard_ids)
        columns = self._opened.manifests.whole.schema if self._opened.has_manifests else {}
        return {name: dtype for name, dtype in columns.items() if not name.startswith("__")}

    @property
    def column_names(self) -> list[str]:
        """The names of a sample's fields; of DictSample those that manifests know."""
        return list(self.schema)

    def describe(self) -> dict[str, Any]:
        """Return what the dataset is, as plain values; the headers are read, and no sample.

        ``sample_type``, ``fields`` (name to type, as text), ``num_samples`` (None behind a filter), ``num_shards``,
        ``shards``, ``url``, ``metadata``, ``predicate`` (None for all samples), and ``statistics``: the rows of
        :meth:`QueryExecutor.describe` as dicts, of all samples, whichever are chosen.

        Raises:
            ManifestError: A manifest is damaged or gone.
        """
        opened, shards = self._opened, self.list_shards()
        return {
            "sample_type": self.sample_type.__name__,
            "fields": {name: type_text(annotation) for name, annotation in self.schema.items()},
            "num_samples": None if self._filters else len(self),
            "num_shards": len(shards),
            "shards": shards,
            "url": opened.store.url(),
            "metadata": self.content_metadata,
            "predicate": self._selection.predicate,
            "statistics": opened.executor.statistics().to_dicts() if opened.has_manifests else [],
        }

    def statistics(self) -> pl.DataFrame:
        """Return the statistics in the headers, one row a field: see :meth:`QueryExecutor.describe`.

        They are those of all samples, whichever are chosen; without manifests there are none.

        Raises:
            ManifestError: A manifest is damaged or gone.
        """
        return self._opened.executor.statistics()

    @property
    def digest(self) -> str:
        """What stands for the samples and their order, as 64 hexadecimal digits.

        The same samples in the same order have the same digest on any machine. Manifest columns, notes and the time of
        writing do not enter it, so that a column added later changes nothing; nor do steps (``filter``, ``map``).

        Raises:
            ManifestError: A manifest is damaged or gone.
        """
        return self._selection.digest

    def refresh(self) -> Self:
        """Open the shards again, as they are now, and find the samples anew.

        What a predicate selected is asked of today's manifests again; samples that were taken one by one are looked up
        by shard and key, wherever they are by now.

        Raises:
            ManifestNotFoundError: The dataset is gone.
            SampleKeyError: A sample that was taken is not there any more.
        """
        opened, selection = self._opened.reopened(), self._selection
        if selection.question is not None:
            return self._over(Matching(opened, selection.question))
        if isinstance(selection, Everything):
            return self._over(Everything(opened))
        return self._over(self._found_again(opened, selection))

    def _found_again(self, opened: Opened, selection: Selection) -> Selection:
        from ._taking import take  # noqa: PLC0415 -- which takes from selections

        rows = selection.names().select(SHARD, KEY)
        return Taken(opened, take(Everything(opened), rows).locations, selection.predicate)

    def __bool__(self) -> bool:
        return True  # without this, `if ds:` would count the samples

    def __len__(self) -> int:
        if self._filters:  # a TypeError is what lets `list(ds)` do without a length
            raise TypeError("how many samples pass a filter is known once they are read: sum(1 for _ in ds)")
        return self._selection.count()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DatasetBase):
            return NotImplemented
        same_place = self._opened.store.url() == other._opened.store.url()
        return same_place and self._steps == other._steps and self.digest == other.digest

    def __hash__(self) -> int:
        return hash((self._opened.store.url(), self.digest))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_reader"}

    @property
    def _shard_ids(self) -> Sequence[str]:
        if isinstance(self._selection, Everything):
            return self._opened.shard_ids
        return self._locations().used_shards

    @property
    def _filters(self) -> bool:
        return any(step.kind == "filter" for step in self._steps)

    def _check_positions(self, instead: str) -> None:
        """Check that positions are known before samples are read.

        Raises:
            TypeError: A filter decides them, once they are read.
        """
        if self._filters:
            raise TypeError(f"positions among filtered samples are known once they are read: {instead}")

    def _locations(self) -> Locations:
        return self._selection.locations

    @functools.cached_property
    def _reader(self) -> SampleReader:
        return SampleReader(self._opened.places, self._read_type())

    def _check_types(self, shard_ids: Sequence[str]) -> None:
        if self._named_type() is None:
            self._opened.check_one_type(shard_ids)

    def _check_ends(self) -> None:
        """Check, before samples are read without a type, that the first and the last shard are of one."""
        if self._named_type() is None:
            known: Sequence[str] = self._opened.shard_ids
            if not isinstance(self._selection, Everything):
                locations = self._locations()
                known = [locations.shard_ids[number] for number in locations.shards[[0, -1]]] if len(locations) else []
            self._check_types([*known[:1], *known[-1:]])

    def _samples(self) -> Iterator[S]:
        everything = isinstance(self._selection, Everything)
        self._check_ends()
        return through(self._reader.ordered() if everything else self._reader.read(self._locations()), self._steps)

    def _batches(self, batch_size: int) -> Iterator[SampleBatch[S]]:
        if self._steps:
            return batched(self._samples(), batch_size)
        self._check_ends()
        if isinstance(self._selection, Everything):
            return self._reader.ordered_batches(batch_size)
        return self._reader.read_batches(self._locations(), batch_size)


def check_source(source: object) -> None:
    """Check that what a dataset is opened from is a path, or several.

    Raises:
        TypeError: It is not.
    """
    several = source if isinstance(source, Sequence) and not isinstance(source, str | bytes) else (source,)
    for each in several:
        if not isinstance(each, str | os.PathLike):
            raise TypeError(
                f"a dataset is opened from a folder, a tar, a pattern, a slice, or a list of tars; found "
                f"{type(each).__name__} {each!r}"
            )


def type_text(kind: Any) -> str:
    """Return a type or dtype as people write it.

    Examples:
        >>> import numpy as np
        >>> from numpy.typing import NDArray
        >>> type_text(NDArray[np.uint8]), type_text(NDArray), type_text(list[str]), type_text(float | None)
        ('NDArray[uint8]', 'NDArray', 'list[str]', 'float | None')
    """
    kind, _ = bare_type(kind)
    if get_origin(kind) is np.ndarray:
        dtype = next(iter(get_args(get_args(kind)[1])), None)
        return f"NDArray[{dtype.__name__}]" if isinstance(dtype, type) else "NDArray"
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
