"""From what a caller names to shards in a store: folders, tars, patterns, and lists of these. Only names are read."""

import collections
import functools
import itertools
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from atdata._errors import (
    DuplicateShardError,
    ForeignManifestWarning,
    ManifestNotFoundError,
    ShardError,
    UncommittedShardWarning,
    listed,
)
from atdata._manifest import HEADER_SUFFIX, INDEX_FOLDER, MAX_READ, Listing, Sidecars, read_listing
from atdata._storage import ApartStore, OversizedFileError, Stamp, Store, StorePath, UnionStore, absolute_url
from atdata._tar import shard_id_of, tar_name

from ._finding import Finder, parent_of

__all__ = [
    "SLICE_SUFFIX",
    "DatasetSource",
    "OpenShards",
    "absolute_source",
    "check_root_names",
    "check_source",
    "find_tars",
    "has_index",
    "is_slice",
    "join_shards",
    "list_shards",
    "open_shards",
    "place_tars",
    "repeated_tar",
    "report_ignored",
    "root_names",
    "root_url",
]

S = TypeVar("S")

#: What a dataset is opened from.
DatasetSource: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

SLICE_SUFFIX = ".slice.parquet"
_PACKAGE = str(Path(__file__).parents[1]) + os.sep


class OpenShards(NamedTuple, Generic[S]):
    """Shards whose names are known: what a write leaves behind, or an opening finds.

    Two are equal if they are the same shards in the same store; nothing is read to compare them.
    """

    store: Store
    listing: Listing
    sample_type: type[S] | None = None
    content_metadata: Mapping[str, Any] | None = None
    #: What they were opened from, as absolute paths or patterns; None for the tars themselves.
    source: str | list[str] | None = None
    #: What finds them again, as they are by then; None finds the same names.
    reopen: "Callable[[], OpenShards[S]] | None" = None
    #: Whether they are all that a folder holds.
    is_folder: bool = False
    #: Headers of other programs that were listed and are not used.
    foreign: tuple[str, ...] = ()
    #: The shards that these are made of, by the first parts of their ids; None where they are of one root.
    parts: "Mapping[str, OpenShards[Any]] | None" = None

    @property
    def shard_ids(self) -> list[str]:
        """Ids of the shards in order: those with manifests, or all where none has one."""
        return [shard.shard_id for shard in self.listing.committed] or list(self.listing.uncommitted)

    @property
    def named(self) -> str | list[str]:
        """What they were opened from, or the tars themselves, as absolute paths or patterns."""
        return self.source or [self.store.url(tar_name(shard_id)) for shard_id in self.shard_ids]

    def reopened(self) -> "OpenShards[S]":
        """Return the shards as they are now.

        Raises:
            ManifestNotFoundError: They are gone.
        """
        if self.reopen is not None:
            return self.reopen()
        listing = list_shards(self.store, self.shard_ids)
        present = {*(shard.shard_id for shard in listing.committed), *listing.uncommitted}
        if missing := [self.store.url(tar_name(shard_id)) for shard_id in self.shard_ids if shard_id not in present]:
            raise _missing(missing)
        return self._replace(listing=listing)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OpenShards):
            return NotImplemented
        return self is other or (self.store == other.store and self.shard_ids == other.shard_ids)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.store, tuple(self.shard_ids)))


def is_slice(path: object) -> bool:
    """Return whether a path is that of a slice."""
    return isinstance(path, str | os.PathLike) and os.fspath(path).endswith(SLICE_SUFFIX)


def check_source(source: object) -> None:
    """Check that what a dataset is opened from is a path, or several.

    Raises:
        TypeError: It is not.
        ValueError: A slice is one of several.
    """
    is_list = isinstance(source, Sequence) and not isinstance(source, str | bytes)
    for path in source if is_list else (source,):  # type: ignore[attr-defined]  # a sequence by then
        if not isinstance(path, str | os.PathLike):
            raise TypeError(
                f"a dataset is opened from a folder, a tar, a pattern, a slice, or a list of tars; found "
                f"{type(path).__name__} {path!r}"
            )
        if is_list and is_slice(path):
            raise ValueError(
                f"a slice is opened by itself: Dataset({os.fspath(path)!r}); found it in a list of {len(source)}"  # type: ignore[arg-type]  # as above
            )


def absolute_source(source: DatasetSource) -> str | list[str]:
    """Return paths that mean the same from any working folder, links as they were named."""
    if isinstance(source, str | os.PathLike):
        return absolute_url(source)
    return [absolute_url(path) for path in source]


