"""Where a dataset's samples are: from the manifests, or, without them, by walking the tars' headers."""

import functools
import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from atdata._errors import (
    SampleKeyError,
    SampleValueError,
    ShardChangedError,
    ShardError,
    StaleManifestWarning,
    UnsupportedFormatError,
    listed,
    near_misses,
)
from atdata._manifest import PLACE, Listing, SampleLocation
from atdata._query import StoredManifests
from atdata._shards import Tars, Verify
from atdata._storage import OpenFile, Store

__all__ = ["Place", "Places", "ShardPlaces", "as_locations", "check_location_columns"]

#: Of how many shards the keys are kept to complete locations.
_SHARDS_BY_KEY = 64
#: How many columns of a location a frame must have: shard, key and offset.
_NEEDED = 3


def as_locations(given: Iterable[SampleLocation] | pl.DataFrame) -> Iterator[SampleLocation]:
    """Yield what a caller gives as locations.

    Raises:
        SampleValueError: It is something else.
    """
    if isinstance(given, pl.DataFrame):
        if missing := [name for name in PLACE[:_NEEDED] if name not in given.columns]:
            raise SampleValueError(
                f"a frame of locations has the columns {listed(PLACE[:_NEEDED])}; this one lacks {listed(missing)}"
            )
        check_location_columns(given)
        present = [given[name].to_list() if name in given.columns else itertools.repeat(None) for name in PLACE]
        return map(SampleLocation, *present)
    if isinstance(given, SampleLocation | pl.LazyFrame) or not isinstance(given, Iterable):
        hint = "collect() it first" if isinstance(given, pl.LazyFrame) else "put it into a list"
        raise SampleValueError.wrong_type(given, "several locations, as query() returns them", hint)
    return map(_location, given)


def check_location_columns(frame: pl.DataFrame) -> None:
    """Check that what a frame has of the location columns holds what they hold.

    Raises:
        SampleValueError: It does not.
    """
    for index, name in enumerate(PLACE):
        if name not in frame.columns:
            continue
        column = frame[name]
        is_text = index < 2  # noqa: PLR2004 -- shard and key
        fits = column.dtype in (pl.String, pl.Categorical, pl.Enum) if is_text else column.dtype.is_integer()
        if not fits and not (index >= _NEEDED and column.dtype == pl.Null):
            expected = "text" if is_text else "integers"
            raise SampleValueError(f"a frame of locations has {expected} in {name}; found {column.dtype}", name)
        if index < _NEEDED and column.null_count():
            row = column.is_null().arg_true()[0]
            raise SampleValueError(f"a frame of locations has no null in {name}; found one in row {row}", name)


def _location(given: object) -> SampleLocation:
    if not isinstance(given, SampleLocation):
        raise SampleValueError.wrong_type(
            given, "a SampleLocation, as query() returns", "a frame with __shard__, __key__ and __offset__ will do too"
        )
    return given


class Place(NamedTuple):
    """One sample's place in a known shard."""

    key: str
    #: In bytes from the start of the tar.
    offset: int
    #: In bytes.
    size: int
    crc32: int | None


class ShardPlaces(NamedTuple):
    """The places of one shard's samples, in tar order, column by column."""

    keys: Sequence[str]
    #: In bytes from the start of the tar.
    offsets: Sequence[int]
    #: In bytes.
    sizes: Sequence[int]
    crc32s: Sequence[int | None]

    def rows(self) -> Iterator[Place]:
        """Return the places, one after the other."""
        return map(Place, self.keys, self.offsets, self.sizes, self.crc32s)


