"""Shards of several roots as those of one: their ids begin with their root's name."""

import collections
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from atdata._errors import ManifestNotFoundError, listed
from atdata._manifest import Listing, Sidecars
from atdata._storage import ApartStore, Store, UnionStore

from ._opening import OpenShards

__all__ = ["check_root_names", "join_shards", "repeated_tar", "root_names", "root_url"]


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


def repeated_tar(shards: OpenShards[Any]) -> str | None:
    """Return the path of a tar that is there more than once; None where none is."""
    counts = collections.Counter(shards.store.url(f"{shard_id}.tar") for shard_id in shards.shard_ids)
    return next((tar for tar, count in counts.items() if count > 1), None)


def _rejoin(parts: Mapping[str, OpenShards[Any]]) -> OpenShards[Any]:
    return join_shards({name: part.reopened() for name, part in parts.items()})


def _renamed(name: str, shard: Sidecars) -> Sidecars:
    tables = tuple(f"{name}/{table}" for table in shard.tables)
    return Sidecars(f"{name}/{shard.shard_id}", f"{name}/{shard.header}", tables)


def _nested(names: Sequence[str]) -> tuple[str, str] | None:
    return next(((one, other) for one in names for other in names if other.startswith(f"{one}/")), None)
