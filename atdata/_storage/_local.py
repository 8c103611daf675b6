"""A folder on a local disk: exclusive publication, locks, reads."""

import contextlib
import errno
import itertools
import math
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from atdata._errors import UnknownOutcomeError

from ._base import (
    TEMPORARY,
    ChangedFileError,
    Data,
    Outcome,
    OversizedFileError,
    ReadInto,
    ReadLimits,
    Stamp,
    Store,
    TablePath,
    Upload,
)
from ._disk import READING, Disk, LocalFile, OpenFiles, check_regular, open_regular

__all__ = ["LOCAL", "LocalStore"]

#: For a local disk. A window is no larger than what the processor keeps at hand, and a span of a shard half of that.
LOCAL = ReadLimits(gap=1 << 14, longest=1 << 20, dense=0.5, first_window=1 << 18, window=1 << 21, files=7)

#: How young a file is that may still change without another stamp, in nanoseconds; git's rule.
_YOUNG = 2 * 10**9

#: How much is read at once of a file whose length is not what it seemed.
_ROUND = 1 << 26
#: What ``link`` answers where a file system has no hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
#: What ``flock`` answers where a file system has no locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF})


class LocalStore(Store):
    """The files of one folder, published whole: temporary name, fsync, exclusive link, fsync of the folder.

    Args:
        root: The folder. It is made when the first file is written.
        durable: Whether a published file survives a power loss; False skips the fsyncs and nothing else.
        disk: The system calls.
    """

    limits = LOCAL
    can_append = True

    def __init__(self, root: str | os.PathLike[str], *, durable: bool = True, disk: Disk | None = None) -> None:
        self.root = Path(os.path.abspath(os.fspath(root)))  # noqa: PTH100 -- keeps links as the user named them
        self._prefix = str(self.root / "x").removesuffix("x")
        self.durable = durable
        self.disk = disk or Disk()
        self._files = OpenFiles(self.disk)

    def __repr__(self) -> str:
        return f"LocalStore({str(self.root)!r})"

    def __eq__(self, other: object) -> bool:
        return self.root == other.root if isinstance(other, LocalStore) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.root)

    def folder(self, name: str) -> "LocalStore":
        """Return the store of a folder below; open files are shared."""
        below = LocalStore(self.root / name, durable=self.durable, disk=self.disk)
        below._files = self._files
        return below

    def is_same_place(self, other: Store) -> bool:
        """Return whether both roots are one folder once links are followed."""
        return isinstance(other, LocalStore) and os.path.realpath(self.root) == os.path.realpath(other.root)

    def path(self, name: str) -> Path:
        """Return the path of a name."""
        return self.root / name

    def url(self, name: str = "") -> str:
        """Return the path as text."""
        return f"{self._prefix}{name}" if name else str(self.root)

    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        """Return the names of all files, sorted; folders that begin with ``.`` or ``_`` are not entered."""
        prefix = f"{folder}/" if folder else ""
        return sorted(name for name, _ in _walk(self.url(folder), prefix, (), recursive=recursive))

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders directly in a folder, links to folders among them, sorted."""
        with os.scandir(self.url(folder)) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())

    def stamped(self, folder: str = "", *, recursive: bool = False, suffix: str) -> tuple[list[str], dict[str, Stamp]]:
        """Return the names of all files, in no order, and the stamps of those that end with ``suffix``."""
        prefix = f"{folder}/" if folder else ""
        names: list[str] = []
        stamps: dict[str, Stamp] = {}
        for name, entry in _walk(self.url(folder), prefix, (), recursive=recursive):
            if name.endswith(suffix):
                try:
                    stamps[name] = _stamp(entry.stat())
                except FileNotFoundError:
                    continue  # removed since it was listed
            names.append(name)
        return names, stamps

    def stamp(self, name: str) -> Stamp:
        """Return a file's stamp: size, time of change, inode."""
        return _stamp(self.path(name).stat())

    def seconds_to_settle(self, stamp: Stamp, seen: int) -> float:
        """Return how long until the file is older than the clock of any file system is coarse."""
        return math.inf if stamp.time > seen else max(0.0, (stamp.time + _YOUNG - seen) / 10**9)

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return a whole file."""
        path = self._prefix + name
        descriptor, status = open_regular(path)
        try:
            size = status.st_size
            if limit is not None and size > limit:
                raise OversizedFileError.at(path, size, limit)
            data = os.read(descriptor, size + 1)
            if len(data) == size:
                return data
            return _read_on(descriptor, data)  # it grows or shrinks, or is longer than one call reads
        finally:
            os.close(descriptor)

    def open(self, name: str) -> LocalFile:
        """Open a file, or return it where it is still open and still what the name stands for."""
        return self._files.open(self.url(name))

    def fill(self, parts: Sequence[ReadInto]) -> None:
        """Read the parts, one after the other; once the disk must be waited for, it is told of all the rest."""
        disk = self.disk
        waits = len(parts) == 1
        for index, (file, offset, buffer) in enumerate(parts):
            filled = -1 if waits else disk.read_at_hand(file.descriptor, buffer, offset)
            if filled < len(buffer):
                if not waits:
                    waits = True
                    for other, at, room in parts[index:]:
                        disk.expect(other.descriptor, at, len(room))
                _fill(disk, file, buffer, offset, max(filled, 0))
        for file in {id(part[0]): part[0] for part in parts}.values():
            file.check()

    def tables(self, names: Sequence[str]) -> list[TablePath]:
        """Return the paths, once each is found to be a regular file, on which Polars does not wait."""
        paths = [self._prefix + name for name in names]
        for path in paths:
            check_regular(os.stat(path), path)  # noqa: PTH116 -- text in
        return [TablePath(path) for path in paths]

    def create(self, name: str, *, over: bool = False) -> "_LocalUpload":
        """Begin a new file under a temporary name in its folder."""
        target = self.path(name)
        if not over and target.exists():
            raise _taken(target)
        self._make_folder(target.parent)
        return _LocalUpload(self, target, over=over)

    def replace(self, name: str, data: Data) -> None:
        """Write a file in one step, over the one of that name if there is one."""
        target = self.path(name)
        self._make_folder(target.parent)
        with _LocalUpload(self, target, over=True) as upload:
            upload.write(data)
            upload.commit()

    def swap(self, name: str, old: Data, new: Data) -> bool:
        """Write a file in one step over the one that still holds ``old``; return whether.

        The file that is replaced is locked while it is compared and replaced. On a file system without locks, two that
        swap within that moment may both succeed, and the later one's bytes stay.
        """
        target = self.path(name)
        with _LocalUpload(self, target) as upload:
            upload.write(new)
            return upload.commit_in_place_of(old)

    def append(self, name: str, data: Data) -> None:
        """Append to a file."""
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            view = memoryview(data).cast("B")
            while len(view):
                view = view[self.disk.write(descriptor, view) :]
            if self.durable:
                self.disk.sync(descriptor)
        finally:
            self.disk.close(descriptor)

    def remove(self, *names: str) -> None:
        """Remove files, one after the other."""
        paths = [self.path(name) for name in names]
        for path in paths:
            self.disk.remove(path)
        if self.durable:
            for folder in dict.fromkeys(path.parent for path in paths):
                self.disk.sync_folder(folder)

    def _make_folder(self, folder: Path) -> None:
        missing = list(itertools.takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
        folder.mkdir(parents=True, exist_ok=True)
        if self.durable:
            for each in missing:
                self.disk.sync_folder(each.parent)


class _LocalUpload(Upload):
    def __init__(self, store: LocalStore, target: Path, *, over: bool = False) -> None:
        self._over = over
        self._disk = store.disk
        self._durable = store.durable
        self._target = target
        self._temporary: Path | None = target.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        self._descriptor: int | None = self._disk.create(self._temporary)
        #: Device and inode of the whole file, by which it is known under its final name.
        self._identity: tuple[int, int] | None = None

    def write(self, data: Data) -> None:
        if self._descriptor is None:
            raise ValueError(f"{self._target} is published or dropped; begin a new file")
        view = memoryview(data).cast("B")
        while len(view):
            view = view[self._disk.write(self._descriptor, view) :]

    def stage(self) -> None:
        if self._descriptor is None or self._temporary is None:
            raise self._is_over()
        self._close_whole(self._descriptor)

    def commit(self) -> None:
        temporary = self._whole()
        if self._over:
            self._rename(temporary)
        else:
            self._publish(temporary)
        if self._durable:
            self._disk.sync_folder(self._target.parent)

    def commit_in_place_of(self, old: Data) -> bool:
        """Publish the whole file in place of one that still holds ``old``; return whether."""
        temporary = self._whole()
        try:
            held = os.open(self._target, READING)
        except FileNotFoundError:
            return False
        try:
            if not self._holds(held, old):
                return False
            self._rename(temporary)
        finally:
            os.close(held)
        if self._durable:
            self._disk.sync_folder(self._target.parent)
        return True

    def _whole(self) -> Path:
        """Return the temporary file, once all of it is written, and durable where that is asked for."""
        if self._temporary is None:
            raise self._is_over()
        if self._descriptor is not None:
            self._close_whole(self._descriptor)
        return self._temporary

    def _close_whole(self, descriptor: int) -> None:
        if self._durable:
            self._disk.sync(descriptor)
        self._identity = _identity(os.fstat(descriptor))
        self._close()

    def _is_over(self) -> ValueError:
        return ValueError(f"{self._target} is already published or dropped")

    def _rename(self, temporary: Path) -> None:
        try:
            self._disk.rename(temporary, self._target)
        except OSError as error:
            if not self._has_its_name(error):
                raise
        self._temporary, self.outcome = None, Outcome.PUBLISHED

    def _has_its_name(self, error: OSError) -> bool:
        """Return whether the file has its final name although the call that gave it failed.

        Raises:
            UnknownOutcomeError: That cannot be found out.
        """
        try:
            return _identity(self._target.stat()) == self._identity
        except FileNotFoundError:
            return False
        except OSError:
            self.outcome = Outcome.UNKNOWN
            raise UnknownOutcomeError.publishing(str(self._target), error) from error

    def _holds(self, descriptor: int, old: Data) -> bool:
        """Lock the file that is to be replaced; tell whether it holds ``old`` and still has its name."""
        try:
            self._disk.lock(descriptor)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        with os.fdopen(os.dup(descriptor), "rb") as file:
            same = file.read() == bytes(old)
        try:
            return same and os.path.samestat(os.fstat(descriptor), os.stat(self._target))  # noqa: PTH116 -- as above
        except FileNotFoundError:
            return False

    def abort(self) -> None:
        self._close()
        if self._temporary is not None:
            temporary, self._temporary = self._temporary, None
            self._disk.remove(temporary)

    def _publish(self, temporary: Path) -> None:
        try:
            self._disk.link(temporary, self._target)
        except FileExistsError as error:  # also where a server links again, because its first answer was lost
            if not self._has_its_name(error):
                raise _taken(self._target) from error  # it names the temporary file first
        except OSError as error:
            if error.errno in _NO_LINKS:
                self._publish_locked(temporary)
                return
            if not self._has_its_name(error):
                raise
        # From here on the file is published: that its second name stays is no failure to publish.
        self._temporary, self.outcome = None, Outcome.PUBLISHED
        with contextlib.suppress(OSError):
            self._disk.remove(temporary)

    def _publish_locked(self, temporary: Path) -> None:
        lock = self._target.with_name(f"{TEMPORARY}lock-{self._target.name}")
        try:
            descriptor = self._disk.create(lock)
        except FileExistsError as error:
            problem = f"another writer holds {lock.name}; if none is running, remove that file"
            raise _taken(self._target, problem) from error
        try:
            self._disk.close(descriptor)
            if self._target.exists():
                raise _taken(self._target)
            self._rename(temporary)
        finally:
            self._disk.remove(lock)

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._disk.close(descriptor)


def _taken(path: Path, problem: str = os.strerror(errno.EEXIST)) -> FileExistsError:
    return FileExistsError(errno.EEXIST, problem, str(path))


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns, f"{status.st_ino}")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _read_on(descriptor: int, data: bytes) -> bytes:
    parts = [data]
    while part := os.read(descriptor, _ROUND):
        parts.append(part)
    return b"".join(parts)


def _walk(
    folder: str, prefix: str, above: tuple[tuple[int, int], ...], *, recursive: bool
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    if recursive:
        status = os.stat(folder)  # noqa: PTH116 -- text in, text out
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link back to a folder that this one lies in
            return
        above = (*above, here)
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield prefix + entry.name, entry
            elif recursive and not entry.name.startswith((".", "_")):
                yield from _walk(entry.path, f"{prefix}{entry.name}/", above, recursive=True)


def _fill(disk: Disk, file: LocalFile, buffer: memoryview, offset: int, filled: int) -> None:
    """Fill a buffer from a place in a file, whose first bytes it holds already."""
    # A single read is cut at 2 GiB, and by signals on some file systems.
    while filled < len(buffer):
        more = disk.read_into(file.descriptor, buffer[filled:], offset + filled)
        if not more:
            raise ChangedFileError.at(file.path)
        filled += more
