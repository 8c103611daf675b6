"""The `Store` protocol: what a store must do, whatever holds its bytes; and tables as Polars reads them.

Names are relative to the store's root, with ``/`` between folders. A file is published whole or not at all, and never
over another one, unless the caller asks for that; ``replace`` and ``swap`` write over one file in one step.

A new store is one module: a subclass of :class:`Store` that defines the abstract methods, one of :class:`Upload`, and a
call of ``register_scheme``. The other methods have defaults that a store with something better overrides.
"""

import abc
import dataclasses
import enum
import errno
import io
import os
import time
from collections.abc import Hashable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeAlias

from atdata._errors import NotAFileError

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "TEMPORARY",
    "ChangedFileError",
    "Data",
    "OpenFile",
    "Outcome",
    "OversizedFileError",
    "ReadInto",
    "ReadLimits",
    "Stamp",
    "Store",
    "TablePath",
    "Upload",
    "is_leftover",
    "scan_tables",
]

#: Bytes, in whatever holds them.
Data: TypeAlias = bytes | bytearray | memoryview

#: What the name of a file that is still being written begins with.
TEMPORARY = ".tmp-"

#: A leftover, or a file of an index that no table names, is abandoned after so many nanoseconds: a day.
_ABANDONED = 86_400 * 10**9


#: Bytes that are wanted: of what file, as ``open`` of the same store returned it; from which byte on; and a buffer for
#: them, as long as what is wanted.
ReadInto: TypeAlias = tuple[Any, int, memoryview]


class ChangedFileError(OSError):
    """A file that is no longer what it was when it was opened."""

    @classmethod
    def at(cls, name: str) -> Self:
        """Name the file."""
        return cls(errno.ESTALE, f"{os.strerror(errno.ESTALE)}; the file changed after it was opened", name)


class OversizedFileError(OSError):
    """A file that is longer than its reader allows; nothing of it was read."""

    @classmethod
    def at(cls, name: str, size: int, limit: int) -> Self:
        """Name the file and both lengths."""
        return cls(errno.EFBIG, f"expected a file of at most {limit} bytes, found {size}; nothing was read", name)


class Stamp(NamedTuple):
    """The version of a file: two equal ones are of equal content, once the store says that they are settled.

    Compare stamps whole, and record them whole; only the store that gave them knows what their parts mean.
    """

    #: Its length in bytes.
    size: int
    #: When it was last written, in nanoseconds since 1970 by the store's clock.
    time: int
    #: What else differs once the name holds another file: its inode, or what a server calls its version.
    tag: str


class Outcome(enum.Enum):
    """What has become of an upload."""

    #: The name does not hold the upload's bytes, and will not come to hold them.
    NOT_PUBLISHED = "not published"
    #: The name holds the upload's bytes.
    PUBLISHED = "published"
    #: The store's answer was lost and cannot be found out: the name may hold the bytes, now or later.
    UNKNOWN = "unknown"


class OpenFile(Protocol):
    """A file as it was when it was opened. It closes with the last reference to it."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    @property
    def stamp(self) -> Hashable:
        """What differs once the name holds other content: size, time and inode, or what a server calls its version."""


class TablePath(NamedTuple):
    """A table that Polars opens by itself."""

    #: A local path, or a URL that Polars knows.
    path: str
    #: What Polars opens it with; None for a local path.
    options: Mapping[str, str] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much is read at once from a store, and how much is read beside what was asked for.

    Measured for a local disk in docs/design/2026-11-22-third-floor-reading.md.
    """

    #: Neighbours at most this many bytes apart are one request: reading the gap costs less than asking twice.
    gap: int
    #: A request is at most this many bytes long, unless one sample is longer.
    longest: int
    #: Where at least this share of the bytes from a shard's first to its last wanted one is wanted, all are read.
    dense: float
    #: How many bytes of samples are planned and held together: few at first, so that the first sample comes soon.
    first_window: int
    #: The same later on; it doubles until it is this.
    window: int
    #: How many files are read from at once.
    files: int


#: For a store behind a network, where a request costs about as much as reading 1 MiB.
REMOTE = ReadLimits(gap=1 << 20, longest=8 << 20, dense=0.25, first_window=4 << 20, window=32 << 20, files=16)