class Places:
    """The shards of a dataset, and the samples in each."""

    def __init__(self, store: Store, listing: Listing, manifests: StoredManifests) -> None:
        self._store = store
        self._manifests = manifests
        self._committed = {each.shard_id for each in listing.committed}
        #: Where the samples are read from.
        self.tars = Tars(store, manifests.files.header_or_none)
        #: The ids of the shards, in order: those with manifests, or all where none has one.
        self.shard_ids = [each.shard_id for each in listing.committed] or list(listing.uncommitted)
        self._by_key: dict[str, dict[str, Place]] = {}
        #: The shards whose offsets are known to lead to their samples.
        self._fetchable: set[str] = set()
        #: How many samples the tars of old shards hold, as far as they were walked.
        self._old_counts: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_by_key": {}}  # what was read to complete locations is read anew elsewhere

    def count(self) -> int:
        """Return how many samples there are: by the headers, or by walking the tars where these cannot be relied on."""
        if not self._committed:
            return sum(len(self._walked(shard_id).keys) for shard_id in self.shard_ids)
        if self._manifests.indexed == len(self.shard_ids):
            return sum(self._manifests.sample_counts())
        return sum(map(self._count, self.shard_ids))

    def content_metadata(self) -> Mapping[str, Any] | None:
        """Return what the writer said of the dataset, from the first header."""
        return self._manifests.header(self.shard_ids[0]).content_metadata if self._committed else None

    def of_shard(self, shard_id: str, file: OpenFile | None = None) -> ShardPlaces:
        """Return the places of one shard's samples, in tar order.

        Args:
            shard_id: The shard.
            file: Its tar, where it is open already and may have to be walked.

        Raises:
            ManifestError: Its manifest is damaged or gone.
            ShardError: It has no manifest, and its tar cannot be walked.
        """
        if shard_id not in self._committed:
            return self._walked(shard_id, file)
        if self._is_old(shard_id):
            return self._of_old_shard(shard_id, file)
        table = self._manifests.places(shard_id)
        return ShardPlaces(*(column.to_list() for column in table.get_columns()))

    def complete(self, location: SampleLocation) -> SampleLocation:
        """Return a location with size and CRC, from the manifest where it lacks them.

        Raises:
            SampleKeyError: The shard has no such sample.
            ShardError: The dataset has no such shard.
            ShardChangedError: The manifest has the sample at another offset.
            UnsupportedFormatError: The shard's manifest has no offsets that can be read by.
        """
        if location.shard not in self._fetchable:
            self.check_fetchable(location.shard)
        if location.size is not None and (location.crc32 is not None or location.shard not in self._committed):
            return location
        place = self._places_by_key(location.shard).get(location.key)
        if place is None:
            raise SampleKeyError.missing(location.key, location.shard)
        if place.offset != location.offset:
            raise ShardChangedError(
                location.shard,
                f"the location of {location.key!r} says offset {location.offset}, and the manifest says "
                f"{place.offset}; ask the manifests again",
            )
        return SampleLocation(location.shard, *place)

    def check_known(self, shard_id: str) -> None:
        """Check that a shard is one of the dataset's.

        Raises:
            ShardError: It is not.
        """
        if shard_id not in self._known:
            raise ShardError(
                shard_id,
                f"it is none of this dataset's {len(self.shard_ids)} shards{near_misses(shard_id, self.shard_ids)}",
            )

    def open_tar(self, shard_id: str, verify: Verify) -> OpenFile:
        """Open the tar of a shard whose samples can be fetched, checked as :meth:`Tars.open` does.

        Raises:
            ShardError: The dataset has no such shard.
            ShardChangedError: The tar is another one, or it is gone.
            UnsupportedFormatError: The shard's manifest has no offsets that can be read by.
        """
        if shard_id not in self._fetchable:
            self.check_fetchable(shard_id)
        return self.tars.open(shard_id, verify)

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.shard_ids)

    def _count(self, shard_id: str) -> int:
        if not self._is_old(shard_id):
            return self._manifests.header(shard_id).num_samples
        if shard_id not in self._old_counts:
            self._of_old_shard(shard_id)
        return self._old_counts[shard_id]

    def _is_old(self, shard_id: str) -> bool:
        return not self._manifests.header(shard_id).has_places

    def check_fetchable(self, shard_id: str) -> None:
        """Check that a shard's manifest has places that can be read by.

        Raises:
            ShardError: There is no such shard.
            UnsupportedFormatError: It has not.
        """
        self.check_known(shard_id)
        if shard_id in self._committed and self._is_old(shard_id):
            raise UnsupportedFormatError(
                f"shard {shard_id!r}: its manifest is of version {self._manifests.header(shard_id).manifest_version}, "
                "whose offsets do not lead to its samples; it can be queried, not fetched from. "
                "Read it in order and write it again, into another folder: "
                f"write_samples(Dataset[T]({self._store.url()!r}), 'new/samples.tar', maxcount=10_000, manifest=True)"
            )
        self._fetchable.add(shard_id)

    def _of_old_shard(self, shard_id: str, file: OpenFile | None = None) -> ShardPlaces:
        """Return the places of a shard whose manifest has none to go by, from its tar; report a count that differs."""
        places = self._walked(shard_id, file)
        found, promised = len(places.keys), self._manifests.header(shard_id).num_samples
        if found != promised and shard_id not in self._old_counts:
            warnings.warn(
                f"shard {shard_id!r}: its manifest tells of {promised} samples, and its tar holds {found}. "
                "Reading in order gives the tar's; queries find none but the manifest's. "
                "Write the shard again, into another folder, with write_samples(..., manifest=True)",
                StaleManifestWarning,
                stacklevel=3,
            )
        self._old_counts[shard_id] = found
        return places

    def _places_by_key(self, shard_id: str) -> dict[str, Place]:
        if shard_id not in self._by_key:
            if len(self._by_key) == _SHARDS_BY_KEY:
                del self._by_key[next(iter(self._by_key))]  # the oldest
            self._by_key[shard_id] = {place.key: place for place in self.of_shard(shard_id).rows()}
        return self._by_key[shard_id]

    def _walked(self, shard_id: str, file: OpenFile | None = None) -> ShardPlaces:
        runs = list(self.tars.runs(shard_id, file or self.tars.open(shard_id, "none")))
        keys, offsets, sizes = [run.key for run in runs], [run.offset for run in runs], [run.size for run in runs]
        return ShardPlaces(keys, offsets, sizes, [None] * len(runs))
