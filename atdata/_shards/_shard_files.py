"""The sidecars of some shards in a store: which file is whose, read and checked."""

from collections.abc import Sequence

import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, ManifestNotFoundError
from atdata._manifest import KEY, SHARD, TABLE_SUFFIX, Header, ShardManifest, Sidecars, checked_table, parse_header
from atdata._storage import Store

from ._locations import LocationProblem

__all__ = ["ShardFiles", "damaged_table"]


class ShardFiles:
    """Sidecars as they were listed; headers are read on first use, and kept.

    Args:
        store: Where they are.
        sidecars: The shards.

    Raises:
        ManifestNotFoundError: A header has no sample table beside it.
    """

    def __init__(self, store: Store, sidecars: Sequence[Sidecars]) -> None:
        self.store = store
        self._by_shard = {each.shard_id: each for each in sidecars}
        self._headers: dict[str, Header] = {}
        for each in sidecars:
            if not each.tables:
                raise ManifestNotFoundError(
                    f"the header {store.url(each.header)} has no sample table beside it (expected "
                    f"{store.url(each.shard_id + TABLE_SUFFIX)}): its shard can be neither searched nor left out. "
                    "Restore the file from a copy, or write the shard and its manifest again"
                )

    def header(self, shard_id: str) -> Header:
        """Return a shard's header, read and checked on first use.

        Raises:
            DamagedManifestError: Its bytes are not what was written.
            UnsupportedFormatError: Its format is newer than this version reads.
            ManifestNotFoundError: Its file is gone.
        """
        if shard_id not in self._headers:
            name = self._by_shard[shard_id].header
            self._headers[shard_id] = parse_header(self._read(name), self.store.url(name))
        return self._headers[shard_id]

    def header_or_none(self, shard_id: str) -> Header | None:
        """Return a shard's header, as :meth:`header` does; None where the shard has none."""
        return self.header(shard_id) if shard_id in self._by_shard else None

    def sound_header(self, shard_id: str) -> Header | None:
        """Return a shard's header; None where it cannot be read: what is wrong is said by who needs it."""
        try:
            return self.header(shard_id)
        except (ManifestError, OSError):
            return None

    def table_name(self, shard_id: str) -> str:
        """Return the name of a shard's sample table.

        Raises:
            ManifestError: There are several, and its header is damaged or names none of them.
        """
        sidecars = self._by_shard[shard_id]
        if len(sidecars.tables) == 1:
            return sidecars.tables[0]
        facts = self.header(shard_id).samples
        folder, slash, _ = sidecars.header.rpartition("/")
        named = f"{folder}{slash}{facts.file}" if facts else shard_id + TABLE_SUFFIX
        if named not in sidecars.tables:
            raise ManifestNotFoundError(
                f"the header {self.store.url(sidecars.header)} names the sample table {named}, which is not there"
            )
        return named

    def manifest(self, shard_id: str) -> ShardManifest:
        """Return a shard's manifest; its table is read on first use."""
        return ShardManifest.from_header(self.header(shard_id), shard_id, lambda: self.checked(shard_id))

    def checked(self, shard_id: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Return a shard's sample table, or some columns of it, from bytes that are those that were written.

        Raises:
            ManifestError: It is damaged or gone.
        """
        name, header = self.table_name(shard_id), self.header(shard_id)
        try:
            return checked_table(self._read(name), header, self.store.url(name), columns)
        except DamagedManifestError as error:
            self._report_replaced(shard_id, name, header, error)
            raise

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

    def _report_replaced(self, shard_id: str, table: str, header: Header, cause: DamagedManifestError) -> None:
        """Say that a table is not damaged but replaced, where the header that was read names another one."""
        folder, slash, _ = self._by_shard[shard_id].header.rpartition("/")
        named = f"{folder}{slash}{header.samples.file}" if header.samples else table
        try:
            if named == table or not self.store.size(named):
                return
        except FileNotFoundError:
            return
        raise ManifestError(
            f"the columns of shard {shard_id!r} were changed after the dataset was opened: its header names "
            f"{named} by now, in place of {table}. Open the dataset again (refresh())"
        ) from cause

    def _read(self, name: str) -> bytes:
        try:
            return self.store.read(name)
        except FileNotFoundError:
            raise ManifestNotFoundError(
                f"the manifest file {self.store.url(name)} was there when the dataset was opened and is gone; "
                "open the dataset again (refresh())"
            ) from None


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
