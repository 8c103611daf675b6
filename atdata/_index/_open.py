"""Opening the index: which of its rows can stand for sidecars today."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atdata._errors import ManifestIndexWarning
from atdata._sidecars._process import enter_polars
from atdata._store import Stamp, Store

from ._files import Found, find, path, sound_bytes
from ._format import PartFacts
from ._index import Index
from ._shards import ShardsTable

__all__ = ["Headers", "checked_index", "open_index"]

_ADVICE = "questions are answered from the sidecars instead; compact() makes it anew"


class Headers(NamedTuple):
    """The headers of some shards, as one listing says, in the order in which the shards are asked."""

    shard_ids: Sequence[str]
    #: None of those that were not asked for one: the index does not cover them.
    stamps: Sequence[Stamp | None]


def open_index(store: Store, headers: Headers) -> Index | None:
    """Return the index of some shards; None where there is none that fits any of them.

    Nothing is read but the folder's names, the shards table, and the stamps of the parts. What is damaged, of a newer
    version or of other shards is left out of account, with one :class:`ManifestIndexWarning` that names it.

    Args:
        store: The folder that holds the sidecars.
        headers: The shards.

    Raises:
        AtdataError: This process was forked from one that had used Polars.
    """
    found = find(store)
    if not found.tables and not found.damaged:
        return None
    enter_polars()
    index, missing = _best(store, found, headers)
    if missing:  # another run may have removed them since they were listed
        found = find(store)
        index, missing = _best(store, found, headers)
    for name, why in found.damaged.items():
        _warn(store, name, why)
    for name in missing:
        _warn(store, path(name), "it is gone, or its bytes are not those that were written")
    if index is None and found.tables and headers.shard_ids and not missing:
        names = [table.name for table in found.tables]
        _warn(store, names[0], "it was made of other files than are here now: of another dataset, or before a copy")
    return index


def checked_index(store: Store, headers: Headers, index: Index) -> Index | None:
    """Return an index whose parts are all what was written: the one given where they are, else what is left or new.

    All of its parts are read. What is damaged or gone is left out of account, with a warning that names it.
    """
    parts = {path(each.name): each for each in index.table.facts.parts}
    bad = [part.name for part in index.parts if sound_bytes(store, parts[part.name]) is None]
    if not bad:
        return index
    again = open_index(store, headers)
    for name in bad:
        if again is not None and name in [part.name for part in again.parts]:
            _warn(store, name, "its bytes are not those that were written")
            again = again.without(name)
    return again if again is not None and len(again) else None


def _best(store: Store, found: Found, headers: Headers) -> tuple[Index | None, list[str]]:
    """Return the index that covers most shards, and which of its parts are not what was written."""
    best: tuple[int, Index | None, list[str]] = (0, None, [])
    for table in found.tables:
        rows = table.rows_of(headers.shard_ids)
        rows = np.where(table.fits(headers.stamps, rows), rows, -1)
        lost = [number for number in _used(table, rows) if not _is_sound(store, found, table.facts.parts[number])]
        if lost:
            rows = np.where(np.isin(table.parts[rows], lost), -1, rows)
        covered = int((rows >= 0).sum())
        if covered > best[0] or (lost and best[1] is None):
            index = Index(table, headers.shard_ids, rows) if covered else None
            best = (covered, index, [table.facts.parts[number].name for number in lost])
    return best[1], best[2]


def _used(table: ShardsTable, rows: NDArray[np.int64]) -> list[int]:
    used: list[int] = np.unique(table.parts[rows[rows >= 0]]).tolist()
    return used


def _is_sound(store: Store, found: Found, part: PartFacts) -> bool:
    if found.stamps.get(part.name) == (part.size, part.time, part.tag):
        return True
    return sound_bytes(store, part) is not None


def _warn(store: Store, name: str, why: str) -> None:
    warnings.warn(f"{store.url(name)} is left out of account: {why}; {_ADVICE}", ManifestIndexWarning, stacklevel=4)
