"""What becomes of a dataset's samples: seen as another type, worked on shard by shard, made into tables."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl

import atdata._frames as tables
import atdata._lens as lenses
from atdata._errors import DecodeError, SchemaError
from atdata._options import check_limit
from atdata._query import F, query_fields
from atdata._read import Step, through
from atdata._sample import DictSample, SampleBatch, decoder_of
from atdata._tar import MSGPACK

from ._base import DatasetBase
from ._selection import Everything

if TYPE_CHECKING:
    import pandas as pd

    from ._dataset import Dataset

__all__ = ["Using"]

S = TypeVar("S")
V = TypeVar("V")
R = TypeVar("R")


class Using(DatasetBase[S]):
    """What makes something else of a dataset's samples."""

    @property
    def batch_type(self) -> type[SampleBatch[S]]:
        """The type of the dataset's batches."""
        named: Any = SampleBatch[self.sample_type]  # type: ignore[name-defined]  # at run time
        return named  # type: ignore[no-any-return]  # as a type that is called to make one

    @property
    def source(self) -> str | list[str]:
        """What the dataset was opened from, as absolute paths or patterns; the tars where it was written or split."""
        return self._opened.source

    @property
    def shards(self) -> list[str]:
        """The ids of the dataset's shards, in order; of a selection, of those that hold its samples.

        Raises:
            ManifestError: Of a selection: a manifest is damaged or gone.
        """
        return list(self._shard_ids)

    @property
    def fields(self) -> Any:
        """The fields to ask for, as in ``ds.where(ds.fields.label == "dog")``: see :func:`atdata.query_fields`.

        Raises:
            SchemaError: The sample type has a field that cannot be stored.
        """
        return F if issubclass(self.sample_type, DictSample) else query_fields(self.sample_type)

    def as_type(self, sample_type: type[V]) -> "Dataset[V]":
        """Return the samples seen as another type: by the lens that leads there, or by their fields.

        Where every field of the type is in the samples too, or has a default, payloads are decoded as it at once.

        Raises:
            LensNotFoundError: Neither will do; the error says why, and what to write.
            SchemaError: It is no sample type, or a function made the samples.

        Examples:
            >>> import tempfile, atdata
            >>> @atdata.packable
            ... class Photo:
            ...     label: str
            ...     width: int
            >>> @atdata.packable
            ... class Named:
            ...     label: str
            >>> folder = tempfile.TemporaryDirectory()
            >>> ds = atdata.write_samples([Photo("dog", 640)], f"{folder.name}/photos.tar", manifest=True)
            >>> list(ds.as_type(Named))
            [Named(label='dog')]
            >>> folder.cleanup()
        """
        seen = self._seen_type()
        if seen is None:
            raise SchemaError("as_type() comes before map(): what a function makes of samples has no known type")
        lens = lenses.view_of(seen, sample_type)
        viewed: Any = self._then(Step("map", lens))
        if not self._steps and (isinstance(lens, lenses.StructuralLens) or seen is sample_type):
            viewed = self._but(_given_type=sample_type)
        return viewed  # type: ignore[no-any-return]  # of the same class, with other samples

    def wrap(self, sample: Mapping[str, Any]) -> S:
        """Return the sample in what the ``webdataset`` library reads: a dict with the payload as ``msgpack``.

        Raises:
            DecodeError: There is no payload, or it is no sample of the type.
        """
        maps = tuple(step for step in self._steps if step.kind == "map")
        wrapped: S = next(through([self._payload_of(sample)], maps))
        return wrapped

    def wrap_batch(self, batch: Mapping[str, Any]) -> SampleBatch[S]:
        """Return the batch in what the ``webdataset`` library reads in batches: a dict with a list of payloads.

        Raises:
            DecodeError: There are no payloads, or one is no sample of the type.
        """
        names = [name for name in batch if name in (MSGPACK, "__key__")]
        rows = zip(*(batch[name] for name in names), strict=True)
        return SampleBatch([self.wrap(dict(zip(names, row, strict=True))) for row in rows])

    def process_shards(
        self,
        fn: Callable[[list[S]], R],
        *,
        shards: Iterable[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        on_shard_error: Callable[[str, Exception], object] | None = None,
    ) -> dict[str, R]:
        """Call a function with the list of each shard's samples, and return what it gives, by shard.

        Every shard is tried, whatever becomes of the others. Of a selection, a shard's samples are those chosen of it,
        in their order.

        Args:
            fn: Takes one shard's samples.
            shards: Which shards, by id or path; all for None.
            checkpoint: A file that keeps which shards were done, as soon as they are. A later call with it skips these,
                and they have no result in what it returns. It is of this dataset and its samples alone.
            on_shard_error: Called with a shard's id and the error when it fails. What it raises ends the work.

        Raises:
            PartialFailureError: Shards failed. It has their errors, and the results of the others.
            ShardError: The dataset has no such shard.
            AtdataError: ``checkpoint`` is another dataset's, or no checkpoint.

        Examples:
            >>> import tempfile, atdata
            >>> @atdata.packable
            ... class Caption:
            ...     text: str
            >>> folder = tempfile.TemporaryDirectory()
            >>> captions = map(Caption, ["a", "b", "c"])
            >>> ds = atdata.write_samples(captions, f"{folder.name}/captions.tar", maxcount=2, manifest=True)
            >>> ds.process_shards(lambda samples: [sample.text for sample in samples])
            {'captions-000000': ['a', 'b'], 'captions-000001': ['c']}
            >>> folder.cleanup()
        """
        from ._work import Checkpoint, named_shards, process_shards  # noqa: PLC0415 -- only this call needs it

        urls = {shard_id: self._opened.store.url(f"{shard_id}.tar") for shard_id in self.shards}
        named = named_shards(shards, urls)
        done = None if checkpoint is None else Checkpoint(checkpoint, self.digest)
        return process_shards(fn, named, self._by_shard(), checkpoint=done, on_shard_error=on_shard_error)

    def to_dict(self, limit: int | None = None) -> dict[str, list[Any]]:
        """Return the samples field by field, values as they are; at most ``limit`` of them.

        Raises:
            SchemaError: A function made the samples, and one of them has no fields.
        """
        return tables.to_dict(self._samples(), self._seen_type(), limit)

    def to_pandas(self, limit: int | None = None) -> "pd.DataFrame":
        """Return the samples as a pandas frame, arrays as objects in it; at most ``limit`` of them.

        Raises:
            SchemaError: A function made the samples, and one of them has no fields.
        """
        return tables.to_pandas(self._samples(), self._seen_type(), limit)

    def to_polars(self, limit: int | None = None) -> pl.DataFrame:
        """Return the samples as a Polars frame; at most ``limit`` of them.

        Dtypes are those of the annotations, arrays of one shape are ``pl.Array``, others lists. What manifests know is
        in :meth:`scan`, without reading a sample.

        Raises:
            SchemaError: A field's values make no column; the error names the field.
        """
        return tables.to_polars(self._samples(), self._seen_type(), limit)

    def to_parquet(
        self,
        path: str | os.PathLike[str],
        sample_map: Callable[[S], Mapping[str, Any]] | None = None,
        maxcount: int | None = None,
    ) -> list[Path]:
        """Write the samples as Parquet, with a few thousand of them in memory; arrays are lists.

        A file appears when all of them are whole, over one of its name.

        Args:
            path: The file; with ``maxcount`` the files are ``<stem>-000000.parquet`` and so on.
            sample_map: Makes the row of a sample: a dict from field to value.
            maxcount: Rows a file, at most.

        Returns:
            The files, in order.

        Raises:
            SchemaError: A field's values make no column, or later ones not the same as the first ones.
            FileExistsError: With ``maxcount``: there are files of such names, which would be mixed with the new ones.
        """
        check_limit("maxcount", maxcount)
        return tables.to_parquet(self._samples(), self._seen_type(), path, sample_map, maxcount)

    def _by_shard(self) -> Callable[[str], Iterator[S]]:
        """Return what gives the samples of one shard, in their order."""
        if isinstance(self._selection, Everything):
            return lambda shard_id: through(self._reader.ordered([shard_id]), self._steps)
        locations = self._locations()
        order = np.argsort(locations.shards, kind="stable")
        ends = np.searchsorted(locations.shards[order], np.arange(len(locations.shard_ids)), side="right")
        rows = dict(zip(locations.shard_ids, np.split(order, ends), strict=False))
        return lambda shard_id: through(self._reader.read(locations[rows[shard_id]]), self._steps)

    def _payload_of(self, sample: Mapping[str, Any]) -> Any:
        if MSGPACK not in sample:
            raise DecodeError(f"expected a dict with the payload as {MSGPACK!r}; found {list(sample)}")
        return decoder_of(self._read_type())(sample[MSGPACK])
