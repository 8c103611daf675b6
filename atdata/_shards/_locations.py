"""Where samples are, column by column: what a selection is once it is known, and what reading takes."""

import dataclasses
import hashlib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self, SupportsIndex, TypeAlias, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import SampleIndexError, SampleValueError, listed
from atdata._manifest import CRC32, KEY, LOCATION, OFFSET, PLACE, SHARD, SIZE, SampleLocation, widened

__all__ = [
    "NO_CRC",
    "Indices",
    "LocationProblem",
    "Locations",
    "PlainKeys",
    "check_frame",
    "check_location",
    "location_problem",
    "schema_problem",
    "shard_numbers",
    "table_problem",
    "to_position",
]

#: Stands for a checksum that nobody recorded.
NO_CRC = -1
#: How many texts are joined at once to be hashed.
_JOINED = 1 << 16
#: The columns whose values a location cannot do without; size and checksum are looked up where they are null.
_NAMING = (SHARD, KEY, OFFSET)
#: The bounds of each number, and what it is called.
_BOUNDS = {
    OFFSET: (0, (1 << 63) - 1, "offsets from 0 to 2**63 - 1"),
    SIZE: (1, (1 << 63) - 1, "sizes from 1 to 2**63 - 1"),
    CRC32: (0, (1 << 32) - 1, "checksums from 0 to 2**32 - 1"),
}
_MAX_INT64, _MAX_CRC = (1 << 63) - 1, (1 << 32) - 1

Indices: TypeAlias = slice | NDArray[np.integer[Any]]


