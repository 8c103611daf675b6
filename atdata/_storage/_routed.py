"""Stores made of stores: manifests apart from their tars, and several roots as one."""

import abc
import functools
import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ._base import Data, OpenFile, ReadInto, Stamp, Store, TablePath, Upload

__all__ = ["ApartStore", "UnionStore"]


class _RoutedFile(NamedTuple):
    """An open file, and the store that reads it."""

    store: Store
    file: OpenFile

    @property
    def size(self) -> int:
        return self.file.size

    @property
    def stamp(self) -> Hashable:
        return self.file.stamp


class _RoutedStore(Store):
    """Passes each call on to the store that holds the name."""

    @property
    @abc.abstractmethod
    def stores(self) -> Sequence[Store]:
        """The stores."""

    @abc.abstractmethod
    def route(self, name: str) -> tuple[Store, str]:
        """Return the store that holds a name, and the name there.

        Raises:
            FileNotFoundError: No store holds such names.
        """

    @abc.abstractmethod
    def _listed(
        self, folder: str, suffix: str | None, *, recursive: bool
    ) -> Iterator[tuple[list[str], dict[str, Stamp]]]:
        """Yield each store's names in a folder, with the stamps of those that end with ``suffix``."""

    def url(self, name: str = "") -> str:
        """Return what a person would call the file."""
        store, inner = self.route(name)
        return store.url(inner)

    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        """Return the names of all files in a folder, sorted."""
        return sorted(itertools.chain.from_iterable(names for names, _ in self._all(folder, None, recursive=recursive)))

    @abc.abstractmethod
    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders directly in a folder, sorted."""

    def stamped(self, folder: str = "", *, recursive: bool = False, suffix: str) -> tuple[list[str], dict[str, Stamp]]:
        """Return the names of all files in a folder, and the stamps of those that end with ``suffix``."""
        names: list[str] = []
        stamps: dict[str, Stamp] = {}
        for part, stamps_of_part in self._all(folder, suffix, recursive=recursive):
            names += part
            stamps |= stamps_of_part
        return names, stamps

    def stamp(self, name: str) -> Stamp:
        """Return a file's stamp."""
        store, inner = self.route(name)
        return store.stamp(inner)

    def stamps(self, names: Sequence[str]) -> dict[str, Stamp]:
        """Return the stamps of many files, by name, without those that are not there."""
        stamps: dict[str, Stamp] = {}
        for store, inner_of in self._by_store(names):
            known = store.stamps(list(inner_of.values()))
            stamps |= {name: known[inner] for name, inner in inner_of.items() if inner in known}
        return stamps

    def seconds_to_settle(self, stamp: Stamp, seen: int) -> float:
        """Return how long to wait until a stamp tells any later content apart, in the store that takes longest."""
        return max(store.seconds_to_settle(stamp, seen) for store in self.stores)

    def is_abandoned(self, stamp: Stamp) -> bool:
        """Return whether a file that nobody names is old enough, in every store, that no writer will name it."""
        return all(store.is_abandoned(stamp) for store in self.stores)

    def size(self, name: str) -> int:
        """Return a file's length in bytes."""
        store, inner = self.route(name)
        return store.size(inner)

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return a whole file."""
        store, inner = self.route(name)
        return store.read(inner, limit)

    def read_many(self, names: Sequence[str], limit: int | None = None) -> list[bytes | OSError]:
        """Return many whole files, in order; those of each store together."""
        content: dict[str, bytes | OSError] = {}
        for store, inner_of in self._by_store(names):
            content |= zip(inner_of, store.read_many(list(inner_of.values()), limit), strict=True)
        return [content[name] for name in names]

    def open(self, name: str) -> _RoutedFile:
        """Open a file to read parts of it."""
        store, inner = self.route(name)
        return _RoutedFile(store, store.open(inner))

    def fill(self, parts: Sequence[ReadInto]) -> None:
        """Read all parts, those of each store together."""
        by_store: dict[int, tuple[Store, list[ReadInto]]] = {}
        for file, offset, buffer in parts:
            by_store.setdefault(id(file.store), (file.store, []))[1].append((file.file, offset, buffer))
        for store, inner in by_store.values():
            store.fill(inner)

    def tables(self, names: Sequence[str]) -> list[bytes] | list[TablePath]:
        """Return what Polars reads some tables from: paths where all of their stores have paths, else bytes."""
        paths: dict[str, TablePath] = {}
        for store, inner_of in self._by_store(names):
            tables = store.tables(list(inner_of.values()))
            own = {name: table for name, table in zip(inner_of, tables, strict=True) if isinstance(table, TablePath)}
            if len(own) < len(inner_of):
                return super().tables(names)
            paths |= own
        if any(path.options != paths[names[0]].options for path in paths.values()):  # one scan has one set of options
            return super().tables(names)
        return [paths[name] for name in names]

    def create(self, name: str, *, over: bool = False) -> Upload:
        """Begin a new file."""
        store, inner = self.route(name)
        return store.create(inner, over=over)

    def replace(self, name: str, data: Data) -> None:
        """Write a file in one step, over the one of that name if there is one."""
        store, inner = self.route(name)
        store.replace(inner, data)

    def swap(self, name: str, old: Data, new: Data) -> bool:
        """Write a file in one step over the one that still holds ``old``; return whether."""
        store, inner = self.route(name)
        return store.swap(inner, old, new)

    def append(self, name: str, data: Data) -> None:
        """Append to a file, where its store does."""
        store, inner = self.route(name)
        store.append(inner, data)

    def remove(self, *names: str) -> None:
        """Remove files, one after the other."""
        for name in names:
            store, inner = self.route(name)
            store.remove(inner)

    def _by_store(self, names: Sequence[str]) -> list[tuple[Store, dict[str, str]]]:
        """Return the stores of some names, and the names there by those here."""
        by_store: dict[int, tuple[Store, dict[str, str]]] = {}
        for name in names:
            store, inner = self.route(name)
            by_store.setdefault(id(store), (store, {}))[1][name] = inner
        return list(by_store.values())

    def _all(self, folder: str, suffix: str | None, *, recursive: bool) -> list[tuple[list[str], dict[str, Stamp]]]:
        listed = list(self._listed(folder, suffix, recursive=recursive))
        if not listed:
            raise FileNotFoundError(f"{self.url()}: {folder}")
        return listed


class ApartStore(_RoutedStore):
    """Tars in one store, everything else under the same names in another.

    Args:
        tars: Where files that end with ``.tar`` are.
        others: Where all other files are.
    """

    def __init__(self, tars: Store, others: Store) -> None:
        self.tars = tars
        self.others = others
        self.limits = tars.limits
        self.can_append = others.can_append

    @property
    def stores(self) -> Sequence[Store]:
        """Both stores."""
        return self.tars, self.others

    def __repr__(self) -> str:
        return f"ApartStore({self.tars!r}, {self.others!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ApartStore):
            return NotImplemented
        return (self.tars, self.others) == (other.tars, other.others)

    def __hash__(self) -> int:
        return hash((self.tars, self.others))

    def folder(self, name: str) -> "ApartStore":
        """Return the store rooted at a folder below."""
        return ApartStore(self.tars.folder(name), self.others.folder(name))

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders directly in a folder of either store, sorted."""
        names: set[str] = set()
        missing = 0
        for store in (self.tars, self.others):
            try:
                names.update(store.folders(folder))
            except (FileNotFoundError, NotADirectoryError):
                missing += 1
        if missing > 1:
            raise FileNotFoundError(self.url(folder))
        return sorted(names)

    def route(self, name: str) -> tuple[Store, str]:
        """Return the store that holds a name; the root is that of the tars."""
        return self.tars if not name or _is_tar(name) else self.others, name

    def _listed(
        self, folder: str, suffix: str | None, *, recursive: bool
    ) -> Iterator[tuple[list[str], dict[str, Stamp]]]:
        for store, is_of_tars in ((self.tars, True), (self.others, False)):
            try:
                names, stamps = _list(store, folder, suffix, recursive=recursive)
            except (FileNotFoundError, NotADirectoryError):
                continue  # a folder may be in one of them alone
            own = [name for name in names if _is_tar(name) is is_of_tars]
            yield own, {name: stamp for name, stamp in stamps.items() if _is_tar(name) is is_of_tars}


