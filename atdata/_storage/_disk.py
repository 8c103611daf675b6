"""The system calls that publishing and reading stand on, one method each, so that tests can record and fail them."""

import errno
import fcntl
import os
from pathlib import Path

__all__ = ["Disk"]

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
        """Open a file for reading."""
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

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
