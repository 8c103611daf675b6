"""`write_samples` and `ShardWriter`: from samples to shards and their manifests."""

import datetime as dt
import functools
import os
from collections.abc import Iterable, Mapping, Sized
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from atdata._errors import SchemaError
from atdata._options import check_limit
from atdata._sample import fields_of, is_sample_type
from atdata._shards import OpenShards, open_shards
from atdata._write import (
    Existing,
    HeaderFacts,
    Keys,
    KeySource,
    Progress,
    SetOptions,
    SetWriter,
    ShardNames,
    check_existing,
    iso_time,
    json_dict,
)

from ._dataset import Dataset

__all__ = ["ShardWriter", "write_samples"]

S = TypeVar("S")


def write_samples(  # noqa: PLR0913 -- options of one call, all by name
    samples: Iterable[S],
    path: str | os.PathLike[str],
    *,
    maxcount: int | None = None,
    maxsize: int | None = None,
    manifest: bool = False,
    content_metadata: Any = None,
    keys: Keys | None = None,
    overwrite: bool = False,
    append: bool = False,
    provenance: Mapping[str, Any] | None = None,
    created_at: dt.datetime | str | None = None,
    durable: bool = True,
    progress: bool | None = None,
    executor: Executor | None = None,
) -> Dataset[S]:
    """Write samples to one tar, or to numbered shards, and return them as a dataset.

    Samples are taken one at a time. Hashing, writing and publishing go on behind the producer's back, with at most two
    shards in flight; what is held in memory is the manifest columns of these two and a few megabytes. Each shard is
    published whole, then its manifest, one shard after the other. The same samples and options give the same bytes, but
    for ``created_at`` in headers.

    Args:
        samples: Samples of one type: packable dataclasses, or :class:`DictSample`. A generator will do.
        path: ``images.tar`` for one shard; with ``maxcount`` or ``maxsize`` it means ``images-000000.tar`` and so on.
            ``images-%04d.tar`` says where the number stands.
        maxcount: Samples a shard, at most.
        maxsize: Bytes a tar, at most; a sample that is larger gets a shard of its own.
        manifest: Whether to write a manifest beside each shard. Of :class:`DictSample` it has no columns but places.
        content_metadata: What to say of the dataset as a whole, kept in each header: a dict, or a packable sample.
        keys: The samples' keys: an iterable of exactly as many, a function ``(position, sample) -> key``, or a field's
            name. Without it a sample's key is ``<shard>-<row>``, six digits each.
        overwrite: Whether to replace a set of this name: its headers are removed, then its other files, then the new
            shards are written. What is replaced is gone from the first removal on, which comes after the first sample.
        append: Whether to add shards after those of this name; they must have manifests and hold the same type. The
            dataset returned has them all.
        provenance: Where the samples come from, kept in each header, such as ``{"source_job_id": "nightly-7"}``.
        created_at: The time that headers record; the environment's SOURCE_DATE_EPOCH, or now, unless given.
        durable: Whether a published file survives a power loss; False skips the fsyncs and nothing else.
        progress: Whether to show on the terminal how far it is; nothing is shown where standard error is no terminal.
        executor: What encodes the samples and computes their columns, any executor of ``concurrent.futures``; the bytes
            are the same. It pays where computed columns or image sizes are dear. Samples must not change once they are
            given, and the first that is refused ends the write.

    Raises:
        ValueError: There is no sample, or an option makes no sense.
        TypeError: ``content_metadata`` is neither a dict nor a packable sample, or holds what JSON cannot.
        ShardExistsError: A file that this would write is there already, or one that ``overwrite`` would remove may be
            another set's; nothing was changed.
        ShardError: With ``append``: what is there is no such set, or lacks manifests.
        SchemaError: With ``append``: what is there holds another type.
        SampleValueError: A sample or key cannot be written. Like any error that the input raises, it carries a note
            that says how far the write came: finished shards stay, the open one leaves nothing.
        AtdataError: The executor stopped.

    Examples:
        >>> import tempfile, atdata
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> folder = tempfile.TemporaryDirectory()
        >>> ds = write_samples(map(Caption, "abc"), f"{folder.name}/captions.tar", maxcount=2, manifest=True)
        >>> len(ds), len(ds.list_shards())
        (3, 2)
        >>> more = write_samples([Caption("d")], f"{folder.name}/captions.tar", maxcount=2, manifest=True, append=True)
        >>> [sample.text for sample in more]
        ['a', 'b', 'c', 'd']
        >>> folder.cleanup()
    """
    shards: ShardWriter[S] = ShardWriter(
        path,
        None,
        maxcount=maxcount,
        maxsize=maxsize,
        manifest=manifest,
        content_metadata=content_metadata,
        keys=keys,
        overwrite=overwrite,
        append=append,
        provenance=provenance,
        created_at=created_at,
        durable=durable,
        progress=progress,
        executor=executor,
    )
    shards._expect(samples)  # noqa: SLF001 -- two halves of one module
    with shards:
        for sample in samples:
            shards.write(sample)
    if shards.sample_type is None:
        raise ValueError("expected a non-empty iterable of samples, found none; nothing was written")
    return shards.dataset


