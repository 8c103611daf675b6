"""Reading samples: their bytes by plan, each checked by its fence, then decoded, then passed through steps."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from atdata._errors import DecodeError
from atdata._manifest import SampleLocation
from atdata._sample import SampleBatch, layout_of
from atdata._shards import NO_CRC, Locations, Verify
from atdata._storage import OpenFile, ReadLimits
from atdata._tar import Members, key_in, sole_payload, verified_members

from ._opened import Locator
from ._ranges import ByteRun, RangeReader, windows

__all__ = ["SampleReader", "Step", "Steps", "batched", "through"]

#: A sample's bytes, unchecked, with what is promised of them: shard, key, offset, size and CRC-32.
StoredSample: TypeAlias = tuple[memoryview, str, str | None, int, int, int | None]


class _Window(NamedTuple):
    """Samples that are read together."""

    locations: Locations
    #: The one tar that they are in, where it is open and they are known to lie in it.
    file: OpenFile | None = None


class SampleReader:
    """Reads and decodes the samples of a dataset.

    It crosses processes, and works in forked ones: what it is asked to read is numbers.

    Args:
        places: Where the tars are, and the samples in them.
        sample_type: What samples are decoded as.
        limits: How much is read at once; None for what the store reads best.
    """

    def __init__(self, places: Locator, sample_type: type, limits: ReadLimits | None = None) -> None:
        self._places = places
        limits = limits or places.tars.limits
        self._type = sample_type
        self._limits = limits
        #: In order, a shard is read span by span, each as long as a request may be.
        self._spans = dataclasses.replace(limits, first_window=limits.longest, window=limits.longest)
        self._layout = layout_of(sample_type)
        self._decode: Callable[[bytes | memoryview], Any] = self._layout.decoder_of(sample_type)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._places, self._type, self._limits)

    def ordered(self, shard_ids: Sequence[str] | None = None) -> Iterator[Any]:
        """Yield every sample of some shards, or of all, shard after shard, in tar order.

        Raises:
            ShardChangedError: A tar is not what its manifest promises, or changed while it was read.
            DecodeError: A payload is no sample of the type.
        """
        return self._decoded(self._ordered(shard_ids))

    def ordered_batches(self, batch_size: int, shard_ids: Sequence[str] | None = None) -> Iterator[SampleBatch[Any]]:
        """Yield what :meth:`ordered` yields, in batches; the last one may be shorter."""
        return self._batched(self._ordered(shard_ids), batch_size)

    def read(self, locations: Locations, *, verify: Verify = "fetch") -> Iterator[Any]:
        """Yield the samples at some places, in their order, each checked.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: A payload is no sample of the type.
            ValueError: The samples have neither keys nor checksums to be told by.
        """
        return self._decoded(self._located(locations, verify))

    def read_batches(
        self, locations: Locations, batch_size: int, *, verify: Verify = "fetch"
    ) -> Iterator[SampleBatch[Any]]:
        """Yield what :meth:`read` yields, in batches; the last one may be shorter."""
        return self._batched(self._located(locations, verify), min(batch_size, max(len(locations), 1)))

    def runs(self, locations: Locations, *, verify: Verify = "fetch") -> Iterator[memoryview]:
        """Yield the bytes of each sample's members, checked; each holds until the next one is asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            ValueError: The samples have neither keys nor checksums to be told by.
        """
        suffix = self._layout.suffix
        for stored in self._located(locations, verify):
            run, _, key, _, size, crc = stored
            if sole_payload(run, key, size, crc, suffix) is None:
                verified_members(*stored)
            yield run

    def members(self, locations: Locations, *, verify: Verify = "fetch") -> Iterator[Members]:
        """Yield each sample's members, checked and not decoded; they hold until the next ones are asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: The members are not those of a sample of the type.
            ValueError: The samples have neither keys nor checksums to be told by.
        """
        for stored in self._located(locations, verify):
            members = verified_members(*stored)
            self._payload(stored, members)
            yield members

    def one(self, locations: Locations, index: int, *, verify: Verify = "fetch") -> Any:
        """Return one of the samples at some places, as :meth:`read` yields it.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: The payload is no sample of the type.
            ValueError: The sample has neither key nor checksum to be told by.
        """
        stored = self._single(locations, index, verify)
        run, _, key, _, size, crc = stored
        payload = sole_payload(run, key, size, crc, self._layout.suffix)
        if payload is None:
            payload = self._payload(stored, verified_members(*stored))
        try:
            return self._decode(payload)
        except DecodeError as error:
            raise _named(error, stored) from error

    def fetch(self, locations: Iterable[SampleLocation], verify: Verify) -> Iterator[Any]:
        """Yield the samples at some locations, in the order asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: A payload is no sample of the type.
            SampleKeyError: A location without a size names a key that is not there.
        """
        complete = map(self._places.complete, locations)
        return self._decoded(self._read(map(_Window, _gathered(complete, self._limits)), verify))

    def _decoded(self, samples: Iterator[StoredSample]) -> Iterator[Any]:
        suffix = self._layout.suffix
        for stored in samples:
            run, _, key, _, size, crc = stored
            payload = sole_payload(run, key, size, crc, suffix)
            if payload is None:
                payload = self._payload(stored, verified_members(*stored))
            try:
                sample = self._decode(payload)
            except DecodeError as error:
                raise _named(error, stored) from error
            yield sample

    def _batched(self, samples: Iterator[StoredSample], batch_size: int) -> Iterator[SampleBatch[Any]]:
        suffix = self._layout.suffix
        gatherer = self._layout.gatherer_of(self._type, batch_size)
        for stored in samples:
            run, _, key, _, size, crc = stored
            payload = sole_payload(run, key, size, crc, suffix)
            if payload is None:
                payload = self._payload(stored, verified_members(*stored))
            try:
                gatherer.add(payload)
            except DecodeError as error:
                raise _named(error, stored) from error
            if gatherer.count == batch_size:
                yield gatherer.take()
        if gatherer.count:
            yield gatherer.take()

    def _payload(self, stored: StoredSample, members: Members) -> memoryview:
        try:
            return self._layout.payload(members)
        except DecodeError as error:
            raise _named(error, stored) from error

    def _ordered(self, shard_ids: Sequence[str] | None) -> Iterator[StoredSample]:
        open_tar = functools.partial(self._places.tars.open, verify="fetch")
        ranges = RangeReader(self._places.tars, open_tar, self._places.outside, self._spans)
        ids = self._places.shard_ids if shard_ids is None else shard_ids
        return self._read(self._windows_in_order(ids, ranges), "fetch", ranges)

    def _windows_in_order(self, shard_ids: Sequence[str], ranges: RangeReader) -> Iterator[_Window]:
        for shard_id in shard_ids:
            self._places.check_known(shard_id)
            file = self._places.tars.open(shard_id, "fetch")
            locations = self._places.of_shard(shard_id, file)
            ranges.check_inside(locations, np.array([file.size]))
            for start, end in windows(locations.sizes, self._spans):
                yield _Window(locations[start:end], file)

    def _located(self, locations: Locations, verify: Verify) -> Iterator[StoredSample]:
        if locations.keys is None and verify != "none" and (locations.crc32s == NO_CRC).any():
            raise _nothing_to_tell_by()
        bounds = windows(locations.sizes, self._limits)
        return self._read((_Window(locations[start:end]) for start, end in bounds), verify)

    def _read(
        self, several: Iterator[_Window], verify: Verify, ranges: RangeReader | None = None
    ) -> Iterator[StoredSample]:
        """Yield the samples of windows, in their order: the one way from places to bytes."""
        first = next(several, None)
        if first is None:
            return
        begun = [first]
        if len(first.locations) == 1 and first.file is None:
            begun += itertools.islice(several, 1)
            if len(begun) == 1:
                yield self._single(first.locations, 0, verify)
                return
        if ranges is None:
            open_tar = functools.partial(self._places.open_tar, verify=verify)
            ranges = RangeReader(self._places.tars, open_tar, self._places.outside, self._limits)
        for window, file in itertools.chain(begun, several):
            yield from _stored(ranges.read(window, file), window, verify)

    def _single(self, locations: Locations, index: int, verify: Verify) -> StoredSample:
        """Read one sample: what a window would cost more to plan than to read."""
        shard_id, crc = locations.shard_ids[locations.shards[index]], int(locations.crc32s[index])
        offset, size = int(locations.offsets[index]), int(locations.sizes[index])
        key = None if locations.keys is None else locations.keys[index]
        if key is None and crc == NO_CRC and verify != "none":
            raise _nothing_to_tell_by()
        file = self._places.open_tar(shard_id, verify)
        if not 0 <= offset < offset + size <= file.size:
            raise self._places.outside(locations, index, file.size)
        memory = memoryview(bytearray(size))
        self._places.tars.fill((shard_id,), [(file, offset, memory)])
        return memory, shard_id, key, offset, size, None if verify == "none" or crc == NO_CRC else crc


def _stored(run: ByteRun, window: Locations, verify: Verify) -> Iterator[StoredSample]:
    memory, shard_ids = run.memory, window.shard_ids
    keys = itertools.repeat(None) if window.keys is None else window.keys.to_list()
    crcs = itertools.repeat(None) if verify == "none" else _recorded(window.crc32s.tolist())
    columns = (column.tolist() for column in (window.shards, window.offsets, window.sizes))
    for at, crc, key, shard, offset, size in zip(run.starts, crcs, keys, *columns, strict=False):
        yield memory[at : at + size], shard_ids[shard], key, offset, size, crc


def _recorded(crcs: list[int]) -> Iterable[int | None]:
    return [None if crc == NO_CRC else crc for crc in crcs] if NO_CRC in crcs else crcs


def _gathered(locations: Iterator[SampleLocation], limits: ReadLimits) -> Iterator[Locations]:
    """Gather locations as they come, as :func:`windows` does where all are known."""
    budget, used = limits.first_window, 0
    gathered: list[SampleLocation] = []
    for location in locations:
        size = location.size or 0
        if gathered and used + size > budget:
            yield Locations.from_locations(gathered)
            gathered, used, budget = [], 0, min(2 * budget, limits.window)
        gathered.append(location)
        used += size
    if gathered:
        yield Locations.from_locations(gathered)


def _nothing_to_tell_by() -> ValueError:
    return ValueError("samples can be checked by their keys or by their checksums; these have neither")


def _named(error: DecodeError, stored: StoredSample) -> DecodeError:
    run, shard_id, key, offset, *_ = stored
    named = key_in(run) if key is None else key
    return DecodeError(f"shard {shard_id!r}, sample {named!r} at offset {offset}: {error}")


class Step(NamedTuple):
    """One function that samples pass through."""

    kind: Literal["filter", "map"]
    function: Callable[[Any], Any]


#: Steps in the order in which samples pass through them.
Steps: TypeAlias = tuple[Step, ...]


def through(samples: Iterable[Any], steps: Steps) -> Iterator[Any]:
    """Yield what comes out of some steps."""
    for step in steps:
        samples = map(step.function, samples) if step.kind == "map" else filter(step.function, samples)
    return iter(samples)


def batched(samples: Iterable[Any], batch_size: int) -> Iterator[SampleBatch[Any]]:
    """Yield samples in batches; the last may be shorter."""
    remaining = iter(samples)
    while batch := list(itertools.islice(remaining, batch_size)):
        yield SampleBatch(batch)
