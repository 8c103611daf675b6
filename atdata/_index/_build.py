"""One part, made of sidecars and of rows of old parts; and what the shards table says of its shards."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import DamagedManifestError, ManifestError
from atdata._sidecars._union import as_union

from ._check import nan_columns, read_tables, wrong_rows
from ._format import NUMBER, ColumnSet, fields_of, union_of
from ._lots import Kept
from ._shards import COLUMNS
from ._sidecar import Loaded
from ._statistics import statistics

__all__ = ["POSITION", "Made", "PartMaker"]

#: A shard's place among those that are asked for, in frames that are no shards table yet.
POSITION = "position"
#: What a header tells of a shard, beside its statistics.
_TOLD = ("set", "header_digest", "table_size", "table_sha256", "size_bytes", "tar_size", "tar_sha256")


class Made(NamedTuple):
    """A part."""

    #: The rows of its samples, by the number of the shard.
    rows: pl.DataFrame
    #: Its shards, by position, in order.
    positions: list[int]


class _Fresh(NamedTuple):
    """Shards whose sidecars were read and are sound."""

    loaded: list[Loaded]
    #: Their rows, by place in that list.
    rows: pl.DataFrame
    wrong: dict[int, ManifestError]
    left_out: dict[int, str]


class PartMaker:
    """Makes one part.

    Attributes:
        told: What the shards table says of the shards whose sidecars were read, with ``POSITION`` in place of part and
            stamps.
    """

    def __init__(self) -> None:
        self.told: list[pl.DataFrame] = []
        self._rows: list[tuple[list[int], pl.DataFrame]] = []
        self._sets: dict[int, None] = {}

    def add(
        self, loaded: Sequence[Loaded], sets: Sequence[ColumnSet], listed: Mapping[str, bool]
    ) -> tuple[dict[int, ManifestError], dict[int, str]]:
        """Add shards by their sidecars, as far as these are sound.

        Args:
            loaded: The sidecars.
            sets: The sets of columns that there are.
            listed: As for :func:`statistics`.

        Returns:
            What is wrong with some of them, and why others are left out, by position.
        """
        fresh = _fresh(loaded, sets)
        if fresh.loaded:
            self.told.append(_told(fresh, listed))
            self._rows.append(([each.position for each in fresh.loaded], fresh.rows))
            self._sets |= dict.fromkeys(each.told.set for each in fresh.loaded)
        return fresh.wrong, fresh.left_out

    def add_kept(self, kept: Sequence[Kept], rows: pl.DataFrame) -> None:
        """Add shards that have not changed, with their rows by place among these."""
        self._rows.append(([each.position for each in kept], rows))
        self._sets |= dict.fromkeys(each.set for each in kept)

    def made(self, sets: Sequence[ColumnSet]) -> Made:
        """Return the part; what was added is let go."""
        positions = sorted(position for some, _ in self._rows for position in some)
        number = {position: index for index, position in enumerate(positions)}
        union = union_of([sets[each] for each in sorted(self._sets)])
        frames = [
            _renumbered(rows, np.array([number[each] for each in some], np.uint32)).select(
                NUMBER, *as_union(rows.schema, union)
            )
            for some, rows in self._rows
        ]
        self._rows.clear()
        # In one chunk: others decide where the pages of a file end.
        rows = pl.concat(frames, rechunk=True) if frames else pl.DataFrame(schema={NUMBER: pl.UInt32, **union})
        return Made(rows if rows[NUMBER].is_sorted() else rows.sort(NUMBER, maintain_order=True).rechunk(), positions)


def _fresh(loaded: Sequence[Loaded], sets: Sequence[ColumnSet]) -> _Fresh:
    """Read the rows of some shards, and check all that can be told without their tars."""
    by_set: dict[int, list[Loaded]] = {}
    for each in loaded:
        by_set.setdefault(each.told.set, []).append(each)
    wrong: dict[int, ManifestError] = {}
    sound: list[Loaded] = []
    frames = []
    union = union_of([sets[number] for number in sorted(by_set)])
    for number, some in by_set.items():
        found, good, bad = read_tables(some, sets[number])
        places = np.arange(len(sound), len(sound) + len(good), dtype=np.uint32)
        wrong |= bad
        sound += good
        if found:
            column = pl.Series(NUMBER, np.repeat(places, [each.told.rows for each in good]))
            frames.append(pl.concat(found).select(column, *as_union(found[0].schema, union)))
    rows = pl.concat(frames) if frames else pl.DataFrame(schema={NUMBER: pl.UInt32, **union})
    problems = wrong_rows(rows, dict(enumerate(sound)))
    wrong |= {sound[n].position: DamagedManifestError.because(sound[n].told.table, problems[n]) for n in problems}
    nans = {n: name for n, name in nan_columns(rows).items() if n not in problems}
    left_out = {
        sound[n].position: f"its column {name!r} holds NaN, which sample tables hold as null"
        for n, name in nans.items()
    }
    if problems or nans:
        stays = np.array([n not in problems and n not in nans for n in range(len(sound))])
        rows = rows.filter(pl.Series(stays[rows[NUMBER].to_numpy()]))
        rows = _renumbered(rows, (np.cumsum(stays) - 1).astype(np.uint32))
        sound = list(itertools.compress(sound, stays))
    return _Fresh(sound, rows, wrong, left_out)


def _renumbered(rows: pl.DataFrame, numbers: NDArray[np.uint32]) -> pl.DataFrame:
    """Return rows with other numbers for their shards, by the number that each had."""
    if (numbers == np.arange(len(numbers))).all():
        return rows
    return rows.with_columns(pl.Series(NUMBER, numbers[rows[NUMBER].to_numpy()], pl.UInt32))


def _told(fresh: _Fresh, listed: Mapping[str, bool]) -> pl.DataFrame:
    """Return the shards table's columns of shards whose rows were read."""
    told = [each.told for each in fresh.loaded]
    columns = {
        "set": [each.set for each in told],
        "header_digest": [each.digest for each in told],
        "table_size": [len(each.data) for each in fresh.loaded],
        "table_sha256": [each.table_sha256 for each in told],
        "size_bytes": [each.size_bytes for each in told],
        "tar_size": [each.tar_size for each in told],
        "tar_sha256": [each.tar_sha256 for each in told],
    }
    frame = pl.DataFrame(columns, schema={name: COLUMNS[name] for name in _TOLD})
    by_rows = statistics(_sorted(fresh.rows), len(told), listed).drop(NUMBER)
    by_header: list[pl.Series] = []
    for name, dtype in fields_of(fresh.rows.drop(NUMBER).schema).items():
        if dtype.is_integer() or dtype.is_float():
            by_header.append(pl.Series(f"mean:{name}", [each.means.get(name) for each in told], pl.Float64))
        if dtype.is_float():  # of lists the rows tell
            by_header.append(pl.Series(f"nans:{name}", [each.nans.get(name, 0) for each in told], pl.Int64))
        if name in listed:
            by_header.append(pl.Series(f"truncated:{name}", [name in each.truncated for each in told], pl.Boolean))
    positions = pl.Series(POSITION, [each.position for each in fresh.loaded], pl.Int64)
    return pl.concat([positions.to_frame(), frame, by_rows, pl.DataFrame(by_header)], how="horizontal")


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    # So that grouping by it needs no hashing.
    return rows.with_columns(pl.col(NUMBER).set_sorted())
