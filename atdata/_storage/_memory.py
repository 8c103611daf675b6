"""Files held in memory: for tests, and for data that need not outlive the process."""

import io
import threading
import time
import uuid
from collections.abc import Sequence

from ._base import ChangedFileError, Data, Part, Stamp, Upload

__all__ = ["MemoryStore"]


class _MemoryFile:
    def __init__(self, url: str, data: bytes) -> None:
        self.url = url
        self.data = data
        self.size = len(data)
        self.stamp = Stamp(len(data), time.time_ns(), uuid.uuid4().hex)


class MemoryStore:
    """A folder in memory. What is published is immutable, and safe to read from many threads."""

    def __init__(self, name: str = "memory") -> None:
        self._name = name
        self._files: dict[str, _MemoryFile] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"MemoryStore({self._name!r}, {len(self._files)} files)"

    def url(self, name: str = "") -> str:
        """Return a name for messages."""
        return f"memory://{self._name}/{name}"

    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        """Return the names of all files, sorted."""
        prefix = f"{folder}/" if folder else ""
        inside = [name for name in self._files if name.startswith(prefix)]
        if folder and not inside:
            raise FileNotFoundError(self.url(folder))
        return sorted(name for name in inside if _is_listed(name.removeprefix(prefix), recursive=recursive))

    def stamped(self, folder: str = "", *, recursive: bool = False, suffix: str) -> tuple[list[str], dict[str, Stamp]]:
        """Return the names of all files, sorted, and the stamps of those that end with ``suffix``."""
        names = self.names(folder, recursive=recursive)
        return names, {name: self.stamp(name) for name in names if name.endswith(suffix)}

    def stamp(self, name: str) -> Stamp:
        """Return a file's stamp."""
        return self._file(name).stamp

    def size(self, name: str) -> int:
        """Return a file's length in bytes."""
        return len(self.read(name))

    def read(self, name: str) -> bytes:
        """Return a whole file."""
        return self._file(name).data

    def open(self, name: str) -> _MemoryFile:
        """Return a file as it is now."""
        return self._file(name)

    def fill(self, parts: Sequence[Part]) -> None:
        """Copy the parts."""
        for file, offset, buffer in parts:
            found = memoryview(file.data)[offset : offset + len(buffer)]
            if len(found) < len(buffer):
                raise ChangedFileError.at(file.url)
            buffer[:] = found

    def scan_source(self, name: str) -> io.BytesIO:
        """Return the bytes as a file."""
        return io.BytesIO(self.read(name))

    def create(self, name: str) -> "_MemoryUpload":
        """Begin a new file."""
        if name in self._files:
            raise FileExistsError(self.url(name))
        return _MemoryUpload(self, name)

    def replace(self, name: str, data: Data) -> None:
        """Put the file in place in one step."""
        with self._lock:
            self._files[name] = _MemoryFile(self.url(name), bytes(data))

    def swap(self, name: str, old: Data, new: Data) -> bool:
        """Put the file in place of one that still holds ``old``; return whether."""
        with self._lock:
            file = self._files.get(name)
            if file is None or file.data != bytes(old):
                return False
            self._files[name] = _MemoryFile(self.url(name), bytes(new))
            return True

    def remove(self, *names: str) -> None:
        """Remove files, one after the other."""
        with self._lock:
            for name in names:
                if self._files.pop(name, None) is None:
                    raise FileNotFoundError(self.url(name))

    def _file(self, name: str) -> _MemoryFile:
        try:
            return self._files[name]
        except KeyError:
            raise FileNotFoundError(self.url(name)) from None

    def _publish(self, name: str, data: bytes) -> None:
        with self._lock:
            if name in self._files:
                raise FileExistsError(self.url(name))
            self._files[name] = _MemoryFile(self.url(name), data)


def _is_listed(name: str, *, recursive: bool) -> bool:
    *folders, _ = name.split("/")
    return not folders or (recursive and not any(folder.startswith((".", "_")) for folder in folders))


class _MemoryUpload(Upload):
    def __init__(self, store: MemoryStore, name: str) -> None:
        self._store = store
        self._name = name
        self._buffer: bytearray | None = bytearray()
        self.published = False

    def write(self, data: Data) -> None:
        self._open().extend(data)

    def commit(self) -> None:
        self._store._publish(self._name, bytes(self._open()))  # noqa: SLF001 -- two halves of one store
        self._buffer, self.published = None, True

    def abort(self) -> None:
        self._buffer = None

    def _open(self) -> bytearray:
        if self._buffer is None:
            raise ValueError(f"{self._name} is published or dropped; begin a new file")
        return self._buffer
