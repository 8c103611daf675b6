"""From what a caller names, a folder or some tars, to a store and what its names say. Nothing is read."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path

from atdata._errors import ManifestNotFoundError, ShardError, UncommittedShardWarning, listed
from atdata._index import has_index
from atdata._manifest import HEADER_SUFFIX, Listing, read_listing
from atdata._storage import LocalStore, Stamp, Store
from atdata._tar import shard_id_of

__all__ = ["absolute", "open_folder", "open_tars", "report_uncommitted"]


def absolute(path: str | os.PathLike[str]) -> str:
    """Return a path that means the same from any working folder, links as they were named."""
    return os.path.abspath(os.fspath(path))  # noqa: PTH100 -- keeps links


def open_folder(
    directory: str | os.PathLike[str],
    *,
    recursive: bool = False,
    manifests: str | os.PathLike[str] | None = None,
    index: bool = True,
) -> tuple[LocalStore, Listing]:
    """Return the folder of manifests as a store, and its shards, by one listing.

    Args:
        directory: The folder of the tars, and of their manifests unless ``manifests`` names another one.
        recursive: Whether to go into its folders too.
        manifests: The folder of the manifests; shards are named alike below both.
        index: Whether to ask for what an index is compared with, where the folder has one.

    Raises:
        ManifestNotFoundError: There is no such folder.
    """
    store = LocalStore(directory)
    if manifests is None:
        return store, read_listing(*_listed(store, recursive=recursive, index=index))
    sidecars = LocalStore(manifests)
    tars = [name for name in _listed(store, recursive=recursive, index=False)[0] if shard_id_of(name) is not None]
    names, stamps = _listed(sidecars, recursive=recursive, index=index)
    return sidecars, read_listing([*tars, *(name for name in names if shard_id_of(name) is None)], stamps)


def _listed(store: LocalStore, *, recursive: bool, index: bool) -> tuple[list[str], dict[str, Stamp]]:
    """Return a folder's names, and the stamps of its headers where they are needed."""
    try:
        if index and has_index(store):
            return store.stamped(recursive=recursive, suffix=HEADER_SUFFIX)
        return store.names(recursive=recursive), {}
    except (FileNotFoundError, NotADirectoryError):
        raise ManifestNotFoundError(
            f"{store.url()} is no folder; give the folder that holds the shards and their manifests"
        ) from None


def open_tars(
    urls: Iterable[str | os.PathLike[str]] | str | os.PathLike[str], *, root: str | None = None, index: bool = True
) -> tuple[LocalStore, Listing]:
    """Return the deepest folder that some tars share as a store, and those shards in the order given.

    Args:
        urls: The tars.
        root: The folder to take instead, where all of them lie below it.
        index: Whether to ask for what an index is compared with, where the folder has one.

    Raises:
        ManifestNotFoundError: A tar is not there, and neither is its manifest.
        ValueError: A name is no tar's, or there is none.
    """
    if isinstance(urls, str | os.PathLike):
        urls = [urls]
    paths = list(dict.fromkeys(Path(absolute(url)) for url in urls))
    if not paths or (wrong := [str(path) for path in paths if shard_id_of(path.name) is None]):
        raise ValueError(f"expected the names of .tar files, found {listed(wrong) if paths else 'none'}")
    shared = Path(os.path.commonpath([path.parent for path in paths]))
    folder = Path(root) if root is not None and shared.is_relative_to(root) else shared
    store = LocalStore(folder)
    wanted = [path.relative_to(folder).as_posix() for path in paths]
    listing = read_listing(*_beside(store, wanted, index=index and has_index(store)))
    committed = {each.tar: each for each in listing.committed}
    uncommitted = {f"{shard_id}.tar": shard_id for shard_id in listing.uncommitted}
    if missing := [store.url(name) for name in wanted if name not in committed and name not in uncommitted]:
        raise ManifestNotFoundError(f"{listed(missing)}: neither the tar nor its manifest is there")
    return store, Listing(
        tuple(committed[name] for name in wanted if name in committed),
        tuple(uncommitted[name] for name in wanted if name in uncommitted),
    )


def report_uncommitted(store: Store, listing: Listing, *, strict: bool = False) -> None:
    """Warn once of tars without a manifest, where others have one.

    Raises:
        ShardError: With ``strict``: there is such a tar.
    """
    if not listing.uncommitted or not (listing.committed or strict):
        return
    problem = (
        f"no manifest ({HEADER_SUFFIX}) in {store.url()}: its writer did not finish, or the header was "
        "removed. Restore it from a copy, or remove the shard and write it again"
    )
    if strict:
        raise ShardError(listing.uncommitted[0], problem)
    warnings.warn(
        f"{listed(listing.uncommitted)}: {problem}; until then queries, len() and iteration pass over it",
        UncommittedShardWarning,
        stacklevel=3,
    )


def _beside(store: Store, wanted: Iterable[str], *, index: bool) -> tuple[list[str], dict[str, Stamp]]:
    """Return the names in the folders of some tars, and the stamps of the headers among them where they are needed."""
    names: list[str] = []
    stamps: dict[str, Stamp] = {}
    for folder in dict.fromkeys(name.rpartition("/")[0] for name in wanted):
        try:
            found, stamped = store.stamped(folder, suffix=HEADER_SUFFIX) if index else (store.names(folder), {})
        except (FileNotFoundError, NotADirectoryError):
            continue  # the tars that should be in it are reported by name
        names += found
        stamps |= stamped
    return names, stamps
