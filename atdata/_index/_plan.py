"""Which parts stay as they are, and which shards make new ones; pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMITS", "Limits", "Run", "plan"]


class Limits(NamedTuple):
    """How large parts become."""

    #: Rows of a part; a shard is never cut.
    rows: int = 500_000
    #: Bytes of the sample tables that a part is made of.
    size: int = 32 << 20
    #: Rows that are read from sidecars at once.
    batch: int = 125_000
    #: What the values that are listed of one field take, in all shards together, in bytes: 16 a value, and its text.
    #: Where they take more, none are listed.
    values: int = 32 << 20


LIMITS = Limits()
#: A part of less than a third is put together with neighbours that are made anew, or as small.
_SMALL = 3


class Run(NamedTuple):
    """Some shards in a row."""

    #: The part that stays as it is, by its number in the old index; -1 where the shards make new parts.
    part: int
    #: The first shard, by position, and the one after the last.
    start: int
    end: int


def plan(rows: NDArray[np.int64], starts: NDArray[np.int64], filled: Sequence[float]) -> list[Run]:
    """Return what becomes of shards: parts that stay, and runs of shards that make new parts.

    Args:
        rows: For each shard, in order, its row in the old shards table; -1 where it is new or has changed.
        starts: The first row of each old part, and the number of rows at the end.
        filled: How large each old part is, as a share of the largest.
    """
    runs = list(_runs(rows, starts))
    small = [run.part >= 0 and filled[run.part] * _SMALL < 1 for run in runs]
    loose = [run.part < 0 for run in runs]
    joined: list[Run] = []
    for index, run in enumerate(runs):
        near = [other for other in (index - 1, index + 1) if 0 <= other < len(runs)]
        stays = run.part >= 0 and not (small[index] and any(small[other] or loose[other] for other in near))
        if not stays and joined and joined[-1].part < 0:
            joined[-1] = joined[-1]._replace(end=run.end)
        else:
            joined.append(run if stays else run._replace(part=-1))
    return joined


def _runs(rows: NDArray[np.int64], starts: NDArray[np.int64]) -> Iterator[Run]:
    """Yield parts of which all shards are there, in their order, and what lies between them."""
    position = loose = 0
    part_at = {int(start): part for part, start in enumerate(starts[:-1]) if starts[part + 1] > start}
    # Where a part could begin; a loop over all shards would take longer than the rest of the plan.
    for place in np.flatnonzero(np.isin(rows, list(part_at))).tolist():
        if place < position:
            continue
        part = part_at[int(rows[place])]
        count = int(starts[part + 1] - starts[part])
        there = rows[place : place + count]
        if len(there) == count and (there == np.arange(starts[part], starts[part + 1])).all():
            if place > loose:
                yield Run(-1, loose, place)
            yield Run(part, place, place + count)
            position = loose = place + count
    if loose < len(rows):
        yield Run(-1, loose, len(rows))
