"""The fenced read: a run of bytes proves that it is the sample it is taken for, before anyone decodes it."""

from atdata._errors import ShardChangedError, ShardError

from ._header import BLOCK, END_OF_ARCHIVE, MAX_NAME, SIZE_FIELD, Header, crc32, padded, parse_header
from ._keys import MSGPACK
from ._walk import EXTENDED, walk

__all__ = ["fenced_payload", "key_in"]

_EXTENSION = f".{MSGPACK}"
#: Where a header has its payload's length, as eleven octal digits.
_LENGTH_START, _LENGTH_END = SIZE_FIELD.start, SIZE_FIELD.stop - 1


def fenced_payload(
    run: memoryview, shard_id: str, key: str | None, offset: int, size: int, crc: int | None
) -> memoryview:
    """Return a typed sample's payload, once its length, its header and its checksum are what was promised.

    Args:
        run: The bytes read at the sample's place: header, payload, padding.
        shard_id: The shard, for the error.
        key: The key that the header must name; None where nobody kept it, and the checksum vouches for the name too.
        offset: The place, for the error.
        size: The length promised, in bytes.
        crc: The CRC-32 promised, or None where none was recorded.

    Raises:
        ShardChangedError: The bytes are others; the error says what was expected and found.
    """
    if crc is not None and len(run) == size and crc32(run) == crc:
        # The checksum vouches for every byte of the header; only the name and the payload's length are still needed.
        head = bytes(run[:_LENGTH_END])
        name = b"" if key is None else f"{key}{_EXTENSION}".encode()
        if head.startswith(name) and (key is None or len(name) == MAX_NAME or not head[len(name)]):
            digits = head[_LENGTH_START:_LENGTH_END]
            length = int(digits, 8) if digits.isdigit() else -1
            if 0 <= length <= size - BLOCK < length + BLOCK:
                return run[BLOCK : BLOCK + length]
    return _examined(run, shard_id, key, offset, size, crc)


def key_in(run: memoryview) -> str | None:
    """Return the key that a run's header names; None where it begins with no header of a typed sample."""
    header = _header(run)
    return header.name.removesuffix(_EXTENSION) if header is not None and header.name.endswith(_EXTENSION) else None


def _header(run: memoryview) -> Header | None:
    try:
        return parse_header(run[:BLOCK])
    except UnicodeDecodeError:
        return None


def _examined(run: memoryview, shard_id: str, key: str | None, offset: int, size: int, crc: int | None) -> memoryview:
    expected, found = f"{size} bytes", f"{len(run)}"
    if len(run) == size:
        expected, found, payload = _header_or_payload(run, None if key is None else f"{key}{_EXTENSION}")
        if payload is not None:
            if crc is None or (actual := crc32(run)) == crc:
                return payload
            expected, found = f"CRC-32 {crc:#010x}", f"{actual:#010x}"
    named = key_in(run) if key is None else key
    raise ShardChangedError.at_location(shard_id, named, offset, expected=expected, found=found)


def _header_or_payload(run: memoryview, name: str | None) -> tuple[str, str, memoryview | None]:
    header = _header(run)
    if header is None:
        return f"the header of {_file(name)}", "no tar header", None
    if header.kind in EXTENDED:
        return _extended(run, name)
    if not _is_file(header.name, name) or header.kind != "0":
        return f"the file {_file(name)}", f"{header.name!r} of kind {header.kind!r}", None
    if BLOCK + padded(header.size) != len(run):
        return f"one member of {len(run) - BLOCK} padded bytes", f"one of {header.size} bytes", None
    return "", "", run[BLOCK : BLOCK + header.size]


def _extended(run: memoryview, name: str | None) -> tuple[str, str, memoryview | None]:
    """Read a run that begins with an extended header, as other writers' do: a tar of one member but for its end."""
    data, expected = bytes(run) + END_OF_ARCHIVE, f"the file {_file(name)} after its extended header"
    try:
        members = list(walk(lambda at, length: data[at : at + length], len(data), name or "a sample's members"))
    except ShardError as error:
        return expected, error.reason, None
    if len(members) != 1 or members[0].end != len(run) or not _is_file(members[0].name, name):
        return expected, f"{', '.join(repr(member.name) for member in members) or 'none'}", None
    return "", "", run[members[0].payload : members[0].payload + members[0].size]


def _is_file(found: str, name: str | None) -> bool:
    return found.endswith(_EXTENSION) if name is None else found == name


def _file(name: str | None) -> str:
    return f"*{_EXTENSION}" if name is None else repr(name)
