"""What an earlier index still tells of shards that did not change."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from msgspec import structs
from numpy.typing import NDArray

from atdata._errors import ManifestError
from atdata._manifest import HEADER_SUFFIX, SHARD, Sidecars
from atdata._storage import Stamp, Store

from ._build import POSITION
from ._format import NUMBER, PartFacts
from ._index import Found, ShardsTable, sound_bytes
from ._plan import Kept, Sets, read_digest

__all__ = ["Before", "DamagedPartError", "Stamps", "look_before", "settled_stamps"]

#: How long to wait for stamps to settle, in seconds.
_LONGEST_WAIT = 2.1


class DamagedPartError(Exception):
    """A part that is gone, or not what was written."""


class Stamps(NamedTuple):
    """The stamps of shards' headers, as they were before anything was read."""

    #: One a shard; None where there is no such file.
    found: list[Stamp | None]
    #: Whether it says that the content is the one that was read since.
    settled: NDArray[np.bool_]


def settled_stamps(store: Store, sidecars: Sequence[Sidecars]) -> Stamps:
    """Return the stamps of all headers; where one is not settled, wait for it once."""
    seen = time.time_ns()
    found = _stamps(store, sidecars)
    waits = _waits(store, found, seen)
    unsettled = waits[(waits > 0) & np.isfinite(waits)]
    if len(unsettled):
        time.sleep(min(_LONGEST_WAIT, max(0.0, float(unsettled.max()) - (time.time_ns() - seen) / 10**9 + 0.01)))
        seen = time.time_ns()
        found = _stamps(store, sidecars)
        waits = _waits(store, found, seen)
    return Stamps(found, waits == 0)


def _waits(store: Store, stamps: Sequence[Stamp | None], seen: int) -> NDArray[np.float64]:
    """Return in how many seconds each stamp is settled; never where there is none."""
    return np.array([math.inf if stamp is None else store.seconds_to_settle(stamp, seen) for stamp in stamps])


def _stamps(store: Store, sidecars: Sequence[Sidecars]) -> list[Stamp | None]:
    known: dict[str, Stamp] = {}
    for folder in dict.fromkeys(each.header.rpartition("/")[0] for each in sidecars):
        try:
            known |= store.stamped(folder, suffix=HEADER_SUFFIX)[1]
        except (FileNotFoundError, NotADirectoryError):
            continue
    return [known.get(each.header) for each in sidecars]


