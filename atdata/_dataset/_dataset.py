"""The dataset: shards as one sequence of samples."""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_origin, overload

import polars as pl

from atdata._errors import ManifestNotFoundError, SchemaError, listed
from atdata._sample import DictSample, SampleBatch, is_sample_type
from atdata._store import Store
from atdata.manifest import Explanation, QueryExecutor, SampleLocation
from atdata.manifest._names import Listing
from atdata.manifest._open import open_folder, open_tars, report_uncommitted
from atdata.manifest._predicate import Where
from atdata.manifest._source import StoredManifests

from ._names import check_limit, expand
from ._places import Places, Verify, as_locations
from ._read import SampleReader

__all__ = ["Dataset", "OpenShards"]

S = TypeVar("S")


class OpenShards(NamedTuple, Generic[S]):
    """Shards whose names are known: what a write leaves behind, or an opening finds."""

    store: Store
    listing: Listing
    sample_type: type[S] | None = None
    content_metadata: Mapping[str, Any] | None = None


class Dataset(Generic[S]):
    """A sharded dataset. ``Dataset[Photo](path)`` reads samples as ``Photo``; without a type they are DictSample.

    Opening lists names and reads nothing. With manifests, ``len``, questions and fetching touch no byte of a tar that
    they need not; without them, tars are walked.

    Args:
        source: A folder, a tar, a glob, a brace pattern (``images-{000000..000009}.tar``), or a list of tars.

    Raises:
        ManifestNotFoundError: There is nothing there.

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

    def __init__(self, source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | OpenShards[S]) -> None:
        if not isinstance(source, OpenShards):
            source = _open(source)
            report_uncommitted(source.store, source.listing)
        manifests = StoredManifests(source.store, source.listing)
        self._store = source.store
        self._given_type = source.sample_type
        self._executor = QueryExecutor(manifests)
        self._places = Places(source.store, source.listing, manifests)
        self._content_metadata = source.content_metadata

    def __repr__(self) -> str:
        return f"Dataset[{self.sample_type.__name__}]({self._store.url()!r}, {len(self._places.shard_ids)} shards)"

    @property
    def sample_type(self) -> type[S]:
        """The type that samples are read as.

        Raises:
            SchemaError: What was named is no sample type.
        """
        named: Any = self._given_type or next(iter(self._type_arguments()), DictSample)
        if not is_sample_type(named):
            raise SchemaError(f"{named} is no sample type; decorate the class with @atdata.packable")
        sample_type: type[S] = named
        return sample_type

    def _type_arguments(self) -> tuple[Any, ...]:
        if arguments := get_args(self.__dict__.get("__orig_class__")):
            return arguments
        for each in type(self).__mro__:  # class Photos(Dataset[Photo]), and what is made of it
            for base in vars(each).get("__orig_bases__", ()):
                origin, arguments = get_origin(base), get_args(base)
                named = isinstance(origin, type) and issubclass(origin, Dataset)
                if named and not isinstance(arguments[0], TypeVar):
                    return arguments
        return ()

    @property
    def content_metadata(self) -> Mapping[str, Any] | None:
        """What the writer said of the dataset as a whole; None where it said nothing, or there is no manifest."""
        return self._places.content_metadata() if self._content_metadata is None else self._content_metadata

    def list_shards(self) -> list[str]:
        """Return the paths of the shards, in order."""
        return [self._store.url(f"{shard_id}.tar") for shard_id in self._places.shard_ids]

    def __bool__(self) -> bool:
        return True  # without this, `if ds:` would count the samples

    def __len__(self) -> int:
        return self._places.count()

    def __iter__(self) -> Iterator[S]:
        return self._reader().ordered()

    @overload
    def ordered(self, batch_size: None = None) -> Iterator[S]: ...

    @overload
    def ordered(self, batch_size: int) -> Iterator[SampleBatch[S]]: ...

    def ordered(self, batch_size: int | None = None) -> Iterator[S] | Iterator[SampleBatch[S]]:
        """Return an iterator over all samples, in shard order, then tar order.

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
        return self._reader().ordered_batches(batch_size)

    def head(self, n: int = 5) -> list[S]:
        """Return the first samples, at most ``n``."""
        return list(itertools.islice(self, n))

    def scan(self) -> pl.LazyFrame:
        """Return the manifests as one Polars LazyFrame: see :meth:`QueryExecutor.scan`.

        Raises:
            ManifestNotFoundError: No shard has a manifest.
        """
        return self._executor.scan()

    def query(self, where: Where | None = None, **equalities: object) -> list[SampleLocation]:
        """Return the locations of the samples that a predicate selects: see :meth:`QueryExecutor.query`.

        Raises:
            PredicateError: The predicate cannot be asked; the error says why.
            ManifestError: A manifest is damaged, gone, or was never written.
            SchemaError: The shards' columns do not go together.
        """
        return self._executor.query(where, **equalities)

    def explain(self, where: Where | None = None, **equalities: object) -> Explanation:
        """Return what a question selects and reads: see :meth:`QueryExecutor.explain`.

        Raises:
            PredicateError: The predicate cannot be asked.
            ManifestError: A manifest is damaged, gone, or was never written.
            SchemaError: The shards' columns do not go together.
        """
        return self._executor.explain(where, **equalities)

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
        return self._reader().fetch(as_locations(locations), verify)

    def _reader(self) -> SampleReader:
        return SampleReader(self._store, self._places, self.sample_type)


def _open(source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> OpenShards[Any]:
    if not isinstance(source, str | os.PathLike):
        return OpenShards(*open_tars(name for each in source for name in expand(os.fspath(each))))
    path = Path(source)
    if not path.is_dir():
        return OpenShards(*open_tars(expand(os.fspath(source))))
    store, listing = open_folder(path)
    if not (listing.committed or listing.uncommitted):
        inside = sorted(each.name for each in path.iterdir() if each.is_dir() and next(each.glob("*.tar"), None))
        raise ManifestNotFoundError(
            f"{store.url()} holds no shard (*.tar)" + (f"; its folders {listed(inside)} do: open one" if inside else "")
        )
    return OpenShards(store, listing)
