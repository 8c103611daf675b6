"""A folder on a local disk."""

import contextlib
import errno
import itertools
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from ._base import TEMPORARY, ChangedFileError, Data, Part, Stamp, Upload
from ._disk import Disk
from ._files import LocalFile, OpenFiles

__all__ = ["LocalStore"]

#: What ``link`` answers where a file system has no hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
#: What ``flock`` answers where a file system has no locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF})


class LocalStore:
    """The files of one folder, published whole: temporary name, fsync, exclusive link, fsync of the folder.

    Args:
        root: The folder. It is made when the first file is written.
        durable: Whether a published file survives a power loss; False skips the fsyncs and nothing else.
        disk: The system calls.
    """

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

    def size(self, name: str) -> int:
        """Return a file's length in bytes."""
        return self.path(name).stat().st_size

    def read(self, name: str) -> bytes:
        """Return a whole file."""
        with open(self.url(name), "rb", buffering=0) as file:  # noqa: PTH123 -- half the time of a Path's
            return file.readall()

    def open(self, name: str) -> LocalFile:
        """Open a file, or return it where it is still open and still what the name stands for."""
        return self._files.open(self.url(name))

    def fill(self, parts: Sequence[Part]) -> None:
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

    def scan_source(self, name: str) -> str:
        """Return the path as text."""
        return self.url(name)

    def create(self, name: str) -> "_LocalUpload":
        """Begin a new file under a temporary name in its folder."""
        target = self.path(name)
        if target.exists():
            raise _taken(target)
        self._make_folder(target.parent)
        return _LocalUpload(self, target)

    def replace(self, name: str, data: Data) -> None:
        """Write a file in one step, over the one of that name if there is one."""
        target = self.path(name)
        self._make_folder(target.parent)
        with _LocalUpload(self, target) as upload:
            upload.write(data)
            upload.commit(over=True)

    def swap(self, name: str, old: Data, new: Data) -> bool:
        """Write a file in one step over the one that still holds ``old``; return whether.

        The file that is replaced is locked while it is compared and replaced. On a file system without locks, two that
        swap within that moment may both succeed, and the later one's bytes stay.
        """
        target = self.path(name)
        with _LocalUpload(self, target) as upload:
            upload.write(new)
            return upload.commit_in_place_of(old)

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
    def __init__(self, store: LocalStore, target: Path) -> None:
        self._disk = store.disk
        self._durable = store.durable
        self._target = target
        self._temporary: Path | None = target.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        self._descriptor: int | None = self._disk.create(self._temporary)
        self.published = False

    def write(self, data: Data) -> None:
        if self._descriptor is None:
            raise ValueError(f"{self._target} is published or dropped; begin a new file")
        view = memoryview(data).cast("B")
        while len(view):
            view = view[self._disk.write(self._descriptor, view) :]

    def commit(self, *, over: bool = False) -> None:
        temporary = self._whole()
        if over:
            self._rename(temporary)
        else:
            self._publish(temporary)
        if self._durable:
            self._disk.sync_folder(self._target.parent)

    def commit_in_place_of(self, old: Data) -> bool:
        """Publish the whole file in place of one that still holds ``old``; return whether."""
        temporary = self._whole()
        try:
            held = os.open(self._target, os.O_RDONLY | os.O_CLOEXEC)
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
        if self._descriptor is None or self._temporary is None:
            raise ValueError(f"{self._target} is already published or dropped")
        if self._durable:
            self._disk.sync(self._descriptor)
        self._close()
        return self._temporary

    def _rename(self, temporary: Path) -> None:
        self._disk.rename(temporary, self._target)
        self._temporary, self.published = None, True

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
        except FileExistsError as error:  # names the temporary file first
            raise _taken(self._target) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._publish_locked(temporary)
        else:
            # From here on the file is published: that its second name stays is no failure to publish.
            self._temporary, self.published = None, True
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
            self._disk.rename(temporary, self._target)
            self._temporary, self.published = None, True
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