class Upload(abc.ABC):
    """A file that is being written and that nobody sees yet.

    As a context manager it drops what was written unless ``commit`` was called.

    Attributes:
        outcome: Whether the file has its name. It may be published although ``commit`` raised afterwards.
    """

    outcome: Outcome = Outcome.NOT_PUBLISHED

    @abc.abstractmethod
    def write(self, data: Data) -> None:
        """Append bytes."""

    @abc.abstractmethod
    def stage(self) -> None:
        """Take no more bytes, and make those that were written durable; ``commit`` has only to publish them."""

    @abc.abstractmethod
    def commit(self) -> None:
        """Publish the whole file under its name.

        A publication whose answer was lost is looked at again: where the name holds this upload, that is success.

        Raises:
            FileExistsError: There is another file of that name; it is left as it is.
            UnknownOutcomeError: The answer was lost, and what became of the file cannot be found out.
        """

    @abc.abstractmethod
    def abort(self) -> None:
        """Drop what was written. Does nothing after ``commit`` or a second time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class Store(abc.ABC):
    """A folder of files, wherever it is.

    Two stores over the same place are equal, with equal hashes, and a store pickles: the copy is over the same place.
    """

    #: How much is read at once.
    limits: ReadLimits = REMOTE
    #: Whether files can be appended to.
    can_append: bool = False

    @abc.abstractmethod
    def __eq__(self, other: object) -> bool: ...

    @abc.abstractmethod
    def __hash__(self) -> int: ...

    @abc.abstractmethod
    def folder(self, name: str) -> "Store":
        """Return the store rooted at a folder below this one's root; connections and open files are shared."""

    def is_same_place(self, other: "Store") -> bool:
        """Return whether what is written here is seen there, by whatever names the two were opened."""
        return self == other

    @abc.abstractmethod
    def url(self, name: str = "") -> str:
        """Return what a person would call the file, or the root: a path or a URL."""

    @abc.abstractmethod
    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        """Return the names of all files in a folder below the root, sorted, or also those below it.

        Folders that begin with ``.`` or ``_`` are not entered.

        Raises:
            FileNotFoundError: There is no such folder.
        """

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders directly in a folder, relative to it, sorted.

        Those that begin with ``.`` or ``_`` may be left out where the store has no other way than to list all files.

        Raises:
            FileNotFoundError: There is no such folder.
        """
        start = len(folder) + 1 if folder else 0
        inside = [name[start:] for name in self.names(folder, recursive=True)]
        return sorted({name.partition("/")[0] for name in inside if "/" in name})

    def stamped(self, folder: str = "", *, recursive: bool = False, suffix: str) -> tuple[list[str], dict[str, Stamp]]:
        """Return the names that :meth:`names` does, in any order, and the stamps of those that end with ``suffix``.

        One listing finds them all, where the store can do so.

        Raises:
            FileNotFoundError: There is no such folder.
        """
        names = self.names(folder, recursive=recursive)
        return names, self.stamps([name for name in names if name.endswith(suffix)])

    @abc.abstractmethod
    def stamp(self, name: str) -> Stamp:
        """Return a file's stamp.

        Raises:
            FileNotFoundError: There is no such file.
        """

    def stamps(self, names: Sequence[str]) -> dict[str, Stamp]:
        """Return the stamps of many files, by name, without those that are not there."""
        stamps = {}
        for name in names:
            try:
                stamps[name] = self.stamp(name)
            except FileNotFoundError:
                continue
        return stamps

    def seconds_to_settle(self, stamp: Stamp, seen: int) -> float:
        """Return how long to wait until a stamp, taken anew then, tells any later content from the one it is of.

        Args:
            stamp: The stamp.
            seen: The local time just before it was taken, in nanoseconds since 1970.

        Returns:
            0.0 where it does so already; infinity where it never will.
        """
        del stamp, seen
        return 0.0

    def is_abandoned(self, stamp: Stamp) -> bool:
        """Return whether a file that nobody names is old enough that no writer will come to name it."""
        return stamp.time < time.time_ns() - _ABANDONED

    def size(self, name: str) -> int:
        """Return a file's length in bytes.

        Raises:
            FileNotFoundError: There is no such file.
        """
        return self.stamp(name).size

    @abc.abstractmethod
    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return a whole file.

        Args:
            name: The file.
            limit: How many bytes it may have; None for any number.

        Raises:
            FileNotFoundError: There is no such file.
            OversizedFileError: It is longer; nothing was read.
            NotAFileError: It is a pipe, a socket or a device, from which nothing was read.
        """

    def read_many(self, names: Sequence[str], limit: int | None = None) -> list[bytes | OSError]:
        """Return many whole files, in order, as many at a time as the store reads best.

        A file that cannot be read is the error that :meth:`read` would raise, in its place.
        """
        return [self._read_or_error(name, limit) for name in names]

    def _read_or_error(self, name: str, limit: int | None) -> bytes | OSError:
        try:
            return self.read(name, limit)
        except OSError as error:
            return error

    @abc.abstractmethod
    def open(self, name: str) -> OpenFile:
        """Open a file to read parts of it, or return it where it is still open.

        Raises:
            FileNotFoundError: There is no such file.
            NotAFileError: It is a pipe, a socket or a device.
        """

    @abc.abstractmethod
    def fill(self, parts: Sequence[ReadInto]) -> None:
        """Read all parts, in whatever order and however many at a time the store reads them best.

        Args:
            parts: What is wanted, of files that this store opened. What is read while a file changes is never taken for
                its content: either all bytes are those of the file as it was opened, or this raises.

        Raises:
            ChangedFileError: A file is no longer what it was when it was opened, or ends before a part does.
        """

    def table(self, name: str) -> bytes | TablePath:
        """Return what Polars reads a table from: see :meth:`tables`."""
        return self.tables([name])[0]

    def tables(self, names: Sequence[str]) -> list[bytes] | list[TablePath]:
        """Return what Polars reads some tables from: all their bytes, or paths where Polars reads the store itself.

        Raises:
            FileNotFoundError: A file is not there.
            NotAFileError: One is a pipe, a socket or a device.
        """
        tables: list[bytes] = []
        for data in self.read_many(names):
            if isinstance(data, OSError):
                raise data
            tables.append(data)
        return tables

    @abc.abstractmethod
    def create(self, name: str, *, over: bool = False) -> Upload:
        """Begin a new file.

        Args:
            name: The file.
            over: Whether ``commit`` publishes it over a file of that name.

        Raises:
            FileExistsError: There is a file of that name; a store may also find it out at ``commit`` alone.
        """

    @abc.abstractmethod
    def replace(self, name: str, data: Data) -> None:
        """Write a file in one step, over the one of that name if there is one."""

    @abc.abstractmethod
    def swap(self, name: str, old: Data, new: Data) -> bool:
        """Write a file in one step over the one of that name if that one still holds ``old``; return whether.

        Of several that swap one file at once, at most one succeeds for each ``old``.

        Raises:
            UnknownOutcomeError: The answer was lost, and whether the file was written cannot be found out.
        """

    def append(self, name: str, data: Data) -> None:
        """Append to a file, which survives a power loss when this returns; only where ``can_append`` says so.

        Raises:
            FileNotFoundError: There is no such file.
            io.UnsupportedOperation: The store does not append.
        """
        del data
        raise io.UnsupportedOperation(f"{self.url(name)} cannot be appended to")

    @abc.abstractmethod
    def remove(self, *names: str) -> None:
        """Remove files, one after the other; when this returns, none of them comes back after a power loss.

        Raises:
            FileNotFoundError: There is no such file, and the store tells; those before it are gone.
        """


