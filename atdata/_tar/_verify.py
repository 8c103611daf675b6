"""The fenced read: a run of bytes proves that it is the sample it is taken for, before anyone decodes it."""

from typing import TypeAlias

from atdata._errors import ShardChangedError, ShardError

from ._header import BLOCK, END_OF_ARCHIVE, MAX_NAME, SIZE_FIELD, MemberHeader, crc32, padded, parse_header, split_name
from ._walk import EXTENDED, walk

__all__ = ["Members", "key_in", "sole_payload", "verified_members"]

#: A sample: the extension of each member, and its payload.
Members: TypeAlias = tuple[tuple[str, memoryview], ...]

#: Where a header has its payload's length, as eleven octal digits.
_LENGTH_START, _LENGTH_END = SIZE_FIELD.start, SIZE_FIELD.stop - 1


def sole_payload(run: memoryview, key: str | None, size: int, crc: int | None, suffix: str) -> memoryview | None:
    """Return the payload of a sample of one member, where its checksum proves that it is just that.

    This is the short way for nearly every sample; the others take :func:`verified_members`.

    Args:
        run: The bytes read at the sample's place: headers, payloads, padding.
        key: As for :func:`verified_members`.
        size: As there.
        crc: As there.
        suffix: What follows the key in the member's name, the dot included.
    """
    if crc is None or len(run) != size or crc32(run) != crc:
        return None
    # The checksum vouches for every byte of the header; only the name and the payload's length are still needed.
    head = bytes(run[:_LENGTH_END])
    if key is None:
        if not head[:MAX_NAME].rstrip(b"\0").endswith(suffix.encode()):
            return None
    else:
        name = f"{key}{suffix}".encode()
        if not head.startswith(name) or (len(name) != MAX_NAME and head[len(name)]):
            return None
    digits = head[_LENGTH_START:_LENGTH_END]
    length = int(digits, 8) if digits.isdigit() else -1
    return run[BLOCK : BLOCK + length] if 0 <= length <= size - BLOCK < length + BLOCK else None


def verified_members(
    run: memoryview, shard_id: str, key: str | None, offset: int, size: int, crc: int | None
) -> Members:
    """Return a sample's members, once its length, its headers and its checksum are what was promised.

    Args:
        run: The bytes read at the sample's place: headers, payloads, padding.
        shard_id: The shard, for the error.
        key: The key that the headers must name; None where nobody kept it, and the checksum vouches for the name too.
        offset: The place, for the error.
        size: The length promised, in bytes.
        crc: The CRC-32 promised, or None where none was recorded.

    Raises:
        ShardChangedError: The bytes are others; the error says what was expected and found.
    """
    expected, observed = f"{size} bytes", f"{len(run)}"
    if len(run) == size:
        expected, observed, members = _members_in(run, key)
        if members:
            if crc is None or (actual := crc32(run)) == crc:
                return members
            expected, observed = f"CRC-32 {crc:#010x}", f"{actual:#010x}"
    named = key_in(run) if key is None else key
    raise ShardChangedError.at_location(shard_id, named, offset, expected=expected, found=observed)


def key_in(run: memoryview) -> str | None:
    """Return the key that a run's first header names; None where it does not begin with the header of a file."""
    header = _header(run)
    return None if header is None or header.kind != "0" else split_name(header.name)[0]


def _header(run: memoryview) -> MemberHeader | None:
    try:
        return parse_header(run[:BLOCK])
    except UnicodeDecodeError:
        return None


def _members_in(run: memoryview, key: str | None) -> tuple[str, str, Members]:
    """Return a run's members, or what was expected of it and found instead."""
    of = "a sample" if key is None else repr(key)
    header = _header(run)
    if header is None:
        return f"the header of {of}", "no tar header", ()
    if header.kind == "0" and BLOCK + padded(header.size) == len(run):  # one member, without a copy
        observed, extension = split_name(header.name)
        if key in (None, observed):
            return "", "", ((extension, run[BLOCK : BLOCK + header.size]),)
        return f"a member of {of}", f"{header.name!r} of kind {header.kind!r}", ()
    if header.kind != "0" and header.kind not in EXTENDED:
        return f"a member of {of}", f"{header.name!r} of kind {header.kind!r}", ()
    return _walked(run, key, of)


def _walked(run: memoryview, key: str | None, of: str) -> tuple[str, str, Members]:
    """Read a run as a tar but for its end: several members, or extended headers, as other writers' have."""
    data = bytes(run) + END_OF_ARCHIVE
    try:
        members = list(walk(lambda at, length: data[at : at + length], len(data), "a sample"))
    except ShardError as error:
        return f"the members of {of}", error.reason, ()
    names = [split_name(member.name) for member in members]
    keys = {name for name, _ in names}
    whole = bool(members) and members[-1].end == len(run) and len(set(names)) == len(names)
    if not whole or len(keys) != 1 or (key is not None and keys != {key}):
        return f"the members of {of}", ", ".join(repr(member.name) for member in members) or "none", ()
    return (
        "",
        "",
        tuple(
            (extension, run[member.payload : member.payload + member.size])
            for member, (_, extension) in zip(members, names, strict=True)
        ),
    )
