"""What comes after samples were written: columns that are added to their manifests, and shards made of some."""

import copy
import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import atdata._annotate as annotating
from atdata._manifest import Listing
from atdata._read import Opened, OpenShards, batched, through
from atdata._sample import SampleBatch
from atdata._shards import Locations
from atdata._write import iso_time, json_dict

from ._base import DatasetBase
from ._selection import Everything, Taken

if TYPE_CHECKING:
    from atdata._annotate import Columns, Extra, Missing, OnError
    from atdata._manifest import AggregateKind

    from ._export import ExportKeys

__all__ = ["Late"]

S = TypeVar("S")


class Late(DatasetBase[S]):
    """What is made of a dataset later: more columns, other shards."""

    def annotate(
        self,
        columns: "Columns",
        on: str | Sequence[str] = "__key__",
        *,
        replace: bool = False,
        missing: "Missing" = "error",
        extra: "Extra" = "error",
        aggregates: "Mapping[str, AggregateKind] | None" = None,
        run: str | None = None,
        batch_size: int = 256,
        on_error: "OnError" = "raise",
        progress: bool | None = None,
    ) -> Self:
        """Add columns to the manifests, and return the dataset with them. Tars, keys and the digest stay as they are.

        Values come from a frame whose rows name samples, or from a function of batches. Each shard's manifest is the
        old one or the new one; nothing is written before all that can be checked was.

        On a selection, its samples get the values, once each; other samples keep what they have, or are null where the
        column is new.

        Args:
            columns: A Polars frame or LazyFrame, a pandas frame, the path of a ``.parquet``, ``.csv`` or ``.ipc`` file;
                or a function that gets a :class:`SampleBatch` and returns a dict from column name to values, or a
                frame, with a row for each of its samples.
            on: How rows name samples: by ``__key__``, or by ``["__shard__", "__key__"]``.
            replace: Whether columns that are there get the new values.
            missing: What becomes of samples that no row is of: ``"error"``, or ``"null"``.
            extra: What becomes of rows that are of no sample: ``"error"``, or ``"ignore"``.
            aggregates: How columns are summed up in headers, where it is not by their dtypes: ``"categorical"``,
                ``"numeric"`` or ``"set"``.
            run: A name for what a function computes, kept in each header. Shards that this run has done already, in a
                call that was killed or failed, are passed over; another computation needs another name.
            batch_size: How many samples a function gets, at most; a batch lies in one shard.
            on_error: ``"collect"`` does the other shards before it raises :class:`PartialFailureError`. What a function
                raises ends the call.
            progress: Whether to show on the terminal how far it is; None shows it for functions. Nothing is shown where
                standard error is no terminal.

        Raises:
            SchemaError: A column is there already, or no sample table holds its values, or they differ between shards.
            SampleKeyError: Samples have no row, or rows no sample.
            AmbiguousKeyError: A key is there more than once: in the frame, or in several shards.
            ManifestError: A manifest is damaged, gone, of version 1.0, or was changed by another writer meanwhile. Like
                any error, it carries a note that says how many shards were done.
            PartialFailureError: With ``on_error="collect"``: some shards failed.
            TypeError: The dataset has a filter step, or no manifests.
            ValueError: An option has no such value.

        Examples:
            >>> import tempfile, atdata
            >>> import polars as pl
            >>> @atdata.packable
            ... class Caption:
            ...     text: str
            >>> folder = tempfile.TemporaryDirectory()
            >>> ds = atdata.write_samples(map(Caption, ["a", "bb"]), f"{folder.name}/captions.tar", manifest=True)
            >>> ds = ds.annotate(lambda batch: {"length": [len(text) for text in batch.text]})
            >>> [sample.text for sample in ds.where(pl.col("length") > 1)]
            ['bb']
            >>> folder.cleanup()
        """
        self._check_annotatable()
        options = annotating.AnnotateOptions(
            on, replace, missing, extra, aggregates or {}, run, batch_size, on_error, progress
        )
        selected = None if isinstance(self._selection, Everything) else self._locations()
        return self._with(annotating.annotate(self._opened, selected, self._read_batches, columns, options))

    def drop_columns(self, *names: str, on_error: "OnError" = "raise") -> Self:
        """Remove columns from the manifests of the whole dataset, and return the dataset without them.

        Tars, keys and the digest stay as they are, and so do the fields of samples.

        Args:
            names: The columns.
            on_error: As for :meth:`annotate`.

        Raises:
            SchemaError: There is no such column, or it is one of those that say where samples are.
            ManifestError: As for :meth:`annotate`.
            PartialFailureError: As for :meth:`annotate`.
            TypeError: The dataset is a selection, or has no manifests.
            ValueError: No column is named.
        """
        self._check_annotatable()
        if not names:
            raise ValueError("drop_columns takes the names of columns: ds.drop_columns('predicted', 'margin')")
        if not isinstance(self._selection, Everything):
            raise TypeError(
                "columns are dropped from whole shards, and this is a selection; drop them from the dataset"
            )
        return self._with(annotating.drop_columns(self._opened, names, on_error))

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        maxcount: int | None = None,
        maxsize: int | None = None,
        keys: "ExportKeys" = "keep",
        overwrite: bool = False,
        provenance: Mapping[str, Any] | None = None,
        created_at: dt.datetime | str | None = None,
        durable: bool = True,
        progress: bool | None = None,
    ) -> Self:
        """Write the samples as new shards with manifests, in their order, and return them as a dataset.

        Their bytes are copied undecoded, each sample checked on the way; the manifests' columns are taken over, late
        ones too, and summed up anew. The tars are those that :func:`write_samples` would write of the same samples and
        keys. The source stays as it is.

        Headers keep the dataset's ``content_metadata``; their provenance says which shards the samples come from
        (``parent_shards``, or their number and a hash where they are too many for a header), of which dataset
        (``parent_dataset``, a digest), and what was asked for (``predicate``).

        Args:
            path: As for :func:`write_samples`.
            maxcount: Samples a shard, at most.
            maxsize: Bytes a tar, at most; a sample that is larger gets a shard of its own.
            keys: ``"keep"`` keeps the samples' keys; ``"renew"`` numbers the samples, ``<shard>-<row>``.
            overwrite: Whether to replace a set of this name, unless it is the source.
            provenance: More of it, kept in each header.
            created_at: The time that headers record; the environment's SOURCE_DATE_EPOCH, or now, unless given.
            durable: Whether a published file survives a power loss.
            progress: Whether to show on the terminal how far it is.

        Raises:
            ValueError: There is no sample, an option makes no sense, or the source would be replaced.
            TypeError: The dataset has a filter or map step, or ``provenance`` holds what JSON cannot.
            SampleValueError: A key would be in one shard twice. Or a key of another writer's tar cannot be written.
            ShardExistsError: A file that this would write is there already; nothing was changed.
            ShardChangedError: A sample is not what its manifest promises. Like any error while samples are copied, it
                carries a note that says how far the export came: finished shards stay, the open one leaves nothing.
            ManifestError: A manifest is damaged or gone.

        Examples:
            >>> import tempfile, atdata
            >>> import polars as pl
            >>> @atdata.packable
            ... class Caption:
            ...     text: str
            >>> folder = tempfile.TemporaryDirectory()
            >>> ds = atdata.write_samples(map(Caption, ["a", "bb"]), f"{folder.name}/captions.tar", manifest=True)
            >>> long = ds.where(pl.col("text").str.len_chars() > 1).export(f"{folder.name}/long/captions.tar")
            >>> [sample.text for sample in long]
            ['bb']
            >>> folder.cleanup()
        """
        if self._steps:
            raise TypeError(
                "export() copies samples as they are stored, and filter and map steps make others of them: "
                "write_samples(ds, path, manifest=True) writes what comes out of the steps"
            )
        metadata = self.content_metadata
        from ._export import ExportOptions, export  # noqa: PLC0415 -- only this call needs it

        options = ExportOptions(
            path,
            maxcount,
            maxsize,
            keys,
            overwrite,
            durable,
            progress,
            json_dict("provenance", provenance),
            metadata,
            iso_time(created_at),
        )
        store, listing = export(self._selection, self._reader, self.sample_type, options)
        opened = Opened(OpenShards(store, listing, self.sample_type, metadata))
        return self._but(_opened=opened, _selection=Everything(opened), _content_metadata=metadata)

    def _check_annotatable(self) -> None:
        if self._filters:
            raise TypeError(
                "which samples pass a filter is known once they are read, and columns are of samples that manifests "
                "know; say which with where()"
            )
        if not self._opened.has_manifests:
            raise TypeError(
                f"{self._opened.store.url()} has no manifests that could get columns; write_samples(..., "
                "manifest=True) or export() makes some"
            )

    def _read_batches(self, locations: Locations, batch_size: int) -> Iterator[SampleBatch[Any]]:
        if not self._steps:
            return self._reader.read_batches(locations, batch_size)
        return batched(through(self._reader.read(locations), self._steps), batch_size)

    def _with(self, listing: Listing) -> Self:
        """Return the same samples, with manifests as they are now."""
        selection, opened = self._selection, Opened(self._opened.shards._replace(listing=listing))
        if isinstance(selection, Everything):
            return self._over(Everything(opened))
        # The same samples, also where the predicate would select others by now.
        taken = selection if isinstance(selection, Taken) else selection.at(slice(None))
        same = copy.copy(taken)
        same.opened = opened
        return self._over(same)
