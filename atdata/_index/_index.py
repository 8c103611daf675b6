"""The index of some shards, opened: its files, which rows of which parts are theirs, and their statistics."""

import contextlib
import functools
import hashlib
import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import ManifestIndexWarning
from atdata._manifest import KEY, SHARD, ShardTable, unified, value_dtype
from atdata._polars import enter_polars
from atdata._storage import Stamp, Store, is_leftover

from ._format import (
    INDEX_FOLDER,
    NUMBER,
    PART_NAME,
    TABLE_NAME,
    IndexFacts,
    PartFacts,
    statistics_among,
)
from ._shards_table import ShardsTable
from ._statistics import SetFacts, counted, set_facts

__all__ = [
    "Found",
    "Headers",
    "Index",
    "IndexPart",
    "all_there",
    "checked_index",
    "encode_part",
    "find",
    "open_index",
    "path",
    "publish",
    "sound_bytes",
    "sweep",
]

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


class IndexPart(NamedTuple):
    """A file of many shards' rows, each with its shard's number in the column ``__shard__``."""

    #: Its name below the store's root.
    name: str
    #: How many rows it has, those of shards that changed or are gone among them.
    rows: int
    #: Its length in bytes.
    size: int
    #: Its columns as stored, without the number.
    columns: pl.Schema
    #: The ids of its shards, by number.
    shard_ids: pl.Series
    #: The position of each shard, by number, among those that are asked; -1 where its rows do not count.
    positions: NDArray[np.int64]
    #: The fields whose lists have codes, in a column of their own.
    codes: Sequence[str]