class PlainKeys:
    """Keys without Polars, for worker processes: as much of a Series as reading takes."""

    def __init__(self, keys: NDArray[np.object_] | list[str]) -> None:
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, indices: int) -> str: ...

    @overload
    def __getitem__(self, indices: Indices) -> Self: ...

    def __getitem__(self, indices: int | Indices) -> str | Self:
        keys: Any = (_objects(self._keys) if isinstance(self._keys, list) else self._keys)[indices]
        return type(self)(keys) if isinstance(keys, np.ndarray) else str(keys)

    def to_list(self) -> list[str]:
        """Return the keys as a list."""
        keys: list[str] = self._keys if isinstance(self._keys, list) else self._keys.tolist()
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
    def from_frame(
        cls,
        frame: pl.DataFrame,
        shard_ids: Sequence[str],
        refused: "Callable[[LocationProblem], Exception] | None" = None,
    ) -> Self:
        """Make them of a frame with all location columns; only checksums may be null.

        Args:
            frame: The frame; of a frame without rows the dtypes do not matter.
            shard_ids: The shards of the dataset.
            refused: Makes the error of what the frame has that is not a location; a SampleValueError if not given.

        Raises:
            SampleValueError: A column is missing, has another dtype, a null, or a number out of bounds, or a shard is
                not one of ``shard_ids``.
        """
        problem = location_problem(frame, PLACE, (*_NAMING, SIZE))
        if problem is None and not len(frame):
            return cls.concat([], shard_ids)
        numbers = pl.Series() if problem else shard_numbers(frame[SHARD], shard_ids)
        if numbers.null_count():
            row = _first(numbers.is_null())
            problem = LocationProblem(SHARD, "shards of this dataset", repr(frame[SHARD][row]), row)
        if problem is not None:
            raise _refused(problem) if refused is None else refused(problem)
        return cls._of_columns(frame, shard_ids, numbers.to_numpy())

    @classmethod
    def from_table(cls, table: pl.DataFrame, shard_id: str, refused: "Callable[[LocationProblem], Exception]") -> Self:
        """Make them of one shard's sample table, in tar order, as :meth:`from_frame` does."""
        problem = location_problem(table, PLACE[1:], (KEY, OFFSET, SIZE))
        if problem is not None:
            raise refused(problem)
        if not len(table):
            return cls.concat([], [shard_id])
        return cls._of_columns(table, [shard_id], np.zeros(len(table), np.uint32))

    @classmethod
    def _of_columns(cls, frame: pl.DataFrame, shard_ids: Sequence[str], shards: NDArray[np.uint32]) -> Self:
        crc32s = frame[CRC32].cast(pl.Int64)
        if crc32s.null_count():  # filling plans a query, which takes as long as a shard's other columns
            crc32s = crc32s.fill_null(NO_CRC)
        return cls(
            shard_ids,
            shards,
            frame[OFFSET].cast(pl.Int64).to_numpy(),
            frame[SIZE].cast(pl.Int64).to_numpy(),
            crc32s.to_numpy(),
            frame[KEY].cast(pl.String),
        )

    @classmethod
    def from_locations(cls, locations: Sequence[SampleLocation]) -> Self:
        """Make them of locations that are complete and were checked; their shards are numbered as they come."""
        number_of: dict[str, int] = {}
        shards = [number_of.setdefault(location.shard, len(number_of)) for location in locations]
        crc32s = [location.crc32 for location in locations]
        if None in crc32s:
            crc32s = [NO_CRC if crc32 is None else crc32 for crc32 in crc32s]
        return cls(
            list(number_of),
            np.array(shards, np.uint32),
            np.array([location.offset for location in locations], np.int64),
            np.array([location.size for location in locations], np.int64),
            np.array(crc32s, np.int64),
            PlainKeys([location.key for location in locations]),
        )

    @classmethod
    def of_shard(cls, shard_id: str, keys: Sequence[str], offsets: Sequence[int], sizes: Sequence[int]) -> Self:
        """Make them of columns of one shard's samples, without checksums."""
        return cls(
            [shard_id],
            np.zeros(len(keys), np.uint32),
            np.array(offsets, np.int64),
            np.array(sizes, np.int64),
            np.full(len(keys), NO_CRC, np.int64),
            PlainKeys(_objects(list(keys))),
        )

    @classmethod
    def concat(cls, parts: Iterable["Locations"], shard_ids: Sequence[str]) -> Self:
        """Make them of parts, one after the other, whose shards are all among ``shard_ids``.

        Raises:
            ValueError: The keys of a part were left out.
        """
        numbers = {shard_id: number for number, shard_id in enumerate(shard_ids)}
        empty = cls.of_shard("", [], [], [])
        several: list[Locations] = [empty, *parts]
        shards = [
            np.array([numbers[shard_id] for shard_id in part.shard_ids], np.uint32)[part.shards] for part in several[1:]
        ]
        return cls(
            shard_ids,
            np.concatenate([empty.shards, *shards]),
            np.concatenate([part.offsets for part in several]),
            np.concatenate([part.sizes for part in several]),
            np.concatenate([part.crc32s for part in several]),
            pl.concat([part.named_keys() for part in several]),
        )

    def plain(self) -> Self:
        """Return the same places without Polars, for worker processes; with keys only where checksums are lacking."""
        if not isinstance(self.keys, pl.Series):
            return self
        lacking = bool((self.crc32s == NO_CRC).any())
        keys = PlainKeys(_objects(self.keys.to_list())) if lacking else None
        return dataclasses.replace(self, keys=keys)

    def named_keys(self) -> pl.Series:
        """Return the keys as Polars has them.

        Raises:
            ValueError: The keys were left out.
        """
        if self.keys is None:
            raise ValueError("these samples' keys were left out")
        if isinstance(self.keys, PlainKeys):
            return pl.Series(KEY, self.keys.to_list(), pl.String)
        return self.keys.alias(KEY)

    def to_frame(self) -> pl.DataFrame:
        """Return the location columns as a frame, shards by name.

        Raises:
            ValueError: The keys were left out.
        """
        crc = pl.Series(CRC32, self.crc32s)
        columns = {
            KEY: self.named_keys(),
            SHARD: pl.Series(self.shard_ids, dtype=pl.String).gather(self.shards),
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
        for texts in (names, self.named_keys()):
            digest.update(len(texts).to_bytes(8, "little"))
            digest.update(texts.str.len_bytes().to_numpy().astype("<i8").tobytes())
            for part in texts.to_frame().iter_slices(_JOINED):
                digest.update(part.to_series().str.join("").item().encode())
        for column in (numbers, self.offsets, self.sizes, self.crc32s):
            digest.update(column.astype("<i8").tobytes())
        return digest.hexdigest()


class LocationProblem(NamedTuple):
    """What a column of a frame holds that is not part of a location."""

    column: str
    #: What is expected, and what was found instead.
    expected: str
    found: str
    #: The first row that has it; None where it is the whole column.
    row: int | None = None

    def __str__(self) -> str:
        row = "" if self.row is None else f" in row {self.row}"
        return f"expected {self.expected} in {self.column}, found {self.found}{row}"


def check_frame(frame: pl.DataFrame, needed: Sequence[str] = ()) -> None:
    """Check that what a frame has of the location columns holds what they hold.

    Args:
        frame: The frame that a caller gave.
        needed: The columns that it must have.

    Raises:
        SampleValueError: It does not.
    """
    if missing := [name for name in needed if name not in frame.columns]:
        raise SampleValueError(
            f"a frame of locations has the columns {listed(needed)}; this one lacks {listed(missing)}"
        )
    problem = location_problem(frame, [name for name in PLACE if name in frame.columns], _NAMING)
    if problem is not None:
        raise _refused(problem)


def check_location(location: object) -> SampleLocation:
    """Return a location that a caller gives; NumPy's integers become Python's.

    Raises:
        SampleValueError: It is not a location, or one of its parts is not what a location holds.
    """
    if not isinstance(location, SampleLocation):
        raise SampleValueError.wrong_type(
            location,
            "a SampleLocation, as query() returns",
            "a frame with __shard__, __key__ and __offset__ will do too",
        )
    offset, size, crc32 = location.offset, location.size, location.crc32
    if (  # nearly every location, in a tenth of the time
        type(offset) is type(size) is type(crc32) is int
        and 0 <= offset <= _MAX_INT64
        and 0 < size <= _MAX_INT64
        and 0 <= crc32 <= _MAX_CRC
        and type(location.shard) is type(location.key) is str
    ):
        return location
    return SampleLocation(
        _text(location.shard, location, "shard"),
        _text(location.key, location, "key"),
        _number(offset, location, "offset", OFFSET),
        None if size is None else _number(size, location, "size", SIZE),
        None if crc32 is None else _number(crc32, location, "crc32", CRC32),
    )


def location_problem(frame: pl.DataFrame, columns: Sequence[str], complete: Sequence[str]) -> LocationProblem | None:
    """Return what some columns of a frame hold that is not part of a location; None where all is well.

    Args:
        frame: The frame.
        columns: The location columns to look at.
        complete: Those of them that may not have nulls.
    """
    for name in columns:
        problem = _column_problem(frame, name, complete=name in complete)
        if problem is not None:
            return problem
    return None


def _column_problem(frame: pl.DataFrame, name: str, *, complete: bool) -> LocationProblem | None:
    if not len(frame):  # it may have any dtypes
        return None
    problem = schema_problem(name, frame.schema)
    if problem is not None:
        is_null = name in frame.columns and frame[name].dtype == pl.Null
        return None if is_null and not complete else problem
    column = frame[name]
    if complete and column.null_count():
        return LocationProblem(name, "no null", "one", _first(column.is_null()))
    return _bounds_problem(name, column) if name in _BOUNDS else None


def schema_problem(name: str, schema: Mapping[str, pl.DataType]) -> LocationProblem | None:
    """Return what is wrong with a location column by its dtype; None where it is there and can hold what it must."""
    if name not in schema:
        return LocationProblem(name, "a column", f"only {listed(schema)}")
    dtype = schema[name]
    if name in (SHARD, KEY):
        fits, expected = dtype in (pl.String, pl.Categorical, pl.Enum), "text"
    else:
        fits, expected = dtype.is_integer(), "integers"
    return None if fits else LocationProblem(name, expected, str(dtype))


def table_problem(schema: Mapping[str, pl.DataType]) -> LocationProblem | None:
    """Return why a table with such columns does not say where its samples are; None where it may. It may lack CRCs."""
    for name, expected in LOCATION.items():
        if name == CRC32 and name not in schema:
            continue
        problem = schema_problem(name, schema)
        if problem is None and name != KEY and widened(schema[name], expected) is None:
            problem = LocationProblem(name, str(expected), str(schema[name]))
        if problem is not None:
            return problem
    return None


def _bounds_problem(name: str, column: pl.Series) -> LocationProblem | None:
    low, high, expected = _BOUNDS[name]
    least, most = column.min(), column.max()
    if least is None or (int(least) >= low and int(most) <= high):  # type: ignore[arg-type]  # integers
        return None
    row = next(row for row, value in enumerate(column) if value is not None and not low <= value <= high)
    return LocationProblem(name, expected, str(column[row]), row)


def _first(mask: pl.Series) -> int:
    index = mask.arg_max()
    return 0 if index is None else index


def _refused(problem: LocationProblem) -> SampleValueError:
    row = "" if problem.row is None else f" in row {problem.row}"
    return SampleValueError(
        f"a frame of locations has {problem.expected} in {problem.column}; found {problem.found}{row}", problem.column
    )


def _text(value: object, location: SampleLocation, name: str) -> str:
    if not isinstance(value, str):
        raise _part_refused(value, location, name, "text")
    return str(value)


def _number(value: object, location: SampleLocation, name: str, column: str) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, SupportsIndex) or isinstance(value, np.ndarray):
        raise _part_refused(value, location, name, "a whole number")
    low, high, expected = _BOUNDS[column]
    number = operator.index(value)
    if not low <= number <= high:
        raise _part_refused(number, location, name, expected)
    return number


def _part_refused(value: object, location: SampleLocation, name: str, expected: str) -> SampleValueError:
    where = f"in the location of {location.key!r} in shard {location.shard!r}"
    return SampleValueError.wrong_type(value, expected, f"{where}; query() returns whole locations").within(name)


def _objects(texts: list[str]) -> NDArray[np.object_]:
    return np.array(texts, dtype=np.object_)


def shard_numbers(shards: pl.Series, shard_ids: Sequence[str]) -> pl.Series:
    """Return shards as their numbers in ``shard_ids``; null for one that is not there."""
    return shards.cast(pl.String).cast(pl.Enum(shard_ids), strict=False).to_physical().cast(pl.UInt32)


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
