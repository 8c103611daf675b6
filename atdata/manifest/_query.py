"""Asking manifests: which samples, and where are their bytes."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import polars as pl

from atdata._errors import PredicateError

from ._location import SampleLocation
from ._manifest import ShardManifest
from ._open import open_folder, open_tars, report_uncommitted
from ._pandas import row_mask
from ._predicate import PandasFunction, Where, check_row_wise, parse_where
from ._process import enter_polars
from ._source import GivenManifests, ManifestSource, StoredManifests
from ._table import KEY, PLACE, SHARD

__all__ = ["QueryExecutor"]


class QueryExecutor:
    """Answers questions about samples from their manifests alone; no tar is opened.

    A question is a Polars expression over the manifest's columns, a list of expressions that must all hold, or a
    function from one shard's rows, as a pandas frame, to a boolean Series. It decides each row by that row alone.
    Answers come in shard order, then in tar order.

    Args:
        manifests: Manifests in memory. Use :meth:`from_directory` for those on disk.

    Attributes:
        uncommitted: Ids of tars that have no manifest and are left out, sorted.
    """

    def __init__(self, manifests: Iterable[ShardManifest] | ManifestSource) -> None:
        self._source = manifests if isinstance(manifests, ManifestSource) else GivenManifests(list(manifests))
        self.uncommitted = list(self._source.uncommitted)

    @classmethod
    def from_directory(
        cls, directory: str | os.PathLike[str], *, recursive: bool = False, strict: bool = False
    ) -> Self:
        """Open the manifests in a folder: one listing, and nothing is read.

        Args:
            directory: The folder.
            recursive: Whether to go into its folders too; a shard's id is then its path below ``directory``.
            strict: Raise where a tar has no manifest, instead of leaving it out with a warning.

        Raises:
            ManifestNotFoundError: There is no such folder, or a header has no sample table beside it.
            ShardError: With ``strict``: a tar has no manifest.
        """
        store, listing = open_folder(directory, recursive=recursive)
        report_uncommitted(store, listing, strict=strict)
        return cls(StoredManifests(store, listing))

    @classmethod
    def from_shard_urls(cls, urls: Sequence[str | os.PathLike[str]] | str | os.PathLike[str]) -> Self:
        """Open the manifests of the tars named: one listing of each folder, and nothing is read.

        The root is the deepest folder that they share.

        Raises:
            ManifestNotFoundError: A tar is not there and has no manifest, or a header has no sample table.
            ValueError: A name is no tar's.
        """
        store, listing = open_tars(urls)
        report_uncommitted(store, listing)
        return cls(StoredManifests(store, listing))

    def __repr__(self) -> str:
        return f"QueryExecutor({len(self._source.shard_ids)} shards)"

    @property
    def _manifests(self) -> list[ShardManifest]:
        return self._source.manifests()

    @property
    def manifests(self) -> list[ShardManifest]:
        """The manifests, one a shard; headers are read now, sample tables on first use."""
        return self._source.manifests()

    @property
    def schema(self) -> pl.Schema:
        """The columns of :meth:`scan` and their dtypes.

        Raises:
            ManifestNotFoundError: There is no manifest.
        """
        return self._source.schema

    def scan(self) -> pl.LazyFrame:
        """Return all rows as a Polars LazyFrame: ``__shard__ __key__ __offset__ __size__ __crc32__`` and the fields.

        Only the columns and row groups that the query needs are read.

        Raises:
            ManifestNotFoundError: There is no manifest.
        """
        enter_polars()
        return self._source.rows

    def query(self, where: Where) -> list[SampleLocation]:
        """Return the locations of the samples that a predicate selects, in shard order, then tar order.

        Raises:
            PredicateError: The predicate cannot be asked; the error says why.
            ManifestError: A manifest is damaged or gone.
        """
        parse_where(where)  # None would select everything, and is more likely a slip
        places = self.rows(where, columns=())
        return list(map(SampleLocation, *(places[name].to_list() for name in PLACE)))

    def rows(self, where: Where | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the rows that a predicate selects, in shard order, then tar order.

        Args:
            where: The predicate; None selects every row.
            columns: Which fields to return beside ``__shard__`` and the location columns; None for all.

        Raises:
            PredicateError: The predicate cannot be asked, or there is no such column.
            ManifestError: A manifest is damaged or gone.
        """
        enter_polars()
        fields = [name for name in self.schema if name not in PLACE]
        if isinstance(columns, str):
            columns = [columns]
        if columns is not None:
            if unknown := [name for name in columns if name not in self.schema]:
                raise PredicateError.unknown_column(unknown[0], list(self.schema))
            fields = [name for name in dict.fromkeys(columns) if name not in PLACE]
        selected = [*PLACE, *fields]
        predicate = None if where is None else parse_where(where)
        if predicate is None or isinstance(predicate, pl.Expr):
            return self._source.collect(self._filtered(predicate).select(selected))
        return pl.concat(list(self._masked(predicate, selected)))

    def count(self, where: Where | None = None) -> int:
        """Return how many samples a predicate selects; all of them for None.

        Raises:
            PredicateError: The predicate cannot be asked.
            ManifestError: A manifest is damaged or gone.
        """
        enter_polars()
        predicate = None if where is None else parse_where(where)
        self._source.schema  # noqa: B018 -- raises where there is nothing to ask
        if predicate is None or isinstance(predicate, pl.Expr):
            counted = self._source.collect(self._filtered(predicate).select(pl.len()))
            return int(counted.item())
        return sum(len(frame) for frame in self._masked(predicate, [KEY]))

    def _filtered(self, predicate: pl.Expr | None) -> pl.LazyFrame:
        rows = self.scan()
        if predicate is None:
            return rows
        check_row_wise(predicate, self.schema)
        return rows.filter(predicate)

    def _masked(self, function: PandasFunction, selected: Sequence[str]) -> Iterator[pl.DataFrame]:
        # Series by series: of a small shard, planning a select and a filter would cost more than doing them.
        for shard_id, frame in self._source.frames():
            mask = row_mask(function, frame, shard_id)
            shard = pl.Series(SHARD, [shard_id], pl.String).new_from_index(0, int(mask.sum()))
            yield pl.DataFrame([shard if name == SHARD else frame[name].filter(mask) for name in selected])
