"""The shards behind a dataset and all selections of it, opened once."""

import bisect
import functools
import hashlib
import itertools
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, SupportsIndex

import polars as pl

from atdata._errors import (
    DamagedManifestError,
    ManifestError,
    MissingManifestWarning,
    SampleKeyError,
    SampleValueError,
    SchemaError,
    ShardChangedError,
    ShardError,
    StaleManifestWarning,
    UnsupportedFormatError,
    near_misses,
)
from atdata._manifest import CRC32, KEY, OFFSET, PLACE, SHARD, SIZE, Listing, SampleLocation, shard_order
from atdata._query import QueryExecutor, Question, StoredManifests, select
from atdata._shards import (
    NO_CRC,
    LocationProblem,
    Locations,
    OpenShards,
    Tars,
    Verify,
    check_frame,
    check_location,
    to_position,
)
from atdata._storage import OpenFile, Store
from atdata._tar import tar_name

__all__ = ["Locator", "Opened", "as_locations"]

#: Of how many shards the keys are kept to complete locations.
_SHARDS_BY_KEY = 64
#: The columns that a frame of locations must have.
_NEEDED = (SHARD, KEY, OFFSET)


def as_locations(locations: Iterable[SampleLocation] | pl.DataFrame) -> Iterator[SampleLocation]:
    """Yield what a caller gives as locations, each checked.

    Raises:
        SampleValueError: It is something else.
    """
    if isinstance(locations, pl.DataFrame):
        check_frame(locations, _NEEDED)
        present = [locations[name].to_list() if name in locations.columns else itertools.repeat(None) for name in PLACE]
        return map(SampleLocation, *present)
    if isinstance(locations, SampleLocation | pl.LazyFrame | Mapping) or not isinstance(locations, Iterable):
        hint = "collect() it first" if isinstance(locations, pl.LazyFrame) else "put it into a list"
        raise SampleValueError.wrong_type(locations, "several locations, as query() returns them", hint)
    return map(check_location, locations)


