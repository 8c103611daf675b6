"""One shard's sidecars, read and checked by their digests; what is kept of its header."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from atdata._errors import DamagedManifestError, SchemaError
from atdata._manifest import FieldAggregate, Header, Sidecars
from atdata._shards import CommittedShard, damaged_table
from atdata._storage import Store

from ._format import ColumnSet, union_of

__all__ = ["LoadedShard", "Sets", "Told", "load", "read_digest"]

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
