"""Writing a tar: deterministic bytes, real offsets, a checksum for each member."""

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from atdata._errors import SampleValueError

from ._crc import crc32
from ._header import BLOCK, END_OF_ARCHIVE, MAX_SIZE, encode_header, padded

__all__ = ["Buffers", "Place", "TarWriter"]

#: How many bytes are gathered for one write.
_BUFFER = 1 << 20
#: Up to how many bytes a member is joined at once: one checksum costs less than one for each part.
_JOINED = 1 << 16
#: More bytes than this are passed on by themselves, not copied.
_ALONE = 1 << 18
_ZEROS = bytes(BLOCK)


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a member was written."""

    #: Where its header begins, in bytes from the start of the tar.
    offset: int
    #: Length of header, payload and padding in bytes.
    size: int
    #: CRC-32 of those bytes.
    crc32: int


class Buffers:
    """Memory that tars are laid out in, used again and again: new pages cost more than what is copied into them."""

    def __init__(self) -> None:
        self._free: deque[bytearray] = deque()

    def take(self) -> bytearray:
        """Return a buffer that is free, or a new one."""
        try:
            return self._free.pop()
        except IndexError:
            return bytearray(_BUFFER)

    def give_back(self, data: memoryview) -> None:
        """Free the buffer that some bytes lie in, if they lie in one."""
        if isinstance(data.obj, bytearray):
            self._free.append(data.obj)


class TarWriter:
    """Lays members out one after the other.

    Args:
        take: Takes the tar's bytes, in order, about a megabyte at a time. Nothing changes them before they are given
            back to the buffers, so they may be written and hashed elsewhere.
        buffers: Where they are gathered; they are given back by who took them.
    """

    def __init__(self, take: Callable[[memoryview], None], buffers: Buffers | None = None) -> None:
        self._take = take
        self._buffers = buffers or Buffers()
        self._gathered = memoryview(self._buffers.take())
        self._filled = 0
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
            run = b"".join((header, *parts, padding))
            checksum = crc32(run)
            self._gather(run)
        else:
            # A view is of the caller's own memory, which may change before the bytes are written.
            pieces = [header, *(part if type(part) is bytes else bytes(part) for part in parts), padding]
            checksum = 0
            for piece in pieces:
                checksum = crc32(piece, checksum)
            self._pass_on(pieces)
        place = Place(self.position, BLOCK + size + len(padding), checksum)
        self.position += place.size
        return place

    def finish(self) -> int:
        """Write the end of the archive; return the tar's length in bytes."""
        self._gather(END_OF_ARCHIVE)
        self._flush()
        self.position += len(END_OF_ARCHIVE)
        return self.position

    def _gather(self, run: bytes) -> None:
        if self._filled + len(run) > _BUFFER:
            self._flush()
            self._gathered = memoryview(self._buffers.take())
        end = self._filled + len(run)
        self._gathered[self._filled : end] = run
        self._filled = end

    def _pass_on(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            if len(piece) <= _ALONE:
                self._gather(piece)
                continue
            if self._filled:
                self._flush()
                self._gathered = memoryview(self._buffers.take())
            self._take(memoryview(piece))

    def _flush(self) -> None:
        self._take(self._gathered[: self._filled])
        self._filled = 0
