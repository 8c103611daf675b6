"""Opening datasets: `load_dataset` and its splits, `DatasetDict`, and `concat`."""

import dataclasses
import functools
import itertools
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, overload

from atdata._display import display_html
from atdata._errors import (
    AtdataError,
    DuplicateShardError,
    ManifestNotFoundError,
    SchemaError,
    SplitNotFoundError,
    listed,
    near_misses,
)
from atdata._manifest import Listing
from atdata._read import Opened
from atdata._sample import DictSample, is_sample_type
from atdata._shards import (
    DatasetSource,
    Locations,
    OpenShards,
    absolute_source,
    check_root_names,
    check_source,
    find_tars,
    is_slice,
    join_shards,
    open_shards,
    place_tars,
    repeated_tar,
    report_ignored,
    root_names,
    root_url,
)
from atdata._storage import StorePath, absolute_url

from ._dataset import Dataset, dataset_of, sequence_of
from ._selection import Everything, Selection, Taken
from ._sequence import SampleSequence
from ._slice import Places, manifests_folder

__all__ = ["TRAIN", "DataFiles", "DatasetDict", "by_split", "concat", "load_dataset", "split_of", "unknown_split"]

#: Where shards go that name no split.
TRAIN = "train"
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
#: Each word that names a split; the order of splits is that of the table.
_SPLITS: Mapping[str, str] = {word: split for split, words in _WORDS.items() for word in words}
_WORD = re.compile(r"[^\W\d_]+")


def split_of(shard_id: str) -> str | None:
    """Return the split that a shard's path names; None where it names none.

    A folder that is called like a split says it, the nearest to the shard first; else a word of the shard's own name;
    else a word of a folder's name. Words are runs of letters, in any case.

    Raises:
        ValueError: A name holds words of two splits.
    """
    *folders, name = shard_id.split("/")
    nearest = folders[::-1]
    for folder in nearest:
        if (split := _SPLITS.get(folder.lower())) is not None:
            return split
    for part in (name, *nearest):
        splits = dict.fromkeys(_SPLITS[word] for word in _WORD.findall(part.lower()) if word in _SPLITS)
        if len(splits) > 1:
            raise ValueError(
                f"the name {part!r} of shard {shard_id!r} speaks of the splits {listed(splits)}; say which one it is: "
                f"data_files={{{next(iter(splits))!r}: {shard_id + '.tar'!r}}}"
            )
        if splits:
            return next(iter(splits))
    return None


def by_split(shard_ids: Sequence[str], root: str, *, folder: bool) -> dict[str, list[str]]:
    """Sort shards into splits: train, validation, test, those that there are.

    Shards that name no split belong to the split that the root's name is; else they are ``train``.

    Args:
        shard_ids: The shards, in order.
        root: The path of the folder that they lie below.
        folder: Whether the folder was named, and not the shards: then its folders may hold other datasets.

    Raises:
        ValueError: A name holds words of two splits.
    """
    split_by_id = {shard_id: split_of(shard_id) for shard_id in shard_ids}
    unnamed = [shard_id for shard_id, split in split_by_id.items() if split is None]
    if len(unnamed) == len(shard_ids):
        own = _SPLITS.get(root.rpartition("/")[2].lower(), TRAIN)
        return {own: _of_folder(shard_ids) if folder else list(shard_ids)}
    if unnamed:
        warnings.warn(
            f"{listed(unnamed, 5)} below {root} name no split, as others there do, and go to {TRAIN!r}; say otherwise "
            f"with data_files={{{TRAIN!r}: ..., ...}}",
            stacklevel=5,  # whoever called load_dataset
        )
    splits: dict[str, list[str]] = {split: [] for split in _WORDS}
    for shard_id, split in split_by_id.items():
        splits[split or TRAIN].append(shard_id)
    return {split: members for split, members in splits.items() if members}


def unknown_split(split: str, splits: Iterable[str], where: str) -> str:
    """Return a message: which splits there are, and which one may have been meant."""
    splits = list(splits)
    other = _SPLITS.get(split.lower())
    hint = f" (did you mean {other!r}?)" if other in splits else near_misses(split, splits)
    if re.search(r"[\[+]", split):
        hint = "; a split is named as it is: take a part of it with ds[a:b], ds.where(...) or ds.sample(n)"
    return f"{where} has no split {split!r}{hint}; it has {listed(splits)}"