def open_shards(
    source: DatasetSource,
    *,
    manifests: str | os.PathLike[str] | None = None,
    below: str | None = None,
    recursive: bool = False,
    folder_only: bool = False,
    index: bool = True,
) -> OpenShards[Any]:
    """Return the shards that a source names. Only names are read, and headers that are not ours.

    Args:
        source: A folder, a tar, a glob, a brace pattern, or a list of these. A path that exists is never a pattern.
        manifests: The folder of the manifests, where they are apart from the tars; shards have the same names below
            the root of the tars and below this folder.
        below: The folder that ids are relative to, where all tars are below it; None for the deepest that they share.
        recursive: Whether to search the folders below a folder that holds shards itself; of one that does not, they
            are searched in any case.
        folder_only: Whether the source has to be a folder, which may be empty.
        index: Whether to ask for what an index is compared with, where the folder has one.

    Raises:
        ManifestNotFoundError: There is nothing there.
        DuplicateShardError: A tar is named twice.
        ValueError: A file is not a tar, or there is none.
        TypeError: It is not a source.
    """
    check_source(source)
    named = absolute_source(source)
    apart = None if manifests is None else absolute_url(manifests)
    opening = _Opening(apart, below, recursive, folder_only, index)
    again = functools.partial(
        open_shards,
        named,
        manifests=apart,
        below=below,
        recursive=recursive,
        folder_only=folder_only,
        index=index,
    )
    return opening.shards(named)._replace(source=named, reopen=again)


def find_tars(paths: Iterable[str]) -> list[str]:
    """Return the tars that absolute paths and patterns name, in order.

    Raises:
        ManifestNotFoundError: A pattern matches none, or there is no such folder.
        DuplicateShardError: A tar is named twice.
        ValueError: A file is not a tar, or there is none.
    """
    finder = Finder()
    tars = [tar for path in paths for tar in finder.tars(path)]
    _check_tars(tars)
    return tars


def place_tars(tars: Sequence[str], below: str | None = None) -> tuple[str, list[str]]:
    """Return the root of some tars, and their shards' ids.

    Args:
        tars: Absolute paths or URLs.
        below: The root to take where all of them are below it; else it is the deepest folder that they share.

    Raises:
        ValueError: They have no folder in common.
    """
    root = _shared_folder(list(dict.fromkeys(map(parent_of, tars))), below)
    start = len(root.rstrip("/")) + 1  # all of these texts are absolute, and of one spelling
    return root, [tar[start : -len(".tar")] for tar in tars]


def list_shards(store: Store, shard_ids: Sequence[str], *, index: bool = False) -> Listing:
    """Return those of some shards that are there, in the order given, by one listing of each folder.

    Args:
        store: The store.
        shard_ids: The shards.
        index: Whether to ask for what an index is compared with.
    """
    names: list[str] = []
    stamps: dict[str, Stamp] = {}
    for folder in dict.fromkeys(shard_id.rpartition("/")[0] for shard_id in shard_ids):
        try:
            inside, stamped = store.stamped(folder, suffix=HEADER_SUFFIX) if index else (store.names(folder), {})
        except (FileNotFoundError, NotADirectoryError):
            continue  # its shards are missing in the answer
        names += inside
        stamps |= stamped
    listing = read_listing(names, stamps)
    committed = {shard.shard_id: shard for shard in listing.committed}
    uncommitted = frozenset(listing.uncommitted)
    return Listing(
        tuple(committed[shard_id] for shard_id in shard_ids if shard_id in committed),
        tuple(shard_id for shard_id in shard_ids if shard_id in uncommitted),
    )


def report_ignored(shards: OpenShards[Any], *, strict: bool = False) -> None:
    """Warn once of headers of other programs, and once of tars without a manifest where others have one.

    Raises:
        ShardError: With ``strict``: a tar has no manifest.
    """
    store, listing = shards.store, shards.listing
    if shards.foreign:
        _warn(
            f"{listed(map(store.url, shards.foreign))}: not a manifest of atdata, and neither a tar nor a sample "
            "table has its name; ignored",
            ForeignManifestWarning,
        )
    if not listing.uncommitted or not (listing.committed or strict):
        return
    folder = store.others.url() if isinstance(store, ApartStore) else store.url()
    problem = (
        f"no manifest ({HEADER_SUFFIX}) in {folder}: its writer did not finish, or the header was "
        "removed. Restore it from a copy, or remove the shard and write it again"
    )
    if strict:
        raise ShardError(listing.uncommitted[0], problem)
    _warn(
        f"{listed(listing.uncommitted)}: {problem}; until then queries, len() and iteration pass over it",
        UncommittedShardWarning,
    )


