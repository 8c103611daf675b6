"""Which shards make a new part together, their sidecars read while the part before is made."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeAlias, TypeVar

from ._format import ColumnSet
from ._plan import Limits
from ._sidecar import Loaded

__all__ = ["Item", "Kept", "Lot", "ahead", "lots"]

T = TypeVar("T")


class Kept(NamedTuple):
    """A shard that has not changed: its rows are in an old part."""

    position: int
    #: Its row in the old shards table.
    row: int
    set: int
    rows: int
    #: Length of its sample table, in bytes.
    size: int


Item: TypeAlias = Loaded | Kept


class Lot(NamedTuple):
    """Some shards of one part, in order."""

    items: list[Item]
    #: Whether the part has no shards after these.
    ends: bool


def lots(items: Iterator[Item], sets: Sequence[ColumnSet], limits: Limits) -> Iterator[Lot]:
    """Yield shards as parts are to hold them: not too large, and each column of one dtype.

    A part whose columns were wider than its shards' would change the values of whoever opens some of these alone.

    Args:
        items: The shards.
        sets: The sets of columns that there are; it may grow while shards are read.
        limits: How large parts become, and how many rows are read at once.
    """
    lot: list[Item] = []
    rows = size = read = shards = 0
    dtypes: dict[str, str] = {}
    for item in items:
        number, more_rows, more = _measure(item)
        columns = {} if sets[number].empty else sets[number].columns
        if shards and (rows + more_rows > limits.rows or size + more > limits.size or _differ(columns, dtypes)):
            yield Lot(lot, ends=True)
            lot, rows, size, read, shards, dtypes = [], 0, 0, 0, 0, {}
        elif read + more_rows > limits.batch:
            yield Lot(lot, ends=False)
            lot, read = [], 0
        lot.append(item)
        rows, size, shards = rows + more_rows, size + more, shards + 1
        read += more_rows if isinstance(item, Loaded) else 0
        dtypes |= columns
    if shards:
        yield Lot(lot, ends=True)


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items of which the next one is made on a thread."""
    end = object()
    with ThreadPoolExecutor(1, "atdata-index") as thread:
        following = thread.submit(next, items, end)
        while (item := following.result()) is not end:
            following = thread.submit(next, items, end)
            yield item  # type: ignore[misc]  # it is not the end


def _measure(item: Item) -> tuple[int, int, int]:
    if isinstance(item, Kept):
        return item.set, item.rows, item.size
    return item.told.set, item.told.rows, len(item.data)


def _differ(columns: Mapping[str, str], dtypes: Mapping[str, str]) -> bool:
    return any(dtypes.get(name, dtype) != dtype for name, dtype in columns.items())