def _of_folder(shard_ids: Sequence[str]) -> list[str]:
    """Return the shards that lie in the folder itself; where none does, all of those below it."""
    own = [shard_id for shard_id in shard_ids if "/" not in shard_id]
    return own or list(shard_ids)


S = TypeVar("S")


class DatasetDict(dict[str, Dataset[S]]):
    """A dataset's splits: a dict from split to :class:`Dataset`, as :func:`load_dataset` returns it.

    Where there is one split, what a dataset can do may be asked of the dict: ``splits.where(...)``. ``len``, iteration,
    ``[]`` and the methods of a dict are always those of a dict.

    Args:
        splits: The datasets by split.
        sample_type: The type that samples are read as; None says that of the first split.
        streaming: Recorded, and otherwise without effect: a dataset reads its samples as they are asked for.

    Attributes:
        streaming: As given.

    Examples:
        >>> import tempfile, atdata
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> folder = tempfile.TemporaryDirectory()
        >>> for split in ("train", "test"):
        ...     _ = atdata.write_samples([Caption(split)], f"{folder.name}/{split}.tar", manifest=True)
        >>> splits = atdata.load_dataset(folder.name, Caption)
        >>> splits
        DatasetDict({'train': 1 shard, 'test': 1 shard}, Caption)
        >>> [sample.text for sample in splits["test"]]
        ['test']
        >>> folder.cleanup()
    """

    def __init__(
        self,
        splits: Mapping[str, Dataset[S]] | None = None,
        sample_type: type[S] | None = None,
        streaming: bool = False,  # noqa: FBT001, FBT002 -- the signature that programs use
    ) -> None:
        super().__init__(splits or {})
        self._sample_type = sample_type
        self.streaming = streaming

    @property
    def sample_type(self) -> type[S] | None:
        """The type that samples are read as; None where there is no split to ask."""
        if self._sample_type is None and self:
            return next(iter(self.values())).sample_type
        return self._sample_type

    @property
    def num_shards(self) -> dict[str, int]:
        """How many shards each split has."""
        return {split: len(dataset.list_shards()) for split, dataset in self.items()}

    def __missing__(self, split: str) -> Dataset[S]:
        raise SplitNotFoundError(unknown_split(str(split), self, "the dataset"))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copying and pickling look for is not a dataset's either
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        if not hasattr(Dataset, name):
            raise AttributeError(f"neither a DatasetDict nor a Dataset has an attribute {name!r}")
        if len(self) != 1:
            some = f"it has {listed(self)}: ds[{next(iter(self))!r}].{name}" if self else "it has none"
            raise AttributeError(f"{name!r} is asked of one split, and {some}")
        return getattr(next(iter(self.values())), name)

    def __repr__(self) -> str:
        counts = ", ".join(f"{split!r}: {n} shard{'s'[: n != 1]}" for split, n in self.num_shards.items())
        return f"DatasetDict({{{counts}}}{f', {self.sample_type.__name__}' if self.sample_type else ''})"

    def _repr_html_(self) -> str:
        return display_html(self)


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


def concat(datasets: Sequence[Dataset[S]], names: Sequence[str] | Mapping[str, str] | None = None) -> Dataset[S]:
    """Return several datasets as one: the samples of the first, then those of the second, and so on.

    Shards' ids begin with the name of their dataset: ``2024/images-000000``. Selections are concatenated as they are.
    Where the same tars come more than once, their samples are repeated; then pass ``names``.

    Args:
        datasets: The datasets, in any folders.
        names: A name for each dataset, in order; or names by root folder, which may leave some out. By default the
            shortest end of each root's path that tells it from the others.

    Raises:
        SchemaError: The datasets are of different sample types.
        ManifestNotFoundError: Some have manifests, and others have none.
        AtdataError: They have different steps (filter, map).
        DuplicateShardError: A tar is in more than one, and ``names`` were not given.
        ValueError: There is no dataset, or names are missing, equal or within each other.
        TypeError: One is not a dataset.

    Examples:
        >>> import tempfile, atdata
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> folder = tempfile.TemporaryDirectory()
        >>> years = [
        ...     atdata.write_samples([Caption(year)], f"{folder.name}/{year}/captions.tar", manifest=True)
        ...     for year in ("2023", "2024")
        ... ]
        >>> both = atdata.concat(years)
        >>> both.shards, [sample.text for sample in both.where(text="2024")]
        (['2023/captions', '2024/captions'], ['2024'])
        >>> folder.cleanup()
    """
    sequences = _checked(datasets)
    whole = [sequence.opened.shards for sequence in sequences]
    if names is None:
        _check_once(whole)
    own_names = _part_names(whole, names)
    shards = join_shards(
        {
            name: part
            for opened, part_names in zip(whole, own_names, strict=True)
            for name, part in zip(part_names, _parts(opened).values(), strict=True)
        }
    )
    first = sequences[0]
    opened = Opened(shards._replace(sample_type=first.opened.shards.sample_type))
    metadata = first.own_metadata if all(each.own_metadata == first.own_metadata for each in sequences) else None
    selection: Selection = Everything(opened)
    if not all(sequence.is_whole for sequence in sequences):
        renamed = itertools.starmap(_renamed, zip(sequences, own_names, strict=True))
        selection = Taken(opened, Locations.concat(renamed, opened.shard_ids))
    return dataset_of(datasets[0], SampleSequence(selection, first.steps, first.named_type, metadata))


