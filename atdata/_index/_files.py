"""The index's files in a store: written whole, found again, and removed when nobody names them."""

import contextlib
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from atdata._manifest import SHARD
from atdata._storage import Stamp, Store, is_leftover

from ._format import INDEX_FOLDER, NUMBER, PART_NAME, TABLE_NAME, IndexFacts, PartFacts
from ._shards import ShardsTable

__all__ = ["Found", "all_there", "encode_part", "find", "path", "publish", "sound_bytes", "sweep"]

_ROW_GROUP = 125_000


class Found(NamedTuple):
    """What there is in the index's folder."""

    stamps: Mapping[str, Stamp]
    tables: list[ShardsTable]
    #: Why other shards tables are none, by name.
    damaged: dict[str, str]


def path(name: str) -> str:
    """Return a file's name below the store's root."""
    return f"{INDEX_FOLDER}/{name}"


def find(store: Store) -> Found:
    """Return the index's files; shards tables are read and checked."""
    try:
        files = _listed(store)
    except OSError as error:
        return Found({}, [], {INDEX_FOLDER: str(error)})
    tables, damaged = [], {}
    for name in filter(TABLE_NAME.fullmatch, files):
        try:
            tables.append(ShardsTable(path(name), store.read(path(name))))
        except FileNotFoundError:
            continue  # superseded since it was listed
        except (ValueError, OSError) as error:
            damaged[path(name)] = str(error)
    return Found(files, tables, damaged)


def _listed(store: Store) -> dict[str, Stamp]:
    try:
        _, stamps = store.stamped(INDEX_FOLDER, suffix="")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {name.rpartition("/")[2]: stamp for name, stamp in stamps.items()}


def encode_part(rows: pl.DataFrame, shard_ids: Sequence[str]) -> memoryview:
    """Return a part as a Parquet file; the same rows, in one chunk, give the same bytes.

    Args:
        rows: The rows, with the numbers of their shards.
        shard_ids: The shards, by number.
    """
    buffer = io.BytesIO()
    names = pl.Series(SHARD, shard_ids, pl.String).gather(rows[NUMBER])
    rows = rows.drop(NUMBER).insert_column(0, names)
    rows.write_parquet(buffer, compression="lz4", statistics=True, row_group_size=_ROW_GROUP)
    return buffer.getbuffer()


def sound_bytes(store: Store, part: PartFacts) -> bytes | None:
    """Return a part's bytes where they are those that were written, else None."""
    try:
        data = store.read(path(part.name))
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == part.sha256 else None


def publish(store: Store, name: str, data: bytes | memoryview) -> None:
    """Publish a file under a name that says what it was made of.

    Where there is one of that name, another run made the same; one of other bytes is damaged, and goes.

    Raises:
        OSError: It cannot be written.
    """
    for attempts_left in (1, 0):
        try:
            with store.create(path(name)) as upload:
                upload.write(data)
                upload.commit()
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                if store.read(path(name)) == data:
                    return
                if attempts_left:
                    store.remove(path(name))
                    continue
            if not attempts_left:
                raise
        else:
            return


def all_there(store: Store, facts: IndexFacts) -> bool:
    """Tell whether all parts that were named are in the store, as they were."""
    stamps = _listed(store)
    return all(stamps.get(part.name) == (part.size, part.time, part.tag) for part in facts.parts)


def sweep(store: Store, current: ShardsTable | None, before: Found) -> None:
    """Remove what a new shards table made needless: tables that were read before it was made, then parts of theirs.

    What tables name that others published meanwhile stays, and so does what nobody names, unless it is a day old.
    """
    now = find(store)
    old = {table.name for table in before.tables} | before.damaged.keys() - {INDEX_FOLDER}
    staying = {current.name: current} if current else {}
    staying |= {table.name: table for table in now.tables if table.name not in old}
    unknown = now.damaged.keys() - old
    named = {part.name for table in staying.values() for part in table.facts.parts}
    outdated = {part.name for table in before.tables for part in table.facts.parts} - named
    _remove(store, old - staying.keys())
    if not unknown:  # a table that is not understood may name any part
        _remove(store, (path(name) for name in outdated if name in now.stamps))
    kept = {*staying, *unknown, *map(path, named)}
    _remove(store, (path(name) for name in _abandoned(store, now.stamps) if path(name) not in kept))


def _abandoned(store: Store, stamps: Mapping[str, Stamp]) -> Iterable[str]:
    for name, stamp in stamps.items():
        ours = PART_NAME.fullmatch(name) or TABLE_NAME.fullmatch(name) or is_leftover(name)
        if ours and store.is_abandoned(stamp):
            yield name


def _remove(store: Store, names: Iterable[str]) -> None:
    for name in sorted(names):
        with contextlib.suppress(FileNotFoundError):  # another run did it
            store.remove(name)
