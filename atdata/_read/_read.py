"""Reading samples: their bytes by plan, each checked by its fence, then decoded."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from atdata._errors import DecodeError, ShardChangedError
from atdata._manifest import SampleLocation
from atdata._sample import SampleBatch, decoder_of, gatherer_of
from atdata._shards import NO_CRC, Locations, Verify
from atdata._storage import ReadLimits
from atdata._tar import fenced_payload, key_in

from ._places import Places
from ._plan import Ints, windows
from ._ranges import RangeReader, Run, Window, check_inside, outside

__all__ = ["SampleReader"]

#: A sample's bytes, unchecked, with what is promised of them: shard, key, offset, size and CRC-32.
Found: TypeAlias = tuple[memoryview, str, str | None, int, int, int | None]


class SampleReader:
    """Reads and decodes the samples of a dataset.

    It crosses processes, and works in forked ones: what it is asked to read is numbers.

    Args:
        places: Where the tars are, and the samples in them.
        sample_type: What samples are decoded as.
        limits: How much is read at once; None for what the store reads best.
    """

    def __init__(self, places: Places, sample_type: type, limits: ReadLimits | None = None) -> None:
        self._places = places
        limits = limits or places.tars.limits
        self._type = sample_type
        self._limits = limits
        #: In order, a shard is read span by span, each as long as a request may be.
        self._spans = dataclasses.replace(limits, first_window=limits.longest, window=limits.longest)
        self._decode: Callable[[memoryview], Any] = decoder_of(sample_type)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._places, self._type, self._limits)

    def ordered(self, shard_ids: Sequence[str] | None = None) -> Iterator[Any]:
        """Yield every sample of some shards, or of all, shard after shard, in tar order.

        Raises:
            ShardChangedError: A tar is not what its manifest promises, or changed while it was read.
            DecodeError: A payload is no sample of the type.
        """
        return self._decoded(self._in_order(shard_ids))

    def ordered_batches(self, batch_size: int, shard_ids: Sequence[str] | None = None) -> Iterator[SampleBatch[Any]]:
        """Yield what :meth:`ordered` yields, in batches; the last one may be shorter."""
        return self._batched(self._in_order(shard_ids), batch_size)

    def read(self, locations: Locations, *, verify: Verify = "fetch") -> Iterator[Any]:
        """Yield the samples at some places, in their order, each checked.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: A payload is no sample of the type.
            ValueError: The samples have neither keys nor checksums to be told by.
        """
        return self._decoded(self._picked(locations, verify))

    def read_batches(
        self, locations: Locations, batch_size: int, *, verify: Verify = "fetch"
    ) -> Iterator[SampleBatch[Any]]:
        """Yield what :meth:`read` yields, in batches; the last one may be shorter."""
        return self._batched(self._picked(locations, verify), min(batch_size, max(len(locations), 1)))

    def runs(self, locations: Locations, *, verify: Verify = "fetch") -> Iterator[memoryview]:
        """Yield the bytes of each sample's members, checked; each holds until the next one is asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            ValueError: The samples have neither keys nor checksums to be told by.
        """
        for found in self._picked(locations, verify):
            fenced_payload(*found)
            yield found[0]

    def payloads(self, locations: Locations, *, verify: Verify = "fetch") -> Iterator[memoryview]:
        """Yield what each sample's member holds, checked and not decoded; each holds until the next one is asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            ValueError: The samples have neither keys nor checksums to be told by.
        """
        for found in self._picked(locations, verify):
            yield fenced_payload(*found)

    def one(self, locations: Locations, index: int, *, verify: Verify = "fetch") -> Any:
        """Return one of the samples at some places, as :meth:`read` yields it.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: The payload is no sample of the type.
            ValueError: The sample has neither key nor checksum to be told by.
        """
        found = self._pick(locations, index, verify)
        try:
            return self._decode(fenced_payload(*found))
        except DecodeError as error:
            raise _located(error, found) from error

    def fetch(self, locations: Iterable[SampleLocation], verify: Verify) -> Iterator[Any]:
        """Yield the samples at some locations, in the order asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: A payload is no sample of the type.
            SampleKeyError: A location without a size names a key that is not there.
        """
        return self._decoded(self._at_locations(locations, verify))

    def _decoded(self, found: Iterator[Found]) -> Iterator[Any]:
        for each in found:
            payload = fenced_payload(*each)
            try:
                sample = self._decode(payload)
            except DecodeError as error:
                raise _located(error, each) from error
            yield sample

    def _batched(self, found: Iterator[Found], batch_size: int) -> Iterator[SampleBatch[Any]]:
        gatherer = gatherer_of(self._type, batch_size)
        for each in found:
            payload = fenced_payload(*each)
            try:
                gatherer.add(payload)
            except DecodeError as error:
                raise _located(error, each) from error
            if gatherer.count == batch_size:
                yield gatherer.take()
        if gatherer.count:
            yield gatherer.take()

    def _in_order(self, shard_ids: Sequence[str] | None) -> Iterator[Found]:
        tars = self._places.tars
        ranges = RangeReader(tars, lambda shard_id: tars.open(shard_id, "fetch"), self._spans)
        for shard_id in self._places.shard_ids if shard_ids is None else shard_ids:
            self._places.check_known(shard_id)
            file = tars.open(shard_id, "fetch")
            keys, offsets, sizes, crcs = self._places.of_shard(shard_id, file)
            whole = Window((shard_id,), np.zeros(len(keys), np.intp), *_int64(offsets, sizes), keys)
            check_inside(whole, np.array([file.size]))
            for start, end in windows(whole.sizes, self._spans):
                part = slice(start, end)
                window = Window((shard_id,), whole.shards[part], whole.offsets[part], whole.sizes[part], keys[part])
                yield from _found(ranges.read(window, file), window, crcs[part])

    def _picked(self, locations: Locations, verify: Verify) -> Iterator[Found]:
        if len(locations) == 1:
            yield self._pick(locations, 0, verify)
            return
        if locations.keys is None and verify != "none" and (locations.crc32s == NO_CRC).any():
            raise _nothing_to_tell_by()
        ranges = self._ranges(verify)
        for start, end in windows(locations.sizes, self._limits):
            part = locations[start:end]
            keys = None if part.keys is None else part.keys.to_list()
            window = Window(part.shard_ids, part.shards, part.offsets, part.sizes, keys)
            yield from _found(ranges.read(window), window, _crcs(part.crc32s.tolist(), verify))

    def _at_locations(self, locations: Iterable[SampleLocation], verify: Verify) -> Iterator[Found]:
        complete = map(self._places.complete, locations)
        begun = list(itertools.islice(complete, 2))
        if len(begun) == 1:
            only = begun[0]
            yield self._single(only.shard, only.key, only.offset, only.size or 0, only.crc32, verify)
            return
        ranges = self._ranges(verify)
        for gathered in _in_windows(itertools.chain(begun, complete), self._limits):
            numbers: dict[str, int] = {}
            shards = np.array([numbers.setdefault(each.shard, len(numbers)) for each in gathered])
            try:
                columns = _int64([each.offset for each in gathered], [each.size for each in gathered])
            except OverflowError:
                raise self._beyond_any_tar(gathered) from None
            window = Window(list(numbers), shards, *columns, [each.key for each in gathered])
            crcs = itertools.repeat(None) if verify == "none" else [each.crc32 for each in gathered]
            yield from _found(ranges.read(window), window, crcs)

    def _beyond_any_tar(self, locations: Sequence[SampleLocation]) -> ShardChangedError:
        far = next(each for each in locations if max(abs(each.offset), abs(each.size or 0)) >= 1 << 63)
        file = self._places.tars.open(far.shard, "none")
        return outside(far.shard, far.key, far.offset, far.size or 0, file.size)

    def _pick(self, locations: Locations, index: int, verify: Verify) -> Found:
        shard_id, crc = locations.shard_ids[locations.shards[index]], int(locations.crc32s[index])
        key = None if locations.keys is None else locations.keys[index]
        if key is None and crc == NO_CRC and verify != "none":
            raise _nothing_to_tell_by()
        known = None if crc == NO_CRC else crc
        return self._single(shard_id, key, int(locations.offsets[index]), int(locations.sizes[index]), known, verify)

    def _single(self, shard_id: str, key: str | None, offset: int, size: int, crc: int | None, verify: Verify) -> Found:
        """Read one sample: what a window would cost more to plan than to read."""
        file = self._places.open_tar(shard_id, verify)
        if not 0 <= offset < offset + size <= file.size:
            raise outside(shard_id, key, offset, size, file.size)
        memory = memoryview(bytearray(size))
        self._places.tars.fill((shard_id,), [(file, offset, memory)])
        return memory, shard_id, key, offset, size, None if verify == "none" else crc

    def _ranges(self, verify: Verify) -> RangeReader:
        return RangeReader(self._places.tars, lambda shard_id: self._places.open_tar(shard_id, verify), self._limits)


def _found(run: Run, window: Window, crcs: Iterable[int | None]) -> Iterator[Found]:
    memory, shard_ids = run.memory, window.shard_ids
    keys = itertools.repeat(None) if window.keys is None else window.keys
    columns = (column.tolist() for column in window[1:4])
    for at, crc, key, shard, offset, size in zip(run.starts, crcs, keys, *columns, strict=False):
        yield memory[at : at + size], shard_ids[shard], key, offset, size, crc


def _crcs(recorded: list[int], verify: Verify) -> Iterable[int | None]:
    if verify == "none":
        return itertools.repeat(None)
    return [None if crc == NO_CRC else crc for crc in recorded] if NO_CRC in recorded else recorded


def _in_windows(locations: Iterator[SampleLocation], limits: ReadLimits) -> Iterator[list[SampleLocation]]:
    """Gather locations as they come, as :func:`windows` does where all are known."""
    budget, used = limits.first_window, 0
    gathered: list[SampleLocation] = []
    for location in locations:
        size = location.size or 0
        if gathered and used + size > budget:
            yield gathered
            gathered, used, budget = [], 0, min(2 * budget, limits.window)
        gathered.append(location)
        used += size
    if gathered:
        yield gathered


def _int64(offsets: Sequence[int], sizes: Sequence[int | None]) -> tuple[Ints, Ints]:
    return np.array(offsets, np.int64), np.array(sizes, np.int64)


def _nothing_to_tell_by() -> ValueError:
    return ValueError("samples can be checked by their keys or by their checksums; these have neither")


def _located(error: DecodeError, found: Found) -> DecodeError:
    run, shard_id, key, offset, *_ = found
    named = key_in(run) if key is None else key
    return DecodeError(f"shard {shard_id!r}, sample {named!r} at offset {offset}: {error}")
