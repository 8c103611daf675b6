"""Plan an index: which parts stay as they are, and which shards make new ones."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from atdata._errors import DamagedManifestError, SchemaError
from atdata._manifest import FieldAggregate, Header, Sidecars
from atdata._shards import CommittedShard, damaged_table
from atdata._storage import Store

from ._format import ColumnSet, union_of

__all__ = [
    "LIMITS",
    "Item",
    "Kept",
    "Limits",
    "LoadedShard",
    "Lot",
    "Sets",
    "ShardRun",
    "Told",
    "ahead",
    "load",
    "lots",
    "plan",
    "read_digest",
]

#: Longer than any file is.
_TOO_LONG = 1 << 62


class Told(NamedTuple):
    """What the index keeps of a header."""

    digest: bytes
    #: Its number among the sets of columns.
    set: int
    rows: int
    size_bytes: int
    #: Where the sample table is, as people call it.
    table: str
    table_sha256: bytes
    tar_size: int | None
    tar_sha256: bytes | None
    #: The NaN that the header counts, by field.
    nans: dict[str, int]
    #: What the index keeps of aggregates, by field: values by the name before the column's colon.
    by_header: dict[str, dict[str, Any]]


class LoadedShard(NamedTuple):
    """A shard's header, and the bytes of its sample table, which are those that the header names."""

    position: int
    told: Told
    data: bytes


class Sets:
    """The sets of columns that an index holds: those that go together.

    Args:
        sets: Those that it has already.

    Attributes:
        sets: All of them; a set's place is its number.
    """

    def __init__(self, sets: Iterable[ColumnSet]) -> None:
        self.sets: list[ColumnSet] = []
        self._numbers: dict[tuple[object, ...], int | str] = {}
        for each in sets:
            self.add(each)

    def add(self, columns: ColumnSet) -> int | str:
        """Return a set's number, or why it has none."""
        key = columns.key
        if key not in self._numbers:
            self._numbers[key] = columns.refused() or self._joined(columns)
        return self._numbers[key]

    def _joined(self, columns: ColumnSet) -> int | str:
        try:
            union_of([*self.sets, columns])
        except SchemaError as error:
            return f"its columns do not go together with those of the shards before it: {error}"
        self.sets.append(columns)
        return len(self.sets) - 1


def read_digest(store: Store, files: Sidecars) -> bytes | None:
    """Return the digest of a header that is sound; None of one that has none.

    Raises:
        ManifestError: It is damaged, gone, or of a newer format.
    """
    header = CommittedShard.read(store, files)[0].header
    return None if header.digest is None else bytes.fromhex(header.digest)


def load(store: Store, files: Sidecars, position: int, sets: Sets) -> LoadedShard | str:
    """Read a shard's sidecars, or say why an index does not hold it.

    Raises:
        ManifestError: They are damaged or gone, or of a newer format.
        OSError: They cannot be read.
    """
    shard, _ = CommittedShard.read(store, files)
    header = shard.header
    if not header.has_places or header.digest is None or header.samples is None:
        return "its manifest is of version 1.0, whose header promises nothing of its sample table"
    columns = _columns(header)
    told = sets.add(columns)
    if isinstance(told, str):
        if header.num_samples and (problem := columns.location_problem()) is not None:
            raise damaged_table(store.url(shard.table_name), files.shard_id, problem)
        return told
    numbers = [header.size_bytes, header.shard.size_bytes if header.shard else 0]
    if (largest := max([*numbers, *_nans(header.aggregates()).values()])) > _TOO_LONG:
        raise DamagedManifestError.because(store.url(files.header), f"{largest} bytes or values; no shard is so large")
    table = shard.table_name
    return LoadedShard(position, _told(header, told, store.url(table)), shard.table_bytes(table))


def _columns(header: Header) -> ColumnSet:
    columns = header.samples.columns if header.samples else {}
    return ColumnSet(columns, header.kinds, empty=not header.num_samples)


def _told(header: Header, number: int, url: str) -> Told:
    samples, shard, digest = header.samples, header.shard, header.digest
    if samples is None or digest is None:
        raise AssertionError("a header that promises nothing was passed over")
    aggregates = header.aggregates()
    return Told(
        digest=bytes.fromhex(digest),
        set=number,
        rows=header.num_samples,
        size_bytes=header.size_bytes,
        table=url,
        table_sha256=bytes.fromhex(samples.sha256),
        tar_size=shard.size_bytes if shard else None,
        tar_sha256=bytes.fromhex(shard.sha256) if shard else None,
        nans=_nans(aggregates),
        by_header={name: each.kind.index_values(each.members) for name, each in aggregates.items()},
    )


def _nans(aggregates: Mapping[str, FieldAggregate]) -> dict[str, int]:
    return {name: each.members.nan_count for name, each in aggregates.items() if each.members.nan_count}


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


class ShardRun(NamedTuple):
    """Some shards in a row."""

    #: The part that stays as it is, by its number in the old index; -1 where the shards make new parts.
    part: int
    #: The first shard, by position, and the one after the last.
    start: int
    end: int


def plan(rows: NDArray[np.int64], starts: NDArray[np.int64], filled: Sequence[float]) -> list[ShardRun]:
    """Return what becomes of shards: parts that stay, and runs of shards that make new parts.

    Args:
        rows: For each shard, in order, its row in the old shards table; -1 where it is new or has changed.
        starts: The first row of each old part, and the number of rows at the end.
        filled: How large each old part is, as a share of the largest.
    """
    runs = list(_runs(rows, starts))
    small = [run.part >= 0 and filled[run.part] * _SMALL < 1 for run in runs]
    loose = [run.part < 0 for run in runs]
    joined: list[ShardRun] = []
    for index, run in enumerate(runs):
        near = [other for other in (index - 1, index + 1) if 0 <= other < len(runs)]
        stays = run.part >= 0 and not (small[index] and any(small[other] or loose[other] for other in near))
        if not stays and joined and joined[-1].part < 0:
            joined[-1] = joined[-1]._replace(end=run.end)
        else:
            joined.append(run if stays else run._replace(part=-1))
    return joined


def _runs(rows: NDArray[np.int64], starts: NDArray[np.int64]) -> Iterator[ShardRun]:
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
                yield ShardRun(-1, loose, place)
            yield ShardRun(part, place, place + count)
            position = loose = place + count
    if loose < len(rows):
        yield ShardRun(-1, loose, len(rows))


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


Item: TypeAlias = LoadedShard | Kept


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
        read += more_rows if isinstance(item, LoadedShard) else 0
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