class ShardWriter(Generic[S]):
    """Writes samples one call at a time, with all that :func:`write_samples` can do.

    It is a context manager. When the block ends, the open shard is published and :attr:`dataset` is there; when the
    block raises, nothing of the open shard is published, and shards that were whole stay.

    Args:
        path: As for :func:`write_samples`, like every option.
        sample_type: The samples' type; None takes that of the first.

    Raises:
        SchemaError: ``sample_type`` is no sample type.
        ValueError: An option makes no sense.
        ShardExistsError: A file that this would write is there already; nothing was changed.

    Examples:
        >>> import tempfile, atdata
        >>> import polars as pl
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> folder = tempfile.TemporaryDirectory()
        >>> with ShardWriter(f"{folder.name}/captions-%06d.tar", Caption, manifest=True) as shards:
        ...     shards.write(Caption("a dog"), key="dog")
        ...     shards.write(Caption("a cat"), key="cat")
        >>> [location.key for location in shards.dataset.query(pl.col("text") == "a cat")]
        ['cat']
        >>> folder.cleanup()
    """

    def __init__(  # noqa: PLR0913 -- as for write_samples
        self,
        path: str | os.PathLike[str],
        sample_type: type[S] | None,
        *,
        maxcount: int | None = None,
        maxsize: int | None = None,
        manifest: bool = False,
        content_metadata: Any = None,
        keys: Keys | None = None,
        overwrite: bool = False,
        append: bool = False,
        provenance: Mapping[str, Any] | None = None,
        created_at: dt.datetime | str | None = None,
        durable: bool = True,
        progress: bool | None = None,
        executor: Executor | None = None,
    ) -> None:
        if sample_type is not None and not is_sample_type(sample_type):
            raise SchemaError(f"{sample_type!r} is no sample type; decorate the class with @atdata.packable")
        check_limit("maxcount", maxcount)
        check_limit("maxsize", maxsize)
        many = maxcount is not None or maxsize is not None
        self._store, names = ShardNames.parse(path, many=many, durable=durable)
        existing = _existing(names, overwrite=overwrite, append=append, manifest=manifest)
        self._metadata = _metadata_dict(content_metadata)
        self._names = names
        check_existing(self._store, names, existing)
        options = SetOptions(
            names=names,
            existing=existing,
            facts=HeaderFacts(
                content_metadata=self._metadata,
                provenance=json_dict("provenance", provenance),
                created_at=iso_time(created_at),
            ),
            maxcount=maxcount,
            maxsize=maxsize,
            manifest=manifest,
            keys=None if keys is None else KeySource(keys),
            executor=executor,
        )
        self._progress = Progress(shown=bool(progress))
        self._shards = SetWriter(self._store, options, self._progress, sample_type)
        self._entered = self._done = False

    @property
    def sample_type(self) -> type[S] | None:
        """The samples' type, once it is known."""
        return self._shards.sample_type

    @property
    def dataset(self) -> Dataset[S]:
        """What was written, once the block has ended.

        Raises:
            ValueError: It has not, or it raised, or nothing was written in it.
        """
        if not self._done:
            raise ValueError("the shards are not written yet; leave the writer's with-block first")
        if not (self._shards.listing.committed or self._shards.listing.uncommitted):
            raise ValueError("no sample was written, and nothing was changed: there is no dataset")
        again = self._names.found_in(self._store.url())  # with shards that are added to the set later
        return Dataset(
            OpenShards(
                self._store,
                self._shards.listing,
                self.sample_type,
                self._metadata,
                source=again,
                reopen=None if again is None else functools.partial(open_shards, again),
            )
        )

    def write(self, sample: S, key: str | None = None) -> None:
        """Append a sample.

        Args:
            sample: The sample.
            key: Its key; None leaves it to the option ``keys``, or numbers it.

        Raises:
            SampleValueError: A sample or key cannot be written; the error names its position.
            ShardExistsError: A shard would overwrite a file.
            ValueError: The writer's block was not entered, or has ended.
        """
        if not self._entered:
            raise ValueError("samples are written inside the writer's with-block: with ShardWriter(...) as shards: ...")
        self._shards.write(sample, key)

    def _expect(self, samples: Iterable[Any]) -> None:
        self._progress.total = len(samples) if isinstance(samples, Sized) else None

    def __enter__(self) -> Self:
        if self._entered or self._done:
            raise ValueError("a writer's block is entered once; make another writer")
        self._entered = True
        self._progress.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        try:
            if error is None:
                with self._shards:
                    self._shards.finish()
                self._done = True
            else:
                self._shards.__exit__(kind, error, trace)
        finally:
            self._progress.end()


def _existing(names: ShardNames, *, overwrite: bool, append: bool, manifest: bool) -> Existing:
    if overwrite and append:
        raise ValueError("overwrite=True replaces the set and append=True adds to it; choose one")
    if append and names.width is None:
        raise ValueError(
            f"append=True adds numbered shards, and {names.pattern!r} names one tar; give maxcount= or maxsize=, "
            "or a path with a number, such as 'images-%06d.tar'"
        )
    if append and not manifest:
        raise ValueError("append=True adds to shards with manifests; give manifest=True as well")
    if append:
        return "append"
    return "overwrite" if overwrite else "refuse"


def _metadata_dict(metadata: Any) -> Mapping[str, Any] | None:
    if metadata is not None and not isinstance(metadata, dict):
        if not is_sample_type(type(metadata)):
            raise TypeError(f"content_metadata is a dict or a packable sample; found {type(metadata).__name__}")
        metadata = (
            metadata.to_dict()
            if hasattr(metadata, "to_dict")
            else {field.name: getattr(metadata, field.name) for field in fields_of(type(metadata))}
        )
    return json_dict("content_metadata", metadata)
