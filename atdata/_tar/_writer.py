"""Writing a tar: deterministic bytes, real offsets, a checksum for each member."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec

from atdata._errors import SampleValueError

from ._header import BLOCK, END_OF_ARCHIVE, MAX_SIZE, crc32, encode_header, padded

__all__ = ["Buffers", "TarWriter", "WrittenSample"]

#: How many bytes are gathered for one write.
_BUFFER = 1 << 20
#: More bytes than this are passed on by themselves, not copied.
_ALONE = 1 << 18
_ZEROS = bytes(BLOCK)


class WrittenSample(msgspec.Struct, frozen=True, gc=False):
    """Where a sample was written."""

    #: Where its first header begins, in bytes from the start of the tar.
    offset: int
    #: Length of its members in bytes: headers, payloads and padding.
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
    """Lays samples out one after the other, each as a run of members.

    Args:
        take: Takes the tar's bytes, in order, about a megabyte at a time. Nothing changes them before they are given
            back to the buffers, so they may be written and hashed elsewhere.
        buffers: Where they are gathered; they are given back by who took them.
    """

    def __init__(self, take: Callable[[memoryview], None], buffers: Buffers | None = None) -> None:
        self._take = take
        self._buffers = buffers or Buffers()
        #: What members are gathered in; None while nothing is gathered.
        self._gathered: memoryview | None = None
        self._filled = 0
        #: Bytes so far: where the next header begins.
        self.position = 0

    def size_with(self, payloads: Iterable[int]) -> int:
        """Return the finished tar's length in bytes if members with payloads of these lengths were added."""
        return self.position + sum(BLOCK + padded(payload) for payload in payloads) + len(END_OF_ARCHIVE)

    def add(self, members: Iterable[tuple[str, Sequence[bytes | memoryview]]]) -> WrittenSample:
        """Append the members of a sample.

        Args:
            members: The name of each, and the parts that are its payload one after the other.

        Raises:
            SampleValueError: A payload is longer than a ustar member can be; nothing was written.
        """
        pieces: list[bytes | memoryview] = []
        length = 0
        for name, parts in members:
            size = sum(map(len, parts))
            if size > MAX_SIZE:
                raise SampleValueError(f"{size} bytes are more than a tar member can hold ({MAX_SIZE})")
            padding = _ZEROS[: -size % BLOCK]
            pieces += (encode_header(name.encode(), size), *parts, padding)
            length += BLOCK + size + len(padding)
        checksum = self._gather(pieces, length) if length <= _ALONE else self._pass_on(pieces)
        place = WrittenSample(self.position, length, checksum)
        self.position += length
        return place

    def finish(self) -> int:
        """Write the end of the archive; return the tar's length in bytes."""
        self._gather((END_OF_ARCHIVE,), len(END_OF_ARCHIVE))
        self._flush()
        self.position += len(END_OF_ARCHIVE)
        return self.position

    def _gather(self, pieces: Sequence[bytes | memoryview], length: int) -> int:
        """Copy pieces behind what is gathered; return their CRC-32."""
        if self._filled + length > _BUFFER:
            self._flush()
        if self._gathered is None:
            self._gathered = memoryview(self._buffers.take())
        buffer, start = self._gathered, self._filled
        at = start
        for piece in pieces:
            end = at + len(piece)
            buffer[at:end] = piece
            at = end
        checksum = crc32(buffer[start:at])
        self._filled = at
        return checksum

    def _pass_on(self, pieces: Sequence[bytes | memoryview]) -> int:
        """Pass large pieces on as they are; return their CRC-32."""
        self._flush()
        # A view is of the caller's own memory, which may change before the bytes are written.
        own = [piece if type(piece) is bytes else bytes(piece) for piece in pieces]
        checksum = 0
        for piece in own:
            checksum = crc32(piece, checksum)
        for piece in own:
            if len(piece) > _ALONE:
                self._flush()
                self._take(memoryview(piece))
            else:
                self._gather((piece,), len(piece))
        return checksum

    def _flush(self) -> None:
        if self._gathered is not None:
            self._take(self._gathered[: self._filled])
            self._gathered, self._filled = None, 0
