"""One part, made of sidecars and of rows of old parts; and what the shards table says of its shards."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import DamagedManifestError, ManifestError
from atdata._sidecars._union import as_union

from ._check import nan_columns, read_tables, wrong_rows
from ._format import NUMBER, ColumnSet, fields_of, union_of
from ._lots import Item, Kept
from ._shards import COLUMNS
from ._sidecar import Loaded
from ._statistics import statistics

__all__ = ["POSITION", "Made", "make_part"]

#: A shard's place among those that are asked for, in frames that are no shards table yet.
POSITION = "position"
#: What a header tells of a shard, beside its statistics.
_TOLD = ("set", "header_digest", "table_size", "table_sha256", "size_bytes", "tar_size", "tar_sha256")


class Made(NamedTuple):
    """What became of some shards."""

    #: The rows of their samples, by the number of the shard.
    rows: pl.DataFrame
    #: The shards, by position, in order.
    positions: list[int]
    #: What the shards table says of those whose sidecars were read, with ``POSITION`` in place of part and stamps.
    told: pl.DataFrame | None
    #: What is wrong with shards that are not among them, by position.
    wrong: dict[int, ManifestError]
    #: Why other shards are not among them, by position.
    left_out: dict[int, str]


class _Fresh(NamedTuple):
    """Shards whose sidecars were read and are sound."""

    loaded: list[Loaded]
    #: Their rows, by place in that list.
    rows: pl.DataFrame
    wrong: dict[int, ManifestError]
    left_out: dict[int, str]


def make_part(
    lot: Sequence[Item],
    sets: Sequence[ColumnSet],
    listed: Mapping[str, bool],
    read_old: Callable[[Sequence[Kept]], Iterable[tuple[Sequence[Kept], pl.DataFrame]]],
) -> Made:
    """Return the part that some shards make.

    Args:
        lot: The shards, in order.
        sets: The sets of columns that there are.
        listed: As for :func:`statistics`.
        read_old: Returns some of those that have not changed with their rows, by place among these; until it has all.
    """
    fresh = _fresh([each for each in lot if isinstance(each, Loaded)], sets)
    kept = [each for each in lot if isinstance(each, Kept)]
    positions = sorted([each.position for each in fresh.loaded] + [each.position for each in kept])
    number = {position: index for index, position in enumerate(positions)}
    found: list[tuple[Sequence[Item], pl.DataFrame]] = [(fresh.loaded, fresh.rows)] if fresh.loaded else []
    if kept:
        found += read_old(kept)
    used = dict.fromkeys([each.told.set for each in fresh.loaded] + [each.set for each in kept])
    union = union_of([sets[each] for each in sorted(used)])
    frames = [
        _renumbered(rows, np.array([number[each.position] for each in some], np.uint32)).select(
            NUMBER, *as_union(rows.schema, union)
        )
        for some, rows in found
    ]
    return Made(
        rows=_in_order(frames) if frames else pl.DataFrame(schema={NUMBER: pl.UInt32, **union}),
        positions=positions,
        told=_told(fresh, listed) if fresh.loaded else None,
        wrong=fresh.wrong,
        left_out=fresh.left_out,
    )


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


def _in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat(frames)
    return rows if rows[NUMBER].is_sorted() else rows.sort(NUMBER, maintain_order=True)


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
