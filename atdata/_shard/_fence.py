"""The fenced read: a run of bytes proves that it is the sample it is taken for, before anyone decodes it."""

from atdata._errors import ShardChangedError, ShardError

from ._crc import crc32
from ._header import BLOCK, END_OF_ARCHIVE, MAX_NAME, SIZE_FIELD, padded, parse_header
from ._keys import MSGPACK
from ._walk import EXTENDED, walk

__all__ = ["fenced_payload"]

#: Where a header has its payload's length, as eleven octal digits.
_LENGTH_START, _LENGTH_END = SIZE_FIELD.start, SIZE_FIELD.stop - 1


def fenced_payload(run: memoryview, shard_id: str, key: str, offset: int, size: int, crc: int | None) -> memoryview:
    """Return a typed sample's payload, once its length, its header and its checksum are what was promised.

    Args:
        run: The bytes read at the sample's place: header, payload, padding.
        shard_id: The shard, for the error.
        key: The key that the header must name.
        offset: The place, for the error.
        size: The length promised, in bytes.
        crc: The CRC-32 promised, or None where none was recorded.

    Raises:
        ShardChangedError: The bytes are others; the error says what was expected and found.
    """
    if crc is not None and len(run) == size and crc32(run) == crc:
        # The checksum vouches for every byte of the header; only the name and the payload's length are still needed.
        head = bytes(run[:_LENGTH_END])
        name = f"{key}.{MSGPACK}".encode()
        if head.startswith(name) and (len(name) == MAX_NAME or not head[len(name)]):
            digits = head[_LENGTH_START:_LENGTH_END]
            length = int(digits, 8) if digits.isdigit() else -1
            if 0 <= length <= size - BLOCK < length + BLOCK:
                return run[BLOCK : BLOCK + length]
    return _examined(run, shard_id, key, offset, size, crc)


def _examined(run: memoryview, shard_id: str, key: str, offset: int, size: int, crc: int | None) -> memoryview:
    expected, found = f"{size} bytes", f"{len(run)}"
    if len(run) == size:
        expected, found, payload = _header_or_payload(run, key)
        if payload is not None:
            if crc is None or (actual := crc32(run)) == crc:
                return payload
            expected, found = f"CRC-32 {crc:#010x}", f"{actual:#010x}"
    raise ShardChangedError.at_location(shard_id, key, offset, expected=expected, found=found)


def _header_or_payload(run: memoryview, key: str) -> tuple[str, str, memoryview | None]:
    name = f"{key}.{MSGPACK}"
    try:
        header = parse_header(run[:BLOCK])
    except UnicodeDecodeError:
        header = None
    if header is None:
        return f"the header of {name!r}", "no tar header", None
    if header.kind in EXTENDED:
        return _extended(run, name)
    if header.name != name or header.kind != "0":
        return f"the file {name!r}", f"{header.name!r} of kind {header.kind!r}", None
    if BLOCK + padded(header.size) != len(run):
        return f"one member of {len(run) - BLOCK} padded bytes", f"one of {header.size} bytes", None
    return "", "", run[BLOCK : BLOCK + header.size]


def _extended(run: memoryview, name: str) -> tuple[str, str, memoryview | None]:
    """Read a run that begins with an extended header, as other writers' do: a tar of one member but for its end."""
    data, expected = bytes(run) + END_OF_ARCHIVE, f"the file {name!r} after its extended header"
    try:
        members = list(walk(lambda at, length: data[at : at + length], len(data), name))
    except ShardError as error:
        return expected, error.reason, None
    if [(member.name, member.end) for member in members] != [(name, len(run))]:
        return expected, f"{', '.join(repr(member.name) for member in members) or 'none'}", None
    return "", "", run[members[0].payload : members[0].payload + members[0].size]
