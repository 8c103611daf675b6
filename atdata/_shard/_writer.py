"""Writing a tar: deterministic bytes, real offsets, a checksum for each member."""

from collections.abc import Callable, Sequence

import msgspec

from atdata._errors import SampleValueError

from ._crc import crc32
from ._header import BLOCK, END_OF_ARCHIVE, MAX_SIZE, encode_header, padded

__all__ = ["Place", "TarWriter"]

#: How many bytes are gathered for one write.
_BUFFER = 1 << 20
#: Up to how many bytes a payload is joined at once: one checksum costs less than one for each part.
_JOINED = 1 << 16
_ZEROS = bytes(BLOCK)


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a member was written."""

    #: Where its header begins, in bytes from the start of the tar.
    offset: int
    #: Length of header, payload and padding in bytes.
    size: int
    #: CRC-32 of those bytes.
    crc32: int


class TarWriter:
    """Lays members out one after the other.

    Args:
        take: Takes the tar's bytes, in order, about a megabyte at a time. What it is given is its own: nothing changes
            it later, so it may be written and hashed elsewhere.
    """

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._pending: list[bytes] = []
        self._pending_size = 0
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
        header, padding = encode_header(name.encode(), size), _ZEROS[: -size % BLOCK]
        if size <= _JOINED:
            pieces = [b"".join((header, *parts, padding))]
        else:
            # A view is of the caller's own memory, which may change before the bytes are written.
            pieces = [header, *(part if type(part) is bytes else bytes(part) for part in parts), padding]
        checksum = 0
        for piece in pieces:
            checksum = crc32(piece, checksum)
        self._pending += pieces
        place = Place(self.position, BLOCK + size + len(padding), checksum)
        self._advance(place.size)
        return place

    def finish(self) -> int:
        """Write the end of the archive; return the tar's length in bytes."""
        self._pending.append(END_OF_ARCHIVE)
        self._advance(len(END_OF_ARCHIVE))
        self._flush()
        return self.position

    def _advance(self, length: int) -> None:
        self.position += length
        self._pending_size += length
        if self._pending_size >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        self._take(data)
