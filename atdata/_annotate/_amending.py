"""Changing the columns of shards' manifests, one shard after the other; each is the old one or the new one."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Literal, NamedTuple, Self, TypeAlias

import polars as pl

from atdata._errors import (
    AtdataError,
    ManifestError,
    PartialFailureError,
    UnsupportedFormatError,
)
from atdata._manifest import (
    KEY,
    Change,
    Header,
    Sidecars,
    amended,
    marks_of,
    swap_manifest,
    sweep_tables,
)
from atdata._shards import CommittedShard
from atdata._storage import Store

__all__ = ["Amend", "OnError", "ShardColumns", "Work", "read_table"]

#: What becomes of the work when a shard fails: it ends, or the others are done first.
OnError: TypeAlias = Literal["raise", "collect"]


class ShardColumns(NamedTuple):
    """What a shard's header says of its columns, as it was read."""

    #: The shard's number in the dataset.
    number: int
    sidecars: Sidecars
    #: The name of the sample table that the header names.
    table: str
    #: The SHA-256 of the header's bytes.
    stamp: str
    samples: int
    #: The dtypes of the columns, as text.
    dtypes: Mapping[str, str]
    #: How each field is summed up.
    kinds: Mapping[str, str]
    #: The columns that came late, and the run that made each.
    marks: Mapping[str, str | None]

    @property
    def shard_id(self) -> str:
        """The shard."""
        return self.sidecars.shard_id


#: Makes of a shard and its sample table what becomes of the columns; None where nothing does.
Amend: TypeAlias = Callable[[ShardColumns, pl.DataFrame], Change | None]


class Work:
    """The shards of a dataset whose columns are to be changed.

    Args:
        store: Where they are.
        committed: Their files, as they were listed.
        on_error: What becomes of the work when a shard fails.
    """

    def __init__(self, store: Store, committed: Sequence[Sidecars], on_error: OnError) -> None:
        self._store = store
        self._on_error = on_error
        #: The shards' files as they are now.
        self.sidecars = list(committed)
        self._done: dict[str, int] = {}
        self._errors: dict[str, BaseException] = {}

    def read(self, seen: Callable[[ShardColumns, Header], None] | None = None) -> list[ShardColumns]:
        """Return what the shards' headers say of their columns.

        Args:
            seen: Is told of each shard, with its whole header.

        Raises:
            ManifestError: A header is damaged, gone, or of a format whose manifests are not changed.
            SampleValueError: The provenance has something else where late columns are noted.
        """
        found = []
        for number, sidecars in enumerate(self.sidecars):
            with self.guarding(sidecars.shard_id):
                columns, header = _read_columns(self._store, number, sidecars)
                if seen is not None:
                    seen(columns, header)
                found.append(columns)
        return found

    def keys_of(self, shard: ShardColumns, header: Header) -> pl.Series:
        """Return the keys of a shard's samples, in tar order.

        Raises:
            ManifestError: Its sample table is damaged or gone.
        """
        return read_table(self._store, shard, header, [KEY]).to_series()

    def columns_of(self, shard: ShardColumns, names: Sequence[str]) -> pl.DataFrame:
        """Return some columns of a shard's sample table, once its header is found to be the one that was read.

        Raises:
            ManifestError: It is not, or the table is damaged or gone.
        """
        _, header = self._unchanged(shard)
        return read_table(self._store, shard, header, list(names))

    def do(self, shard: ShardColumns, amend: Amend) -> None:
        """Change the columns of one shard.

        Raises:
            ManifestError: Its manifest is damaged or gone, or another writer has changed it since it was read.
            AtdataError: What ``amend`` raises.
        """
        if shard.shard_id in self._errors:
            return
        with self.guarding(shard.shard_id):
            self.sidecars[shard.number] = self._amended(shard, amend)
            self._done[shard.shard_id] = shard.samples

    @contextlib.contextmanager
    def guarding(self, shard_id: str) -> Iterator[None]:
        """Return a context in which what goes wrong with a shard ends the work, or is kept until the others are done.

        Raises:
            AtdataError: What goes wrong, where it ends the work.
        """
        try:
            yield
        except (AtdataError, OSError) as error:
            if self._on_error == "raise":
                raise
            self._errors[shard_id] = error

    def finish(self) -> None:
        """End the work.

        Raises:
            PartialFailureError: With ``on_error="collect"``: some shards failed, and the others are done.
        """
        if self._errors:
            raise PartialFailureError(list(self._done), list(self._errors), self._errors, self._done)

    def noting(self, advice: str, shards: int) -> "_Noting":
        """Return a context in which an error gets a note that says how far the work came, and how to go on."""
        return _Noting(self._done, shards, advice)

    def _amended(self, shard: ShardColumns, amend: Amend) -> Sidecars:
        old, header = self._unchanged(shard)
        table = read_table(self._store, shard, header)
        change = amend(shard, table)
        if change is None:
            return shard.sidecars if len(shard.sidecars.tables) == 1 else sweep_tables(self._store, shard.sidecars)
        sha256 = header.samples.sha256 if header.samples else ""
        return swap_manifest(self._store, shard.sidecars, old, amended(old, table, sha256, shard.shard_id, change))

    def _unchanged(self, shard: ShardColumns) -> tuple[bytes, Header]:
        found, data = CommittedShard.read(self._store, shard.sidecars)
        if hashlib.sha256(data).hexdigest() != shard.stamp:
            raise _changed(self._store, shard)
        return data, found.header


class _Noting:
    """Gives an error that leaves the work a note of how far it came."""

    def __init__(self, done: Mapping[str, int], shards: int, advice: str) -> None:
        self._done = done
        self._shards = shards
        self._advice = advice

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"{len(self._done)} of {self._shards} shards were done, and the others not. {self._advice}")


def read_table(store: Store, shard: ShardColumns, header: Header, columns: list[str] | None = None) -> pl.DataFrame:
    """Return a shard's sample table, or some of its columns.

    Raises:
        ManifestError: It is damaged or gone.
    """
    return CommittedShard(store, shard.sidecars, header).table(columns)


def _read_columns(store: Store, number: int, sidecars: Sidecars) -> tuple[ShardColumns, Header]:
    shard, data = CommittedShard.read(store, sidecars)
    header = shard.header
    header.aggregates()  # those that stay are carried on: a malformed one is refused
    if not header.has_places:
        raise UnsupportedFormatError(
            f"shard {sidecars.shard_id!r}: its manifest is of version {header.manifest_version}, whose columns are not "
            "changed. Read the shards in order and write them again, into another folder: "
            f"write_samples(Dataset[T]({store.url()!r}), 'new/samples.tar', maxcount=10_000, manifest=True)"
        )
    table = shard.table_name
    columns = ShardColumns(
        number,
        sidecars.with_tables((*sidecars.tables, table)),
        table,
        hashlib.sha256(data).hexdigest(),
        header.num_samples,
        header.samples.columns if header.samples else {},
        header.kinds,
        marks_of(header.provenance),
    )
    return columns, header


def _changed(store: Store, shard: ShardColumns) -> ManifestError:
    return ManifestError(
        f"shard {shard.shard_id!r}: another writer replaced its header {store.url(shard.sidecars.header)} while "
        "columns were being changed; this shard was left as it is. Open the dataset again, and do the rest anew"
    )
