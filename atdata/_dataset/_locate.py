"""From rows, frames, locations, keys or positions that a caller names samples by, to positions among locations."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import (
    AmbiguousKeyError,
    SampleIndexError,
    SampleKeyError,
    SampleValueError,
    listed,
    near_misses,
)
from atdata._manifest import CRC32, KEY, LOCATION, OFFSET, PLACE, SHARD, SIZE, SampleLocation
from atdata._query import KeyIndex
from atdata._read import as_locations
from atdata._shards import Locations, shard_numbers

__all__ = [
    "RowsLike",
    "are_positions",
    "checked_positions",
    "has_whole_places",
    "key_series",
    "location_frame",
    "named_rows",
    "place_columns",
    "position_of_key",
    "positions_of_keys",
    "positions_of_places",
]

#: What names samples: a frame or query with their keys, locations, keys, or positions.
RowsLike: TypeAlias = "pl.DataFrame | pl.LazyFrame | pl.Series | NDArray[Any] | Iterable[SampleLocation | str | int]"

_ROW, _NUMBER = "__row__", "__number__"
#: How many bits of a place, as one number, are the offset's; the shard's are above.
_OFFSET_BITS = 42
_MAX_OFFSET, _MAX_SHARDS = (1 << _OFFSET_BITS) - 1, 1 << 21


def named_rows(
    rows: RowsLike,
) -> "pl.DataFrame | pl.LazyFrame | pl.Series | NDArray[Any] | list[SampleLocation | str | int]":
    """Return rows that a caller names so that they can be read more than once; frames of other libraries as Polars'.

    Raises:
        SampleValueError: It names no samples.
    """
    if isinstance(rows, pl.DataFrame | pl.LazyFrame | pl.Series | np.ndarray):
        return rows
    if hasattr(rows, "__arrow_c_stream__") and hasattr(rows, "columns"):  # a frame of pandas, a table of pyarrow
        return pl.DataFrame(rows)
    if isinstance(rows, SampleLocation | str | Mapping) or not isinstance(rows, Iterable):
        raise SampleValueError.wrong_type(rows, "rows, locations, keys or positions", "put it into a list")
    return list(rows)


def are_positions(rows: "pl.DataFrame | pl.LazyFrame | pl.Series | NDArray[Any] | list[Any]") -> bool:
    """Return whether samples are named by their positions."""
    if isinstance(rows, pl.DataFrame | pl.LazyFrame):
        return False
    return len(rows) > 0 and not isinstance(rows[0], SampleLocation | str)


def positions_of_keys(locations: Locations, keys: pl.Series) -> NDArray[np.integer[Any]]:
    """Return where samples are that are named by their keys alone.

    Raises:
        SampleKeyError: There is no such key.
        AmbiguousKeyError: A key is there in more than one shard.
    """
    wanted = keys.rename(KEY).to_frame()
    matches = _table(locations).join(wanted, on=KEY, how="semi", maintain_order="left")
    matches = matches.unique([_NUMBER, KEY], keep="first", maintain_order=True)
    if len(repeated := matches.filter(pl.col(KEY).is_duplicated())):
        key = repeated[KEY][0]
        raise _ambiguous(key, [locations.shard_ids[at] for at in repeated.filter(pl.col(KEY) == key)[_NUMBER]])
    return _rows_of(wanted, matches, [KEY], locations)


def position_of_key(locations: Locations, key_index: KeyIndex, key: str) -> int:
    """Return where the sample with a key is, without looking through all keys.

    Raises:
        SampleKeyError: There is no such key.
        AmbiguousKeyError: The key is there in more than one shard.
    """
    rows = key_index.rows(key)
    if not rows:
        raise SampleKeyError.missing_all([key], 1, near_misses(key, _neighbours(locations)))
    shards = dict.fromkeys(int(locations.shards[row]) for row in rows)
    if len(shards) > 1:
        raise _ambiguous(key, [locations.shard_ids[number] for number in shards])
    return rows[0]


def _ambiguous(key: str, shards: list[str]) -> AmbiguousKeyError:
    return AmbiguousKeyError(
        f"the key {key!r} names a sample in each of the shards {listed(shards, 4)}; say which: "
        f"ds.take(pl.DataFrame({{'__shard__': [{shards[0]!r}], '__key__': [{key!r}]}}))"
    )


def place_columns(columns: Sequence[str]) -> list[str]:
    """Return which columns of a query name samples; the first one where none does, so that an error can say so."""
    return [name for name in PLACE if name in columns] or list(columns[:1])


def location_frame(locations: Iterable[SampleLocation]) -> pl.DataFrame:
    """Return locations as a frame.

    Raises:
        SampleValueError: One is not a location.
    """
    rows = [(row.shard, row.key, row.offset, row.size, row.crc32) for row in as_locations(locations)]
    return pl.DataFrame(rows, schema={SHARD: pl.String(), **LOCATION}, orient="row")


def positions_of_places(locations: Locations, frame: pl.DataFrame) -> NDArray[np.integer[Any]]:
    """Return the positions of the samples that a frame names by shard and key, and perhaps by offset.

    Raises:
        SampleKeyError: One is not among the locations.
    """
    at = _at_places(locations, frame)
    return _by_names(locations, frame) if at is None else at


def _at_places(locations: Locations, frame: pl.DataFrame) -> NDArray[np.integer[Any]] | None:
    """Return where a frame's samples are by their places, without a join; None where some are not there."""
    if OFFSET not in frame.columns or frame[OFFSET].null_count() or locations.keys is None:
        return None
    numbers = shard_numbers(frame[SHARD], locations.shard_ids).to_numpy()
    offsets = frame[OFFSET].cast(pl.Int64).to_numpy()
    if (
        max(np.max(offsets, initial=0), np.max(locations.offsets, initial=0)) > _MAX_OFFSET
        or len(locations.shard_ids) > _MAX_SHARDS
    ):
        return None
    wanted, known = _places(numbers, offsets), _places(locations.shards, locations.offsets)
    order = None if (known[1:] >= known[:-1]).all() else np.argsort(known, kind="stable")
    matches = np.searchsorted(known, wanted, sorter=order)
    if (matches == len(known)).any():
        return None
    at: NDArray[np.integer[Any]] = matches if order is None else order[matches]
    same = (known[at] == wanted).all() and frame[KEY].cast(pl.String).to_list() == locations.keys[at].to_list()
    return at if same else None