class _Opening(NamedTuple):
    """How a source is opened; :func:`open_shards` says what each means."""

    manifests: str | None
    below: str | None
    recursive: bool
    folder_only: bool
    uses_index: bool

    def shards(self, named: str | list[str]) -> OpenShards[Any]:
        if self.manifests is not None:
            _check_folder(self.manifests)
        if isinstance(named, str):
            shards = self._of_folder(named)
            if shards is not None:
                return shards
            if self.folder_only:
                raise _not_a_folder(named)
        return self._of_tars([named] if isinstance(named, str) else named)

    def _of_folder(self, folder: str) -> OpenShards[Any] | None:
        store = self._store(folder)
        try:
            if isinstance(store, ApartStore):
                store.tars.names()
            index = self.uses_index and has_index(store)
            listing, foreign = _own(store, *_names(store, index=index, recursive=self.recursive))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not self.recursive and _is_empty(listing):
            listing, foreign = _own(store, *_names(store, index=index, recursive=True))
        if _is_empty(listing) and not self.folder_only:
            names = store.names(recursive=True)
            raise ManifestNotFoundError(
                f"{folder} holds no shard (*.tar); it holds {listed(names) if names else 'nothing'}"
            )
        return OpenShards(store, listing, is_folder=True, foreign=foreign)

    def _of_tars(self, named: Sequence[str], folders: frozenset[str] = frozenset()) -> OpenShards[Any]:
        finder = Finder(folders, recursive=self.recursive)
        tars = [tar for text in named for tar in finder.tars(text)]
        _check_tars(tars)
        root, shard_ids = place_tars(tars, self.below)
        store = self._store(root)
        listing = list_shards(store, shard_ids, index=self.uses_index and has_index(store))
        present = {*(shard.shard_id for shard in listing.committed), *listing.uncommitted}
        missing = [tar for tar, shard_id in zip(tars, shard_ids, strict=True) if shard_id not in present]
        if inside := frozenset(tar for tar in missing if finder.listed(tar) is not None):
            return self._of_tars(named, folders | inside)  # folders whose names end like a tar's
        if missing:
            raise _missing(missing)
        return OpenShards(store, listing)

    def _store(self, folder: str) -> Store:
        tars = StorePath.parse(folder).folder()
        return tars if self.manifests is None else ApartStore(tars, StorePath.parse(self.manifests).folder())


def _names(store: Store, *, index: bool, recursive: bool) -> tuple[Sequence[str], Mapping[str, Stamp]]:
    """Return a folder's names, and the stamps of its headers where they are needed."""
    if index:
        return store.stamped(recursive=recursive, suffix=HEADER_SUFFIX)
    return store.names(recursive=recursive), {}


def has_index(store: Store) -> bool:
    """Return whether there may be an index: whether its folder is there."""
    try:
        return bool(store.names(INDEX_FOLDER))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_empty(listing: Listing) -> bool:
    return not (listing.committed or listing.uncommitted)


def _own(store: Store, names: Sequence[str], stamps: Mapping[str, Stamp]) -> tuple[Listing, tuple[str, ...]]:
    """Return the shards among a folder's names, and the headers that other programs wrote."""
    listing = read_listing(names, stamps)
    lone = [shard for shard in listing.committed if not shard.tables]
    if not lone:
        return listing, ()
    present = frozenset(names)
    foreign = {shard.header for shard in lone if shard.tar not in present and _is_foreign(store, shard)}
    own = tuple(shard for shard in listing.committed if shard.header not in foreign)
    return listing._replace(committed=own), tuple(sorted(foreign))


def _is_foreign(store: Store, shard: Sidecars) -> bool:
    try:
        members = msgspec.json.decode(store.read(shard.header, MAX_READ))
    except OversizedFileError:
        return True
    except OSError:
        return False  # what it is can be said once it can be read
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    return not (isinstance(members, dict) and "manifest_version" in members)


def _check_folder(folder: str) -> None:
    if not StorePath.parse(folder).is_folder():
        raise _not_a_folder(folder)


def _check_tars(tars: Sequence[str]) -> None:
    """Check that there are tars, each named once."""
    if not tars or (wrong := [tar for tar in tars if shard_id_of(tar.rpartition("/")[2]) in (None, "")]):
        raise ValueError(f"expected the names of .tar files, found {listed(wrong) if tars else 'none'}")
    if len(set(tars)) < len(tars):
        counts = collections.Counter(tars)
        tar, count = next((tar, counts[tar]) for tar in tars if counts[tar] > 1)
        raise DuplicateShardError.named(tar, count)