class Locator:
    """The shards of a dataset, and the samples in each."""

    def __init__(self, store: Store, listing: Listing, manifests: StoredManifests) -> None:
        self._store = store
        self._manifests = manifests
        self._committed = {sidecars.shard_id for sidecars in listing.committed}
        #: Where the samples are read from.
        self.tars = Tars(store, manifests.files.header_or_none)
        #: The ids of the shards, in order: those with manifests, or all where none has one.
        self.shard_ids = [sidecars.shard_id for sidecars in listing.committed] or list(listing.uncommitted)
        self._by_key: dict[str, _ByKey] = {}
        #: The shards whose offsets are known to lead to their samples.
        self._fetchable: set[str] = set()
        #: How many samples the tars of old shards hold, as far as they were walked.
        self._old_counts: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_by_key": {}}  # what was read to complete locations is read anew elsewhere

    def count(self) -> int:
        """Return how many samples there are: by the headers, or by walking the tars where these cannot be relied on."""
        if not self._committed:
            return sum(len(self._walked(shard_id)) for shard_id in self.shard_ids)
        if self._manifests.indexed == len(self.shard_ids):
            return sum(self._manifests.sample_counts())
        return sum(map(self._count, self.shard_ids))

    def counts(self) -> list[int] | None:
        """Return how many samples each shard has; None where a tar would have to be walked to know it."""
        manifests = self._manifests
        if not self._committed or (manifests.indexed < len(self.shard_ids) and any(map(self._is_old, self.shard_ids))):
            return None
        return manifests.sample_counts()

    def content_metadata(self) -> Mapping[str, Any] | None:
        """Return what the writer said of the dataset, from the first header."""
        return self._manifests.header(self.shard_ids[0]).content_metadata if self._committed else None

    def of_shard(self, shard_id: str, file: OpenFile | None = None) -> Locations:
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
        return Locations.from_table(table, shard_id, functools.partial(self._damaged, table, shard_id))

    def of_rows(self, rows: pl.DataFrame) -> Locations:
        """Return the places in rows of the dataset's manifests, in their order.

        Raises:
            DamagedManifestError: A row does not say where its sample is; the error names the shard and its table.
        """
        refused = functools.partial(self._manifests.files.damaged_locations, rows)
        return Locations.from_frame(rows, self.shard_ids, refused)

    def everywhere(self) -> Locations:
        """Return the places of all samples of all shards, in shard order, from each shard's own files.

        Raises:
            ManifestError: A manifest is damaged or gone.
            ShardError: There are no manifests, and a tar cannot be walked.
        """
        return Locations.concat(map(self.of_shard, self.shard_ids), self.shard_ids)

    def outside(self, locations: Locations, index: int, tar_size: int) -> ShardChangedError | DamagedManifestError:
        """Describe a place that is not inside its tar: the table is wrong where it has the place, and the tar is whole.

        Args:
            locations: Some places.
            index: Which of them.
            tar_size: The length of the tar in bytes.
        """
        shard_id = locations.shard_ids[locations.shards[index]]
        key = None if locations.keys is None else locations.keys[index]
        offset, size = int(locations.offsets[index]), int(locations.sizes[index])
        expected, found = f"a place inside the tar's {tar_size} bytes", f"{size} bytes from {offset}"
        if shard_id in self._committed and not self._is_old(shard_id):
            facts, table = self._manifests.header(shard_id).shard, self._manifests.places(shard_id)
            here = table.filter((pl.col(OFFSET) == offset) & (pl.col(SIZE) == size))
            if facts is not None and facts.size_bytes == tar_size and len(here):
                return self._damaged(here, shard_id, LocationProblem(OFFSET, expected, found, 0))
        return ShardChangedError.at_location(shard_id, key, offset, expected=expected, found=found)

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
        stored = self._stored(location.shard, location.key)
        if stored.offset != location.offset:
            raise ShardChangedError(
                location.shard,
                f"the location of {location.key!r} says offset {location.offset}, and the manifest says "
                f"{stored.offset}; ask the manifests again",
            )
        return stored

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

    def _of_old_shard(self, shard_id: str, file: OpenFile | None = None) -> Locations:
        """Return the places of a shard whose manifest has none to go by, from its tar; report a count that differs."""
        locations = self._walked(shard_id, file)
        count, promised = len(locations), self._manifests.header(shard_id).num_samples
        if count != promised and shard_id not in self._old_counts:
            warnings.warn(
                f"shard {shard_id!r}: its manifest tells of {promised} samples, and its tar holds {count}. "
                "Reading in order gives the tar's; queries find none but the manifest's. "
                "Write the shard again, into another folder, with write_samples(..., manifest=True)",
                StaleManifestWarning,
                stacklevel=3,
            )
        self._old_counts[shard_id] = count
        return locations

    def _damaged(self, table: pl.DataFrame, shard_id: str, problem: LocationProblem) -> DamagedManifestError:
        rows = table.select(pl.lit(shard_id).alias(SHARD), pl.all())
        return self._manifests.files.damaged_locations(rows, problem)

    def _stored(self, shard_id: str, key: str) -> SampleLocation:
        if shard_id not in self._by_key:
            if len(self._by_key) == _SHARDS_BY_KEY:
                del self._by_key[next(iter(self._by_key))]  # the oldest
            locations = self.of_shard(shard_id)
            rows = {key: row for row, key in enumerate(locations.named_keys().to_list())}
            self._by_key[shard_id] = _ByKey(locations, rows)
        locations, rows = self._by_key[shard_id]
        if key not in rows:
            raise SampleKeyError.missing(key, shard_id)
        row = rows[key]
        crc32 = int(locations.crc32s[row])
        return SampleLocation(
            shard_id,
            key,
            int(locations.offsets[row]),
            int(locations.sizes[row]),
            None if crc32 == NO_CRC else crc32,
        )

    def _walked(self, shard_id: str, file: OpenFile | None = None) -> Locations:
        runs = list(self.tars.runs(shard_id, file or self.tars.open(shard_id, "none")))
        keys, offsets, sizes = [run.key for run in runs], [run.offset for run in runs], [run.size for run in runs]
        return Locations.of_shard(shard_id, keys, offsets, sizes)


class _ByKey(NamedTuple):
    """The places of one shard's samples, and the row of each key."""

    locations: Locations
    rows: dict[str, int]


class _FirstRead(NamedTuple):
    """The places of the first shard that a position was in."""

    locations: Locations
    #: The position of the shard's first sample, and how many samples there are in all shards.
    start: int
    total: int


#: Walking tars of more bytes than this takes a time that manifests would save.
_WORTH_A_WORD = 64 << 20