def is_leftover(name: str) -> bool:
    """Return whether a name is that of a file whose writer never finished it."""
    return name.rpartition("/")[2].startswith(TEMPORARY)


def not_a_file(path: str, kind: str) -> NotAFileError:
    """Return the error of a name that holds no file whose bytes could be read."""
    return NotAFileError(
        errno.EINVAL,
        f"expected a regular file, found a {kind}; nothing was read. Remove it, or move it to another folder",
        path,
    )


def scan_tables(
    tables: Sequence[bytes | TablePath], schema: "Mapping[str, pl.DataType]", **options: Any
) -> "pl.LazyFrame":
    """Scan Parquet files whose columns are known.

    Polars maps a file into memory to learn its columns, and a mapped file that is cut in place kills the process
    (SIGBUS). With a schema it reads by calls that fail as errors (docs/design/tables-and-maps.md).

    Args:
        tables: What ``Store.tables`` of one store returned, in order.
        schema: The columns.
        **options: What ``pl.scan_parquet`` takes besides.
    """
    import polars as pl  # noqa: PLC0415 -- the seam is used without it

    if not tables:
        return pl.LazyFrame(schema=dict(schema))
    sources: Any = [table.path if isinstance(table, TablePath) else table for table in tables]
    storage_options = next(
        (dict(table.options) for table in tables if isinstance(table, TablePath) and table.options), None
    )
    return pl.scan_parquet(
        sources,
        schema=dict(schema),
        storage_options=storage_options,
        glob=False,
        hive_partitioning=False,
        **options,
    )
