"""Reading samples: plan which bytes, read them, check each one, decode it."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from atdata._errors import DecodeError, ShardChangedError
from atdata._sample import SampleBatch, decoder_of
from atdata._shard import fenced_payload
from atdata._store import Store
from atdata.manifest import SampleLocation

from ._picks import NO_CRC, Picks
from ._places import Places, Verify

__all__ = ["SampleReader", "spans", "windows"]

#: How many bytes of a tar are read at once, in order: few enough to stay in the processor's cache until decoded.
_SPAN = 1 << 20
#: How many bytes of samples are planned and held together: few at first, so that the first sample comes soon, and never
#: so many that the allocator asks the system for new pages each time, which costs more than reading them.
_FIRST_WINDOW, _LAST_WINDOW = 1 << 18, 1 << 21


class Span(NamedTuple):
    """Samples that lie side by side, read at once."""

    #: The first sample, and the one after the last.
    first: int
    end: int
    #: In bytes from the start of the tar.
    offset: int
    #: In bytes.
    length: int


def spans(offsets: Sequence[int], sizes: Sequence[int], limit: int) -> Iterator[Span]:
    """Join samples that lie side by side to spans of at most ``limit`` bytes, where one sample is not more."""
    first = start = end = 0
    for index, (offset, size) in enumerate(zip(offsets, sizes, strict=True)):
        if offset != end or end + size - start > limit:
            if index > first:
                yield Span(first, index, start, end - start)
            first, start = index, offset
        end = offset + size
    if end > start:
        yield Span(first, len(offsets), start, end - start)


def windows(sizes: Iterable[int], first: int, last: int) -> Iterator[int]:
    """Cut a run of sizes into windows; yield how many each takes. A window's budget doubles from first to last."""
    budget, used, count = first, 0, 0
    for size in sizes:
        if count and used + size > budget:
            yield count
            budget, used, count = min(2 * budget, last), 0, 0
        used += size
        count += 1
    if count:
        yield count


