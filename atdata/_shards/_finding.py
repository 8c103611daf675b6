"""Finds the tars that a path or a pattern names, by listing folders."""

import fnmatch
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from atdata._errors import ManifestNotFoundError, listed, near_misses
from atdata._manifest import HEADER_SUFFIX, read_listing, shard_order
from atdata._storage import Store, StorePath

__all__ = ["Finder", "escape_pattern", "expand_braces", "is_pattern", "matches", "parent_of"]

_MAGIC = re.compile(r"[*?[]")
_PATTERN = re.compile(r"[*?[]|\{[^{}]*\}")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MAGIC = re.compile(r"[*?[{}]")
#: A brace between brackets is a brace; no name holds these stand-ins.
_STAND_INS = {"[{]": "\0(", "[}]": "\0)"}


def is_pattern(text: str) -> bool:
    """Return whether a name has a meaning beyond its letters."""
    return _PATTERN.search(text) is not None


def has_magic(text: str) -> bool:
    """Return whether a name without braces is a glob."""
    return _MAGIC.search(text) is not None


def escape_pattern(text: str) -> str:
    """Return the pattern that matches one name and no other.

    Examples:
        >>> escape_pattern("a[1]{b}*.tar")
        'a[[]1][{]b[}][*].tar'
    """
    return _MAGIC.sub(r"[\g<0>]", text)


def expand_braces(pattern: str) -> list[str]:
    """Return a pattern once for each choice that its braces leave, in their order.

    Examples:
        >>> expand_braces("{train,val}-{08..10}.tar")[:4]
        ['train-08.tar', 'train-09.tar', 'train-10.tar', 'val-08.tar']
    """
    for escaped, stand_in in _STAND_INS.items():
        pattern = pattern.replace(escaped, stand_in)
    return [_restored(text) for text in _alternatives(pattern)]


def matches(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """Return whether a glob matches a name, both as their parts between slashes.

    ``*`` and ``?`` stand for letters of one part, ``**`` for any number of parts. Names that begin with a dot are
    matched by parts that do.
    """
    if not pattern:
        return not name
    first, *others = pattern
    if first == "**":
        depth = next((index for index, part in enumerate(name) if part.startswith(".")), len(name))
        return any(matches(others, name[skipped:]) for skipped in range(depth + 1))
    if not name or (name[0].startswith(".") and not first.startswith(".")):
        return False
    return fnmatch.fnmatchcase(name[0], first) and matches(others, name[1:])


def _alternatives(pattern: str) -> Iterator[str]:
    match = _BRACES.search(pattern)
    if match is None:
        yield pattern
        return
    before, endings = pattern[: match.start()], list(_alternatives(pattern[match.end() :]))
    for choice, ending in itertools.product(_choices(match[1]), endings):
        yield f"{before}{choice}{ending}"


def _choices(text: str) -> list[str]:
    return [choice for part in text.split(",") for choice in _numbers(part)]


def _numbers(text: str) -> list[str]:
    span = _RANGE.fullmatch(text)
    if span is None:
        return [text]
    first, last = span.groups()
    step = 1 if int(first) <= int(last) else -1
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + step, step)]


def _restored(text: str) -> str:
    # Of a glob the brackets stay; a name without other magic is a name.
    plain = text
    for escaped, stand_in in _STAND_INS.items():
        plain = plain.replace(stand_in, escaped[1])
    if not has_magic(text):
        return plain
    for escaped, stand_in in _STAND_INS.items():
        text = text.replace(stand_in, escaped)
    return text


_TAR = ".tar"
_SPECIAL = re.compile(r"[*?[{]")


def parent_of(path: str) -> str:
    """Return the folder that an absolute path or URL lies in."""
    return path.rpartition("/")[0] or "/"


