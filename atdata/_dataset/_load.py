"""Opening a dataset with its splits."""

import functools
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, overload

from atdata._errors import AtdataError, ManifestNotFoundError, SchemaError, SplitNotFoundError
from atdata._manifest import Listing
from atdata._sample import DictSample, is_sample_type
from atdata._shards import (
    DatasetSource,
    OpenShards,
    absolute_source,
    check_source,
    find_tars,
    is_slice,
    open_shards,
    place_tars,
    report_ignored,
)
from atdata._storage import StorePath, absolute_url

from ._dataset import Dataset
from ._dataset_dict import DatasetDict
from ._slice import Places, manifests_folder
from ._splits import TRAIN, by_split, unknown_split

__all__ = ["DataFiles", "load_dataset"]

S = TypeVar("S")

#: Which tars of one split: a path or pattern, or several.
DataFiles: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_FilesBySplit: TypeAlias = DataFiles | Mapping[str, DataFiles]


class _Splits(NamedTuple):
    """The shards of all splits, by one root, so that a shard's id is the same whichever split is asked for."""

    shards: OpenShards[Any]
    #: The shards' ids by split, in order.
    ids: Mapping[str, Sequence[str]]

    def split(self, name: str, sample_type: type[Any] | None, reopen: Callable[[], OpenShards[Any]]) -> OpenShards[Any]:
        """Return one split's shards."""
        listing = self.shards.listing
        committed = {shard.shard_id: shard for shard in listing.committed}
        members = self.ids[name]
        own = Listing(
            tuple(committed[shard_id] for shard_id in members if shard_id in committed),
            tuple(shard_id for shard_id in members if shard_id not in committed),
        )
        return OpenShards(self.shards.store, own, sample_type, reopen=reopen)


@overload
def load_dataset(
    path: DatasetSource,
    sample_type: None = None,
    *,
    split: None = None,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: Places | None = None,
    root: Places | None = None,
) -> DatasetDict[DictSample]: ...


@overload
def load_dataset(
    path: DatasetSource,
    sample_type: None = None,
    *,
    split: str,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: Places | None = None,
    root: Places | None = None,
) -> Dataset[DictSample]: ...


@overload
def load_dataset(
    path: DatasetSource,
    sample_type: type[S],
    *,
    split: None = None,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: Places | None = None,
    root: Places | None = None,
) -> DatasetDict[S]: ...


@overload
def load_dataset(
    path: DatasetSource,
    sample_type: type[S],
    *,
    split: str,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: Places | None = None,
    root: Places | None = None,
) -> Dataset[S]: ...


def load_dataset(
    path: DatasetSource,
    sample_type: type[Any] | None = None,
    *,
    split: str | None = None,
    data_files: DataFiles | Mapping[str, DataFiles] | None = None,
    streaming: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    manifests: Places | None = None,
    root: Places | None = None,
) -> DatasetDict[Any] | Dataset[Any]:
    """Open a dataset and tell its splits apart by the names of its shards and folders. Only names are read.

    All splits count their shards' ids from one folder: the one that was opened, else the deepest that holds all tars.

    Args:
        path: A folder, with those below it; a tar, a glob, a brace pattern, or a list of these; a slice.
        sample_type: The type that samples are read as; without one they are :class:`DictSample`.
        split: The split to return.
        data_files: Patterns of tars relative to ``path``: of the split ``train``, or by split.
        streaming: Recorded, and otherwise without effect: a dataset reads its samples as they are asked for.
        storage_options: For remote stores, which are not supported yet.
        manifests: The folder of the manifests, where they are apart from the tars, as for :class:`Dataset`.
        root: Where a slice's dataset is now, if it was moved, as for :class:`Dataset`.

    Returns:
        All splits, or the one that was named.

    Raises:
        ManifestNotFoundError: There is no such folder or tar, or a pattern matches none.
        SplitNotFoundError: There is no such split; the error lists those that there are.
        DuplicateShardError: A tar is named twice.
        SchemaError: ``sample_type`` is none.
        ValueError: A name speaks of two splits.
        AtdataError: The dataset is not on a local disk.
    """
    if sample_type is not None and not is_sample_type(sample_type):
        raise SchemaError(f"{sample_type} is no sample type; decorate the class with @atdata.packable")
    if storage_options is not None:
        raise AtdataError("storage_options are for remote stores, and these are not supported yet; leave them away")
    where, openers = _openers(path, sample_type, data_files, manifests, root)
    if split is None:
        return DatasetDict({name: opened() for name, opened in openers.items()}, sample_type, streaming)
    if split not in openers:
        raise SplitNotFoundError(unknown_split(split, openers, where))
    return openers[split]()


