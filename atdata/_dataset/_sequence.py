"""Samples of some shards as one sequence: a selection, read as a type, through steps."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

import numpy as np

import atdata._lens as lenses
from atdata._errors import AtdataError, DecodeError, SampleKeyError, SchemaError
from atdata._read import Opened, SampleReader, Step, Steps, batched, through
from atdata._sample import (
    LAYOUTS,
    MSGPACK,
    DictSample,
    SampleBatch,
    bare_type,
    fields_of,
    is_sample_type,
    written_type,
)
from atdata._shards import Locations, repeated_tar, to_position

from ._locate import RowsLike
from ._selection import Everything, Selection, check_one_place, have_same_samples, take

__all__ = ["SampleSequence", "type_argument", "type_text"]


@dataclasses.dataclass(frozen=True, eq=False)
class SampleSequence:
    """A selection of samples, read as a type, through steps: all that a dataset is made of. It never changes.

    Attributes:
        selection: Which samples of which shards, in which order.
        steps: What samples pass through after they were read.
        named_type: What payloads are decoded as, where it was named.
        own_metadata: What the writer said of the dataset, where it is known without a manifest.
    """

    selection: Selection
    steps: Steps = ()
    named_type: Any = None
    own_metadata: Mapping[str, Any] | None = None

    @property
    def opened(self) -> Opened:
        """The shards."""
        return self.selection.opened

    @property
    def content_metadata(self) -> Mapping[str, Any] | None:
        """The metadata that the writer gave the dataset."""
        return self.opened.places.content_metadata() if self.own_metadata is None else self.own_metadata

    @property
    def is_whole(self) -> bool:
        """True where all samples of the shards are selected, in their order."""
        return isinstance(self.selection, Everything)

    @property
    def filters(self) -> bool:
        """True where a step decides which samples there are."""
        return any(step.kind == "filter" for step in self.steps)

    @property
    def read_type(self) -> Any:
        """The type that payloads are decoded as.

        Raises:
            SchemaError: What was named is not a sample type.
        """
        named = self.named_type or DictSample
        if not is_sample_type(named):
            raise SchemaError(f"{named} is no sample type; decorate the class with @atdata.packable")
        return named

    @property
    def seen_type(self) -> Any:
        """The type of the samples that come out of all steps; None where a function makes them."""
        maps = [step.function for step in self.steps if step.kind == "map"]
        if not maps:
            return self.read_type
        return maps[-1].view_type if isinstance(maps[-1], lenses.Lens) else None

    @property
    def sample_type(self) -> Any:
        """The type that samples are read as, or seen as."""
        return self.seen_type or self.read_type

    @property
    def schema(self) -> dict[str, Any]:
        """The fields of a sample and the type of each; of DictSample the manifests' columns and their dtypes."""
        if not issubclass(self.sample_type, DictSample):
            return {field.name: written_type(field.annotation) for field in fields_of(self.sample_type)}
        self._check_types(self.opened.shard_ids)
        columns = self.opened.manifests.rows.schema if self.opened.has_manifests else {}
        return {name: dtype for name, dtype in columns.items() if not name.startswith("__")}

    @functools.cached_property
    def reader(self) -> SampleReader:
        """The reader of the samples."""
        return SampleReader(self.opened.places, self.read_type)

    def over(self, selection: Selection) -> "SampleSequence":
        """Return the sequence of other samples."""
        return SampleSequence(selection, self.steps, self.named_type, self.own_metadata)

    def then(self, step: Step) -> "SampleSequence":
        """Return the sequence with a step after the others."""
        return SampleSequence(self.selection, (*self.steps, step), self.named_type, self.own_metadata)

    def viewed(self, sample_type: type) -> "SampleSequence":
        """Return the samples seen as another type: decoded as it where the fields allow it, else through a lens.

        Raises:
            LensNotFoundError: Neither will do.
            SchemaError: It is not a sample type, or a function made the samples.
        """
        seen = self.seen_type
        if seen is None:
            raise SchemaError("as_type() comes before map(): what a function makes of samples has no known type")
        lens: lenses.Lens[Any, Any] = lenses.view_of(seen, sample_type)
        if not self.steps and (isinstance(lens, lenses.StructuralLens) or seen is sample_type):
            return dataclasses.replace(self, named_type=sample_type)
        return self.then(Step("map", lens))

    def check_positions(self, instead: str) -> None:
        """Check that positions are known before samples are read.

        Raises:
            TypeError: A filter decides them, once they are read.
        """
        if self.filters:
            raise TypeError(f"positions among filtered samples are known once they are read: {instead}")

    def check_annotatable(self) -> None:
        """Check that columns can be added to the samples.

        Raises:
            TypeError: A filter decides which samples there are, or they have no manifests.
            AtdataError: A shard is there more than once.
        """
        if self.filters:
            raise TypeError(
                "which samples pass a filter is known once they are read, and columns are of samples that manifests "
                "know; say which with where()"
            )
        if not self.opened.has_manifests:
            raise TypeError(
                f"{self.opened.store.url()} has no manifests that could get columns; write_samples(..., "
                "manifest=True) or export() makes some"
            )
        if self.opened.shards.parts and (tar := repeated_tar(self.opened.shards)):
            raise AtdataError(
                f"{tar} is in this dataset more than once, and its manifest would be changed twice: annotate each "
                "dataset by itself, then concatenate them"
            )

    def check_combinable(self, other: "SampleSequence") -> None:
        """Check that the samples of both can be in one selection.

        Raises:
            AtdataError: They are of two datasets, or pass through different steps.
        """
        check_one_place(self.selection, other.selection)
        if self.steps != other.steps:
            raise AtdataError(
                "samples are combined before steps (filter, map) that differ; combine first, then filter or map"
            )

    def is_same(self, other: "SampleSequence") -> bool:
        """Return whether both have the same samples of one place, in the same order, through the same steps."""
        mine, theirs = self.opened, other.opened
        same_place = mine is theirs or mine.store == theirs.store
        return same_place and self.steps == other.steps and have_same_samples(self.selection, other.selection)

    def samples(self) -> Iterator[Any]:
        """Return an iterator over what comes out of all steps."""
        self._check_ends()
        read = self.reader.ordered() if self.is_whole else self.reader.read(self.selection.locations)
        return through(read, self.steps)

    def batches(self, batch_size: int) -> Iterator[SampleBatch[Any]]:
        """Return an iterator over what comes out of all steps, in batches."""
        if self.steps:
            return batched(self.samples(), batch_size)
        self._check_ends()
        if self.is_whole:
            return self.reader.ordered_batches(batch_size)
        return self.reader.read_batches(self.selection.locations, batch_size)

    def batches_at(self, locations: Locations, batch_size: int) -> Iterator[SampleBatch[Any]]:
        """Return an iterator over the samples at some places, in batches."""
        if not self.steps:
            return self.reader.read_batches(locations, batch_size)
        return batched(through(self.reader.read(locations), self.steps), batch_size)

    def by_shard(self) -> Callable[[str], Iterator[Any]]:
        """Return what gives the samples of one shard, in their order."""
        if self.is_whole:
            return lambda shard_id: through(self.reader.ordered([shard_id]), self.steps)
        locations = self.selection.locations
        order = np.argsort(locations.shards, kind="stable")
        ends = np.searchsorted(locations.shards[order], np.arange(len(locations.shard_ids)), side="right")
        rows = dict(zip(locations.shard_ids, np.split(order, ends), strict=False))
        return lambda shard_id: through(self.reader.read(locations[rows[shard_id]]), self.steps)

    def at(self, index: Any) -> Any:
        """Return the sample at a position.

        Raises:
            SampleIndexError: There is none.
            SampleValueError: It is not a whole number.
        """
        if self.filters:
            samples = list(self.samples())
            return samples[to_position(index, len(samples))]
        sample = self.reader.one(*self.selection.locate(index))
        return next(through([sample], self.steps)) if self.steps else sample

    def with_key(self, key: str) -> Any:
        """Return the sample with a key.

        Raises:
            SampleKeyError: There is none, or a step leaves it out.
            AmbiguousKeyError: The key is there in more than one shard.
        """
        position = self.selection.position_of(key)
        for sample in through([self.reader.one(self.selection.locations, position)], self.steps):
            return sample
        raise SampleKeyError(key, f"the sample {key!r} is there, and a filter step leaves it out")

    def selected(self, indices: RowsLike) -> list[Any]:
        """Return the samples at some positions, keys or locations, in that order."""
        if not self.filters:
            return list(through(self.reader.read(take(self.selection, indices).locations), self.steps))
        samples = list(self.samples())
        positions: Any = indices
        return [samples[to_position(index, len(samples))] for index in positions]

    def decoded(self, sample: Mapping[str, Any]) -> Any:
        """Return the sample in a payload that another library read, through the map steps.

        Raises:
            DecodeError: There is no payload, or it is not a sample of the type.
        """
        if MSGPACK not in sample:
            raise DecodeError(f"expected a dict with the payload as {MSGPACK!r}; found {list(sample)}")
        maps = tuple(step for step in self.steps if step.kind == "map")
        return next(through([LAYOUTS[MSGPACK].decoder_of(self.read_type)(sample[MSGPACK])], maps))

    def decoded_batch(self, batch: Mapping[str, Any]) -> SampleBatch[Any]:
        """Return the batch of the payloads that another library read, through the map steps."""
        names = [name for name in batch if name in (MSGPACK, "__key__")]
        rows = zip(*(batch[name] for name in names), strict=True)
        return SampleBatch([self.decoded(dict(zip(names, row, strict=True))) for row in rows])

    def _check_ends(self) -> None:
        """Check, before samples are read without a type, that the first and the last shard are of one."""
        if self.named_type is None:
            self._check_types(self.selection.end_shards)

    def _check_types(self, shard_ids: Sequence[str]) -> None:
        if self.named_type is None:
            self.opened.check_one_type(shard_ids)


def type_argument(kind: type, generic: type) -> Any:
    """Return the type that a class names for a generic one: ``Photo`` of ``class Photos(Dataset[Photo])``, or None."""
    for base in kind.__mro__:
        for alias in vars(base).get("__orig_bases__", ()):
            origin, arguments = get_origin(alias), get_args(alias)
            named = isinstance(origin, type) and issubclass(origin, generic)
            if named and not isinstance(arguments[0], TypeVar):
                return arguments[0]
    return None


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