def _places(shards: NDArray[np.integer[Any]], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return shard and offset as one number item."""
    return (shards.astype(np.int64) << _OFFSET_BITS) | offsets


def _by_names(locations: Locations, frame: pl.DataFrame) -> NDArray[np.integer[Any]]:
    wanted = pl.DataFrame({_NUMBER: shard_numbers(frame[SHARD], locations.shard_ids), KEY: frame[KEY].cast(pl.String)})
    matches = _table(locations).join(wanted, on=[_NUMBER, KEY], how="semi", maintain_order="left")
    matches = matches.unique([_NUMBER, KEY], keep="first", maintain_order=True)
    return _rows_of(wanted, matches, [_NUMBER, KEY], locations)


def _table(locations: Locations) -> pl.DataFrame:
    keys = locations.to_frame()[KEY] if locations.keys is None else locations.keys
    return pl.DataFrame({_NUMBER: locations.shards, KEY: keys}).with_row_index(_ROW)


def _rows_of(
    wanted: pl.DataFrame, matches: pl.DataFrame, on: list[str], locations: Locations
) -> NDArray[np.integer[Any]]:
    rows = wanted.join(matches, on=on, how="left", maintain_order="left")[_ROW]
    if rows.null_count():
        missing = wanted.filter(rows.is_null())
        names = missing[KEY].to_list()
        if _NUMBER in on:
            numbers = missing[_NUMBER]
            names = [f"{locations.shard_ids[number]}/{key}" for number, key in zip(numbers, names, strict=True)]
        raise SampleKeyError.missing_all(names, len(wanted), near_misses(names[0], _neighbours(locations)))
    return rows.to_numpy()


def _neighbours(locations: Locations, limit: int = 10_000) -> list[str]:
    return [] if locations.keys is None else locations.keys[:limit].to_list()


def has_whole_places(frame: pl.DataFrame) -> bool:
    """Return whether a frame has the place of item sample, so that nothing has to be looked up."""
    return {SIZE, OFFSET, CRC32} <= set(frame.columns) and not any(frame[name].null_count() for name in PLACE)


def key_series(named: Any) -> pl.Series:
    """Return keys as a Series.

    Raises:
        SampleValueError: One is not text.
    """
    wrong = [item for item in named if not isinstance(item, str)]
    if wrong:
        raise SampleValueError.wrong_type(wrong[0], "a key, as the first one is")
    return pl.Series(KEY, named, pl.String)


def _index(item: Any) -> int:
    if isinstance(item, bool):
        raise TypeError("a bool among numbers is no position")
    return operator.index(item)


def checked_positions(named: Any, count: int) -> NDArray[np.integer[Any]]:
    """Return positions counted from the front.

    Raises:
        SampleIndexError: One is beyond the samples.
        SampleValueError: One is not a whole number.
    """
    if isinstance(named, pl.Series):
        named = named.to_numpy()
    if not isinstance(named, np.ndarray):
        try:
            named = np.array([True] if isinstance(named[0], bool) else [_index(item) for item in named])
        except TypeError:
            wrong = next(item for item in named if isinstance(item, bool) or not hasattr(type(item), "__index__"))
            raise SampleValueError.wrong_type(wrong, "locations, keys or positions") from None
    if named.dtype.kind not in "iu" or named.ndim != 1:
        raise SampleValueError(
            f"positions are a flat array of integers; found {named.dtype} of shape {named.shape}. "
            "Of a mask: take(np.flatnonzero(mask))"
        )
    positions = named.astype(np.int64)
    beyond = (positions < -count) | (positions >= count)
    if beyond.any():
        raise SampleIndexError.beyond(int(positions[beyond][0]), count)
    counted: NDArray[np.int64] = np.where(positions < 0, positions + count, positions)
    return counted
