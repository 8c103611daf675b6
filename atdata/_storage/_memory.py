"""Files held in memory: for tests, and for data that need not outlive the process."""

import copy
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

from ._base import ChangedFileError, Data, Outcome, OversizedFileError, ReadInto, Stamp, Store, Upload
from ._local import LOCAL

__all__ = ["MemoryStore"]


class _MemoryFile:
    def __init__(self, url: str, data: bytes) -> None:
        self.url = url
        self.data = data
        self.size = len(data)
        self.stamp = Stamp(len(data), time.time_ns(), uuid.uuid4().hex)


class _SharedFiles:
    """The files that all stores over one place in memory share."""

    def __init__(self, name: str, key: str, files: dict[str, _MemoryFile]) -> None:
        self.name = name
        self.key = key
        self.files = files
        self.lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return _place, (self.name, self.key, dict(self.files))


#: By key, so that a place that comes back to its process by pickling is the same one.
_places: WeakValueDictionary[str, _SharedFiles] = WeakValueDictionary()


def _place(name: str, key: str, files: dict[str, _MemoryFile]) -> _SharedFiles:
    return _places.setdefault(key, _SharedFiles(name, key, files))


class MemoryStore(Store):
    """A folder in memory. What is published is immutable, and safe to read from many threads.

    In its process a store that was pickled is the same place again; in another process it is a copy.
    """

    limits = LOCAL

    def __init__(self, name: str = "memory") -> None:
        self._place = _place(name, uuid.uuid4().hex, {})
        #: Of all names below the root.
        self._prefix = ""

    def __repr__(self) -> str:
        return f"MemoryStore({self.url()!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MemoryStore):
            return NotImplemented
        return (self._place, self._prefix) == (other._place, other._prefix)

    def __hash__(self) -> int:
        return hash((self._place, self._prefix))

    def folder(self, name: str) -> "MemoryStore":
        """Return the store of a folder below."""
        below = copy.copy(self)
        below._prefix = f"{self._prefix}{name}/"  # noqa: SLF001 -- of its own class
        return below

    def url(self, name: str = "") -> str:
        """Return a name for messages."""
        return f"memory://{self._place.name}/{self._prefix}{name}".removesuffix("/")

    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        """Return the names of all files, sorted."""
        prefix = f"{self._prefix}{folder}/" if folder else self._prefix
        inside = [name for name in list(self._place.files) if name.startswith(prefix)]
        if prefix and not inside:
            raise FileNotFoundError(self.url(folder))
        root = len(self._prefix)
        return sorted(name[root:] for name in inside if _is_listed(name.removeprefix(prefix), recursive=recursive))

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders directly in a folder, sorted."""
        prefix = f"{folder}/" if folder else ""
        start = len(self._prefix + prefix)
        inside = [name[start:] for name in list(self._place.files) if name.startswith(self._prefix + prefix)]
        if start and not inside:
            raise FileNotFoundError(self.url(folder))
        return sorted({name.partition("/")[0] for name in inside if "/" in name})

    def stamp(self, name: str) -> Stamp:
        """Return a file's stamp."""
        return self._file(name).stamp

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return a whole file."""
        file = self._file(name)
        if limit is not None and file.size > limit:
            raise OversizedFileError.at(file.url, file.size, limit)
        return file.data

    def open(self, name: str) -> _MemoryFile:
        """Return a file as it is now."""
        return self._file(name)

    def fill(self, parts: Sequence[ReadInto]) -> None:
        """Copy the parts."""
        for file, offset, buffer in parts:
            found = memoryview(file.data)[offset : offset + len(buffer)]
            if len(found) < len(buffer):
                raise ChangedFileError.at(file.url)
            buffer[:] = found

    def create(self, name: str, *, over: bool = False) -> "_MemoryUpload":
        """Begin a new file."""
        if not over and self._prefix + name in self._place.files:
            raise FileExistsError(self.url(name))
        return _MemoryUpload(self, name, over=over)

    def replace(self, name: str, data: Data) -> None:
        """Put the file in place in one step."""
        with self._place.lock:
            self._place.files[self._prefix + name] = _MemoryFile(self.url(name), bytes(data))

    def swap(self, name: str, old: Data, new: Data) -> bool:
        """Put the file in place of one that still holds ``old``; return whether."""
        with self._place.lock:
            file = self._place.files.get(self._prefix + name)
            if file is None or file.data != bytes(old):
                return False
            self._place.files[self._prefix + name] = _MemoryFile(self.url(name), bytes(new))
            return True

    def remove(self, *names: str) -> None:
        """Remove files, one after the other."""
        with self._place.lock:
            for name in names:
                if self._place.files.pop(self._prefix + name, None) is None:
                    raise FileNotFoundError(self.url(name))

    def _file(self, name: str) -> _MemoryFile:
        try:
            return self._place.files[self._prefix + name]
        except KeyError:
            raise FileNotFoundError(self.url(name)) from None

    def _publish(self, name: str, data: bytes) -> None:
        with self._place.lock:
            if self._prefix + name in self._place.files:
                raise FileExistsError(self.url(name))
            self._place.files[self._prefix + name] = _MemoryFile(self.url(name), data)


def _is_listed(name: str, *, recursive: bool) -> bool:
    *folders, _ = name.split("/")
    return not folders or (recursive and not any(folder.startswith((".", "_")) for folder in folders))


class _MemoryUpload(Upload):
    def __init__(self, store: MemoryStore, name: str, *, over: bool) -> None:
        self._store = store
        self._name = name
        self._over = over
        self._buffer: bytearray | None = bytearray()
        self._is_staged = False

    def write(self, data: Data) -> None:
        if self._is_staged:
            raise self._is_over()
        self._open().extend(data)

    def stage(self) -> None:
        self._open()
        self._is_staged = True

    def commit(self) -> None:
        put = self._store.replace if self._over else self._store._publish  # noqa: SLF001 -- two halves of one store
        put(self._name, bytes(self._open()))
        self._buffer, self.outcome = None, Outcome.PUBLISHED

    def abort(self) -> None:
        self._buffer = None

    def _open(self) -> bytearray:
        if self._buffer is None:
            raise self._is_over()
        return self._buffer

    def _is_over(self) -> ValueError:
        return ValueError(f"{self._name} is published or dropped; begin a new file")