class UnionStore(_RoutedStore):
    """Several stores, each as a folder of one.

    Args:
        parts: The stores by the names of their folders, none of which lies in another.
    """

    def __init__(self, parts: Mapping[str, Store]) -> None:
        self.parts = dict(parts)
        self.limits = next(iter(self.parts.values())).limits
        self._depths = sorted({name.count("/") + 1 for name in parts})

    @property
    def stores(self) -> Sequence[Store]:
        """The parts."""
        return list(self.parts.values())

    def __repr__(self) -> str:
        return f"UnionStore({self.parts!r})"

    def __eq__(self, other: object) -> bool:
        return self.parts == other.parts if isinstance(other, UnionStore) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self.parts.items()))

    def url(self, name: str = "") -> str:
        """Return what a person would call the file; the root is all roots."""
        return super().url(name) if name else " + ".join(store.url() for store in self.parts.values())

    def folder(self, name: str) -> Store:
        """Return the store rooted at a folder below: a part's, or of all parts that lie in it."""
        prefix = f"{name}/"
        inside = {part[len(prefix) :]: store for part, store in self.parts.items() if part.startswith(prefix)}
        if inside:
            return UnionStore(inside)
        store, inner = self.route(name)
        return store.folder(inner) if inner else store

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders directly in a folder, sorted."""
        prefix = f"{folder}/" if folder else ""
        inside = {part[len(prefix) :].partition("/")[0] for part in self.parts if part.startswith(prefix)}
        if inside:
            return sorted(inside)
        store, inner = self.route(folder)
        return store.folders(inner)

    def route(self, name: str) -> tuple[Store, str]:
        """Return the part that holds a name, and the name there.

        Raises:
            FileNotFoundError: The name lies in none of them.
        """
        parts = name.split("/")
        for depth in self._depths:
            store = self.parts.get("/".join(parts[:depth]))
            if store is not None:
                return store, "/".join(parts[depth:])
        raise FileNotFoundError(f"{name!r} is in none of the folders {', '.join(map(repr, self.parts))}")

    def _listed(
        self, folder: str, suffix: str | None, *, recursive: bool
    ) -> Iterator[tuple[list[str], dict[str, Stamp]]]:
        if not folder or any(part.startswith(f"{folder}/") for part in self.parts):
            yield [], {}
            below = [part for part in self.parts if recursive and f"{part}/".startswith(f"{folder}/" if folder else "")]
            whole = {part: (self.parts[part], "") for part in below}
        else:
            store, inner = self.route(folder)
            whole = {folder[: len(folder) - len(inner)].rstrip("/"): (store, inner)}
        for part, (store, inner) in whole.items():
            names, stamps = _list(store, inner, suffix, recursive=recursive)
            prefixed = functools.partial("{}/{}".format, part)
            yield list(map(prefixed, names)), {prefixed(name): stamp for name, stamp in stamps.items()}


def _is_tar(name: str) -> bool:
    return name.endswith(".tar")


def _list(store: Store, folder: str, suffix: str | None, *, recursive: bool) -> tuple[list[str], dict[str, Any]]:
    if suffix is None:
        return store.names(folder, recursive=recursive), {}
    return store.stamped(folder, recursive=recursive, suffix=suffix)