class Finder:
    """Finds tars by absolute paths or URLs; a folder is listed once.

    Args:
        folders: Folders whose names end like a tar's.
        recursive: Whether to search the folders below a folder that holds shards itself.
    """

    def __init__(self, folders: frozenset[str] = frozenset(), *, recursive: bool = False) -> None:
        self._folders = folders
        self._recursive = recursive
        self._names: dict[tuple[str, bool], list[str] | None] = {}

    def listed(self, folder: str, *, recursive: bool = False) -> list[str] | None:
        """Return the names of the files in a folder; None where there is no such folder."""
        if (folder, recursive) not in self._names:
            try:
                names: list[str] | None = _store(folder).names(recursive=recursive)
            except (FileNotFoundError, NotADirectoryError):
                names = None
            self._names[folder, recursive] = names
        return self._names[folder, recursive]

    def tars(self, path: str) -> list[str]:
        """Return the tars that a path or pattern names: those of a folder, or those that match.

        A tar that is named without a pattern may not be there.

        Raises:
            ManifestNotFoundError: There is no such folder, it holds no tar, or the pattern matches none.
        """
        if not is_pattern(path) or self._is_there(path):
            return self._literal(path)
        base, pattern = self._split(path)
        choices = expand_braces(pattern)
        if not any(map(has_magic, choices)):
            return [tar for choice in choices for tar in self._literal(_below(base, choice))]
        tars = [tar for choice in choices for tar in self._matching(base, choice)]
        if not tars:
            raise ManifestNotFoundError(f"the pattern {path!r} matches no .tar file{self._content(base)}")
        return tars

    def _literal(self, path: str) -> list[str]:
        if path.endswith(_TAR) and path not in self._folders:
            return [path]
        names = self.listed(path, recursive=self._recursive)
        if names is None:
            folder, _, name = path.rpartition("/")
            if name in (self.listed(folder or "/") or ()):
                return [path]  # refused as what it is
            near = near_misses(name, [*(self.listed(folder or "/") or ()), *_folders(folder or "/")])
            raise ManifestNotFoundError(f"there is no folder or tar {path!r}{near}")
        shard_ids = _shard_ids(names) or _shard_ids(names := self.listed(path, recursive=True) or [])
        if not shard_ids:
            raise ManifestNotFoundError(
                f"{path} holds no shard (*.tar); it holds {listed(names) if names else 'nothing'}"
            )
        return [_below(path, f"{shard_id}{_TAR}") for shard_id in sorted(shard_ids, key=shard_order)]

    def _is_there(self, path: str) -> bool:
        """Return whether a file or folder has the very name of a pattern."""
        name = path.rpartition("/")[2]
        files = self.listed(parent_of(path)) or ()
        header = name.removesuffix(_TAR) + HEADER_SUFFIX
        return name in files or (name.endswith(_TAR) and header in files) or self.listed(path) is not None

    def _split(self, path: str) -> tuple[str, str]:
        """Split a pattern behind the folders that are there by their very names."""
        parts = path.split("/")
        for index, part in enumerate(parts[:-1]):
            if _SPECIAL.search(part) and self.listed("/".join(parts[: index + 1])) is None:
                return "/".join(parts[:index]) or "/", "/".join(parts[index:])
        return parent_of(path), parts[-1]

    def _matching(self, base: str, pattern: str) -> list[str]:
        parts = pattern.split("/")
        store = _store(base)
        if "**" in parts:
            names = [name for name in self.listed(base, recursive=True) or () if name.endswith(_TAR)]
            found = [name for name in names if matches(parts, name.split("/"))]
        else:
            found = [name for name in _walk(store, parts) if name.endswith(_TAR)]
        return [_below(base, name) for name in sorted(found, key=shard_order)]

    def _content(self, base: str) -> str:
        while (names := self.listed(base)) is None and base != parent_of(base):
            base = parent_of(base)
        shown = sorted([*(names or ()), *_folders(base)], key=lambda name: (not name.endswith(_TAR), name))
        return f"; {base} holds {listed(shown, 8) if shown else 'nothing'}"


def _walk(store: Store, pattern: Sequence[str], folder: str = "") -> Iterator[str]:
    """Yield the files that a pattern matches, going into those folders alone that it matches."""
    first, *others = pattern
    prefix = f"{folder}/" if folder else ""
    try:
        if not others:
            names: Iterable[str] = (name[len(prefix) :] for name in store.names(folder))
            yield from (prefix + name for name in names if matches([first], [name]))
            return
        folders = store.folders(folder) if has_magic(first) else [first]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in folders:
        if name == first or matches([first], [name]):
            yield from _walk(store, others, prefix + name)


def _shard_ids(names: Iterable[str]) -> list[str]:
    listing = read_listing(names)
    return [*(shard.shard_id for shard in listing.committed), *listing.uncommitted]


def _folders(folder: str) -> list[str]:
    try:
        return _store(folder).folders()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _store(folder: str) -> Store:
    return StorePath.parse(folder).folder()


def _below(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"
