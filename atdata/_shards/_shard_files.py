"""The files of committed shards, read and checked: headers, and the sample tables that they mean.

A shard is what its files are called. The names in a header only say which of the shard's own tables is meant.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, NoReturn, TypeAlias

import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, ManifestNotFoundError, ShardChangedError
from atdata._manifest import (
    KEY,
    MAX_READ,
    SHARD,
    TABLE_SUFFIX,
    Header,
    ShardManifest,
    Sidecars,
    carries_stem,
    check_bytes,
    checked_table,
    dtype_text,
    parse_dtype,
    parse_header,
)
from atdata._storage import ChangedFileError, OpenFile, OversizedFileError, ReadInto, ReadLimits, Store
from atdata._tar import SampleRun, sample_runs, tar_name, walk

from ._locations import LocationProblem

__all__ = ["CommittedShard", "ShardFiles", "Tars", "Verify", "damaged_table"]

Verify: TypeAlias = Literal["none", "fetch", "full"]
#: How much of a tar is hashed at once.
_HASHED = 1 << 20


class Tars:
    """The tars of shards in one store.

    Args:
        store: Where they are.
        header_of: Returns a shard's header; None for a shard that has none.
    """

    def __init__(self, store: Store, header_of: Callable[[str], Header | None]) -> None:
        self._store = store
        self._header_of = header_of

    @property
    def limits(self) -> ReadLimits:
        """How much is read at once."""
        return self._store.limits

    def open(self, shard_id: str, verify: Verify) -> OpenFile:
        """Open a tar once it is as long as its header says; with ``verify="full"`` also hash it.

        Raises:
            ShardChangedError: It is another one, or it is gone.
        """
        name = tar_name(shard_id)
        try:
            file = self._store.open(name)
        except FileNotFoundError:
            raise ShardChangedError(
                shard_id, f"its tar {self._store.url(name)} is gone; restore it from a copy"
            ) from None
        header = self._header_of(shard_id)
        if header is None or (facts := header.shard) is None:
            return file
        if facts.size_bytes != file.size:
            raise ShardChangedError(
                shard_id,
                f"its manifest promises a tar of {facts.size_bytes} bytes, and {self._store.url(name)} has "
                f"{file.size}. It was cut or replaced; restore it, or write both again",
            )
        if verify == "full" and (found := self._sha256(shard_id, file)) != facts.sha256:
            raise ShardChangedError(
                shard_id,
                f"its manifest promises a tar with SHA-256 {facts.sha256[:16]}…, found {found[:16]}…. It was changed; "
                "restore it from a copy, or write both again",
            )
        return file

    def fill(self, shard_ids: Iterable[str], parts: list[ReadInto]) -> None:
        """Read parts of the tars of some shards, whole or not at all.

        Raises:
            ShardChangedError: A tar was changed after it was opened.
        """
        try:
            self._store.fill(parts)
        except ChangedFileError as error:
            self.changed(next(each for each in shard_ids if self._store.url(tar_name(each)) == error.filename))

    def changed(self, shard_id: str) -> NoReturn:
        """Say that a tar is no longer the one that was opened before.

        Raises:
            ShardChangedError: Always.
        """
        raise ShardChangedError(
            shard_id,
            f"its tar {self._store.url(tar_name(shard_id))} was replaced or written to while samples were read from "
            "it; open the dataset again and ask its manifests again",
        ) from None

    def runs(self, shard_id: str, file: OpenFile) -> Iterator[SampleRun]:
        """Walk an opened tar; yield its samples, each a run of members.

        Raises:
            ShardError: It is no tar, or is damaged.
        """
        return sample_runs(
            walk(lambda at, length: self._read(shard_id, file, at, length), file.size, shard_id), shard_id
        )

    def _read(self, shard_id: str, file: OpenFile, offset: int, length: int) -> bytes:
        buffer = bytearray(max(0, min(length, file.size - offset)))
        self.fill([shard_id], [(file, offset, memoryview(buffer))])
        return bytes(buffer)

    def _sha256(self, shard_id: str, file: OpenFile) -> str:
        digest, buffer = hashlib.sha256(), memoryview(bytearray(min(_HASHED, file.size)))
        for offset in range(0, file.size, _HASHED):
            part = buffer[: file.size - offset]
            self.fill([shard_id], [(file, offset, part)])
            digest.update(part)
        return digest.hexdigest()


#: How many headers are held as bytes at once.
_AT_ONCE = 1000
#: What a Parquet file begins and ends with, and how long the end is that tells how long the footer is.
_MAGIC, _FOOTER_END = b"PAR1", 8
#: Most footers are no longer than this, in bytes.
_TAIL = 16 << 10


class CommittedShard(NamedTuple):
    """A shard as its header describes it."""

    store: Store
    #: Its files, as they were listed.
    files: Sidecars
    header: Header

    @classmethod
    def read(cls, store: Store, files: Sidecars) -> "tuple[CommittedShard, bytes]":
        """Read and check a shard's header; return its bytes, too.

        Raises:
            DamagedManifestError: Its bytes are not what was written.
            UnsupportedFormatError: Its format is newer than this version reads.
            ManifestNotFoundError: Its file is gone.
        """
        data = _read(store, files.header, MAX_READ)
        return cls(store, files, parse_header(data, store.url(files.header))), data

    @property
    def named_table(self) -> str:
        """The table that the header names, by its name below the store's root."""
        folder, slash, _ = self.files.header.rpartition("/")
        facts = self.header.samples
        return f"{folder}{slash}{facts.file}" if facts else self.files.shard_id + TABLE_SUFFIX

    @property
    def table_name(self) -> str:
        """The shard's sample table: the one that the header names.

        Where the header names none of the shard's own, because the shard's files were copied or moved to another name
        together, it is the one that the shard has; of several, the one whose SHA-256 the header says.

        Raises:
            ManifestNotFoundError: The shard has no such table, and several others.
            DamagedManifestError: The one table that the shard has is not as long as the header says.
        """
        tables, named, facts = self.files.tables, self.named_table, self.header.samples
        if named in tables or self.is_replaced:
            return named
        if len(tables) > 1 and facts is not None and not carries_stem(named, self.files.shard_id):
            # One of them may have been begun by a writer that came too late.
            tables = tuple(table for table in tables if _sha256(self.store, table) == facts.sha256)
        if len(tables) != 1:
            raise ManifestNotFoundError(
                f"the header {self.store.url(self.files.header)} names the sample table {named}, which is not there. "
                "Restore the file from a copy, or write the shard and its manifest again"
            )
        if facts is not None and (size := _size(self.store, tables[0])) != facts.size_bytes:
            raise DamagedManifestError.because(
                self.store.url(tables[0]),
                f"the header promises {facts.size_bytes} bytes (in {facts.file}), and the file has {size}",
            )
        return tables[0]

    @property
    def is_replaced(self) -> bool:
        """Whether the header names a table of the shard that took the place of those that were listed."""
        named = self.named_table
        if named in self.files.tables or not carries_stem(named, self.files.shard_id):
            return False
        try:
            self.store.size(named)
        except FileNotFoundError:
            return False
        return True

    def table_bytes(self, name: str) -> bytes:
        """Return the bytes of the sample table, once they are those that the header promises.

        Args:
            name: Its name, as :attr:`table_name` says.

        Raises:
            ManifestError: They are not, or the table is gone.
        """
        data = _read(self.store, name)
        if self.header.samples is not None:
            check_bytes(data, self.header.samples, self.store.url(name))
        return data

    def table(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Return the sample table, or some of its columns, once its bytes are those that the header promises.

        Raises:
            ManifestError: They are not, or the table is gone.
        """
        name = self.table_name
        frame = checked_table(_read(self.store, name), self.header, self.store.url(name), columns)
        if columns is None:
            _check_columns(frame.schema, self.header, self.store.url(name))
        return frame


class ShardFiles:
    """The files of some shards, as they were listed; headers are read on first use, and kept.

    Args:
        store: Where they are.
        shards: The shards.

    Raises:
        ManifestNotFoundError: A header has no sample table beside it.
    """

    def __init__(self, store: Store, shards: Sequence[Sidecars]) -> None:
        self.store = store
        self._by_shard = {shard.shard_id: shard for shard in shards}
        self._headers: dict[str, Header] = {}
        self._tables: dict[str, str] = {}
        #: The columns of sample tables, by what headers say of them: the same object for the same columns.
        self._schemas: dict[tuple[tuple[str, str], ...], dict[str, pl.DataType]] = {}
        for shard in shards:
            if not shard.tables:
                raise ManifestNotFoundError(
                    f"the header {store.url(shard.header)} has no sample table beside it (expected "
                    f"{store.url(shard.shard_id + TABLE_SUFFIX)}): its shard can be neither searched nor left out. "
                    "Restore the file from a copy, or write the shard and its manifest again"
                )

    def header(self, shard_id: str) -> Header:
        """Return a shard's header, read and checked on first use.

        Raises:
            DamagedManifestError: Its bytes are not what was written.
            UnsupportedFormatError: Its format is newer than this version reads.
            ManifestNotFoundError: Its file is gone.
        """
        header = self._headers.get(shard_id)
        if header is None:
            shard, _ = CommittedShard.read(self.store, self._by_shard[shard_id])
            header = self._headers[shard_id] = shard.header
        return header

    def header_or_none(self, shard_id: str) -> Header | None:
        """Return a shard's header, as :meth:`header` does; None where the shard has none."""
        return self.header(shard_id) if shard_id in self._by_shard else None

    def headers(self, shard_ids: Iterable[str]) -> list[Header | None]:
        """Return the headers of some shards; None where one is damaged or gone, which is said by who needs it.

        Raises:
            UnsupportedFormatError: The format of one is newer than this version reads.
        """
        shard_ids = list(shard_ids)
        unread = [shard_id for shard_id in shard_ids if shard_id not in self._headers]
        for start in range(0, len(unread), _AT_ONCE):
            self._read_headers(unread[start : start + _AT_ONCE])
        return [self._headers.get(shard_id) for shard_id in shard_ids]

    def _read_headers(self, shard_ids: Sequence[str]) -> None:
        names = [self._by_shard[shard_id].header for shard_id in shard_ids]
        for shard_id, name, data in zip(shard_ids, names, self.store.read_many(names, MAX_READ), strict=True):
            if isinstance(data, bytes):
                with contextlib.suppress(DamagedManifestError):
                    self._headers[shard_id] = parse_header(data, self.store.url(name))

    def table_name(self, shard_id: str) -> str:
        """Return the name of a shard's sample table.

        Raises:
            ManifestError: The header names none that is there, or another one than when the shards were listed.
        """
        known = self._tables.get(shard_id)
        if known is not None:
            return known
        files = self._by_shard[shard_id]
        # Without the header where it is damaged or gone: it names one of these, and there is one.
        header = self._headers.get(shard_id) or self.headers([shard_id])[0]
        if header is None and len(files.tables) == 1:
            return files.tables[0]
        self._tables[shard_id] = table = self._as_listed(self._shard(shard_id)).table_name
        return table

    def table(self, shard_id: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Return a shard's sample table, or some of its columns, from bytes that are those that were written.

        Raises:
            ManifestError: It is damaged or gone.
        """
        return self._as_listed(self._shard(shard_id)).table(columns)

    def rows_of(self, shard_id: str, table: bytes) -> int:
        """Return how many rows a shard's table has, once its footer is found to say what the header does.

        Raises:
            DamagedManifestError: It says another number, or there is no footer.
        """
        import pyarrow as pa  # noqa: PLC0415 -- only this call needs it
        import pyarrow.parquet as pq  # noqa: PLC0415 -- as above

        try:
            count = int(pq.read_metadata(pa.BufferReader(table)).num_rows)
        except (pa.ArrowException, OSError) as error:
            raise DamagedManifestError.because(
                self.store.url(self.table_name(shard_id)), f"not a sample table: {error}"
            ) from error
        self.check_rows(shard_id, count)
        return count

    def promised(self, header: Header | None) -> dict[str, pl.DataType] | None:
        """Return the columns that a header promises of its sample table; None where it promises none."""
        if header is None or header.samples is None:
            return None
        columns = tuple(header.samples.columns.items())
        if columns not in self._schemas:
            self._schemas[columns] = {name: parse_dtype(text) for name, text in columns}
        return self._schemas[columns]

    def footer(self, shard_id: str) -> bytes:
        """Return a Parquet file that has the footer of a shard's sample table, and no rows.

        Raises:
            ManifestError: It is gone, or has none.
        """
        name = self.table_name(shard_id)
        try:
            file = self.store.open(name)
        except FileNotFoundError:
            raise _gone(self.store, name) from None
        tail = _tail(self.store, file, _TAIL)
        length = int.from_bytes(tail[-_FOOTER_END : -len(_MAGIC)], "little") + _FOOTER_END
        if not tail.endswith(_MAGIC) or length > file.size:
            raise DamagedManifestError.because(self.store.url(name), "not a sample table: it does not end as Parquet")
        return _MAGIC + (_tail(self.store, file, length) if length > len(tail) else tail[-length:])

    def check_table(self, shard_id: str, schema: Mapping[str, pl.DataType]) -> None:
        """Check that a shard's table has the columns that its header promises.

        Raises:
            DamagedManifestError: It has others.
        """
        (header,) = self.headers([shard_id])
        if header is None:
            return
        try:
            _check_columns(schema, header, self.store.url(self.table_name(shard_id)))
        except DamagedManifestError:
            self.table(shard_id)  # where its bytes are not those that were written, that says more
            raise

    def check_rows(self, shard_id: str, count: int) -> None:
        """Check that a shard's table has as many rows as its header promises samples.

        Raises:
            DamagedManifestError: It has another number.
        """
        (header,) = self.headers([shard_id])
        if header is not None and count != header.num_samples:
            raise DamagedManifestError.because(
                self.store.url(self.table_name(shard_id)),
                f"the header promises {header.num_samples} samples, and the table has {count} rows",
            )

    def damaged_locations(self, rows: pl.DataFrame, problem: LocationProblem) -> DamagedManifestError:
        """Describe rows of sample tables that are not locations: the first shard that has such a row, and its table.

        Args:
            rows: Rows with the shard of each.
            problem: What is wrong with them.
        """
        row = problem.row or 0
        shard_id = rows[SHARD][row]
        key = rows[KEY][row] if problem.row is not None and KEY in rows.columns else None
        return damaged_table(self.store.url(self.table_name(shard_id)), shard_id, problem, key)

    def manifest(self, shard_id: str) -> ShardManifest:
        """Return a shard's manifest; its table is read on first use."""
        return ShardManifest.from_header(self.header(shard_id), shard_id, lambda: self.table(shard_id))

    def _shard(self, shard_id: str) -> CommittedShard:
        return CommittedShard(self.store, self._by_shard[shard_id], self.header(shard_id))

    def _as_listed(self, shard: CommittedShard) -> CommittedShard:
        """Return a shard whose header means a table that was listed; others may have other columns."""
        if shard.is_replaced:
            raise ManifestError(
                f"the columns of shard {shard.files.shard_id!r} were changed after the dataset was opened: its header "
                f"names {shard.named_table} by now, in place of {shard.files.tables[0]}; open the dataset again "
                "(refresh())"
            )
        return shard


def damaged_table(file: str, shard_id: str, problem: LocationProblem, key: str | None = None) -> DamagedManifestError:
    """Describe a sample table that does not say where its samples are.

    Args:
        file: The table's file.
        shard_id: The shard.
        problem: What is wrong with its columns or rows.
        key: The sample of the row, where it is known.
    """
    sample = "" if key is None else f" for the sample {key!r}"
    return DamagedManifestError.because(
        file,
        f"the sample table of shard {shard_id!r} does not say where its samples are: expected {problem.expected} in "
        f"{problem.column}, found {problem.found}{sample}",
    )


def _check_columns(schema: Mapping[str, pl.DataType], header: Header, file: str) -> None:
    if header.samples is None:  # atdata 0.7 promises none
        return
    found = {name: dtype_text(dtype) for name, dtype in schema.items()}
    if header.samples.columns != found:
        raise DamagedManifestError.because(
            file, f"the header promises the columns {header.samples.columns}, found {found}"
        )


def _tail(store: Store, file: OpenFile, length: int) -> bytes:
    buffer = bytearray(min(length, file.size))
    store.fill([(file, file.size - len(buffer), memoryview(buffer))])
    return bytes(buffer)


def _read(store: Store, name: str, limit: int | None = None) -> bytes:
    try:
        return store.read(name, limit)
    except FileNotFoundError:
        raise _gone(store, name) from None
    except OversizedFileError as error:
        raise DamagedManifestError.because(store.url(name), str(error.strerror)) from error


def _sha256(store: Store, name: str) -> str:
    return hashlib.sha256(_read(store, name)).hexdigest()


def _size(store: Store, name: str) -> int:
    try:
        return store.size(name)
    except FileNotFoundError:
        raise _gone(store, name) from None


def _gone(store: Store, name: str) -> ManifestNotFoundError:
    return ManifestNotFoundError(
        f"the manifest file {store.url(name)} was there when the shards were listed and is gone: its shard was "
        "changed, is being replaced, or was removed; open the dataset again (refresh())"
    )