def _openers(
    path: DatasetSource,
    sample_type: type[Any] | None,
    data_files: _FilesBySplit | None,
    manifests: Places | None,
    root: Places | None,
) -> tuple[str, dict[str, Callable[[], Dataset[Any]]]]:
    """Return what was named, and what opens each of its splits."""
    check_source(path)
    if is_slice(path) and data_files is None:
        kind: Any = Dataset if sample_type is None else Dataset[sample_type]  # type: ignore[valid-type]  # at run time
        return str(path), {TRAIN: functools.partial(kind, path, manifests=manifests, root=root)}
    source = absolute_source(path)
    folder = manifests_folder(root, manifests)
    apart = None if folder is None else absolute_url(folder)
    splits = _find(source, data_files, apart)
    report_ignored(splits.shards._replace(listing=Listing((), ())))
    again = functools.partial(_reopened, source, sample_type, data_files, apart)
    return splits.shards.store.url(), {
        name: functools.partial(_dataset, splits.split(name, sample_type, functools.partial(again, name)))
        for name in splits.ids
    }


def _dataset(shards: OpenShards[Any]) -> Dataset[Any]:
    report_ignored(shards)
    return Dataset(shards)


def _reopened(
    source: str | list[str],
    sample_type: type[Any] | None,
    data_files: _FilesBySplit | None,
    manifests: str | None,
    name: str,
) -> OpenShards[Any]:
    """Return a split's shards as they are by now.

    Raises:
        SplitNotFoundError: None is left.
    """
    splits = _find(source, data_files, manifests)
    if name not in splits.ids:
        raise SplitNotFoundError(unknown_split(name, splits.ids, splits.shards.store.url()))
    again = functools.partial(_reopened, source, sample_type, data_files, manifests, name)
    return splits.split(name, sample_type, again)


def _find(source: str | list[str], data_files: _FilesBySplit | None, manifests: str | None) -> _Splits:
    if data_files is not None:
        return _find_files(source, data_files, manifests)
    shards = open_shards(source, manifests=manifests, recursive=True)
    shard_ids = [*(shard.shard_id for shard in shards.listing.committed), *shards.listing.uncommitted]
    return _Splits(shards, by_split(shard_ids, shards.store.url(), folder=shards.is_folder))


def _find_files(folder: str | list[str], data_files: _FilesBySplit, manifests: str | None) -> _Splits:
    if not isinstance(folder, str) or not StorePath.parse(folder).is_folder():
        raise ManifestNotFoundError(f"data_files are relative to a folder, and {folder!r} is none")
    if not data_files:
        raise ManifestNotFoundError(
            f"data_files names no file; found {data_files!r}: leave it out to load all of {folder}"
        )
    by_name = data_files if isinstance(data_files, Mapping) else {TRAIN: data_files}
    tars = {str(split): _tars(folder, str(split), files) for split, files in by_name.items()}
    every_tar = list(dict.fromkeys(itertools.chain.from_iterable(tars.values())))
    shards = open_shards(every_tar, manifests=manifests, below=folder)
    ids = dict(zip(every_tar, place_tars(every_tar, folder)[1], strict=True))
    return _Splits(shards, {split: [ids[tar] for tar in members] for split, members in tars.items()})


def _below(folder: str, pattern: str) -> str:
    """Return a pattern of ``data_files`` as a path or URL of its own."""
    own = absolute_url(pattern)  # refuses what is not supported
    return own if "://" in pattern else absolute_url(os.path.join(folder, pattern))  # noqa: PTH118 -- text


def _tars(folder: str, split: str, files: DataFiles) -> list[str]:
    """Return the tars of one split.

    Raises:
        ManifestNotFoundError: A pattern matches none.
        DuplicateShardError: One is named twice.
    """
    patterns = [files] if isinstance(files, str | os.PathLike) else list(files)
    if not patterns:
        raise ManifestNotFoundError(f"data_files names no file for the split {split!r}")
    try:
        return find_tars([_below(folder, os.fspath(pattern)) for pattern in patterns])
    except ManifestNotFoundError as error:
        raise ManifestNotFoundError(f"data_files, split {split!r}: {error}") from None