class Before:
    """An earlier index, held against the shards that there are.

    Attributes:
        table: Its shards table.
        parts: Its parts with their stamps of today; None where one is damaged or gone.
        rows: For each shard its row in the table; -1 where its sidecars have to be read.
        fits: For each shard whether its header's stamp is the recorded one.
        sets: The sets of columns of the shards that did not change; those of others join them.
    """

    def __init__(
        self,
        store: Store,
        table: ShardsTable,
        parts: list[PartFacts | None],
        rows: NDArray[np.int64],
        fits: NDArray[np.bool_],
    ) -> None:
        self._store = store
        self.table, self.parts, self.rows, self.fits = table, parts, rows, fits
        self.sets = Sets([])
        numbers = np.zeros(len(table.facts.sets), np.uint32)
        old = table.frame["set"].to_numpy()
        for number in np.unique(old[rows[rows >= 0]]).tolist():
            added = self.sets.add(table.facts.sets[number])
            if isinstance(added, str):
                raise AssertionError("sets that went together do so still")  # noqa: TRY004 -- no caller's value
            numbers[number] = added
        numbered = numbers[old]
        facts = table.frame.select("rows", "table_size")
        # As lists: each shard is asked by itself.
        self._facts = list(zip(numbered.tolist(), *(column.to_list() for column in facts), strict=True))
        self._told = table.read([*table.columns]).with_columns(pl.Series("set", numbered))

    @property
    def unlisted(self) -> list[str]:
        """Fields whose values the shards that did not change do not list."""
        return self.table.facts.unlisted if (self.rows >= 0).any() else []

    @property
    def filled(self) -> list[NDArray[np.int64]]:
        """How many rows of samples, and bytes of sample tables, each part is made of."""
        sizes = np.concatenate([[0], np.cumsum(self.table.frame["table_size"].to_numpy())])
        return [np.array([part.rows for part in self.table.facts.parts], np.int64), np.diff(sizes[self.table.starts])]

    def kept(self, position: int) -> Kept:
        """Return a shard that did not change."""
        row = int(self.rows[position])
        return Kept(position, row, *self._facts[row])

    def told(self, kept: Sequence[Kept]) -> pl.DataFrame:
        """Return what the table says of some shards, with their new positions and sets."""
        positions = pl.Series(POSITION, [each.position for each in kept], pl.Int64)
        return self._told[[each.row for each in kept]].insert_column(0, positions)

    def whole(self, kept: Sequence[Kept]) -> int | None:
        """Return the part whose shards are exactly these, in its order; None where there is none."""
        starts = self.table.starts
        part = int(np.searchsorted(starts, kept[0].row, side="right")) - 1
        rows = range(int(starts[part]), int(starts[part + 1]))
        return part if [each.row for each in kept] == list(rows) else None

    def read(self, kept: Sequence[Kept]) -> Iterator[tuple[Sequence[Kept], pl.DataFrame]]:
        """Yield some shards with their rows, numbered by place among these, part by part.

        Raises:
            DamagedPartError: A part's bytes are not what was written.
        """
        parts = self.table.frame["part"]
        for part, group in itertools.groupby(kept, key=lambda each: parts[each.row]):
            some = list(group)
            facts = self.table.facts.parts[part]
            data = sound_bytes(self._store, facts)
            if data is None:
                raise DamagedPartError(facts.name)
            names = self.table.ids.gather([each.row for each in some])
            rows = pl.scan_parquet(data).filter(pl.col(SHARD).is_in(names.implode())).collect()
            place = pl.col(SHARD).replace_strict(names, np.arange(len(some)), return_dtype=pl.UInt32)
            yield some, rows.select(place.alias(NUMBER), *facts.columns)


def look_before(
    store: Store, sidecars: Sequence[Sidecars], stamps: Stamps, found: Found, damaged: set[str]
) -> Before | None:
    """Return the earlier index that tells most of the shards; None where there is none.

    Args:
        store: The folder that holds the sidecars.
        sidecars: The shards, in order.
        stamps: The stamps of their headers.
        found: The index's files.
        damaged: Parts that are known not to be what was written.
    """
    ids = [each.shard_id for each in sidecars]
    there = np.array([stamp is not None for stamp in stamps.found], np.bool_)
    known = [(table, np.where(there, table.rows_of(ids), -1)) for table in found.tables]
    fitting = [(table, rows, table.fits(stamps.found, rows)) for table, rows in known]
    if not fitting:
        return None
    # Where no stamp fits (a copied folder), the newest: its digests may.
    table, rows, fits = max(fitting, key=lambda each: (each[2].sum(), each[0].facts.created_at))
    parts = [_sound(store, found, part, damaged) for part in table.facts.parts]
    lost = np.array([part is None for part in parts], np.bool_)
    rows = rows.copy()
    if len(table):
        rows[lost[table.frame["part"].to_numpy()[np.maximum(rows, 0)]]] = -1
    digests = table.frame["header_digest"]
    for position in np.flatnonzero((rows >= 0) & ~fits).tolist():
        if digests[int(rows[position])] != _digest(store, sidecars[position]):
            rows[position] = -1
    return Before(store, table, parts, rows, fits)


def _sound(store: Store, found: Found, part: PartFacts, damaged: set[str]) -> PartFacts | None:
    """Return a part with its stamp of today; None where it is not what was written."""
    stamp = found.stamps.get(part.name)
    if stamp is None or part.name in damaged:
        return None
    if stamp == (part.size, part.time, part.tag):
        return part
    if sound_bytes(store, part) is None:
        return None
    return structs.replace(part, time=stamp.time, tag=stamp.tag)


def _digest(store: Store, files: Sidecars) -> bytes | None:
    try:
        return read_digest(store, files)
    except (ManifestError, OSError):
        return None  # it is read again, and its error told
