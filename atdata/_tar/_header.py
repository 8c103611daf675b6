"""One tar header: 512 bytes of POSIX ustar, and the names of members and shards (docs/format.md, "Shard").

Writing is deterministic: mode 0444, no owner, time 0, no name prefix. Reading is strict: what is no header is None, and
the caller says what that means at its place.
"""

import functools
import re
import zlib
from typing import NamedTuple

from atdata._errors import SampleValueError

__all__ = [
    "BLOCK",
    "END_OF_ARCHIVE",
    "MAX_NAME",
    "MAX_SIZE",
    "SIZE_FIELD",
    "MemberHeader",
    "check_key",
    "encode_header",
    "member_name",
    "padded",
    "parse_header",
    "parse_number",
    "shard_id_of",
    "split_name",
    "stem_of",
    "tar_name",
]

try:
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for this platform
    from zlib import crc32

__all__ = ["crc32"]

#: Everything in a tar is a multiple of this many bytes.
BLOCK = 512
#: What follows the last member: two blocks of zeros.
END_OF_ARCHIVE = bytes(2 * BLOCK)
#: The longest name, in bytes of UTF-8.
MAX_NAME = 100
#: The largest member, in bytes: eleven octal digits.
MAX_SIZE = 8**11 - 1

#: mode, uid, gid before the size; time before the checksum; type, magic, names and devices after it.
_MODE, _ZERO = b"0000444\x00", b"0000000\x00"
_BEFORE_SIZE = _MODE + _ZERO + _ZERO
_TIME = b"00000000000\x00"
_AFTER_CHECKSUM = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + _ZERO + _ZERO + bytes(167)
_BLANK_CHECKSUM = b" " * 8
_FIXED_SUM = sum(_BEFORE_SIZE) + sum(_TIME) + sum(_BLANK_CHECKSUM) + sum(_AFTER_CHECKSUM)
_MAGICS = (b"ustar\x0000", b"ustar  \0")
#: Where the size stands: eleven octal digits and a NUL.
SIZE_FIELD = slice(124, 136)
_CHECKSUM = slice(148, 156)


class MemberHeader(NamedTuple):
    """What a header says."""

    name: str
    #: Length of the payload in bytes.
    size: int
    #: The type flag, one character; "0" for a file.
    kind: str


def padded(size: int) -> int:
    """Return a payload's length in whole blocks."""
    return -(-size // BLOCK) * BLOCK


def encode_header(name: bytes, size: int) -> bytes:
    """Return the header of a file of ``size`` bytes; both fit (``MAX_NAME``, ``MAX_SIZE``)."""
    digits, digits_sum = _size_field(size)
    # Every byte of the sum is in the fixed part, the name or the size; adler32's low half is that sum plus one.
    checksum = _FIXED_SUM + digits_sum + (zlib.adler32(name) & 0xFFFF) - 1
    return b"%b%b%b%b%06o\x00 %b" % (
        name.ljust(MAX_NAME, b"\0"),
        _BEFORE_SIZE,
        digits,
        _TIME,
        checksum,
        _AFTER_CHECKSUM,
    )


@functools.lru_cache(maxsize=1024)
def _size_field(size: int) -> tuple[bytes, int]:
    digits = b"%011o\x00" % size
    return digits, sum(digits)


def parse_header(block: bytes | memoryview) -> MemberHeader | None:
    """Return what a block says, or None when it is no tar header: wrong length, checksum, magic or number.

    Raises:
        UnicodeDecodeError: The name is no UTF-8.
    """
    block = bytes(block)
    if len(block) != BLOCK or block[257:265] not in _MAGICS:
        return None
    checksum, size = parse_number(block[_CHECKSUM]), parse_number(block[SIZE_FIELD])
    if checksum is None or size is None or checksum != _byte_sum(block):
        return None
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:265] == _MAGICS[0] else ""
    kind = chr(block[156]) if block[156] else "0"
    return MemberHeader(f"{prefix}/{name}" if prefix else name, size, kind)


def _byte_sum(block: bytes) -> int:
    # Half a header's bytes sum to less than adler32's modulus, so its low half, less one, is their exact sum.
    half = BLOCK // 2
    total = (zlib.adler32(block[:half]) & 0xFFFF) + (zlib.adler32(block[half:]) & 0xFFFF) - 2
    return total - sum(block[_CHECKSUM]) + sum(_BLANK_CHECKSUM)


def parse_number(field: bytes) -> int | None:
    """Return the number in a field, octal or GNU's base-256, or None when it is neither or negative."""
    if field[0] & 0x80:  # GNU's base-256, for members of 8 GiB and more; negative ones are hostile
        return None if field[0] & 0x40 else int.from_bytes(bytes([field[0] & 0x3F]) + field[1:])
    digits = field.rstrip(b" \0").lstrip(b" ")
    if digits.strip(b"01234567"):
        return None
    return int(digits, 8) if digits else 0


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8")


_TAR = ".tar"
#: A key of one part that needs no closer look.
_PLAIN = re.compile(r"(?!__)[A-Za-z0-9_-]+")


def check_key(key: object, extension: str) -> str:
    """Return a key that can be a member's name, with an extension.

    Raises:
        SampleValueError: It cannot; the error says why (docs/format.md, "Keys").
    """
    if type(key) is str and len(key) + 1 + len(extension) <= MAX_NAME and _PLAIN.fullmatch(key):
        return key  # nearly every key, in a tenth of the time
    if not isinstance(key, str):
        raise SampleValueError.wrong_type(key, "a key as str", "str(...) makes one").within("__key__")
    if problem := _problem(key, extension):
        raise SampleValueError(f"the key {key!r} {problem}", "__key__")
    return key


def _problem(key: str, extension: str) -> str | None:
    if not key:
        return "is empty"
    if "\0" in key:
        return "holds a NUL character"
    if key.startswith("/"):
        return "is absolute; a key is a path below the dataset's root"
    if key.startswith("__"):
        return "begins with '__', which names columns of the manifest"
    if ".." in key:
        return "holds '..', which could lead out of the folder that a tar is unpacked in"
    folders, _, last = key.rpartition("/")
    if "." in last:
        seen = split_name(key)[0]
        return f"holds a dot in its last part, where readers end the key ({seen!r}); put another character there"
    if not last or (folders and not {"", "."}.isdisjoint(folders.split("/"))):
        return "has an empty part or '.' between slashes, which tools that unpack tars drop"
    try:
        length = len(f"{key}.{extension}".encode())
    except UnicodeEncodeError:
        return "is no valid Unicode text"
    if length > MAX_NAME:
        return f"takes {length} bytes with its extension; a tar header holds {MAX_NAME}"
    return None


def member_name(key: str, extension: str) -> str:
    """Return the name of a sample's member."""
    return f"{key}.{extension}"


def split_name(name: str) -> tuple[str, str]:
    """Split a member's name into key and extension, at the first dot of its last part."""
    folder, slash, last = name.rpartition("/")
    stem, _, extension = last.partition(".")
    return folder + slash + stem, extension


def stem_of(file: str) -> str:
    """Return a tar's name without ``.tar``; a dot inside the stem is part of it."""
    return file.removesuffix(_TAR)


def tar_name(shard_id: str) -> str:
    """Return the name of a shard's tar."""
    return shard_id + _TAR


def shard_id_of(file: str) -> str | None:
    """Return the id of the shard in a file below the dataset's root, or None when it is no tar."""
    return stem_of(file) if file.endswith(_TAR) else None
