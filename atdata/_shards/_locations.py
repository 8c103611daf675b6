"""Where samples are, column by column: what a selection is once it is known, and what reading takes."""

import dataclasses
import hashlib
import operator
from collections.abc import Sequence
from typing import Any, Self, SupportsIndex, TypeAlias, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import SampleIndexError, SampleValueError
from atdata._manifest import CRC32, KEY, OFFSET, PLACE, SHARD, SIZE

__all__ = ["NO_CRC", "Indices", "Locations", "PlainKeys", "shard_numbers", "to_position"]

#: Stands for a checksum that nobody recorded.
NO_CRC = -1

#: How many texts are joined at once to be hashed.
_JOINED = 1 << 16

Indices: TypeAlias = slice | NDArray[np.integer[Any]]


class PlainKeys:
    """Keys without Polars, for worker processes: as much of a Series as reading takes."""

    def __init__(self, keys: NDArray[np.object_]) -> None:
        self._keys = keys

    @overload
    def __getitem__(self, indices: int) -> str: ...

    @overload
    def __getitem__(self, indices: Indices) -> Self: ...

    def __getitem__(self, indices: int | Indices) -> str | Self:
        found: Any = self._keys[indices]
        return type(self)(found) if isinstance(found, np.ndarray) else str(found)

    def to_list(self) -> list[str]:
        """Return the keys as a list."""
        keys: list[str] = self._keys.tolist()
        return keys


@dataclasses.dataclass(frozen=True, slots=True)
class Locations:
    """Some samples' places, in the order in which they are wanted; one may be there more than once.

    Columns of one length, as NumPy arrays, so that worker processes can read by them without Polars.
    """

    #: The shards of the dataset, by number.
    shard_ids: Sequence[str]
    #: Each sample's shard, as a number.
    shards: NDArray[np.uint32]
    #: In bytes from the start of the tar.
    offsets: NDArray[np.int64]
    #: Length of the sample's members in bytes, headers and padding included.
    sizes: NDArray[np.int64]
    #: CRC-32 of those bytes; ``NO_CRC`` where none was recorded.
    crc32s: NDArray[np.int64]
    #: The samples' keys; None where checksums vouch for every byte, and no error needs to name them.
    keys: pl.Series | PlainKeys | None

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, indices: Indices) -> Self:
        """Return some of the samples: those of a slice, or at an array of positions, in its order."""
        return type(self)(
            self.shard_ids,
            self.shards[indices],
            self.offsets[indices],
            self.sizes[indices],
            self.crc32s[indices],
            None if self.keys is None else self.keys[indices],
        )

    @property
    def used_shards(self) -> list[str]:
        """The ids of the shards that hold the samples, in the order of ``shard_ids``."""
        return [self.shard_ids[number] for number in np.unique(self.shards)]

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, shard_ids: Sequence[str]) -> Self:
        """Make them of a frame with all location columns, whose shards are all among ``shard_ids``."""
        return cls(
            shard_ids,
            shard_numbers(frame[SHARD], shard_ids).to_numpy(),
            frame[OFFSET].cast(pl.Int64).to_numpy(),
            frame[SIZE].cast(pl.Int64).to_numpy(),
            frame[CRC32].cast(pl.Int64).fill_null(NO_CRC).to_numpy(),
            frame[KEY].cast(pl.String),
        )

    def plain(self) -> Self:
        """Return the same places without Polars, for worker processes; with keys only where checksums are lacking."""
        if not isinstance(self.keys, pl.Series):
            return self
        lacking = bool((self.crc32s == NO_CRC).any())
        keys = PlainKeys(np.array(self.keys.to_list(), dtype=np.object_)) if lacking else None
        return dataclasses.replace(self, keys=keys)

    def to_frame(self) -> pl.DataFrame:
        """Return the location columns as a frame, shards by name.

        Raises:
            ValueError: The keys were left out.
        """
        if self.keys is None or isinstance(self.keys, PlainKeys):
            raise ValueError("these samples' keys were left out")
        names = pl.Series(self.shard_ids, dtype=pl.String).gather(self.shards)
        crc = pl.Series(CRC32, self.crc32s)
        columns = {
            SHARD: names,
            KEY: self.keys.alias(KEY),
            OFFSET: pl.Series(self.offsets),
            SIZE: pl.Series(self.sizes),
            CRC32: crc.set(crc == NO_CRC, None).cast(pl.UInt32),
        }
        return pl.DataFrame(columns).select(PLACE)

    def digest(self) -> str:
        """Return the SHA-256 over the places in their order: shard, key, offset, size, CRC-32.

        Raises:
            ValueError: The keys were left out.
        """
        # Shards are numbered as they come, so that the digest does not depend on what else there is.
        used = pl.Series(self.shards).unique(maintain_order=True).to_numpy()
        number_of = np.zeros(len(self.shard_ids), np.int64)
        number_of[used] = np.arange(len(used))
        numbers = number_of[self.shards]
        names = pl.Series([self.shard_ids[number] for number in used], dtype=pl.String)
        digest = hashlib.sha256(b"places")
        for texts in (names, self.to_frame()[KEY]):
            digest.update(len(texts).to_bytes(8, "little"))
            digest.update(texts.str.len_bytes().to_numpy().astype("<i8").tobytes())
            for part in texts.to_frame().iter_slices(_JOINED):
                digest.update(part.to_series().str.join("").item().encode())
        for column in (numbers, self.offsets, self.sizes, self.crc32s):
            digest.update(column.astype("<i8").tobytes())
        return digest.hexdigest()


def shard_numbers(shards: pl.Series, shard_ids: Sequence[str]) -> pl.Series:
    """Return shards as their numbers in ``shard_ids``, which has them all."""
    return shards.cast(pl.String).cast(pl.Enum(shard_ids)).to_physical().cast(pl.UInt32)


def to_position(index: SupportsIndex, count: int) -> int:
    """Return a position counted from the front; NumPy's integers are positions too.

    Raises:
        SampleIndexError: There is none.
        SampleValueError: It is no whole number.
    """
    if isinstance(index, bool | np.bool_) or not isinstance(index, SupportsIndex) or isinstance(index, np.ndarray):
        raise SampleValueError.wrong_type(
            index, "a whole number as position", "ds[...] takes one, a slice, or a key; several go to ds.take([...])"
        )
    index = operator.index(index)
    if not -count <= index < count:
        raise SampleIndexError.beyond(index, count)
    return index + count if index < 0 else index