class SampleReader:
    """Reads and decodes the samples of a dataset."""

    def __init__(self, store: Store, places: Places, sample_type: type) -> None:
        self._store = store
        self._places = places
        self._decode: Callable[[memoryview], Any] = decoder_of(sample_type)

    def ordered_batches(self, batch_size: int, shard_ids: Sequence[str] | None = None) -> Iterator[SampleBatch[Any]]:
        """Yield what :meth:`ordered` yields, in batches; the last one may be shorter."""
        return _batches(self.ordered(shard_ids), batch_size)

    def read(self, picks: Picks, *, verify: Verify = "fetch") -> Iterator[Any]:
        """Yield the samples at some places, in their order, each checked.

        Raises:
            ShardChangedError: The bytes there are not the sample that was picked.
            DecodeError: A payload is no sample of the type.
        """
        return self.fetch(_locations(picks), verify)

    def read_batches(self, picks: Picks, batch_size: int, *, verify: Verify = "fetch") -> Iterator[SampleBatch[Any]]:
        """Yield what :meth:`read` yields, in batches; the last one may be shorter."""
        return _batches(self.read(picks, verify=verify), batch_size)

    def runs(self, picks: Picks, *, verify: Verify = "fetch") -> Iterator[memoryview]:
        """Yield the bytes of each sample's members, checked; each holds until the next one is asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that was picked.
        """
        for location, run in self._runs(_locations(picks), verify):
            self._payload(location, run, verify)
            yield memoryview(run)

    def ordered(self, shard_ids: Sequence[str] | None = None) -> Iterator[Any]:
        """Yield every sample of some shards, or of all, shard after shard, in tar order.

        Raises:
            ShardChangedError: A tar is not what its manifest promises.
            DecodeError: A payload is no sample of the type.
        """
        for shard_id in self._places.shard_ids if shard_ids is None else shard_ids:
            tar_size = self._places.check_tar(shard_id, "fetch")
            places = self._places.of_shard(shard_id)
            _check_inside(shard_id, places.keys, places.offsets, places.sizes, tar_size)
            planned = list(spans(places.offsets, places.sizes, _SPAN))
            ranges = [(span.offset, span.length) for span in planned]
            for span, view in zip(planned, self._store.read_ranges(f"{shard_id}.tar", ranges), strict=True):
                inside = (column[span.first : span.end] for column in places)
                at = span.offset
                for key, offset, size, crc in zip(*inside, strict=True):
                    yield self._sample(view[offset - at : offset - at + size], shard_id, key, offset, size, crc)

    def fetch(self, locations: Iterable[SampleLocation], verify: Verify) -> Iterator[Any]:
        """Yield the samples at some locations, in the order asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: A payload is no sample of the type.
            SampleKeyError: A location without a size names a key that is not there.
        """
        for location, run in self._runs(locations, verify):
            yield self._decoded(self._payload(location, run, verify), location.shard, location.key, location.offset)

    def _runs(self, locations: Iterable[SampleLocation], verify: Verify) -> Iterator[tuple[SampleLocation, bytes]]:
        upcoming, measured = itertools.tee(map(self._places.complete, locations))
        checked: set[str] = set()
        sizes = (location.size or 0 for location in measured)
        for count in windows(sizes, _FIRST_WINDOW, _LAST_WINDOW):
            yield from self._window(list(itertools.islice(upcoming, count)), verify, checked)

    def _window(
        self, window: Sequence[SampleLocation], verify: Verify, checked: set[str]
    ) -> Iterator[tuple[SampleLocation, bytes]]:
        by_shard: dict[str, list[int]] = defaultdict(list)
        for index, location in enumerate(window):
            by_shard[location.shard].append(index)
        runs: list[bytes] = [b""] * len(window)
        for shard_id, indices in by_shard.items():
            tar_size = self._places.check_tar(shard_id, "fetch" if shard_id in checked else verify)
            checked.add(shard_id)
            indices.sort(key=lambda index: window[index].offset)
            keys, offsets, sizes = zip(*(_place(window[index]) for index in indices), strict=True)
            _check_inside(shard_id, keys, offsets, sizes, tar_size)
            ranges = zip(offsets, sizes, strict=True)
            for index, view in zip(indices, self._store.read_ranges(f"{shard_id}.tar", ranges), strict=True):
                runs[index] = bytes(view)
        yield from zip(window, runs, strict=True)

    def _payload(self, location: SampleLocation, run: bytes, verify: Verify) -> memoryview:
        crc = None if verify == "none" else location.crc32
        key, size = location.key, location.size or 0
        return fenced_payload(memoryview(run), location.shard, key, location.offset, size, crc)

    def _sample(self, run: memoryview, shard_id: str, key: str, offset: int, size: int, crc: int | None) -> Any:
        return self._decoded(fenced_payload(run, shard_id, key, offset, size, crc), shard_id, key, offset)

    def _decoded(self, payload: memoryview, shard_id: str, key: str, offset: int) -> Any:
        try:
            return self._decode(payload)
        except DecodeError as error:
            raise DecodeError(f"shard {shard_id!r}, sample {key!r} at offset {offset}: {error}") from error


def _locations(picks: Picks) -> Iterator[SampleLocation]:
    keys = itertools.repeat("") if picks.keys is None else picks.keys.to_list()
    columns = (picks.shards.tolist(), picks.offsets.tolist(), picks.sizes.tolist(), picks.crc32s.tolist())
    for key, shard, offset, size, crc in zip(keys, *columns, strict=False):
        yield SampleLocation(picks.shard_ids[shard], key, offset, size, None if crc == NO_CRC else crc)


def _batches(samples: Iterator[Any], batch_size: int) -> Iterator[SampleBatch[Any]]:
    while batch := list(itertools.islice(samples, batch_size)):
        yield SampleBatch(batch)


def _place(location: SampleLocation) -> tuple[str, int, int]:
    return location.key, location.offset, location.size or 0


def _check_inside(
    shard_id: str, keys: Sequence[str], offsets: Sequence[int], sizes: Sequence[int], tar_size: int
) -> None:
    """Check that places lie in their tar, so that no length is believed before it is checked.

    Raises:
        ShardChangedError: One does not.
    """
    for key, offset, size in zip(keys, offsets, sizes, strict=True):
        if not 0 <= offset < offset + size <= tar_size:
            raise ShardChangedError.at_location(
                shard_id,
                key,
                offset,
                expected=f"a place inside the tar's {tar_size} bytes",
                found=f"{size} bytes from {offset}",
            )
