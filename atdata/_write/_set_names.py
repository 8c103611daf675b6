"""Names and keys of a set's shards, what lies where they are to be written, and what a write may do about it."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from atdata._errors import SampleValueError, ShardError, ShardExistsError, listed
from atdata._manifest import HEADER_SUFFIX, TABLE_SUFFIX, Sidecars, check_addable, read_listing
from atdata._shards import CommittedShard, escape_pattern
from atdata._storage import Store, StorePath
from atdata._tar import tar_name

__all__ = [
    "NUMBERED",
    "Continued",
    "Existing",
    "KeySource",
    "Keys",
    "ShardNames",
    "begin_set",
    "check_existing",
    "numbered_key",
]

#: A number's place in a path, as in ``images-%06d.tar``.
_NUMBER = re.compile(r"%0?(\d*)d")
_TAR = ".tar"
#: How the names of a shard's files end.
_SUFFIXES = r"(\.tar|\.manifest\.json|(\.[0-9a-f]{8})?\.manifest\.parquet)"
#: The width of a shard's number where the caller names none.
_WIDTH = 6


class ShardNames(NamedTuple):
    """The ids of a set of shards: text before the number, the number's width, text after it."""

    before: str
    #: None for a single shard without a number.
    width: int | None
    after: str

    @classmethod
    def parse(cls, path: str | os.PathLike[str], *, many: bool, durable: bool = True) -> tuple[Store, "ShardNames"]:
        """Return the folder, as a store, and the ids that a path to write to means.

        Args:
            path: ``images.tar``, or ``images-%06d.tar`` to say where the number stands.
            many: Whether there may be more than one shard.
            durable: Whether what is written survives a power loss.

        Raises:
            UnsupportedSchemeError: The path is a URL of a store that is not supported.
            ValueError: The path is no tar's, or has more than one place for a number.
        """
        text, target = os.fspath(path), StorePath.parse(path, durable=durable)
        if not text.endswith(_TAR) or text.endswith(f"/{_TAR}") or text == _TAR:
            raise ValueError(f"samples are written to .tar files, such as 'images.tar'; found {text!r}")
        folder, stem = target.store, target.name[: -len(_TAR)]
        if stem.startswith(".") or "\\" in stem:
            raise ValueError(f"a shard's name does not begin with '.' and holds no '\\'; found {text!r}")
        places = list(_NUMBER.finditer(stem))
        if len(places) > 1:
            raise ValueError(f"a path has one place for the shard's number; found {len(places)} in {text!r}")
        if places:
            return folder, cls(stem[: places[0].start()], int(places[0][1] or 0), stem[places[0].end() :])
        return folder, cls(f"{stem}-", _WIDTH, "") if many else cls(stem, None, "")

    def shard_id(self, index: int) -> str:
        """Return the id of one shard."""
        return self.before if self.width is None else f"{self.before}{index:0{self.width}d}{self.after}"

    def includes(self, file: str) -> bool:
        """Tell whether a file may be one of these shards or their sidecars, whatever the width of its number."""
        return re.fullmatch(rf"{self._stem}{_SUFFIXES}", file) is not None

    def writes(self, file: str) -> bool:
        """Tell whether a file is one of these shards or their sidecars, its number written as theirs are."""
        match = re.fullmatch(rf"({self._stem}){_SUFFIXES}", file)
        return match is not None and (self.width is None or self.index_of(match[1]) is not None)

    def index_of(self, shard_id: str) -> int | None:
        """Return a shard's number in the set, or None where its id is not written as these are."""
        match = re.fullmatch(self._stem, shard_id)
        index = int(match[1]) if match and match[1] else None
        return index if index is not None and self.shard_id(index) == shard_id else None

    @property
    def pattern(self) -> str:
        """The tars' name as a caller writes it: ``images-%06d.tar``."""
        return f"{self.before}{'' if self.width is None else f'%0{self.width}d'}{self.after}{_TAR}"

    def found_in(self, folder: str) -> str | None:
        """Return a glob that finds the tars of the set in a folder, also those that are added later.

        None where there is one shard only, or no glob says it: numbers may be of any width.
        """
        if self.width is None or self.width <= 1:
            return None
        before, after = escape_pattern(f"{folder}/{self.before}"), escape_pattern(self.after)
        return f"{before}{'[0-9]' * self.width}{after}{_TAR}"

    @property
    def _stem(self) -> str:
        return re.escape(self.before) + ("()" if self.width is None else r"(\d+)") + re.escape(self.after)


#: Keys, one a sample; or a function of position and sample; or the name of a field that holds them.
Keys: TypeAlias = Iterable[str] | Callable[[int, Any], str] | str
#: Stands for the key that shard and row give.
NUMBERED: Any = object()
#: A default key has six digits for the shard and six for the row.
_MAX_NUMBER = 999_999


class KeySource:
    """Gives each sample the key that the caller wants for it.

    Args:
        keys: What the caller gave.
    """

    def __init__(self, keys: Keys) -> None:
        self._field = keys if isinstance(keys, str) else None
        self._function = keys if callable(keys) else None
        self._rest: Iterator[Any] = iter(()) if isinstance(keys, str) or callable(keys) else iter(keys)

    def key_of(self, position: int, sample: Any) -> Any:
        """Return a sample's key, as the caller made it.

        Raises:
            SampleValueError: There is no such field, or there are fewer keys than samples.
        """
        if self._function is not None:
            return self._function(position, sample)
        if self._field is not None:
            return _field_key(sample, self._field, position)
        try:
            return next(self._rest)
        except StopIteration:
            raise SampleValueError(f"there are only {position} keys", "__key__", position) from None

    def check_used(self, count: int) -> None:
        """Check that no key is left; it may belong to another sample.

        Raises:
            SampleValueError: There is one.
        """
        for key in self._rest if count else ():
            raise SampleValueError(f"there are only {count} samples, and a key {key!r} is left", "__key__")


def numbered_key(shard: int, row: int) -> str:
    """Return the key of a sample whose caller gave none.

    Raises:
        SampleValueError: A number has more than six digits.
    """
    if shard > _MAX_NUMBER or row > _MAX_NUMBER:
        raise SampleValueError(
            f"default keys number shards and rows up to {_MAX_NUMBER}; found shard {shard}, row {row}. "
            "Write more shards (maxcount=) of fewer samples, or give keys of your own (keys=)",
            "__key__",
        )
    return f"{shard:06d}-{row:06d}"


def _field_key(sample: Any, field: str, position: int) -> Any:
    try:
        return getattr(sample, field)
    except AttributeError:
        raise SampleValueError(
            f"keys={field!r} names a field that {type(sample).__qualname__} does not have", field, position
        ) from None


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
    loose = [shard_id for shard_id in listing.uncommitted if names.includes(tar_name(shard_id))]
    if loose:
        raise ShardError(
            loose[0],
            f"append=True adds to shards with manifests, and {listed(loose, 4)} in {store.url()} "
            f"{'has' if len(loose) == 1 else 'have'} none. Remove what a broken write left, or write the set again "
            "with manifest=True",
        )
    others = [each.shard_id for each in listing.committed if each not in ours] + list(listing.uncommitted)
    strangers = [shard_id for shard_id in others if not ours or names.includes(tar_name(shard_id))]
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
    beside = (tar_name(stem), stem + HEADER_SUFFIX)
    return stem != table and not names.includes(beside[0]) and any(name in there for name in beside)


def _names_in(store: Store) -> list[str]:
    try:
        return store.names()
    except FileNotFoundError:
        return []  # the folder is made with the first shard
