"""The system calls that publishing and reading stand on, and files of a local disk that stay open between reads."""

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import TypeAlias

from ._base import (
    ChangedFileError,
    not_a_file,
)

__all__ = ["READING", "Disk", "FileIdentity", "LocalFile", "OpenFiles", "check_regular", "open_regular"]

#: How files are opened for reading: a pipe without a writer does not make the call wait.
READING = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)
#: What a mode says of what is no regular file.
_KINDS = {
    stat.S_IFIFO: "pipe (FIFO)",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}

#: Makes a read return at once when the bytes are not in memory; 0 where the system has no such flag.
_NO_WAIT: int = getattr(os, "RWF_NOWAIT", 0)
#: What it answers then, or where a file system does not know it.
_NOT_AT_HAND = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})
#: macOS has none.
_ADVISE = getattr(os, "posix_fadvise", None)


class Disk:
    """A local file system."""

    def create(self, path: Path) -> int:
        """Open a new file for writing; ``FileExistsError`` when it is there."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some or all of the bytes; return how many."""
        return os.write(descriptor, data)

    def open(self, path: str) -> int:
        """Open a regular file for reading; ``NotAFileError`` for anything else."""
        return open_regular(path)[0]

    def stamp(self, file: str | int) -> tuple[int, int, int, int]:
        """Return a path's or a descriptor's device, inode, size in bytes, and time of change in nanoseconds."""
        status = os.stat(file)  # noqa: PTH116 -- text in, numbers out
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def read_at_hand(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """Fill some or all of a buffer with bytes that are in memory already; return how many, -1 when none are."""
        if not _NO_WAIT:
            return -1
        try:
            return os.preadv(descriptor, [buffer], offset, _NO_WAIT)
        except OSError as error:
            if error.errno not in _NOT_AT_HAND:
                raise
            return -1

    def expect(self, descriptor: int, offset: int, length: int) -> None:
        """Tell the system which bytes will be read soon; it may begin to fetch them and does not wait."""
        if _ADVISE is not None:
            _ADVISE(descriptor, offset, length, os.POSIX_FADV_WILLNEED)

    def read_into(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """Fill some or all of a buffer with the bytes at a place; return how many, 0 at the end of the file."""
        return os.preadv(descriptor, [buffer], offset)

    def sync(self, descriptor: int) -> None:
        """Return once the file's bytes would survive a power loss."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the file."""
        os.close(descriptor)

    def link(self, source: Path, target: Path) -> None:
        """Give the file a second name; ``FileExistsError`` when that name is taken."""
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Move the file, over another one if there is one."""
        source.replace(target)

    def lock(self, descriptor: int) -> None:
        """Hold an open file until it is closed, also by the process's end; ``BlockingIOError`` when another does."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self, path: Path) -> None:
        """Remove a name."""
        path.unlink()

    def sync_folder(self, path: Path) -> None:
        """Return once the folder's names would survive a power loss."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """Open a regular file for reading; return its descriptor and status. Nothing else is waited for or read.

    Raises:
        IsADirectoryError: It is a folder.
        NotAFileError: It is a pipe, a socket or a device.
    """
    try:
        descriptor = os.open(path, READING)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device without a driver
            check_regular(os.stat(path), path)  # noqa: PTH116 -- text in
        raise
    try:
        status = os.fstat(descriptor)
        check_regular(status, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, status


def check_regular(status: os.stat_result, path: str) -> None:
    """Check that a name holds a regular file.

    Raises:
        IsADirectoryError: It is a folder.
        NotAFileError: It is a pipe, a socket or a device.
    """
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise not_a_file(path, _KINDS.get(stat.S_IFMT(mode), "special file"))


#: What another content under the same name differs in: device, inode, size in bytes, time of change in nanoseconds.
FileIdentity: TypeAlias = tuple[int, int, int, int]

#: How many files stay open for the next read.
_LIMIT = 32
#: By owner and path, least recently used first. Descriptors are the process's, so their limit is too. There is no lock,
#: which a fork could leave locked: each step on the dict is whole by itself, and a race costs an open file at most.
_kept: dict[tuple[int, str], "LocalFile"] = {}


class LocalFile:
    """A file as it was when it was opened. Its descriptor is closed with the last reference, never under a reader."""

    __slots__ = ("_disk", "descriptor", "path", "size", "stamp")

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self.path = path
        self.descriptor = disk.open(path)
        self.stamp = disk.stamp(self.descriptor)
        #: In bytes.
        self.size = self.stamp[2]

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            self._disk.close(self.descriptor)

    def check(self) -> None:
        """Check that nobody wrote into the file since it was opened.

        Raises:
            ChangedFileError: Somebody did.
        """
        if self._disk.stamp(self.descriptor) != self.stamp:
            raise ChangedFileError.at(self.path)


class OpenFiles:
    """One store's part of the files that are kept open; they are closed with it."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def __reduce__(self) -> tuple[type["OpenFiles"], tuple[Disk]]:
        return type(self), (self._disk,)  # a descriptor means nothing in another process

    def __del__(self) -> None:
        for key in list(_kept):
            if key[0] == id(self):
                _kept.pop(key, None)

    def open(self, path: str) -> LocalFile:
        """Return the file that the path names now, opened now or kept from before.

        Raises:
            FileNotFoundError: There is no such file.
        """
        key = id(self), path
        file = _kept.pop(key, None)
        if file is None or self._disk.stamp(path) != file.stamp:
            file = self._opened(path)
        _kept[key] = file
        if len(_kept) > _LIMIT:
            for oldest in list(_kept)[:-_LIMIT]:
                _kept.pop(oldest, None)
        return file

    def _opened(self, path: str) -> LocalFile:
        try:
            return LocalFile(self._disk, path)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not _kept:
                raise
            _kept.clear()  # the program has none left; give back those that nobody reads
            return LocalFile(self._disk, path)