class Opened:
    """A dataset's shards: their manifests, what answers questions to them, and where the samples are.

    Args:
        shards: The shards.
    """

    def __init__(self, shards: OpenShards[Any]) -> None:
        manifests = StoredManifests(shards.store, shards.listing)
        self.shards = shards
        self.store = shards.store
        self.manifests = manifests
        self.executor = QueryExecutor(manifests)
        self.places = Locator(shards.store, shards.listing, manifests)
        self._walk_reported = False
        self._first_read: _FirstRead | None = None

    @property
    def shard_ids(self) -> list[str]:
        """The ids of the shards, in order."""
        return self.places.shard_ids

    @property
    def has_manifests(self) -> bool:
        """Whether the shards have manifests; then only those that have one count."""
        return bool(self.shards.listing.committed)

    @property
    def source(self) -> str | list[str]:
        """What the shards were opened from, as absolute paths or patterns."""
        return self.shards.named

    def count(self) -> int:
        """Return how many samples there are: by the headers, or by walking the tars where there are none.

        Raises:
            ManifestError: A header is damaged or gone.
            ShardError: A tar cannot be walked.
        """
        self._report_walk()
        return self.places.count()

    @functools.cached_property
    def locations(self) -> Locations:
        """The places of all samples, in shard order, then tar order.

        Raises:
            ManifestError: A manifest is damaged or gone.
            ShardError: There are no manifests, and a tar cannot be walked.
        """
        self._report_walk()
        if self.has_manifests:
            frame = select(self.manifests, Question(), PLACE)
            without = frame.filter(pl.col(CRC32).is_null())[SHARD].unique()
            if all(self.manifests.header(shard_id).has_places for shard_id in without):
                return self.places.of_rows(frame)
        return self.places.everywhere()

    def locate(self, index: SupportsIndex) -> tuple[Locations, int]:
        """Return places among which that of the sample at a position is, and its position among these.

        The first call reads one shard's table; once another shard is asked for, the places of all samples are read.

        Raises:
            SampleIndexError: There is no such position.
            SampleValueError: It is not a whole number.
            ManifestError: A manifest is damaged or gone.
            ShardError: There are no manifests, and a tar cannot be walked.
        """
        if "locations" not in vars(self):
            read = self._first_read or self._read_one_shard(index)
            if read is not None:
                row = to_position(index, read.total) - read.start
                if 0 <= row < len(read.locations):
                    return read.locations, row
        locations = self.locations
        return locations, to_position(index, len(locations))

    def _read_one_shard(self, index: SupportsIndex) -> "_FirstRead | None":
        """Return the places of the shard that holds a position; None where its header does not tell."""
        try:
            counts = self.places.counts()
        except ManifestError:  # a damaged header: its table stands in for it
            return None
        if counts is None:
            return None
        starts = [0, *itertools.accumulate(counts)]
        shard = bisect.bisect_right(starts, to_position(index, starts[-1])) - 1
        locations = self.places.of_shard(self.shard_ids[shard])
        self._first_read = _FirstRead(locations, starts[shard], starts[-1])
        return self._first_read

    @functools.cached_property
    def digest(self) -> str:
        """What stands for the samples' bytes and their order; columns and annotations do not enter it.

        The SHA-256 over the sorted pairs of shard and its tar's SHA-256 where headers tell these, else over the places.

        Raises:
            ManifestError: A manifest is damaged or gone.
        """
        hashes = [each for each in self.manifests.tar_hashes() if each is not None]
        if len(hashes) != len(self.shard_ids) or self.shard_ids != sorted(self.shard_ids, key=shard_order):
            return self.locations.digest()
        digest = hashlib.sha256(b"shards")
        for shard_id, sha256 in sorted(zip(self.shard_ids, hashes, strict=True)):
            digest.update(f"\0{shard_id}\0{sha256}".encode())
        return digest.hexdigest()

    def check_one_type(self, shard_ids: Iterable[str]) -> None:
        """Check that headers name one sample type: what is read without a type would be a mix.

        Raises:
            SchemaError: Two shards hold samples of different types.
            ManifestError: A header is damaged or gone.
        """
        types: dict[str, str] = {}
        for shard_id in shard_ids if self.has_manifests else ():
            types.setdefault(self.manifests.header(shard_id).schema_type, shard_id)
            if len(types) > 1:
                (one, first), (other, second) = types.items()
                raise SchemaError(
                    f"shard {first!r} holds samples of type {one}, and shard {second!r} of type {other}: open them "
                    "apart, choose those of one type with where(), or name the type that reads both: Dataset[T](...)"
                )

    def scan(self) -> pl.LazyFrame:
        """Return all rows of the manifests.

        Raises:
            ManifestNotFoundError: There is none.
            SchemaError: The shards' columns do not go together.
        """
        return self.executor.scan()

    def limited(self, shard_ids: Collection[str]) -> StoredManifests:
        """Return the manifests of some of the shards; of all, where none of them has one."""
        wanted, listing = frozenset(shard_ids), self.shards.listing
        some = tuple(each for each in listing.committed if each.shard_id in wanted)
        if not some or len(some) == len(listing.committed):
            return self.manifests
        return StoredManifests(self.store, Listing(some, ()), self.manifests.files)

    def reopened(self) -> "Opened":
        """Return the shards as they are now."""
        return Opened(self.shards.reopened())

    def _report_walk(self) -> None:
        if self.has_manifests or self._walk_reported:
            return
        self._walk_reported = True
        size = sum(self.store.size(tar_name(shard_id)) for shard_id in self.shard_ids)
        if size > _WORTH_A_WORD:
            warnings.warn(
                f"{self.store.url()} has no manifests: to count or find samples, the headers in all of its "
                f"{len(self.shard_ids)} tars ({size:,} bytes) are walked, and nothing can be asked of them. Manifests "
                "would save that: write_samples(..., manifest=True), or export() of this dataset, makes them",
                MissingManifestWarning,
                stacklevel=4,
            )
