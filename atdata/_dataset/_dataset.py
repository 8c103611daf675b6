"""The dataset: shards as one sequence of samples."""

import copy
import dataclasses
import datetime as dt
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, SupportsIndex, TypeVar, get_args, overload

import polars as pl

import atdata._annotate as annotating
import atdata._frames as tables
from atdata._display import display_html
from atdata._errors import AtdataError
from atdata._manifest import SampleLocation
from atdata._options import check_limit, whole
from atdata._query import Explanation, F, Where, query_fields
from atdata._read import Opened, Step, Verify, as_locations, through
from atdata._sample import DictSample, SampleBatch
from atdata._shards import DatasetSource, OpenShards, is_slice, open_shards, report_ignored
from atdata._write import iso_time, json_dict

from . import _questions as questions
from . import _training as training
from ._locate import RowsLike, are_positions, named_rows
from ._questions import describe, shard_paths, summary_of
from ._selection import Everything, Selection, draw, intersect, renewed, take, unite, with_listing
from ._sequence import SampleSequence, type_argument
from ._slice import Places, load_slice, manifests_folder, save_slice
from ._training import Uneven

if TYPE_CHECKING:
    import pandas as pd

    import atdata._epoch as epochs
    from atdata._annotate import Columns, Extra, Missing, OnError
    from atdata._manifest import AggregateKind
    from atdata._torch import Collate, SampleMap, SampleStream

    from ._export import ExportKeys

__all__ = ["Dataset", "dataset_of", "sequence_of"]

S = TypeVar("S")
V = TypeVar("V")
R = TypeVar("R")


