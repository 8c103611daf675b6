"""Writing a tar: deterministic bytes, real offsets, running checksums."""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from atdata._errors import SampleValueError

from ._crc import crc32
from ._header import BLOCK, END_OF_ARCHIVE, MAX_SIZE, encode_header, padded

__all__ = ["Place", "TarWriter"]

#: How many bytes are gathered for one write.
_BUFFER = 1 << 20


class Place(NamedTuple):
    """Where a member was written."""

    #: Where its header begins, in bytes from the start of the tar.
    offset: int
    #: Length of header, payload and padding in bytes.
    size: int
    #: CRC-32 of those bytes.
    crc32: int


class TarWriter:
    """Writes members one after the other.

    Args:
        write: Takes the tar's bytes, in order, about a megabyte at a time.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._sha256 = hashlib.sha256()
        #: Bytes so far: where the next header begins.
        self.position = 0

    def size_with(self, payload: int) -> int:
        """Return the finished tar's length in bytes if one more member of ``payload`` bytes were added."""
        return self.position + BLOCK + padded(payload) + len(END_OF_ARCHIVE)

    def add(self, name: str, parts: Sequence[bytes | memoryview]) -> Place:
        """Append a file whose payload is the parts one after the other.

        Raises:
            SampleValueError: The payload is longer than a ustar member can be; nothing was written.
        """
        size = sum(map(len, parts))
        if size > MAX_SIZE:
            raise SampleValueError(f"{size} bytes are more than a tar member can hold ({MAX_SIZE})")
        run = b"".join((encode_header(name.encode(), size), *parts, bytes(padded(size) - size)))
        place = Place(self.position, len(run), crc32(run))
        self._append(run)
        return place

    def finish(self) -> tuple[int, str]:
        """Write the end of the archive; return the tar's length in bytes and its SHA-256."""
        self._append(END_OF_ARCHIVE)
        self._flush()
        return self.position, self._sha256.hexdigest()

    def _append(self, data: bytes) -> None:
        self._pending.append(data)
        self._pending_size += len(data)
        self.position += len(data)
        if self._pending_size >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        self._sha256.update(data)
        self._write(data)
