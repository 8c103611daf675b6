"""The fenced read: bytes prove that they are the sample they are taken for."""

import io
import tarfile
import zlib

import pytest

from atdata._errors import ShardChangedError
from atdata._tar import TarWriter, sole_payload, verified_members

PAYLOAD = bytes(range(200))


def run_of(key="a", payload=PAYLOAD):
    """Write one sample; return its run of bytes."""
    out = []
    writer = TarWriter(out.append)
    writer.add([(f"{key}.msgpack", [payload])])
    writer.finish()
    return b"".join(out)[:-1024]


def fenced(run, key="a", *, size=None, crc=None):
    """Return the payload by the short way where that proves it, else by the long one, which agree."""
    stored = memoryview(run), "shard", key, 4096, len(run) if size is None else size, crc
    payload = sole_payload(stored[0], key, stored[4], crc, ".msgpack")
    ((extension, member),) = verified_members(*stored)
    assert extension == "msgpack"
    assert payload in (None, member)
    return bytes(member)


def flips(run, places):
    for at in places:
        for bit in range(8):
            damaged = bytearray(run)
            damaged[at] ^= 1 << bit
            yield at, bytes(damaged)


@pytest.mark.parametrize("payload", [b"", b"x", PAYLOAD, bytes(512), bytes(100_000)], ids=len)
@pytest.mark.parametrize("key", ["a", "folder/größe", "k" * 92])
def test_the_payload_of_a_good_run_is_returned(key, payload):
    run = run_of(key, payload)
    assert fenced(run, key, crc=zlib.crc32(run)) == payload
    assert fenced(run, key) == payload


@pytest.mark.parametrize("payload", [b"", PAYLOAD, bytes(512)], ids=len)
@pytest.mark.parametrize("key", [None, "a", "folder/größe", "k" * 92])
def test_the_header_of_a_good_run_with_a_checksum_is_not_parsed(key, payload):
    run = run_of(key or "a", payload)
    assert sole_payload(memoryview(run), key, len(run), zlib.crc32(run), ".msgpack") == payload


@pytest.mark.parametrize("key", [None, "a"])
def test_the_short_way_leaves_other_members_to_the_long_one(key):
    run = run_of("a")
    for suffix, size, crc in ((".jpg", 0, 0), (".msgpack", 512, 0), (".msgpack", 0, 1)):
        assert sole_payload(memoryview(run), key, len(run) + size, zlib.crc32(run) ^ crc, suffix) is None
    assert sole_payload(memoryview(run), key, len(run), None, ".msgpack") is None
    two = run + run_of("a", b"")
    assert sole_payload(memoryview(two), key, len(two), zlib.crc32(two), ".msgpack") is None


def test_the_payload_is_no_copy():
    run = bytearray(run_of())
    payload = sole_payload(memoryview(run), "a", len(run), zlib.crc32(run), ".msgpack")
    run[512] = 99
    assert payload[0] == 99


def test_a_run_that_the_standard_library_wrote_is_read():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("a.msgpack")
        info.size, info.mtime, info.uname = len(PAYLOAD), 1_700_000_000, "someone"
        tar.addfile(info, io.BytesIO(PAYLOAD))
    run = file.getvalue()[:1024]
    assert fenced(run, crc=zlib.crc32(run)) == fenced(run) == PAYLOAD


def test_each_flipped_bit_is_refused_when_a_checksum_was_recorded():
    run = run_of()
    crc = zlib.crc32(run)
    for _, damaged in flips(run, range(len(run))):
        with pytest.raises(ShardChangedError):
            fenced(damaged, crc=crc)


def test_without_a_checksum_each_flipped_bit_of_the_header_is_refused_or_harmless():
    refused = 0
    for _, damaged in flips(run_of(), range(512)):
        try:
            assert fenced(damaged) == PAYLOAD
        except ShardChangedError:
            refused += 1
    assert refused > 8 * 504


def test_without_a_checksum_the_name_holds():
    with pytest.raises(ShardChangedError, match=r"expected a member of 'a', found 'b\.msgpack'"):
        fenced(run_of("b"))


def test_without_a_checksum_the_length_holds():
    with pytest.raises(ShardChangedError, match="expected 1536 bytes, found 1024"):
        fenced(run_of(), size=1536)


@pytest.mark.parametrize("key", ["b", "aa", "", "A", "folder/a", "a.msgpack"])
def test_a_run_of_another_key_is_refused_even_with_its_own_checksum(key):
    run = run_of("a")
    with pytest.raises(ShardChangedError, match="found 'a.msgpack' of kind '0'"):
        fenced(run, key, crc=zlib.crc32(run))


@pytest.mark.parametrize("cut", [0, 1, 511, 512, 513, 1023])
@pytest.mark.parametrize("with_crc", [True, False])
def test_a_run_that_is_cut_is_refused(cut, with_crc):
    run = run_of()
    with pytest.raises(ShardChangedError, match=f"expected 1024 bytes, found {cut}"):
        fenced(run[:cut], size=1024, crc=zlib.crc32(run) if with_crc else None)


