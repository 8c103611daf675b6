"""Opening a dataset with its splits."""

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar, overload

from atdata._errors import AtdataError, ManifestNotFoundError, SchemaError, SplitNotFoundError, listed
from atdata._manifest import Listing, shard_order
from atdata._query import absolute, open_folder, open_tars, report_uncommitted
from atdata._read import OpenShards
from atdata._sample import DictSample, is_sample_type
from atdata._storage import Store
from atdata._write import expand, is_local

from ._dataset import Dataset, Source, check_source
from ._dataset_dict import DatasetDict
from ._slice import is_slice
from ._splits import TRAIN, by_split, unknown_split

__all__ = ["DataFiles", "load_dataset"]

S = TypeVar("S")

#: Which tars of one split: a path or pattern, or several.
DataFiles: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_DataFiles: TypeAlias = DataFiles | Mapping[str, DataFiles]


class _Found(NamedTuple):
    """The shards of all splits, by one root, so that a shard's id is the same whichever split is asked for."""

    store: Store
    listing: Listing
    #: The shards' ids by split, in order.
    splits: Mapping[str, Sequence[str]]

    def shards(
        self, split: str, sample_type: type[Any] | None, reopen: Callable[[], OpenShards[Any]]
    ) -> OpenShards[Any]:
        """Return one split's shards."""
        committed = {each.shard_id: each for each in self.listing.committed}
        members = self.splits[split]
        listing = Listing(
            tuple(committed[each] for each in members if each in committed),
            tuple(each for each in members if each not in committed),
        )
        return OpenShards(self.store, listing, sample_type, reopen=reopen)


@overload
def load_dataset(
    path: Source,
    sample_type: None = None,
    *,
    split: None = None,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: str | os.PathLike[str] | None = None,
) -> DatasetDict[DictSample]: ...


@overload
def load_dataset(
    path: Source,
    sample_type: None = None,
    *,
    split: str,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: str | os.PathLike[str] | None = None,
) -> Dataset[DictSample]: ...


@overload
def load_dataset(
    path: Source,
    sample_type: type[S],
    *,
    split: None = None,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: str | os.PathLike[str] | None = None,
) -> DatasetDict[S]: ...


@overload
def load_dataset(
    path: Source,
    sample_type: type[S],
    *,
    split: str,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: str | os.PathLike[str] | None = None,
) -> Dataset[S]: ...


def load_dataset(
    path: Source,
    sample_type: type[Any] | None = None,
    *,
    split: str | None = None,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: str | os.PathLike[str] | None = None,
) -> DatasetDict[Any] | Dataset[Any]:
    """Open a dataset and tell its splits apart by the names of its shards and folders. Only names are read.

    All splits count their shards' ids from one folder: the one that was opened, else the deepest that holds all tars.

    Args:
        path: A folder, also with folders for its splits; a tar, a glob, a brace pattern, or a list of these; a slice.
        sample_type: The type that samples are read as; without one they are :class:`DictSample`.
        split: The split to return.
        data_files: Patterns of tars relative to ``path``: of the split ``train``, or by split.
        streaming: Recorded, and otherwise without effect: a dataset reads its samples as they are asked for.
        storage_options: For remote stores, which are not supported yet.
        manifests: A folder of manifests apart from the tars, which is not supported yet.

    Returns:
        All splits, or the one that was named.

    Raises:
        ManifestNotFoundError: There is no such folder or tar, or a pattern matches none.
        SplitNotFoundError: There is no such split; the error lists those that there are.
        SchemaError: ``sample_type`` is none.
        ValueError: A name speaks of two splits.
        AtdataError: The dataset is not on a local disk.
    """
    if sample_type is not None and not is_sample_type(sample_type):
        raise SchemaError(f"{sample_type} is no sample type; decorate the class with @atdata.packable")
    _check_supported(storage_options, manifests)
    where, openers = _openers(path, sample_type, data_files)
    if split is None:
        return DatasetDict({each: opened() for each, opened in openers.items()}, sample_type, streaming)
    if split not in openers:
        raise SplitNotFoundError(unknown_split(split, openers, where))
    return openers[split]()


def _check_supported(storage_options: object, manifests: object) -> None:
    if storage_options is not None:
        raise AtdataError("storage_options are for remote stores, and these are not supported yet; leave them away")
    if manifests is not None:
        raise AtdataError(
            "a dataset has its manifests beside its tars; where they lie apart, ask them: "
            f"atdata.QueryExecutor.from_directory(tars, manifests={os.fspath(manifests)!r})"  # type: ignore[call-overload]  # a path
        )


