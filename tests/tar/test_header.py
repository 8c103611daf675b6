"""One tar header, against the standard library's."""

import struct
import tarfile

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from atdata._tar._header import (
    BLOCK,
    END_OF_ARCHIVE,
    MAX_NAME,
    MAX_SIZE,
    MemberHeader,
    encode_header,
    padded,
    parse_header,
    parse_number,
)
from tests.tiers import law

LAW = law(150)

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=100).filter(
    lambda name: len(name.encode()) <= MAX_NAME and not name.endswith("/")
)
SIZES = st.integers(0, MAX_SIZE)


def with_checksum(block):
    """Put the checksum of a block where it stands."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def header(**fields):
    """Return a header with some of its fields written over."""
    block = bytearray(tarfile.TarInfo("a.bin").tobuf(tarfile.USTAR_FORMAT))
    places = {"name": 0, "size": 124, "checksum": 148, "kind": 156, "magic": 257, "prefix": 345}
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    return bytes(block) if "checksum" in fields else with_checksum(block)


@LAW
@given(NAMES, SIZES)
def test_the_standard_library_reads_what_is_written(name, size):
    block = encode_header(name.encode(), size)
    info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    assert len(block) == BLOCK
    assert (info.name, info.size, info.type) == (name, size, tarfile.REGTYPE)
    assert (info.mode, info.uid, info.gid, info.mtime) == (0o444, 0, 0, 0)
    assert (info.uname, info.gname, info.linkname, info.devmajor, info.devminor) == ("", "", "", 0, 0)


@LAW
@given(NAMES, SIZES)
def test_what_is_written_is_read(name, size):
    assert parse_header(encode_header(name.encode(), size)) == MemberHeader(name, size, "0")


@LAW
@given(NAMES, SIZES, st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT]))
def test_what_the_standard_library_writes_is_read(name, size, format_):
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.uid, info.uname = size, 1_700_000_000, 1000, "someone"
    assert parse_header(info.tobuf(format_)) == MemberHeader(name, size, "0")


@LAW
@given(st.lists(st.text("abcé", min_size=1, max_size=20), min_size=2, max_size=12).map("/".join))
def test_a_prefix_is_put_before_the_name(name):
    try:
        block = tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT)
    except ValueError:
        assume(False)
    assert parse_header(block).name == name


def test_a_name_of_100_bytes_fills_its_field():
    name = "a" * 100
    assert tarfile.TarInfo.frombuf(encode_header(name.encode(), 1), "utf-8", "strict").name == name
    assert parse_header(encode_header(name.encode(), 1)).name == name


def test_the_bytes_of_a_header_are_these():
    block = encode_header(b"a.bin", 5)
    assert block.rstrip(b"\0").startswith(b"a.bin" + bytes(95) + b"0000444\x000000000\x000000000\x0000000000005\0")
    assert block[136:148] == b"00000000000\0"
    assert block[156:265] == b"0" + bytes(100) + b"ustar\x0000"


@LAW
@given(st.integers(MAX_SIZE + 1, 2**80))
def test_a_size_in_base_256_is_read(size):
    info = tarfile.TarInfo("a.bin")
    info.size = size
    assert parse_header(info.tobuf(tarfile.GNU_FORMAT)).size == size


@pytest.mark.parametrize("size", [-1, -512, -(2**40)])
def test_a_negative_size_in_base_256_is_no_header(size):
    field = (256**12 + size).to_bytes(12, "big")
    assert field[0] == 0xFF
    assert parse_header(header(size=field)) is None


@pytest.mark.parametrize(
    ("field", "number"),
    [
        (b"00000000017\0", 15),
        (b"         17 ", 15),
        (b"17\0\0\0\0\0\0\0\0\0\0", 15),
        (b"            ", 0),
        (bytes(12), 0),
        (b"77777777777\0", 8**11 - 1),
        (b"777777777777", 8**12 - 1),
        (b"\x80" + bytes(10) + b"\x07", 7),
        (b"-0000000001\0", None),
        (b"0000000008\0\0", None),
        (b"0x000000001\0", None),
        (b"1 1         ", None),
        (b"1_1\0\0\0\0\0\0\0\0\0", None),
        (b"\xff" * 12, None),
        (b"\xc0" + bytes(11), None),
        ("\uff11".encode() * 4, None),
    ],
)
def test_a_number_is_octal_or_base_256_or_none(field, number):
    assert parse_number(field) == number


@pytest.mark.parametrize(
    "block",
    [
        b"",
        bytes(BLOCK),
        header()[:-1],
        header() + b"\0",
        header(checksum=b"0000000\0"),
        header(checksum=b"garbage!"),
        header(magic=b"USTAR\x0000"),
        header(magic=bytes(8)),
        header(size=b"99999999999\0"),
        b"\xff" * BLOCK,
    ],
    ids=[
        "no bytes",
        "zeros",
        "a byte too few",
        "a byte too many",
        "another checksum",
        "no checksum",
        "another magic",
        "no magic",
        "a size that is no octal number",
        "ones",
    ],
)
def test_what_is_no_header_is_none(block):
    assert parse_header(block) is None


def test_a_kind_of_nul_is_a_file():
    assert parse_header(header(kind=b"\0")).kind == "0"


def test_a_name_that_is_no_utf_8_is_an_error():
    with pytest.raises(UnicodeDecodeError):
        parse_header(header(name=b"\xff\xfe"))


def test_each_flipped_bit_is_no_header_or_says_the_same():
    block = encode_header(b"folder/a.msgpack", 12345)
    expected, refused = parse_header(block), 0
    for bit in range(8 * BLOCK):
        damaged = bytearray(block)
        damaged[bit // 8] ^= 1 << bit % 8
        found = parse_header(bytes(damaged))
        assert found in (None, expected)
        refused += found is None
    assert refused > 8 * (BLOCK - 8)  # only in the checksum's own padding may a flip be harmless


@LAW
@given(st.binary(min_size=BLOCK, max_size=BLOCK))
def test_a_random_block_is_no_header(block):
    assert parse_header(block) is None


@LAW
@given(st.data())
def test_a_damaged_header_with_a_right_checksum_never_crashes(data):
    block = bytearray(encode_header(b"a.bin", 5))
    for _ in range(data.draw(st.integers(1, 20))):
        block[data.draw(st.integers(0, BLOCK - 1))] = data.draw(st.integers(0, 255))
    try:
        found = parse_header(with_checksum(block))
    except UnicodeDecodeError:
        return
    assert found is None or found.size >= 0


@pytest.mark.parametrize(("size", "whole"), [(0, 0), (1, 512), (512, 512), (513, 1024), (MAX_SIZE, 2**33)])
def test_a_payload_is_padded_to_whole_blocks(size, whole):
    assert padded(size) == whole


def test_the_end_of_the_archive_is_two_blocks_of_zeros():
    assert struct.pack("1024x") == END_OF_ARCHIVE