class Dataset(Generic[S]):
    """A sharded dataset. ``Dataset[Photo](path)`` reads samples as ``Photo``; without a type they are DictSample.

    Opening lists names and reads nothing. With manifests, ``len``, questions and fetching touch no byte of a tar that
    they need not; without them, tars are walked.

    Args:
        source: A folder (where it holds no shard itself, with those below it), a tar, a glob, a brace pattern
            (``images-{000000..000009}.tar``), a list of these, or a slice (``dogs.slice.parquet``), as
            :meth:`save_slice` writes it. A path that exists is never a pattern.
        manifests: The folder of the manifests, where they are apart from the tars: with the names below it that the
            tars have below their root. For a slice of several roots, ``{name: folder}``.
        root: Where a slice's dataset is now, if it was moved: its folder, or ``{name: folder}`` for a slice of several
            roots.

    Raises:
        ManifestNotFoundError: There is nothing there.
        DuplicateShardError: A tar is named twice.

    Examples:
        >>> import tempfile, atdata
        >>> import polars as pl
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        ...     score: float
        >>> folder = tempfile.TemporaryDirectory()
        >>> captions = [Caption("a dog", 0.9), Caption("a cat", 0.2)]
        >>> _ = atdata.write_samples(captions, f"{folder.name}/captions.tar", manifest=True)
        >>> ds = Dataset[Caption](folder.name)
        >>> [sample.text for sample in ds.fetch(ds.query(pl.col("score") > 0.5))]
        ['a dog']
        >>> folder.cleanup()
    """

    _sequence: SampleSequence

    def __init__(
        self,
        source: DatasetSource | OpenShards[S],
        *,
        manifests: Places | None = None,
        root: Places | None = None,
    ) -> None:
        if is_slice(source):
            selection: Selection = load_slice(source, root=root, manifests=manifests)  # type: ignore[arg-type]  # a path
        else:
            folder = manifests_folder(root, manifests)
            if not isinstance(source, OpenShards):
                source = open_shards(source, manifests=folder)
                report_ignored(source)
            selection = Everything(Opened(source))
        shards = selection.opened.shards
        named_type = shards.sample_type or type_argument(type(self), Dataset)
        self._sequence = SampleSequence(selection, (), named_type, shards.content_metadata)

    @property
    def __orig_class__(self) -> Any:
        """``Dataset[Photo]``, where a type was named so."""
        if self._sequence.named_type is None:
            raise AttributeError("__orig_class__")
        return Dataset[self._sequence.named_type]  # type: ignore[name-defined]  # at run time

    @__orig_class__.setter
    def __orig_class__(self, alias: Any) -> None:  # typing sets it once the dataset is made
        if self._sequence.named_type is None:
            self._sequence = dataclasses.replace(self._sequence, named_type=next(iter(get_args(alias)), None))

    @property
    def sample_type(self) -> type[S]:
        """The type that samples are read as, or seen as (:meth:`Dataset.as_type`); ``map`` leaves it as it is.

        Raises:
            SchemaError: What was named is no sample type.
        """
        sample_type: type[S] = self._sequence.sample_type
        return sample_type

    @property
    def batch_type(self) -> type[SampleBatch[S]]:
        """The type of the dataset's batches."""
        named: Any = SampleBatch[self.sample_type]  # type: ignore[name-defined]  # at run time
        return named  # type: ignore[no-any-return]  # as a type that is called to make one

    @property
    def source(self) -> str | list[str]:
        """What the dataset was opened from, as absolute paths or patterns; the tars where it was written or split."""
        return self._sequence.opened.source

    @property
    def shards(self) -> list[str]:
        """The ids of the dataset's shards, in order; of a selection, of those that hold its samples.

        Raises:
            ManifestError: Of a selection: a manifest is damaged or gone.
        """
        return list(self._sequence.selection.shard_ids)

    def list_shards(self) -> list[str]:
        """Return the paths of the dataset's shards, in order; of a selection, of those that hold its samples.

        Raises:
            ManifestError: Of a selection: a manifest is damaged or gone.
        """
        return shard_paths(self._sequence)

    @property
    def content_metadata(self) -> Mapping[str, Any] | None:
        """What the writer said of the dataset as a whole; None where it said nothing, or there is no manifest."""
        return self._sequence.content_metadata

    @property
    def schema(self) -> dict[str, Any]:
        """The fields of a sample, and the type of each; of DictSample the manifests' columns and their dtypes.

        Raises:
            SchemaError: The sample type has a field that cannot be stored.
            ManifestError: A manifest is damaged or gone.
        """
        return self._sequence.schema

    @property
    def column_names(self) -> list[str]:
        """The names of a sample's fields; of DictSample those that manifests know."""
        return list(self.schema)

    @property
    def fields(self) -> Any:
        """The fields to ask for, as in ``ds.where(ds.fields.label == "dog")``: see :func:`atdata.query_fields`.

        Raises:
            SchemaError: The sample type has a field that cannot be stored.
        """
        return F if issubclass(self.sample_type, DictSample) else query_fields(self.sample_type)

    def describe(self) -> dict[str, Any]:
        """Return what the dataset is, as plain values; the headers are read, and no sample.

        ``sample_type``, ``fields`` (name to type, as text), ``num_samples`` (None behind a filter), ``num_shards``,
        ``shards``, ``url``, ``metadata``, ``predicate`` (None for all samples), and ``statistics``: the rows of
        :meth:`QueryExecutor.describe` as dicts, of all samples, whichever are chosen.

        Raises:
            ManifestError: A manifest is damaged or gone.
        """
        return describe(self._sequence)

    def statistics(self) -> pl.DataFrame:
        """Return the statistics in the headers, one row a field: see :meth:`QueryExecutor.describe`.

        They are those of all samples, whichever are chosen; without manifests there are none.

        Raises:
            ManifestError: A manifest is damaged or gone.
        """
        return self._sequence.opened.executor.statistics()

    @property
    def digest(self) -> str:
        """What stands for the samples and their order, as 64 hexadecimal digits.

        The same samples in the same order have the same digest on any machine. Manifest columns, notes and the time of
        writing do not enter it, so that a column added later changes nothing; nor do steps (``filter``, ``map``).

        Raises:
            ManifestError: A manifest is damaged or gone.
        """
        return self._sequence.selection.digest

    def refresh(self) -> Self:
        """Open the shards again, as they are now, and find the samples anew.

        What a predicate selected is asked of today's manifests again; samples that were taken one by one are looked up
        by shard and key, wherever they are by now.

        Raises:
            ManifestNotFoundError: The dataset is gone.
            SampleKeyError: A sample that was taken is not there any more.
        """
        return self._over(renewed(self._sequence.selection))

    def scan(self) -> pl.LazyFrame:
        """Return the samples' rows as a Polars LazyFrame: see :meth:`QueryExecutor.scan`.

        Raises:
            ManifestNotFoundError: No shard has a manifest.
            SchemaError: The shards' columns do not go together.
        """
        return self._sequence.selection.scan()

    def query(self, where: Where | None = None, **equalities: object) -> list[SampleLocation]:
        """Return the locations of the samples that a predicate selects: see :meth:`QueryExecutor.query`.

        Raises:
            PredicateError: The predicate cannot be asked; the error says why.
            ManifestError: A manifest is damaged, gone, or was never written.
            SchemaError: The shards' columns do not go together.
        """
        return questions.query(self._sequence.selection, where, equalities)

    def rows(
        self, where: Where | None = None, columns: Sequence[str] | None = None, **equalities: object
    ) -> pl.DataFrame:
        """Return the rows of the samples, or of those that a predicate selects among them, in the samples' order.

        Args:
            where: The predicate, as for :meth:`query`; None selects every sample.
            columns: Which fields to return beside ``__shard__`` and the location columns; None for all.
            **equalities: Columns and the value that each must have.

        Raises:
            PredicateError: The predicate cannot be asked, or there is no such column.
            ManifestError: A manifest is damaged, gone, or was never written.
            SchemaError: The shards' columns do not go together.
            TypeError: Behind a filter: manifests do not know what it leaves out.
        """
        self._check_unfiltered()
        return questions.rows(self._sequence.selection, where, columns, equalities)

    def count(self, where: Where | None = None, **equalities: object) -> int:
        """Return how many of the samples a predicate selects, given as for :meth:`query`; all of them for None.

        Raises:
            PredicateError: The predicate cannot be asked.
            ManifestError: A manifest is damaged, gone, or was never written.
            SchemaError: The shards' columns do not go together.
            TypeError: Behind a filter: manifests do not know what it leaves out.
        """
        self._check_unfiltered()
        return questions.count(self._sequence.selection, where, equalities)

    def explain(self, where: Where | None = None, **equalities: object) -> Explanation:
        """Return what the samples are and what reading them takes, or those that a predicate selects among them.

        The question is asked for it, and the reading planned; no tar is opened. ``print`` it.

        Raises:
            PredicateError: The predicate cannot be asked.
            ManifestError: A manifest is damaged, gone, or was never written.
            SchemaError: The shards' columns do not go together.
        """
        return questions.explain(self._sequence.selection, where, equalities)

    def value_counts(self, field: str, *, name: str = "count") -> pl.DataFrame:
        """Return how many samples have each value of a column, the most frequent first; of lists, each element.

        Args:
            field: The column.
            name: What the column of numbers is called.

        Returns:
            A frame with the column ``field``, null among its values, and ``count``.

        Raises:
            PredicateError: There is no such column.
            ValueError: ``name`` is that of the field.
            TypeError: Behind a filter: manifests do not know what it leaves out.
            ManifestError: A manifest is damaged, gone, or was never written.
        """
        if self._sequence.filters:
            raise TypeError(
                "manifests do not know which samples a filter leaves out: ds.to_polars()[field].value_counts()"
            )
        return questions.value_counts(self._sequence.selection, field, name)

    def where(self, *predicates: Where, **equalities: object) -> Self:
        """Return the samples that the predicates select, all of them: ``ds.where(pl.col("score") > 0.9, label="dog")``.

        Nothing is read before something is asked of them. They keep their order: shard order, then tar order, or that
        of the selection that is narrowed. ``ds.where(a).where(b)`` is ``ds.where(a, b)``.

        Args:
            *predicates: Polars expressions over the manifests' columns, SQL conditions, comparisons such as
                ``F.label == "dog"``, or functions of a pandas frame. A function that looks at samples goes to
                :meth:`Dataset.filter`.
            **equalities: Columns, and the value that each must have.

        Raises:
            PredicateError: A predicate cannot be asked; the error says why.
            ManifestError: A manifest is damaged, gone, or was never written.

        Examples:
            >>> import tempfile, atdata
            >>> @atdata.packable
            ... class Caption:
            ...     text: str
            ...     score: float
            >>> folder = tempfile.TemporaryDirectory()
            >>> captions = [Caption("a dog", 0.9), Caption("a cat", 0.2), Caption("two dogs", 0.7)]
            >>> ds = atdata.write_samples(captions, f"{folder.name}/captions.tar", manifest=True)
            >>> good = ds.where(pl.col("score") > 0.5)
            >>> len(good), [sample.text for sample in good.where("score < 0.8")]
            (2, ['two dogs'])
            >>> folder.cleanup()
        """
        return self._over(questions.narrow(self._sequence.selection, predicates, equalities))

    def take(self, rows: RowsLike) -> Self:
        """Return the samples that are named, in the order in which they are named, as often as they are.

        Args:
            rows: Any frame or query with ``__key__``, and ``__shard__`` where keys repeat between shards: what is made
                of :meth:`scan` by sorting, grouping, joining with other tables. Or locations, as :meth:`query` returns
                them; or keys; or positions, counted from 0, or from -1 backwards.

        Raises:
            SampleKeyError: A key is not there; the error says how many and shows some.
            AmbiguousKeyError: A key alone names samples in more than one shard.
            SampleIndexError: A position is beyond the samples.
            ShardError: The dataset has no such shard.
            SampleValueError: What was given names no samples.
            TypeError: Positions, behind a filter.
            ManifestError: A manifest is damaged or gone.

        Examples:
            >>> import tempfile, atdata
            >>> @atdata.packable
            ... class Caption:
            ...     text: str
            ...     score: float
            >>> folder = tempfile.TemporaryDirectory()
            >>> captions = [Caption("a dog", 0.9), Caption("a cat", 0.2), Caption("two dogs", 0.7)]
            >>> ds = atdata.write_samples(captions, f"{folder.name}/captions.tar", manifest=True)
            >>> best = ds.take(ds.scan().sort("score", descending=True).head(2))
            >>> [sample.text for sample in best], [sample.text for sample in ds.take([-1, 0, 0])]
            (['a dog', 'two dogs'], ['two dogs', 'a dog', 'a dog'])
            >>> folder.cleanup()
        """
        rows = named_rows(rows)
        if are_positions(rows):
            self._sequence.check_positions("ds.select([...]), or take them before the filter")
        return self._over(take(self._sequence.selection, rows))

    def sample(self, n: int, seed: int = 0) -> Self:
        """Return ``n`` different samples at random, in the order in which they stand.

        Which ones depends on the dataset's digest, ``n`` and the seed alone: not on the machine.

        Raises:
            ValueError: ``n`` is no number from 0, or there are fewer samples.
            TypeError: Behind a filter, which leaves out some of those drawn.
            ManifestError: A manifest is damaged or gone.
        """
        self._sequence.check_positions("sample first, then filter, or draw from list(ds)")
        return self._over(draw(self._sequence.selection, n, seed))

    def sort(self, by: str | pl.Expr | list[str | pl.Expr], *, descending: bool | list[bool] = False) -> Self:
        """Return the samples sorted by columns or expressions, as Polars sorts: nulls first, equal ones as they stand.

        Raises:
            PredicateError: There is no such column, or it cannot be sorted by.
            ManifestError: A manifest is damaged, gone, or was never written.
        """
        return self._over(questions.sort(self._sequence.selection, by, descending))

    def limit(self, n: int) -> Self:
        """Return the first ``n`` samples, or as many as there are.

        Raises:
            ValueError: ``n`` is no number from 0.
            TypeError: Behind a filter, which leaves out some of those counted.
            ManifestError: A manifest is damaged or gone.
        """
        self._sequence.check_positions("limit first, then filter, or ds.head(n)")
        return self._over(self._sequence.selection.first(whole("n", n)))

    def __and__(self, other: "Dataset[Any]") -> Self:
        """Return the samples that are in the other dataset too, in this one's order.

        Raises:
            AtdataError: The other is no selection of the same dataset.
        """
        return self._combined(other, functools.partial(intersect, how="semi"))

    def __sub__(self, other: "Dataset[Any]") -> Self:
        """Return the samples that are not in the other dataset, in this one's order.

        Raises:
            AtdataError: The other is no selection of the same dataset.
        """
        return self._combined(other, functools.partial(intersect, how="anti"))

    def __or__(self, other: "Dataset[Any]") -> Self:
        """Return the samples, then those of the other dataset that are not among them.

        Raises:
            AtdataError: The other is no selection of the same dataset.
        """
        return self._combined(other, unite)

    def save_slice(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the samples' places to a small file, which opens as a dataset: ``Dataset("dogs.slice.parquet")``.

        It holds what was asked, too, so that :meth:`refresh` can ask it again, and what the shards are now: where one
        is changed later, the slice says so. No sample is copied.

        Args:
            path: The file; its name ends in ``.slice.parquet``.
            overwrite: Whether to replace such a file.

        Returns:
            The file's absolute path.

        Raises:
            ValueError: The name ends otherwise.
            FileExistsError: There is such a file.
            AtdataError: The dataset has steps (filter, map), which no file keeps.
            ManifestError: A manifest is damaged or gone.
        """
        if self._sequence.steps:
            raise AtdataError("a slice keeps places, and no function: save it first, then filter or map what it opens")
        return save_slice(self._sequence.selection, path, overwrite=overwrite)

    def __iter__(self) -> Iterator[S]:
        return self._sequence.samples()

    @overload
    def ordered(self, batch_size: None = None) -> Iterator[S]: ...

    @overload
    def ordered(self, batch_size: int) -> Iterator[SampleBatch[S]]: ...

    def ordered(self, batch_size: int | None = None) -> Iterator[S] | Iterator[SampleBatch[S]]:
        """Return an iterator over all samples, in shard order, then tar order; of a selection, in its own order.

        Args:
            batch_size: Samples a batch; the last batch may be shorter. None gives the samples one by one.

        Raises:
            ValueError: ``batch_size`` is below 1.
            ShardChangedError: While iterating: a tar is not what its manifest promises.
            DecodeError: While iterating: a payload is no sample of the type.
        """
        if batch_size is None:
            return iter(self)
        check_limit("batch_size", batch_size)
        return self._sequence.batches(batch_size)

    def head(self, n: int = 5) -> list[S]:
        """Return the first samples, at most ``n``.

        Raises:
            ValueError: ``n`` is no whole number from 0.
        """
        return list(itertools.islice(self, whole("n", n)))

    def filter(self, keep: Callable[[S], object]) -> Self:
        """Return the samples for which a function of the sample is true; it is called when they are read.

        What can be said of manifest columns goes to :meth:`Dataset.where`, which reads no sample that it leaves out.
        Positions of what is filtered read the samples; ``len`` is refused.

        Raises:
            TypeError: ``keep`` cannot be called.
        """
        if not callable(keep):
            raise TypeError(
                f"filter takes a function of a sample, found {type(keep).__name__}; what is asked of columns, such as "
                "pl.col('label') == 'dog', goes to where()"
            )
        return self._with(self._sequence.then(Step("filter", keep)))

    def map(self, function: Callable[[S], R]) -> "Dataset[R]":
        """Return what a function makes of each sample; it is called when they are read, also for batches.

        Raises:
            TypeError: ``function`` cannot be called.
        """
        if not callable(function):
            raise TypeError(f"map takes a function of a sample; found {type(function).__name__}")
        mapped: Any = self._with(self._sequence.then(Step("map", function)))
        return mapped  # type: ignore[no-any-return]  # of the same class, with other samples

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
        viewed: Any = self._with(self._sequence.viewed(sample_type))
        return viewed  # type: ignore[no-any-return]  # of the same class, with other samples

    def select(self, indices: RowsLike) -> list[S]:
        """Return the samples at some positions, in that order; also at keys or locations, as :meth:`Dataset.take`.

        Raises:
            SampleIndexError: A position is beyond the samples.
            SampleValueError: What was given names no samples; behind a filter, anything but positions.
        """
        return self._sequence.selected(indices)

    def get(self, key: str) -> S:
        """Return the sample with a key.

        Raises:
            SampleKeyError: There is none.
            AmbiguousKeyError: The key is there in more than one shard.
        """
        sample: S = self._sequence.with_key(key)
        return sample

    @overload
    def __getitem__(self, index: SupportsIndex | str) -> S: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: SupportsIndex | str | slice) -> S | Self:
        """Return the sample at a position, or with a key; of a slice of positions, those samples as a dataset.

        Raises:
            SampleIndexError: The position is beyond the samples.
            SampleValueError: It is neither a position, nor a slice, nor a key.
            TypeError: A slice, behind a filter.
            SampleKeyError: No sample has the key.
            AmbiguousKeyError: The key is there in more than one shard.
        """
        if isinstance(index, str):
            return self.get(index)
        if isinstance(index, slice):
            self._sequence.check_positions("list(ds)[a:b]")
            return self._over(self._sequence.selection.at(index))
        sample: S = self._sequence.at(index)
        return sample

    def fetch(self, locations: Iterable[SampleLocation] | pl.DataFrame, *, verify: Verify = "fetch") -> Iterator[S]:
        """Return an iterator over the samples at some locations, in the order asked for.

        Only their bytes are read, in windows of at most 2 MiB, and each sample's length, name and checksum are
        checked before it is decoded.

        Args:
            locations: Where: what :meth:`query` returned, or any frame with the columns ``__shard__``, ``__key__`` and
                ``__offset__``, as :meth:`scan` has them. Size and CRC come from the manifest where they are lacking.
            verify: ``"fetch"`` checks each sample; ``"full"`` also each tar's SHA-256, which reads the whole tar;
                ``"none"`` leaves out the samples' checksums.

        Raises:
            ShardChangedError: While iterating: the bytes are not the sample that the location names.
            DecodeError: While iterating: a payload is no sample of the type.
            SampleKeyError: A location without a size names a key that is not there.
            SampleValueError: What was given is no location.
            ValueError: There is no such ``verify``.
        """
        if verify not in get_args(Verify):
            raise ValueError(f"verify is one of {', '.join(get_args(Verify))}; found {verify!r}")
        return through(self._sequence.reader.fetch(as_locations(locations), verify), self._sequence.steps)

    @overload
    def shuffled(
        self,
        buffer_shards: int = 100,
        buffer_samples: int = 10000,
        batch_size: None = None,
        seed: int | None = None,
        epoch: int = 0,
        window: int | str | None = None,
    ) -> "epochs.Epoch[S]": ...

    @overload
    def shuffled(
        self,
        buffer_shards: int = 100,
        buffer_samples: int = 10000,
        *,
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
        window: int | str | None = None,
    ) -> "epochs.Epoch[SampleBatch[S]]": ...

    @overload
    def shuffled(
        self,
        buffer_shards: int,
        buffer_samples: int,
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
        window: int | str | None = None,
    ) -> "epochs.Epoch[SampleBatch[S]]": ...

    def shuffled(
        self,
        buffer_shards: int = 100,
        buffer_samples: int = 10000,
        batch_size: int | None = None,
        seed: int | None = None,
        epoch: int = 0,
        window: int | str | None = None,
    ) -> "epochs.Epoch[Any]":
        """Return all samples in a shuffled order, each once: an :class:`Epoch`, which can be left and taken up again.

        The order is a function of :attr:`digest`, seed, epoch and window alone.

        Args:
            buffer_shards: Does nothing: where every sample's place is known, no buffer is needed to shuffle.
            buffer_samples: Does nothing, as ``buffer_shards``.
            batch_size: Samples a batch; the last batch may be shorter. None gives the samples one by one.
            seed: What the order depends on; None draws one.
            epoch: Which epoch it is; each has an order of its own.
            window: How much is shuffled together: None for everything, a number of shards, or an amount such as
                ``"256 MB"``. What is shuffled together is read together, in few long reads.

        Raises:
            ValueError: An option is none of these.
            ManifestError: While iterating: a manifest is damaged or gone.
            ShardChangedError: While iterating: the bytes at a place are not the sample that should be there.
            DecodeError: While iterating: a payload is no sample of the type.
        """
        whole("buffer_shards", buffer_shards)
        whole("buffer_samples", buffer_samples)
        return training.epoch_of(self._sequence, batch_size, seed=seed, epoch=epoch, window=window)

    @overload
    def to_torch(
        self,
        *,
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 0,
        window: int | str | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        uneven: Uneven = "pad",
        collate: "Collate | None" = None,
        style: Literal["iterable"] = "iterable",
    ) -> "SampleStream": ...

    @overload
    def to_torch(self, *, style: Literal["map"]) -> "SampleMap": ...

    def to_torch(
        self,
        *,
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 0,
        window: int | str | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        uneven: Uneven = "pad",
        collate: "Collate | None" = None,
        style: Literal["iterable", "map"] = "iterable",
    ) -> "SampleStream | SampleMap":
        """Return the dataset as PyTorch's ``DataLoader`` takes it; its workers read samples without Polars.

        With ``batch_size`` it yields batches: ``DataLoader(ds.to_torch(batch_size=32), batch_size=None)``. Without, it
        yields the samples themselves.

        Args:
            batch_size: Samples a batch, on each rank.
            shuffle: Whether the order is that of :meth:`shuffled`, by seed, epoch and window, or the dataset's.
            seed: What the order depends on.
            epoch: Which epoch it is; each has an order of its own.
            window: How much is shuffled together, as for :meth:`shuffled`.
            rank: Which of the processes that train together this is, and ``world_size`` how many they are; None asks
                ``torch.distributed``, then the environment variables ``RANK`` and ``WORLD_SIZE``, and else is alone.
            world_size: See ``rank``.
            uneven: What becomes of a last step that has not a full batch for every rank. ``"pad"`` shares it evenly and
                fills it up from the start; a rank alone gets a shorter batch. ``"drop"`` leaves it out.
            collate: Makes of a :class:`SampleBatch` what the loader yields; None makes a dict of tensors and lists.
                Where workers are spawned it crosses to them by name: a function of a module.
            style: ``"map"`` gives samples by position, for the loader's samplers, and takes no other option.

        Raises:
            MissingPackageError: PyTorch is not installed.
            ValueError: An option is none of these.
            ManifestError: A manifest is damaged or gone.
        """
        options = training.TorchOptions(batch_size, shuffle, seed, epoch, window, rank, world_size, uneven, collate)
        return training.torch_source(self._sequence, options, style)

    def wrap(self, sample: Mapping[str, Any]) -> S:
        """Return the sample in what the ``webdataset`` library reads: a dict with the payload as ``msgpack``.

        Raises:
            DecodeError: There is no payload, or it is no sample of the type.
        """
        wrapped: S = self._sequence.decoded(sample)
        return wrapped

    def wrap_batch(self, batch: Mapping[str, Any]) -> SampleBatch[S]:
        """Return the batch in what the ``webdataset`` library reads in batches: a dict with a list of payloads.

        Raises:
            DecodeError: There are no payloads, or one is no sample of the type.
        """
        return self._sequence.decoded_batch(batch)

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
        from ._jobs import Checkpoint, named_shards, process_shards  # noqa: PLC0415 -- only this call needs it

        named = named_shards(shards, dict(zip(self.shards, self.list_shards(), strict=True)))
        done = None if checkpoint is None else Checkpoint(checkpoint, self.digest)
        return process_shards(fn, named, self._sequence.by_shard(), checkpoint=done, on_shard_error=on_shard_error)

    def to_dict(self, limit: int | None = None) -> dict[str, list[Any]]:
        """Return the samples field by field, values as they are; at most ``limit`` of them.

        Raises:
            SchemaError: A function made the samples, and one of them has no fields.
        """
        return tables.to_dict(self._sequence.samples(), self._sequence.seen_type, limit)

    def to_pandas(self, limit: int | None = None) -> "pd.DataFrame":
        """Return the samples as a pandas frame, arrays as objects in it; at most ``limit`` of them.

        Raises:
            SchemaError: A function made the samples, and one of them has no fields.
        """
        return tables.to_pandas(self._sequence.samples(), self._sequence.seen_type, limit)

    def to_polars(self, limit: int | None = None) -> pl.DataFrame:
        """Return the samples as a Polars frame; at most ``limit`` of them.

        Dtypes are those of the annotations, arrays of one shape are ``pl.Array``, others lists. What manifests know is
        in :meth:`scan`, without reading a sample.

        Raises:
            SchemaError: A field's values make no column; the error names the field.
        """
        return tables.to_polars(self._sequence.samples(), self._sequence.seen_type, limit)

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
        return tables.to_parquet(self._sequence.samples(), self._sequence.seen_type, path, sample_map, maxcount)

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
        sequence = self._annotatable()
        options = annotating.AnnotateOptions(
            on, replace, missing, extra, aggregates or {}, run, batch_size, on_error, progress
        )
        selected = None if sequence.is_whole else sequence.selection.locations
        listing = annotating.annotate(sequence.opened, selected, sequence.batches_at, columns, options)
        return self._over(with_listing(sequence.selection, listing))

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
        sequence = self._annotatable()
        if not names:
            raise ValueError("drop_columns takes the names of columns: ds.drop_columns('predicted', 'margin')")
        if not sequence.is_whole:
            raise TypeError(
                "columns are dropped from whole shards, and this is a selection; drop them from the dataset"
            )
        return self._over(with_listing(sequence.selection, annotating.drop_columns(sequence.opened, names, on_error)))

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
            iso_time(created_at),
        )
        return self._with(export(self._sequence, options))

    def __contains__(self, item: object) -> bool:
        """Return whether there is a sample with a key, or at a location; no sample is read for these.

        A sample is compared with each of the dataset's, as ``in`` does with a list.

        Raises:
            TypeError: It is none of these; or, of a key or location, a filter step decides what there is.
        """
        if isinstance(item, str | SampleLocation):
            if self._sequence.filters:
                raise TypeError("what passes a filter is known once samples are read: any(... for sample in ds)")
            return self._sequence.selection.has(item)
        seen = self._sequence.seen_type
        if seen is not None and not isinstance(item, seen):
            raise TypeError(f"'in' takes a key, a SampleLocation or a {seen.__name__}; found {type(item).__name__}")
        try:
            return any(item is sample or item == sample for sample in self)
        except ValueError as error:  # as NumPy's arrays answer ==
            raise TypeError(
                "samples that hold arrays cannot be compared with ==: any(... for sample in ds) looks at each"
            ) from error

    def __bool__(self) -> bool:
        return True  # without this, `if ds:` would count the samples

    def __len__(self) -> int:
        self._check_unfiltered()
        return self._sequence.selection.count()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        return self is other or self._sequence.is_same(sequence_of(other))

    def __hash__(self) -> int:
        # Selections that were found by different ways may be equal: nothing that is known unread tells them apart.
        return hash((self._sequence.opened.store, tuple(step.kind for step in self._sequence.steps)))

    def __repr__(self) -> str:
        return str(summary_of(self._sequence))

    def _repr_html_(self) -> str:
        return display_html(self)

    def _with(self, sequence: SampleSequence) -> Self:
        other = copy.copy(self)
        other._sequence = sequence  # noqa: SLF001 -- of one class
        return other

    def _over(self, selection: Selection) -> Self:
        return self._with(self._sequence.over(selection))

    def _combined(self, other: object, combine: Callable[[Selection, Selection], Selection]) -> Self:
        if not isinstance(other, Dataset):
            return NotImplemented  # type: ignore[no-any-return]  # as operators do
        theirs = sequence_of(other)
        self._sequence.check_combinable(theirs)
        return self._over(combine(self._sequence.selection, theirs.selection))

    def _check_unfiltered(self) -> None:
        if self._sequence.filters:  # a TypeError is what lets `list(ds)` do without a length
            raise TypeError("how many samples pass a filter is known once they are read: sum(1 for _ in ds)")

    def _annotatable(self) -> SampleSequence:
        self._sequence.check_annotatable()
        return self._sequence


def dataset_of(like: Dataset[S], sequence: SampleSequence) -> Dataset[S]:
    """Return a dataset of the same class that is made of something else."""
    return like._with(sequence)  # noqa: SLF001 -- for the rooms above


def sequence_of(dataset: Dataset[Any]) -> SampleSequence:
    """Return what a dataset is made of."""
    return dataset._sequence  # noqa: SLF001 -- for the rooms above
