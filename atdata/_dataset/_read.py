"""Reading samples: plan which bytes, read them, check each one, decode it."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from atdata._errors import DecodeError, ShardChangedError
from atdata._sample import decode_sample
from atdata._shard import fenced_payload
from atdata._store import Store
from atdata.manifest import SampleLocation

from ._places import Place, Places, Verify

__all__ = ["SampleReader", "spans", "windows"]

#: How many bytes of a tar are read at once, in order.
_SPAN = 1 << 22
#: How many bytes of samples are planned and held together: few at first, so that the first sample comes soon.
_FIRST_WINDOW, _LAST_WINDOW = 1 << 20, 1 << 28


class Span(NamedTuple):
    """Samples that lie side by side, read at once."""

    offset: int
    length: int
    places: list[Place]


def spans(places: Iterable[Place], limit: int) -> Iterator[Span]:
    """Join samples that lie side by side to spans of at most ``limit`` bytes, where one sample is not more."""
    joined: list[Place] = []
    start = end = 0
    for place in places:
        if joined and (place.offset != end or place.offset + place.size - start > limit):
            yield Span(start, end - start, joined)
            joined = []
        if not joined:
            start = place.offset
        joined.append(place)
        end = place.offset + place.size
    if joined:
        yield Span(start, end - start, joined)


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
        self._sample_type = sample_type

    def ordered(self) -> Iterator[Any]:
        """Yield every sample, shard after shard, in tar order.

        Raises:
            ShardChangedError: A tar is not what its manifest promises.
            DecodeError: A payload is no sample of the type.
        """
        for shard_id in self._places.shard_ids:
            tar_size = self._places.check_tar(shard_id, "fetch")
            places = (_inside(shard_id, place, tar_size) for place in self._places.of_shard(shard_id))
            for span in spans(places, _SPAN):
                (data,) = self._store.read_ranges(f"{shard_id}.tar", [(span.offset, span.length)])
                view = memoryview(data)
                for place in span.places:
                    start = place.offset - span.offset
                    yield self._sample(view[start : start + place.size], shard_id, *place)

    def fetch(self, locations: Iterable[SampleLocation], verify: Verify) -> Iterator[Any]:
        """Yield the samples at some locations, in the order asked for.

        Raises:
            ShardChangedError: The bytes there are not the sample that the location names.
            DecodeError: A payload is no sample of the type.
            SampleKeyError: A location without a size names a key that is not there.
        """
        upcoming, measured = itertools.tee(map(self._places.complete, locations))
        checked: set[str] = set()
        sizes = (location.size or 0 for location in measured)
        for count in windows(sizes, _FIRST_WINDOW, _LAST_WINDOW):
            window = list(itertools.islice(upcoming, count))
            yield from self._window(window, verify, checked)

    def _window(self, window: Sequence[SampleLocation], verify: Verify, checked: set[str]) -> Iterator[Any]:
        by_shard: dict[str, list[int]] = defaultdict(list)
        for index, location in enumerate(window):
            by_shard[location.shard].append(index)
        runs: list[bytes] = [b""] * len(window)
        for shard_id, indices in by_shard.items():
            tar_size = self._places.check_tar(shard_id, "fetch" if shard_id in checked else verify)
            checked.add(shard_id)
            indices.sort(key=lambda index: window[index].offset)
            places = (_inside(shard_id, _place(window[index]), tar_size) for index in indices)
            ranges = [(place.offset, place.size) for place in places]
            for index, run in zip(indices, self._store.read_ranges(f"{shard_id}.tar", ranges), strict=True):
                runs[index] = run
        for location, run in zip(window, runs, strict=True):
            crc = None if verify == "none" else location.crc32
            yield self._sample(memoryview(run), location.shard, location.key, location.offset, location.size or 0, crc)

    def _sample(self, run: memoryview, shard_id: str, key: str, offset: int, size: int, crc: int | None) -> Any:
        payload = fenced_payload(run, shard_id, key, offset, size, crc)
        try:
            return decode_sample(self._sample_type, payload)
        except DecodeError as error:
            raise DecodeError(f"shard {shard_id!r}, sample {key!r} at offset {offset}: {error}") from error


def _place(location: SampleLocation) -> Place:
    return Place(location.key, location.offset, location.size or 0, location.crc32)


def _inside(shard_id: str, place: Place, tar_size: int) -> Place:
    """Return a place that lies in its tar, so that no length is believed before it is checked."""
    if 0 <= place.offset < place.offset + place.size <= tar_size:
        return place
    raise ShardChangedError.at_location(
        shard_id,
        place.key,
        place.offset,
        expected=f"a place inside the tar's {tar_size} bytes",
        found=f"{place.size} bytes from {place.offset}",
    )