class Index:
    """What an index tells of the shards that are asked.

    Attributes:
        parts: The parts in use, in shard order.
        table: The shards table that it was read from.
        part_of: For each shard, by position, its part's place in ``parts``; -1 where the index does not cover it.
        number_of: For each shard its number in the part.
    """

    def __init__(self, table: ShardsTable, shard_ids: Sequence[str], rows: NDArray[np.int64]) -> None:
        """Take the shards whose rows count.

        Args:
            table: The shards table.
            shard_ids: The shards that are asked, in their order.
            rows: For each of them its row in the table; -1 where it is not covered.
        """
        self.table = table
        self._shard_ids = shard_ids
        self._rows = rows
        covered = np.flatnonzero(rows >= 0)
        used, place = np.unique(table.parts[rows[covered]], return_inverse=True)
        self.part_of = np.full(len(rows), -1, np.int32)
        self.part_of[covered] = place
        self.number_of = np.zeros(len(rows), np.uint32)
        self.number_of[covered] = table.frame["number"].to_numpy()[rows[covered]]
        positions = np.full(len(table), -1)
        positions[rows[covered]] = covered
        self.parts = [_part(table, number, positions) for number in used.tolist()]

    def __len__(self) -> int:
        """Return how many shards are covered."""
        return int((self._rows >= 0).sum())

    @functools.cached_property
    def tables(self) -> list[ShardTable]:
        """One table for each set of columns that covered shards have, with the first such shard; in shard order."""
        first = self._first_of_sets
        return [self._described(number, position) for number, position in first.items()]

    @functools.cached_property
    def columns(self) -> pl.Schema:
        """All columns of the covered shards."""
        return unified(self.tables)

    @functools.cached_property
    def codes(self) -> dict[str, pl.DataFrame]:
        """By field, which list each code is: ``code``, ``value``; of the fields whose lists have one in all parts."""
        known = self.table.codes.items()
        return {name: codes for name, codes in known if all(name in part.codes for part in self.parts)}

    def without(self, part: str) -> "Index":
        """Return the index without a part, by name: its shards are not covered."""
        place = next(number for number, each in enumerate(self.parts) if each.name == part)
        return Index(self.table, self._shard_ids, np.where(self.part_of == place, -1, self._rows))

    def statistics(self, fields: Iterable[str]) -> pl.DataFrame:
        """Return what is known of fields, one row a shard by position, all null where a shard is not covered.

        ``__shard__``, ``rows``, and for each field and the key, as far as they are there: ``min:``, ``max:`` (bounds;
        long text is cut, they need not be values), ``nulls:``, ``nans:``, ``mean:``, ``distinct:``, ``values:``,
        ``counts:`` and ``truncated:`` with its name. Of lists, these are of the elements, but for ``nulls:``.

        Args:
            fields: Which fields; those that no covered shard has are passed over.
        """
        columns = {"rows": pl.col("rows")}
        for name in fields:
            columns |= self._statistics_of(name)
        frame = self._read(list(columns)).select(each.alias(name) for name, each in columns.items())
        return frame.insert_column(0, pl.Series(SHARD, self._shard_ids, pl.String))

    def files(self) -> pl.DataFrame:
        """Return what headers say of files, one row a shard by position, all null where a shard is not covered.

        ``rows``, ``size_bytes``, ``table_size``, ``table_sha256``, ``tar_size``, ``tar_sha256``, ``header_digest``.
        """
        return self._read(
            ["rows", "size_bytes", "table_size", "table_sha256", "tar_size", "tar_sha256", "header_digest"]
        )

    def facts(self) -> list[SetFacts] | None:
        """Return what the headers of all covered shards say of their fields, put together for each set of columns.

        None where the index cannot tell it: values that are too many to list, numbers that were widened to floats.
        """
        sets = self.table.facts.sets
        names = dict.fromkeys(name for number in self._first_of_sets for name in sets[number].aggregates)
        told = self.statistics(names)
        by_set = self._sets
        found = []
        for number in self._first_of_sets:
            if any(not self._can_be_told(name, dtype) for name, dtype in sets[number].schema.items()):
                return None
            mine = by_set == number
            facts = set_facts(sets[number], told if mine.all() else told.filter(pl.Series(mine)))
            if facts is None:
                return None
            found.append(facts)
        return found

    def value_counts(self, field: str) -> pl.DataFrame | None:
        """Return how many samples of the covered shards have each value of a field, in the order of the samples.

        Args:
            field: A field that is summed up value by value; of lists, the samples count that hold an element.

        Returns:
            Columns ``value`` and ``count``; None where not all values are known. Nulls are in ``nulls:`` of
            :meth:`statistics`.
        """
        told = self.statistics([field]).filter(pl.Series(self._rows >= 0))
        return counted(told, field) if f"values:{field}" in told.columns else None

    @functools.cached_property
    def _sets(self) -> NDArray[np.int64]:
        sets = self.table.frame["set"].cast(pl.Int64).to_numpy()
        return np.where(self._rows >= 0, sets[self._rows], -1)

    @functools.cached_property
    def _first_of_sets(self) -> dict[int, int]:
        """The sets that covered shards have, by number, with the position of the first; in order of position."""
        numbers, first = np.unique(self._sets, return_index=True)
        return {int(numbers[each]): int(first[each]) for each in np.argsort(first) if numbers[each] >= 0}

    def _described(self, number: int, position: int) -> ShardTable:
        columns = self.table.facts.sets[number]
        return ShardTable(self._shard_ids[position], columns.schema, not columns.empty)

    def _read(self, columns: Sequence[str]) -> pl.DataFrame:
        frame = self.table.read(columns)
        if len(frame) == len(self._rows) and (self._rows == np.arange(len(frame))).all():
            return frame
        rows = pl.Series(self._rows).replace(-1, None)
        return frame.select(pl.all().gather(rows))

    def _statistics_of(self, name: str) -> dict[str, pl.Expr]:
        """Return the columns of a field's statistics in the dtype that the covered shards give the field."""
        kinds = statistics_among(self.table.columns, name)
        found = {each: pl.col(each) for each in kinds}
        if not kinds or name not in self.columns:
            return {} if name != KEY else found
        stored, own = self.table.columns[f"min:{name}"], value_dtype(self.columns[name])
        if stored == own:
            return found
        bounds = {f"min:{name}": own, f"max:{name}": own, f"values:{name}": pl.List(own)}
        if not _restores(stored, own):  # a shard that is not asked made floats of integers
            return {each: column for each, column in found.items() if each not in bounds and each != f"counts:{name}"}
        return {each: column.cast(bounds[each]) if each in bounds else column for each, column in found.items()}

    def _can_be_told(self, name: str, dtype: pl.DataType) -> bool:
        return f"min:{name}" not in self.table.columns or _restores(
            self.table.columns[f"min:{name}"], value_dtype(dtype)
        )


def _part(table: ShardsTable, number: int, positions: NDArray[np.int64]) -> IndexPart:
    facts, shards = table.facts.parts[number], slice(*table.starts[number : number + 2].tolist())
    columns = pl.Schema(table.schemas[number])
    return IndexPart(
        path(facts.name), facts.rows, facts.size, columns, table.ids[shards], positions[shards], facts.codes
    )


def _restores(stored: pl.DataType, own: pl.DataType) -> bool:
    """Tell whether values of one dtype that were widened to another one come back as they were."""
    both_integers = stored.is_integer() and own.is_integer()
    return stored == own or both_integers or (stored.is_float() and own.is_float())


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
