"""Reading a tar without trusting it: the strict walk, and the check of a sample's bytes before they are decoded.

The standard library reads past a damaged header as if it were the end of the archive, and loops on a negative size.
Here everything that is not exactly a member or the end of the archive is an error that names the byte.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from atdata._errors import ShardChangedError, ShardError

from ._header import BLOCK, END_OF_ARCHIVE, MAX_NAME, SIZE_FIELD, MemberHeader, crc32, padded, parse_header, split_name

__all__ = [
    "EXTENDED",
    "Member",
    "Members",
    "SampleRun",
    "key_in",
    "sample_runs",
    "sole_payload",
    "verified_members",
    "walk",
]

#: How much is read at once; headers of small members then share a read.
_WINDOW = 1 << 18
#: The longest extended header (a long name, PAX records) that is read.
_MAX_EXTENSION = 1 << 20
#: More digits than any length or size in an extended header has.
_MAX_DIGITS = 20

_FILE, _FOLDER = frozenset("07"), "5"
_LONG_NAME, _PAX, _PAX_GLOBAL = "L", "x", "g"
#: The kinds of headers that say more of the member after them.
EXTENDED = (_LONG_NAME, _PAX, _PAX_GLOBAL)
_KINDS = {
    "1": "a hard link",
    "2": "a symbolic link",
    "3": "a device",
    "4": "a device",
    "6": "a pipe",
    "S": "a sparse file",
    "M": "a part of a file that spans volumes",
    "K": "a link with a long name",
}
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}


class Member(NamedTuple):
    """One file in a tar."""

    name: str
    #: Where its first header begins, in bytes from the start of the tar.
    offset: int
    #: Where its payload begins.
    payload: int
    #: Length of its payload in bytes.
    size: int

    @property
    def extension(self) -> str:
        """What follows the sample's key in the name."""
        return split_name(self.name)[1]

    @property
    def end(self) -> int:
        """Where its padding ends and the next header begins."""
        return self.payload + padded(self.size)


def walk(read: Callable[[int, int], bytes], size: int, shard_id: str) -> Iterator[Member]:
    """Yield the files of a tar, in order. Folders are passed over.

    Args:
        read: Returns the bytes at ``(offset, length)``.
        size: The tar's length in bytes.
        shard_id: What errors call the shard.

    Raises:
        ShardError: A block is neither a member nor the end of the archive; the error names its offset.
    """
    yield from _Walk(read, size, shard_id).members()