def test_a_run_that_is_too_long_is_refused():
    run = run_of()
    with pytest.raises(ShardChangedError, match="expected 1024 bytes, found 1025"):
        fenced(run + b"\0", size=1024, crc=zlib.crc32(run))


def test_two_runs_that_were_swapped_are_refused():
    first, second = run_of("a", b"x" * 100), run_of("b", b"y" * 100)
    for run, key, promised in ((first, "b", second), (second, "a", first)):
        with pytest.raises(ShardChangedError, match="'[ab].msgpack'"):
            fenced(run, key, crc=zlib.crc32(promised))


def test_another_payload_under_the_same_key_is_refused_by_its_checksum():
    old, new = run_of(payload=b"old"), run_of(payload=b"new")
    with pytest.raises(
        ShardChangedError, match=f"expected CRC-32 {zlib.crc32(old):#010x}, found {zlib.crc32(new):#010x}"
    ):
        fenced(new, crc=zlib.crc32(old))


def test_a_sample_shorter_than_the_run_is_refused_even_with_its_checksum():
    run = run_of() + run_of("b")
    for crc in (None, zlib.crc32(run)):
        with pytest.raises(ShardChangedError, match=r"expected the members of 'a', found 'a\.msgpack', 'b\.msgpack'"):
            fenced(run, crc=crc)


def test_zeros_are_no_sample():
    for crc in (None, zlib.crc32(bytes(1024))):
        with pytest.raises(ShardChangedError, match=r"expected the header of 'a', found no tar header"):
            fenced(bytes(1024), crc=crc)


def test_the_middle_of_a_payload_is_no_sample():
    run = run_of(payload=b"x" * 3000)[512:2048]
    with pytest.raises(ShardChangedError, match="found no tar header"):
        fenced(run)


def test_a_name_that_is_no_utf_8_is_refused():
    block = bytearray(run_of()[:512])
    block[0] = 0xFF
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(ShardChangedError):
        fenced(bytes(block) + run_of()[512:])


def test_a_link_is_no_sample():
    block = bytearray(run_of(payload=b"")[:512])
    block[156:157] = b"2"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(ShardChangedError, match=r"found 'a\.msgpack' of kind '2'"):
        fenced(bytes(block))


def test_the_error_names_shard_key_and_offset_and_what_to_do():
    with pytest.raises(ShardChangedError) as caught:
        fenced(run_of("b"))
    assert caught.value.shard_id == "shard"
    assert "shard 'shard': the sample 'a' at offset 4096" in str(caught.value)
    assert "restore it, or write both again" in str(caught.value)


# -- extended headers, as other writers put them


def extended(*names, payload=PAYLOAD, tar_format=tarfile.PAX_FORMAT):
    """Return members as the standard library writes them, with a time that takes a PAX header."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tar_format) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(payload), 1_700_000_000.25
            tar.addfile(info, io.BytesIO(payload))
        end = tar.offset
    return file.getvalue()[:end]


@pytest.mark.parametrize("payload", [b"", b"x", PAYLOAD, bytes(512), bytes(600_000)], ids=len)
@pytest.mark.parametrize("key", ["a", "k" * 300, "größe"])
@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
def test_a_run_with_an_extended_header_is_read(key, payload, tar_format):
    run = extended(f"{key}.msgpack", payload=payload, tar_format=tar_format)
    assert fenced(run, key) == fenced(run, key, crc=zlib.crc32(run)) == payload


def test_an_extended_header_of_another_sample_is_refused():
    with pytest.raises(ShardChangedError, match="expected the members of 'a', found 'b.msgpack'"):
        fenced(extended("b.msgpack"))


def test_two_members_after_extended_headers_are_refused():
    with pytest.raises(ShardChangedError, match="found 'a.msgpack', 'b.msgpack'"):
        fenced(extended("a.msgpack", "b.msgpack"))


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_run_that_is_cut_after_its_extended_header_is_refused(blocks):
    with pytest.raises(ShardChangedError, match="expected the members of 'a'"):
        fenced(extended("a.msgpack")[: 512 * blocks])


def test_a_run_with_an_extended_header_and_other_bytes_is_refused():
    run = extended("a.msgpack")
    with pytest.raises(ShardChangedError, match="expected CRC-32"):
        fenced(run, crc=zlib.crc32(run) ^ 1)


def test_every_flip_in_an_extended_run_is_found_or_leaves_the_payload():
    run = extended("a.msgpack")
    for at, damaged in flips(run, [*range(0, 1536, 7)]):
        try:
            assert fenced(damaged) == PAYLOAD, at
        except ShardChangedError:
            continue


def test_zeros_after_a_run_with_an_extended_header_are_refused():
    with pytest.raises(ShardChangedError, match="expected the members of 'a'"):
        fenced(extended("a.msgpack") + bytes(512))
