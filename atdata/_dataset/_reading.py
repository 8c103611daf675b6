"""Reading samples: in order, one by one, by position or key, through steps."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, TypeVar, get_args, overload

import polars as pl

from atdata._errors import SampleKeyError
from atdata._manifest import SampleLocation
from atdata._options import check_limit, whole
from atdata._read import Step, Verify, as_locations, through
from atdata._sample import SampleBatch
from atdata._shards import to_position

from ._taking import Rows, position_of_key, take
from ._training import Training

if TYPE_CHECKING:
    from ._dataset import Dataset

__all__ = ["Reading"]

S = TypeVar("S")
R = TypeVar("R")


class Reading(Training[S]):
    """What reads a dataset's samples."""

    def __iter__(self) -> Iterator[S]:
        return self._samples()

    @overload
    def ordered(self, batch_size: None = None) -> Iterator[S]: ...

    @overload
    def ordered(self, batch_size: int) -> Iterator[SampleBatch[S]]: ...

    def ordered(self, batch_size: int | None = None) -> Iterator[S] | Iterator[SampleBatch[S]]:
        """Return an iterator over all samples, in shard order, then tar order; of a selection, in its own order.

        Args:
            batch_size: Samples a batch; the last batch may be shorter. None gives the samples one by one.

        Raises:
            ValueError: ``batch_size`` is below 1.
            ShardChangedError: While iterating: a tar is not what its manifest promises.
            DecodeError: While iterating: a payload is no sample of the type.
        """
        if batch_size is None:
            return iter(self)
        check_limit("batch_size", batch_size)
        return self._batches(batch_size)

    def head(self, n: int = 5) -> list[S]:
        """Return the first samples, at most ``n``.

        Raises:
            ValueError: ``n`` is no whole number from 0.
        """
        return list(itertools.islice(self, whole("n", n)))

    def filter(self, keep: Callable[[S], object]) -> Self:
        """Return the samples for which a function of the sample is true; it is called when they are read.

        What can be said of manifest columns goes to :meth:`Dataset.where`, which reads no sample that it leaves out.
        Positions of what is filtered read the samples; ``len`` is refused.

        Raises:
            TypeError: ``keep`` cannot be called.
        """
        if not callable(keep):
            raise TypeError(
                f"filter takes a function of a sample, found {type(keep).__name__}; what is asked of columns, such as "
                "pl.col('label') == 'dog', goes to where()"
            )
        return self._then(Step("filter", keep))

    def map(self, function: Callable[[S], R]) -> "Dataset[R]":
        """Return what a function makes of each sample; it is called when they are read, also for batches.

        Raises:
            TypeError: ``function`` cannot be called.
        """
        if not callable(function):
            raise TypeError(f"map takes a function of a sample; found {type(function).__name__}")
        mapped: Any = self._then(Step("map", function))
        return mapped  # type: ignore[no-any-return]  # of the same class, with other samples

    def select(self, indices: Rows) -> list[S]:
        """Return the samples at some positions, in that order; also at keys or locations, as :meth:`Dataset.take`.

        Raises:
            SampleIndexError: A position is beyond the samples.
            SampleValueError: What was given names no samples; behind a filter, anything but positions.
        """
        if not self._filters:
            return list(through(self._reader.read(take(self._selection, indices).locations), self._steps))
        samples = list(self)
        positions: Any = indices
        return [samples[to_position(index, len(samples))] for index in positions]

    def get(self, key: str) -> S:
        """Return the sample with a key.

        Raises:
            SampleKeyError: There is none.
            AmbiguousKeyError: The key is there in more than one shard.
        """
        sample: S = self._reader.one(self._locations(), position_of_key(self._selection, key))
        for passed in through([sample], self._steps):
            return passed  # type: ignore[no-any-return]  # what the steps make of it
        raise SampleKeyError(key, f"the sample {key!r} is there, and a filter step leaves it out")

    @overload
    def __getitem__(self, index: SupportsIndex | str) -> S: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: SupportsIndex | str | slice) -> S | Self:
        """Return the sample at a position, or with a key; of a slice of positions, those samples as a dataset.

        Raises:
            SampleIndexError: The position is beyond the samples.
            SampleValueError: It is neither a position, nor a slice, nor a key.
            TypeError: A slice, behind a filter.
            SampleKeyError: No sample has the key.
            AmbiguousKeyError: The key is there in more than one shard.
        """
        if isinstance(index, str):
            return self.get(index)
        if isinstance(index, slice):
            self._check_positions("list(ds)[a:b]")
            return self._over(self._selection.at(index))
        if self._filters:
            samples = list(self)
            return samples[to_position(index, len(samples))]
        locations = self._locations()
        sample: S = self._reader.one(locations, to_position(index, len(locations)))
        if not self._steps:
            return sample
        found: Iterator[S] = through([sample], self._steps)
        return next(found)

    def fetch(self, locations: Iterable[SampleLocation] | pl.DataFrame, *, verify: Verify = "fetch") -> Iterator[S]:
        """Return an iterator over the samples at some locations, in the order asked for.

        Only their bytes are read, in windows of at most 2 MiB, and each sample's length, name and checksum are
        checked before it is decoded.

        Args:
            locations: Where: what :meth:`query` returned, or any frame with the columns ``__shard__``, ``__key__`` and
                ``__offset__``, as :meth:`scan` has them. Size and CRC come from the manifest where they are lacking.
            verify: ``"fetch"`` checks each sample; ``"full"`` also each tar's SHA-256, which reads the whole tar;
                ``"none"`` leaves out the samples' checksums.

        Raises:
            ShardChangedError: While iterating: the bytes are not the sample that the location names.
            DecodeError: While iterating: a payload is no sample of the type.
            SampleKeyError: A location without a size names a key that is not there.
            SampleValueError: What was given is no location.
            ValueError: There is no such ``verify``.
        """
        if verify not in get_args(Verify):
            raise ValueError(f"verify is one of {', '.join(get_args(Verify))}; found {verify!r}")
        return through(self._reader.fetch(as_locations(locations), verify), self._steps)
