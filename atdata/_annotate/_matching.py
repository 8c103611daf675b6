"""Which row of a caller's frame belongs to which sample."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, Self, TypeAlias

import numpy as np
import polars as pl

from atdata._errors import AmbiguousKeyError, SampleKeyError, listed
from atdata._manifest import KEY, SHARD
from atdata._shards import Locations

__all__ = ["Extra", "Matched", "Missing", "SampleKeys", "check_on"]

#: What becomes of a sample that no row is of, and of a row that is of no sample.
Missing: TypeAlias = Literal["error", "null"]
Extra: TypeAlias = Literal["error", "ignore"]

#: The columns of a frame of samples: the shard's number, the key; and the row of the caller's frame.
NUMBER, _ROW = "__number__", "__row__"
_SAMPLES = {NUMBER: pl.UInt32(), KEY: pl.String()}
#: How many keys a message shows.
_SHOWN = 5


def check_on(on: object) -> list[str]:
    """Return the columns by which rows are matched.

    Raises:
        ValueError: They are others than the key, or shard and key.
    """
    names = [on] if isinstance(on, str) else list(on) if isinstance(on, Iterable) else [on]
    if set(names) not in ({KEY}, {SHARD, KEY}) or len(set(names)) != len(names):
        raise ValueError(f"rows are matched on={KEY!r}, or on=[{SHARD!r}, {KEY!r}]; found {on!r}")
    return sorted(names, key=(SHARD, KEY).index)


class SampleKeys:
    """Samples by shard and key, each once, in shard order.

    Args:
        frame: The shard's number and the key of each.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        shards, starts, counts = np.unique(frame[NUMBER].to_numpy(), return_index=True, return_counts=True)
        bounds = zip(starts.tolist(), (starts + counts).tolist(), strict=True)
        self._bounds = dict(zip(shards.tolist(), bounds, strict=True))

    @classmethod
    def of_keys(cls, shards: Iterable[tuple[int, pl.Series]]) -> Self:
        """Make them of the numbers and keys of whole shards, in shard order."""
        frames = [pl.DataFrame([number.new_from_index(0, len(keys)), keys]) for number, keys in map(_numbered, shards)]
        return cls(pl.concat([pl.DataFrame(schema=_SAMPLES), *frames]))

    @classmethod
    def of_locations(cls, locations: Locations, shard_ids: Sequence[str]) -> Self:
        """Make them of locations; their shards are numbered as in ``shard_ids``."""
        numbers = {shard_id: number for number, shard_id in enumerate(shard_ids)}
        numbered = np.array([numbers[shard_id] for shard_id in locations.shard_ids], np.uint32)
        frame = pl.DataFrame([pl.Series(NUMBER, numbered[locations.shards], pl.UInt32), locations.to_frame()[KEY]])
        return cls(frame.unique(maintain_order=True).sort(NUMBER, maintain_order=True))

    @property
    def numbers(self) -> Collection[int]:
        """The shards that hold one."""
        return self._bounds.keys()

    def rows(self, number: int) -> slice:
        """Return where a shard's samples are in the frame."""
        return slice(*self._bounds.get(number, (0, 0)))

    def keys(self, number: int) -> pl.Series:
        """Return the keys of a shard's samples."""
        return self.frame[KEY][self.rows(number)]


