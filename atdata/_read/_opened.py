"""The shards behind a dataset and all selections of it, opened once."""

import functools
import hashlib
import warnings
from collections.abc import Collection, Iterable
from typing import Any

import polars as pl

from atdata._errors import MissingManifestWarning, SchemaError
from atdata._manifest import CRC32, PLACE, SHARD, Listing, shard_order
from atdata._query import QueryExecutor, Question, StoredManifests, select
from atdata._shards import Locations, OpenShards
from atdata._tar import tar_name

from ._locator import Locator

__all__ = ["Opened"]

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
