"""The seam: what a store must do, whatever holds its bytes.

Names are relative to the store's root, with ``/`` between folders. A file is published whole or not at all, and never
over another one; ``replace`` and ``swap`` are the exceptions, and only a manifest's header is ever replaced.
"""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, Protocol, Self, TypeAlias

__all__ = ["TEMPORARY", "Data", "Store", "Upload", "is_leftover"]

#: Bytes, in whatever holds them.
Data: TypeAlias = bytes | bytearray | memoryview

#: What the name of a file that is still being written begins with.
TEMPORARY = ".tmp-"


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
    """A folder of files, wherever it is."""

    def url(self, name: str = "") -> str:
        """Return what a person would call the file, or the root: a path or a URL."""

    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        """Return the names of all files in a folder below the root, sorted, or also those below it.

        Folders that begin with ``.`` or ``_`` are not entered.

        Raises:
            FileNotFoundError: There is no such folder.
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

    def read_ranges(self, name: str, ranges: Iterable[tuple[int, int]]) -> Iterator[memoryview]:
        """Yield the bytes of each ``(offset, length)``; shorter ones where the file ends before.

        What is yielded holds until the next one is asked for: a reader of many ranges needs no memory but for one.

        Raises:
            FileNotFoundError: There is no such file.
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
