"""What lies where shards are to be written, and what a write may do about it."""

from typing import Literal, NamedTuple, TypeAlias

from atdata._errors import ShardError, ShardExistsError, listed
from atdata._manifest import HEADER_SUFFIX, TABLE_SUFFIX, Sidecars, check_addable, read_listing
from atdata._shards import CommittedShard
from atdata._storage import Store

from ._names import ShardNames

__all__ = ["Continued", "Existing", "begin_set", "check_existing"]

#: What a write does about files of its set that are there.
Existing: TypeAlias = Literal["refuse", "overwrite", "append"]


class Continued(NamedTuple):
    """The shards that a write adds to."""

    shards: tuple[Sidecars, ...]
    #: The number of the first new shard.
    next_index: int


def check_existing(store: Store, names: ShardNames, existing: Existing, *, can_append: bool = True) -> None:
    """Check, before a sample is taken, that a set may be written; nothing is changed.

    Args:
        store: Where it would be.
        names: Its shards' names.
        existing: What becomes of files that are there.
        can_append: Whether the caller could have asked for more shards after those that are there.

    Raises:
        ShardExistsError: There are files of the set, and they are neither replaced nor added to; or they are to be
            replaced, and there are files that may be another set's.
        ShardError: What more shards are to be added to is no such set.
    """
    if existing == "refuse":
        _refuse(store, names, can_append=can_append)
    elif existing == "overwrite":
        _replaced(store, names)
    elif existing == "append":
        _continued(store, names)


def begin_set(store: Store, names: ShardNames, existing: Existing, sample_type: type) -> Continued:
    """Make room for the first shard, and say what there is before it.

    Raises:
        ShardExistsError: As for :func:`check_existing`.
        ShardError: As for :func:`check_existing`.
        SchemaError: The shards that are there hold samples of another type.
        ManifestError: A header is damaged.
    """
    if existing == "overwrite":
        _remove(store, names)
    if existing != "append":
        return Continued((), 0)
    continued = _continued(store, names)
    _check_same_type(store, continued, sample_type)
    return continued


def _refuse(store: Store, names: ShardNames, *, can_append: bool) -> None:
    if found := _files_of(store, names):
        ways = ["choose another path", "replace them (overwrite=True)"]
        ways += ["write more shards after them (append=True)"] if can_append else []
        raise ShardExistsError(
            names.shard_id(0),
            f"{store.url()} holds files of this name already: {listed(found, 4)}. Nothing was overwritten; "
            f"{', '.join(ways[:-1])}, or {ways[-1]}",
        )


def _replaced(store: Store, names: ShardNames) -> list[str]:
    """Return the files that go when a set is replaced."""
    found = _files_of(store, names)
    if strangers := [name for name in found if not names.writes(name)]:
        raise ShardExistsError(
            names.shard_id(0),
            f"overwrite=True replaces shards named {names.pattern}, and {store.url()} holds {listed(strangers, 4)}, "
            "which may be another set's. Nothing was removed; choose another path, or move these away",
        )
    return found


def _remove(store: Store, names: ShardNames) -> None:
    # The headers first: from then on no reader takes the rest for shards.
    found = _replaced(store, names)
    try:
        store.remove(*(name for name in found if name.endswith(HEADER_SUFFIX)))
        store.remove(*(name for name in found if not name.endswith(HEADER_SUFFIX)))
    except FileNotFoundError as error:
        raise ShardError(
            names.shard_id(0),
            f"{error.filename or error} went while the set in {store.url()} was being replaced: another writer is "
            "replacing it too. Let one of them finish, and write again",
        ) from error


def _continued(store: Store, names: ShardNames) -> Continued:
    listing = read_listing(_names_in(store))
    ours = [each for each in listing.committed if names.index_of(each.shard_id) is not None]
    loose = [shard_id for shard_id in listing.uncommitted if names.includes(f"{shard_id}.tar")]
    if loose:
        raise ShardError(
            loose[0],
            f"append=True adds to shards with manifests, and {listed(loose, 4)} in {store.url()} "
            f"{'has' if len(loose) == 1 else 'have'} none. Remove what a broken write left, or write the set again "
            "with manifest=True",
        )
    others = [each.shard_id for each in listing.committed if each not in ours] + list(listing.uncommitted)
    strangers = [shard_id for shard_id in others if not ours or names.includes(f"{shard_id}.tar")]
    if strangers:
        raise ShardError(
            strangers[0],
            f"append=True adds to shards named {names.pattern}, and {store.url()} holds {listed(strangers, 4)}. Name "
            "them as they were written, or leave out append=True to begin a set of its own",
        )
    numbers = [names.index_of(each.shard_id) or 0 for each in ours]
    return Continued(tuple(ours), max(numbers, default=-1) + 1)


def _check_same_type(store: Store, continued: Continued, sample_type: type) -> None:
    for shard in continued.shards:
        committed, _ = CommittedShard.read(store, shard)
        check_addable(committed.header, shard.shard_id, sample_type)


def _files_of(store: Store, names: ShardNames) -> list[str]:
    there = _names_in(store)
    return [name for name in there if names.includes(name) and not _is_of_longer_stem(name, names, there)]


def _is_of_longer_stem(table: str, names: ShardNames, there: list[str]) -> bool:
    """Tell whether a table ``p.20240101.manifest.parquet`` is that of ``p.20240101.tar``, not one of ``p.tar``."""
    stem = table.removesuffix(TABLE_SUFFIX)
    beside = (f"{stem}.tar", stem + HEADER_SUFFIX)
    return stem != table and not names.includes(beside[0]) and any(name in there for name in beside)


def _names_in(store: Store) -> list[str]:
    try:
        return store.names()
    except FileNotFoundError:
        return []  # the folder is made with the first shard