def _checked(datasets: Sequence[Dataset[Any]]) -> list[SampleSequence]:
    if isinstance(datasets, Dataset) or not isinstance(datasets, Sequence):
        raise TypeError(f"expected a list of datasets: concat([a, b]); found {type(datasets).__name__}")
    for dataset in datasets:
        if not isinstance(dataset, Dataset):
            raise TypeError(f"expected a list of datasets; found {type(dataset).__name__} in it")
    if not datasets:
        raise ValueError("expected one dataset or more; found none")
    sequences = [sequence_of(dataset) for dataset in datasets]
    types = {dataset.sample_type: None for dataset in datasets if sequence_of(dataset).seen_type is not None}
    if len(types) > 1:
        raise SchemaError(
            f"datasets of different types cannot be concatenated: {listed(kind.__name__ for kind in types)}. Name the "
            "type that reads all: Dataset[T](...), or convert with as_type()"
        )
    if any(sequence.steps != sequences[0].steps for sequence in sequences):
        raise AtdataError("datasets with different steps (filter, map) cannot be concatenated; concatenate them first")
    return sequences


def _check_once(whole: Sequence[OpenShards[Any]]) -> None:
    if repeated := repeated_tar(*whole):
        raise DuplicateShardError(
            repeated.rpartition("/")[2].removesuffix(".tar"),
            f"{repeated} is in more than one of the datasets. To repeat its samples, give a name to each dataset: "
            "concat([a, b], names=['first', 'second'])",
        )


def _parts(shards: OpenShards[Any]) -> Mapping[str, OpenShards[Any]]:
    return shards.parts or {"": shards}


def _part_names(whole: Sequence[OpenShards[Any]], names: Sequence[str] | Mapping[str, str] | None) -> list[list[str]]:
    """Return, for each dataset, the names of the parts that it is made of."""
    if names is None or isinstance(names, Mapping):
        roots = [root_url(part.store) for shards in whole for part in _parts(shards).values()]
        given = {absolute_url(root): name for root, name in (names or {}).items()}
        if unknown := given.keys() - set(roots):
            raise ValueError(f"names= has the roots {listed(sorted(unknown))}, which are not among {listed(roots)}")
        rest = [root for root in roots if root not in given]
        default = dict(zip(rest, root_names(rest), strict=True)) if rest else {}
        flat = iter([given.get(root) or default[root] for root in roots])
        own = [[next(flat) for _ in _parts(shards)] for shards in whole]
    else:
        if isinstance(names, str) or len(names) != len(whole):
            raise ValueError(f"expected a name for each of the {len(whole)} datasets; found {names!r}")
        check_root_names(names)
        own = [
            [f"{name}/{part}" if part else name for part in _parts(shards)]
            for name, shards in zip(names, whole, strict=True)
        ]
    check_root_names([name for part_names in own for name in part_names])
    return own


def _renamed(sequence: SampleSequence, names: Sequence[str]) -> Locations:
    """Return the places of a dataset's samples by their shards' new ids."""
    locations, parts = sequence.selection.locations, _parts(sequence.opened.shards)
    new_ids = []
    for shard_id in locations.shard_ids:
        part, name = next(
            (part, name) for part, name in zip(parts, names, strict=True) if not part or shard_id.startswith(f"{part}/")
        )
        new_ids.append(f"{name}/{shard_id[len(part) + 1 :] if part else shard_id}")
    return dataclasses.replace(locations, shard_ids=new_ids)
