"""The seam: what a store must do, whatever holds its bytes.

Names are relative to the store's root, with ``/`` between folders. A file is published whole or not at all, and never
over another one; ``replace`` and ``swap`` are the exceptions, and only a manifest's header is ever replaced.
"""

import errno
import os
from collections.abc import Hashable, Sequence
from types import TracebackType
from typing import IO, Any, NamedTuple, Protocol, Self, TypeAlias

__all__ = ["TEMPORARY", "ChangedFileError", "Data", "OpenFile", "Part", "Stamp", "Store", "Upload", "is_leftover"]

#: Bytes, in whatever holds them.
Data: TypeAlias = bytes | bytearray | memoryview

#: What the name of a file that is still being written begins with.
TEMPORARY = ".tmp-"


#: Bytes that are wanted: of what file, as ``open`` of the same store returned it; from which byte on; and a buffer for
#: them, as long as what is wanted.
Part: TypeAlias = tuple[Any, int, memoryview]


class ChangedFileError(OSError):
    """A file that is no longer what it was when it was opened."""

    @classmethod
    def at(cls, name: str) -> Self:
        """Name the file."""
        return cls(errno.ESTALE, f"{os.strerror(errno.ESTALE)}; the file changed after it was opened", name)


class Stamp(NamedTuple):
    """What tells whether a file's content is still the one that was seen, without reading it."""

    #: Its length in bytes.
    size: int
    #: When it was last written, in nanoseconds since 1970 by the store's clock.
    time: int
    #: What else differs once the name holds another file: its inode, or what a server calls its version.
    tag: str


class OpenFile(Protocol):
    """A file as it was when it was opened. It closes with the last reference to it."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    @property
    def stamp(self) -> Hashable:
        """What differs once the name holds other content: size, time and inode, or what a server calls its version."""


class Upload(Protocol):
    """A file that is being written and that nobody sees yet.

    As a context manager it drops what was written unless ``commit`` was called.

    Attributes:
        published: Whether the file has its name; it may have it although ``commit`` failed afterwards.
    """

    published: bool

    def write(self, data: Data) -> None:
        """Append bytes."""

    def commit(self) -> None:
        """Publish the whole file under its name.

        Raises:
            FileExistsError: There is a file of that name; it is left as it is.
        """

    def abort(self) -> None:
        """Drop what was written. Does nothing after ``commit`` or a second time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class Store(Protocol):
    """A folder of files, wherever it is.

    Two stores over the same place are equal, with equal hashes, and a store pickles: the copy is over the same place.
    """

    def folder(self, name: str) -> "Store":
        """Return the store rooted at a folder below this one's root; connections and open files are shared."""

    def url(self, name: str = "") -> str:
        """Return what a person would call the file, or the root: a path or a URL."""

    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        """Return the names of all files in a folder below the root, sorted, or also those below it.

        Folders that begin with ``.`` or ``_`` are not entered.

        Raises:
            FileNotFoundError: There is no such folder.
        """

    def stamped(self, folder: str = "", *, recursive: bool = False, suffix: str) -> tuple[list[str], dict[str, Stamp]]:
        """Return the names that :meth:`names` does, in any order, and the stamps of those that end with ``suffix``.

        One listing finds them all.

        Raises:
            FileNotFoundError: There is no such folder.
        """

    def stamp(self, name: str) -> Stamp:
        """Return a file's stamp.

        Raises:
            FileNotFoundError: There is no such file.
        """

    def size(self, name: str) -> int:
        """Return a file's length in bytes.

        Raises:
            FileNotFoundError: There is no such file.
        """

    def read(self, name: str) -> bytes:
        """Return a whole file.

        Raises:
            FileNotFoundError: There is no such file.
        """

    def open(self, name: str) -> OpenFile:
        """Open a file to read parts of it, or return it where it is still open.

        Raises:
            FileNotFoundError: There is no such file.
        """

    def fill(self, parts: Sequence[Part]) -> None:
        """Read all parts, in whatever order and however many at a time the store reads them best.

        Args:
            parts: What is wanted, of files that this store opened. What is read while a file changes is never taken for
                its content: either all bytes are those of the file as it was opened, or this raises.

        Raises:
            ChangedFileError: A file is no longer what it was when it was opened, or ends before a part does.
        """

    def scan_source(self, name: str) -> str | IO[bytes]:
        """Return what ``pl.scan_parquet`` reads the file from."""

    def create(self, name: str) -> Upload:
        """Begin a new file.

        Raises:
            FileExistsError: There is a file of that name.
        """

    def replace(self, name: str, data: Data) -> None:
        """Write a file in one step, over the one of that name if there is one."""

    def swap(self, name: str, old: Data, new: Data) -> bool:
        """Write a file in one step over the one of that name if that one still holds ``old``; return whether.

        Of several that swap one file at once, at most one succeeds for each ``old``.
        """

    def remove(self, *names: str) -> None:
        """Remove files, one after the other; when this returns, none of them comes back after a power loss.

        Raises:
            FileNotFoundError: There is no such file; those before it are gone.
        """


def is_leftover(name: str) -> bool:
    """Tell whether a name is that of a file whose writer never finished it."""
    return name.rpartition("/")[2].startswith(TEMPORARY)