def _shared_folder(folders: Sequence[str], below: str | None) -> str:
    """Return the deepest folder that holds all of some, or the one they are to be relative to, where it does."""
    parts = [folder.rstrip("/").split("/") for folder in folders]
    shared = [same[0] for same in itertools.takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False))]
    root = "/".join(shared)
    if below is not None and f"{root}/".startswith(f"{below.rstrip('/')}/"):
        return below
    if not shared or root.endswith(":/"):
        raise ValueError(
            f"{listed(folders, 4)} have no folder in common: open each by itself, and join them with atdata.concat()"
        )
    return root or "/"


def _not_a_folder(folder: str) -> ManifestNotFoundError:
    return ManifestNotFoundError(f"{folder} is no folder; give the folder that holds the shards and their manifests")


def _missing(tars: Sequence[str]) -> ManifestNotFoundError:
    return ManifestNotFoundError(f"{listed(tars)}: neither the tar nor its manifest is there")


def _warn(message: str, category: type[Warning]) -> None:
    """Warn where the package was called from."""
    frame, level = sys._getframe(1), 2  # noqa: SLF001 -- the stack has no other name
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def root_url(store: Store) -> str:
    """Return the path or URL of the folder that tars are in."""
    return store.tars.url() if isinstance(store, ApartStore) else store.url()


def root_names(roots: Sequence[str]) -> list[str]:
    """Return the shortest ends of some paths, equally long, that tell them apart.

    Raises:
        ValueError: Two are equal, or one has no name.

    Examples:
        >>> root_names(["/data/2023/images", "/data/2024/images"])
        ['2023/images', '2024/images']
    """
    parts = [[part for part in root.partition("://")[2 if "://" in root else 0].split("/") if part] for root in roots]
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(path[-length:]) for path in parts]
        if len(set(names)) == len(names) and not _nested(names):
            check_root_names(names)
            return names
    raise ValueError(
        f"no end of the paths {listed(roots, 4)} tells each from the others: give a name to each dataset with names="
    )


def check_root_names(names: Sequence[str]) -> None:
    """Check that names can be the first parts of shards' ids.

    Raises:
        ValueError: One cannot, two are equal, or one is within another.
    """
    for name in names:
        is_path = isinstance(name, str) and {"", ".", ".."}.isdisjoint(name.split("/"))
        if not is_path or "\\" in name or "\0" in name:
            raise ValueError(f"expected a relative path as the name of a dataset, such as '2024'; found {name!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"expected a different name for each dataset; found {listed(names)}")
    if nested := _nested(names):
        raise ValueError(f"expected names of which none is within another; found {nested[0]!r} and {nested[1]!r}")


def join_shards(parts: Mapping[str, OpenShards[Any]]) -> OpenShards[Any]:
    """Return the shards of several openings as one.

    Args:
        parts: The shards, by the first parts of their ids.

    Raises:
        ManifestNotFoundError: Some have manifests, and others have none.
    """
    bare = [part for part in parts.values() if not part.listing.committed and part.listing.uncommitted]
    if bare and any(part.listing.committed for part in parts.values()):
        raise ManifestNotFoundError(
            f"{listed([root_url(part.store) for part in bare], 4)} holds no manifests, and the others do: their "
            "samples cannot be searched together. Write them again with export(), which makes manifests"
        )
    committed = [_renamed(name, shard) for name, part in parts.items() for shard in part.listing.committed]
    uncommitted = [f"{name}/{shard_id}" for name, part in parts.items() for shard_id in part.listing.uncommitted]
    return OpenShards(
        UnionStore({name: part.store for name, part in parts.items()}),
        Listing(tuple(committed), tuple(uncommitted)),
        reopen=functools.partial(_rejoin, dict(parts)),
        parts=dict(parts),
    )


def repeated_tar(*openings: OpenShards[Any]) -> str | None:
    """Return the path of a tar that is there more than once in some openings together; None where none is."""
    counts = collections.Counter(
        shards.store.url(tar_name(shard_id)) for shards in openings for shard_id in shards.shard_ids
    )
    return next((tar for tar, count in counts.items() if count > 1), None)


def _rejoin(parts: Mapping[str, OpenShards[Any]]) -> OpenShards[Any]:
    return join_shards({name: part.reopened() for name, part in parts.items()})


def _renamed(name: str, shard: Sidecars) -> Sidecars:
    tables = tuple(f"{name}/{table}" for table in shard.tables)
    return Sidecars(f"{name}/{shard.shard_id}", f"{name}/{shard.header}", tables)


def _nested(names: Sequence[str]) -> tuple[str, str] | None:
    return next(((one, other) for one in names for other in names if other.startswith(f"{one}/")), None)