class _Walk:
    def __init__(self, read: Callable[[int, int], bytes], size: int, shard_id: str) -> None:
        self._read = read
        self._size = size
        self._shard_id = shard_id
        self._window = memoryview(b"")
        self._window_at = 0

    def members(self) -> Iterator[Member]:
        at = 0
        start: int | None = None  # where the extended headers of the next member begin
        long_name: str | None = None
        long_size: int | None = None
        while (header := self._header(at)) is not None:
            payload = at + BLOCK
            size = header.size if long_size is None else long_size
            if payload + padded(size) > self._size:
                raise self._error(
                    at, f"the member {header.name!r} claims {size} bytes, and {self._size - payload} follow"
                )
            if header.kind in EXTENDED:
                start = at if start is None else start
                name, large = self._extension(at, header)
                long_name, long_size = name or long_name, large if large is not None else long_size
            elif header.kind in _FILE:
                yield Member(long_name or header.name, at if start is None else start, payload, size)
                start = long_name = long_size = None
            elif header.kind == _FOLDER:
                start = long_name = long_size = None
            else:
                what = _KINDS.get(header.kind, f"of the unknown kind {header.kind!r}")
                raise self._error(at, f"the member {header.name!r} is {what}; only plain files are read")
            at = payload + padded(size)
        if start is not None:
            raise self._error(start, "an extended header describes no member")
        self._check_end(at)

    def _header(self, at: int) -> MemberHeader | None:
        block = bytes(self._bytes(at, BLOCK))
        if not block.strip(b"\0") and len(block) == BLOCK:
            return None
        if len(block) < BLOCK:
            if at == 0 and block:
                self._refuse_compressed(block)
            raise self._error(at, f"the tar ends here, after {self._size} bytes, without an end-of-archive mark")
        try:
            header = parse_header(block)
        except UnicodeDecodeError as error:
            raise self._error(at, f"a member's name is no UTF-8: {error}") from error
        if header is None:
            if at == 0:
                self._refuse_compressed(block)
            raise self._error(at, "expected a tar header or the end of the archive, found neither (damaged or cut)")
        return header

    def _refuse_compressed(self, block: bytes) -> None:
        for magic, name in _COMPRESSED.items():
            if block.startswith(magic):
                raise self._error(
                    0, f"the file is compressed with {name}; samples can be found by offset in plain tars only"
                )

    def _extension(self, at: int, header: MemberHeader) -> tuple[str | None, int | None]:
        if header.size > _MAX_EXTENSION:
            raise self._error(at, f"an extended header claims {header.size} bytes")
        data = bytes(self._bytes(at + BLOCK, header.size))
        try:
            if header.kind == _LONG_NAME:
                return data.rstrip(b"\0").decode("utf-8"), None
            records = dict(_pax_records(data))
        except ValueError as error:
            raise self._error(at, f"an extended header cannot be read: {error}") from error
        if any(key.startswith("GNU.sparse") for key in records) or (
            header.kind == _PAX_GLOBAL and {"path", "size"} & records.keys()
        ):
            raise self._error(at, "an extended header describes a sparse file, or all files; neither is read")
        size = records.get("size")
        if size is not None and not (size.isascii() and size.isdigit() and len(size) < _MAX_DIGITS):
            raise self._error(at, f"an extended header claims a size of {size!r}")
        return records.get("path"), None if size is None else int(size)

    def _check_end(self, at: int) -> None:
        if self._size - at < 2 * BLOCK:
            raise self._error(at, "the end-of-archive mark is cut: expected two blocks of zeros, found one")
        while at < self._size:
            rest = self._bytes(at, min(_WINDOW, self._size - at))
            if bytes(rest).strip(b"\0") or not rest:
                raise self._error(at, "expected zeros after the end-of-archive mark, found other bytes")
            at += len(rest)

    def _bytes(self, at: int, length: int) -> memoryview:
        start = at - self._window_at
        if start < 0 or start + length > len(self._window):
            self._window = memoryview(self._read(at, min(max(length, _WINDOW), self._size - at)))
            self._window_at, start = at, 0
        return self._window[start : start + length]

    def _error(self, at: int, problem: str) -> ShardError:
        return ShardError(self._shard_id, f"at byte {at} of the tar: {problem}")


def _pax_records(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        # A record is its own length in decimal, a space, key=value and a line feed.
        digits, space, _ = data[at : at + _MAX_DIGITS].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = data[at + len(digits) + 1 : at + length]
        if at + length > len(data) or not record.endswith(b"\n") or b"=" not in record:
            raise ValueError(f"{data[at : at + 40]!r} is no PAX record")
        key, _, value = record[:-1].partition(b"=")
        yield key.decode("utf-8"), value.decode("utf-8")
        at += length


class SampleRun(NamedTuple):
    """One sample's place in a tar."""

    key: str
    #: Where its first header begins, in bytes from the start of the tar.
    offset: int
    #: Length of all its members in bytes: headers, payloads and padding.
    size: int
    members: tuple[Member, ...]

    @property
    def extensions(self) -> tuple[str, ...]:
        """What its members hold, by extension."""
        return tuple(member.extension for member in self.members)


def sample_runs(members: Iterable[Member], shard_id: str) -> Iterator[SampleRun]:
    """Group a tar's members into samples.

    Raises:
        ShardError: A key comes back after another one, or a member twice.
    """
    seen: set[str] = set()
    run: SampleRun | None = None
    for member in members:
        key, extension = split_name(member.name)
        if run is not None and run.key == key:
            if extension in run.extensions:
                raise ShardError(
                    shard_id, f"the sample {key!r} has the member {member.name!r} twice, again at byte {member.offset}"
                )
            run = run._replace(size=member.end - run.offset, members=(*run.members, member))
            continue
        if run is not None:
            yield run
        if key in seen:
            raise ShardError(
                shard_id,
                f"the key {key!r} comes back at byte {member.offset} after other samples; "
                "the members of a sample lie side by side",
            )
        seen.add(key)
        run = SampleRun(key, member.offset, member.end - member.offset, (member,))
    if run is not None:
        yield run


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