class Matched:
    """A frame whose rows are known to be of samples.

    Args:
        given: The frame: the columns that it is matched on, then others.
        samples: The samples.
        shard_ids: The shards, by number.
        on: The columns that rows are matched on.
        missing: Whether a sample may be without a row.
        extra: Whether a row may be without a sample.

    Raises:
        AmbiguousKeyError: Two rows are of one sample, or one row is of two.
        SampleKeyError: A row is of no sample, or no row is of a sample.
    """

    def __init__(
        self,
        given: pl.DataFrame,
        samples: SampleKeys,
        shard_ids: Sequence[str],
        on: Sequence[str],
        missing: Missing,
        extra: Extra,
    ) -> None:
        self._shard_ids = shard_ids
        self._on = list(on)
        self._given = given
        rows = self._numbered(given.select(on).with_row_index(_ROW))
        by = [KEY] if len(on) == 1 else [NUMBER, KEY]
        self._check_unique(rows)
        found = samples.frame.join(rows.select(*by, _ROW), on=by, how="left", maintain_order="left")
        self._check_unambiguous(found)
        self._check_complete(rows, found, missing, extra)
        self._found = found.select(KEY, _ROW)
        self._samples = samples
        #: The new columns, without rows.
        self.columns = given.drop(on).clear()

    def rows(self, number: int) -> pl.DataFrame:
        """Return the keys of a shard's samples, in order, and their values; null where no row is of one."""
        some = self._found[self._samples.rows(number)]
        values = self._given.select(pl.col(self.columns.columns).gather(some[_ROW]))
        return some.select(KEY).hstack(values)

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        if SHARD not in rows.columns:
            return rows
        numbers = pl.DataFrame({SHARD: self._shard_ids, NUMBER: range(len(self._shard_ids))})
        numbers = numbers.cast({SHARD: pl.String, NUMBER: pl.UInt32})
        return rows.join(numbers, on=SHARD, how="left", maintain_order="left")

    def _check_unique(self, rows: pl.DataFrame) -> None:
        keys = rows[KEY] if len(self._on) == 1 else rows.select(pl.struct(self._on)).to_series()
        if keys.n_unique() == len(rows):  # the first look is cheap
            return
        repeated = rows.filter(pl.struct(self._on).is_duplicated()).unique(self._on, maintain_order=True)
        raise AmbiguousKeyError(
            f"{len(repeated)} samples have more than one row in the frame: {self._shown(repeated)}. Keep one row for "
            f"each: frame.unique({self._on!r}, keep='last')"
        )

    def _check_unambiguous(self, found: pl.DataFrame) -> None:
        known = found[_ROW].drop_nulls()
        if known.n_unique() == len(known):
            return
        repeated = found.filter(pl.col(_ROW).is_not_null() & pl.col(_ROW).is_duplicated())
        keys = repeated[KEY].unique(maintain_order=True)
        first = repeated.filter(pl.col(KEY) == keys[0])[NUMBER]
        raise AmbiguousKeyError(
            f"{len(keys)} keys of the frame name a sample in more than one shard: {listed(keys, _SHOWN)} (the first in "
            f"{listed([self._shard_ids[each] for each in first], 4)}). Say which: give the frame a column {SHARD}, and "
            f"on=[{SHARD!r}, {KEY!r}]"
        )

    def _check_complete(self, rows: pl.DataFrame, found: pl.DataFrame, missing: Missing, extra: Extra) -> None:
        if len(found) - found[_ROW].null_count() == len(found) == len(rows):
            return
        strangers = rows.join(found.select(_ROW), on=_ROW, how="anti", maintain_order="left")
        without = found.filter(pl.col(_ROW).is_null())
        problems = []
        if len(strangers) and extra == "error":
            problems.append(
                f"{len(strangers)} of the frame's {len(rows)} rows are of no sample here: {self._shown(strangers)} "
                "(extra='ignore' passes over them)"
            )
        if len(without) and missing == "error":
            problems.append(
                f"{len(without)} of {len(found)} samples have no row in the frame: {self._shown(without)} "
                "(missing='null' leaves their values null)"
            )
        if problems:
            first = strangers if len(strangers) and extra == "error" else without
            raise SampleKeyError(first[KEY][0], f"{'; '.join(problems)}. Nothing was changed")

    def _shown(self, rows: pl.DataFrame) -> str:
        if len(self._on) == 1:
            return listed(rows[KEY], _SHOWN)
        shards = rows[SHARD] if SHARD in rows.columns else [self._shard_ids[each] for each in rows[NUMBER]]
        return listed((f"{shard}/{key}" for shard, key in zip(shards, rows[KEY], strict=True)), _SHOWN)


def _numbered(shard: tuple[int, pl.Series]) -> tuple[pl.Series, pl.Series]:
    number, keys = shard
    return pl.Series(NUMBER, [number], pl.UInt32), keys.alias(KEY)
