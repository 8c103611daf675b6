"""Files of a local disk that stay open between reads, a few at a time, whoever opened them."""

import errno
from typing import TypeAlias

from ._base import ChangedFileError
from ._disk import Disk

__all__ = ["FileIdentity", "LocalFile", "OpenFiles"]

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