def _openers(
    path: Source, sample_type: type[Any] | None, data_files: _DataFiles | None
) -> tuple[str, dict[str, Callable[[], Dataset[Any]]]]:
    """Return what was named, and what opens each of its splits."""
    anchored = _anchored(path)
    if is_slice(anchored) and data_files is None:
        kind: Any = Dataset if sample_type is None else Dataset[sample_type]  # type: ignore[valid-type]  # at run time
        return str(anchored), {TRAIN: functools.partial(kind, anchored)}
    found = _find(anchored, data_files)
    again = functools.partial(_reopened, anchored, sample_type, data_files)
    return found.store.url(), {
        split: functools.partial(_dataset, found.shards(split, sample_type, functools.partial(again, split)))
        for split in found.splits
    }


def _dataset(shards: OpenShards[Any]) -> Dataset[Any]:
    report_uncommitted(shards.store, shards.listing)
    return Dataset(shards)


def _reopened(
    path: str | list[str], sample_type: type[Any] | None, data_files: _DataFiles | None, split: str
) -> OpenShards[Any]:
    """Return a split's shards as they are by now.

    Raises:
        SplitNotFoundError: None is left.
    """
    found = _find(path, data_files)
    if split not in found.splits:
        raise SplitNotFoundError(unknown_split(split, found.splits, found.store.url()))
    return found.shards(split, sample_type, functools.partial(_reopened, path, sample_type, data_files, split))


def _find(path: str | list[str], data_files: _DataFiles | None) -> _Found:
    if data_files is not None:
        return _find_files(path, data_files)
    is_folder = isinstance(path, str) and Path(path).is_dir()
    if isinstance(path, str) and is_folder:
        store, listing = open_folder(path, recursive=True)
        _check_any(store, listing)
    else:
        named = [path] if isinstance(path, str) else path
        store, listing = open_tars(itertools.chain.from_iterable(map(_tars, named)))
    return _Found(store, listing, by_split(_ids(listing), store.url(), folder=is_folder))


def _find_files(path: str | list[str], data_files: _DataFiles) -> _Found:
    if not isinstance(path, str) or not Path(path).is_dir():
        raise ManifestNotFoundError(f"data_files are relative to a folder, and {path!r} is none")
    if not data_files:
        raise ManifestNotFoundError(
            f"data_files names no file; found {data_files!r}: leave it out to load all of {path}"
        )
    by_name = data_files if isinstance(data_files, Mapping) else {TRAIN: data_files}
    tars = {str(split): list(dict.fromkeys(_matches(path, str(split), files))) for split, files in by_name.items()}
    store, listing = open_tars(itertools.chain.from_iterable(tars.values()), root=path)
    splits = {split: [_id_below(store.url(), tar) for tar in members] for split, members in tars.items()}
    return _Found(store, listing, splits)


def _matches(path: str, split: str, files: DataFiles) -> Iterator[str]:
    patterns = [files] if isinstance(files, str | os.PathLike) else list(files)
    if not patterns:
        raise ManifestNotFoundError(f"data_files names no file for the split {split!r}")
    for pattern in patterns:
        try:
            yield from map(absolute, _tars(str(Path(path, pattern))))
        except ManifestNotFoundError as error:
            raise ManifestNotFoundError(f"data_files, split {split!r}: {error}") from None


def _tars(path: str) -> list[str]:
    """Return the tars that a path means: those in a folder, or those that a pattern names."""
    if not Path(path).is_dir():
        return expand(path)
    store, listing = open_folder(path)
    _check_any(store, listing)
    return [store.url(f"{shard_id}.tar") for shard_id in sorted(_ids(listing), key=shard_order)]


def _check_any(store: Store, listing: Listing) -> None:
    if not (listing.committed or listing.uncommitted):
        names = store.names(recursive=True)
        raise ManifestNotFoundError(
            f"{store.url()} holds no shard (*.tar); it holds {listed(names) if names else 'nothing'}"
        )


def _ids(listing: Listing) -> list[str]:
    return [*(each.shard_id for each in listing.committed), *listing.uncommitted]


def _id_below(root: str, tar: str) -> str:
    return Path(tar).relative_to(root).as_posix().removesuffix(".tar")


def _anchored(path: Source) -> str | list[str]:
    """Return paths that mean the same from any working folder."""
    check_source(path)
    names = [os.fspath(path)] if isinstance(path, str | os.PathLike) else [os.fspath(each) for each in path]
    for name in names:
        is_local(name)
    found = [absolute(name) for name in names]
    return found[0] if isinstance(path, str | os.PathLike) else found
