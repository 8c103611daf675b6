"""The strict walk: what it finds in good tars, and that it refuses all others."""

import bz2
import contextlib
import gzip
import io
import lzma
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata._errors import ShardError
from atdata._tar import Member, TarWriter, walk
from tests.tiers import law

FILES = {"a.msgpack": b"one", "b.msgpack": b"", "c.msgpack": bytes(600)}


def walked(data, shard_id="shard"):
    return list(walk(lambda at, length: data[at : at + length], len(data), shard_id))


def own(files=FILES):
    out = []
    writer = TarWriter(out.append)
    for name, payload in files.items():
        writer.add([(name, [payload])])
    writer.finish()
    return b"".join(out)


def made(*infos, format_=tarfile.PAX_FORMAT, pax_headers=None):
    """Make a tar with the standard library of ``(TarInfo or name, payload)``."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format_, pax_headers=pax_headers) as tar:
        for entry, payload in infos:
            info = tarfile.TarInfo(entry) if isinstance(entry, str) else entry
            info.size = len(payload)
            tar.addfile(info, io.BytesIO(payload))
    return file.getvalue()


def of_kind(name, kind, linkname=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


def block(name=b"a.bin", size=b"00000000000\0", kind=b"0"):
    """Return a header with the size field as given and a right checksum."""
    data = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    data[:100] = name.ljust(100, b"\0")
    data[124:136] = size
    data[156:157] = kind
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data)
    return bytes(data)


def extension(kind, data):
    return block(b"extension", b"%011o\0" % len(data), kind) + data + bytes(-len(data) % 512)


def pax_record(key, value):
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


END = bytes(1024)


def test_the_members_are_those_that_were_written():
    assert walked(own()) == [
        Member("a.msgpack", 0, 512, 3),
        Member("b.msgpack", 1024, 1536, 0),
        Member("c.msgpack", 1536, 2048, 600),
    ]


def test_a_member_ends_where_the_next_begins():
    members = walked(own())
    assert [member.end for member in members] == [1024, 1536, 3072]


def test_the_payload_lies_where_it_is_said_to_lie():
    data = own()
    assert {m.name: data[m.payload : m.payload + m.size] for m in walked(data)} == FILES


LONG = "folder/" * 30 + "a.msgpack"
NAMES = ["a.jpg", "größe/图像.jpg", "x" * 100, "folder/" * 14 + "a.jpg", LONG, "é" * 150]


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["GNU", "PAX"])
def test_the_members_of_a_foreign_tar_are_those_that_the_standard_library_finds(format_):
    data = made(*((name, name.encode() * 3) for name in NAMES), format_=format_)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [Member(m.name, m.offset, m.offset_data, m.size) for m in tar]
    assert [member.name for member in expected] == NAMES
    assert walked(data) == expected


def test_the_members_of_a_ustar_tar_with_prefixes_are_those_that_the_standard_library_finds():
    names = ["a.jpg", "folder/" * 20 + "a.jpg"]
    data = made(*((name, b"x") for name in names), format_=tarfile.USTAR_FORMAT)
    assert [member.name for member in walked(data)] == names


@law(60)
@given(
    st.lists(
        st.tuples(
            st.text("ab/é", min_size=1, max_size=130).map(lambda t: t.strip("/") or "a"), st.binary(max_size=1500)
        ),
        max_size=5,
    ),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_the_members_of_any_tar_are_those_that_the_standard_library_finds(files, format_):
    data = made(*files, format_=format_)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert walked(data) == [Member(m.name, m.offset, m.offset_data, m.size) for m in tar]


def test_folders_are_passed_over():
    data = made((of_kind("folder", tarfile.DIRTYPE), b""), ("folder/a.jpg", b"x"), (of_kind("z", tarfile.DIRTYPE), b""))
    assert [(member.name, member.offset) for member in walked(data)] == [("folder/a.jpg", 512)]


def test_a_folder_with_a_long_name_is_passed_over():
    for format_ in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        data = made((of_kind("folder/" * 30, tarfile.DIRTYPE), b""), ("a.jpg", b"x"), format_=format_)
        [member] = walked(data)
        assert (member.name, member.payload) == ("a.jpg", member.offset + 512)


def test_a_global_header_with_a_comment_is_passed_over():
    data = made(("a.jpg", b"x"), pax_headers={"comment": "made from a commit"})
    assert [member.name for member in walked(data)] == ["a.jpg"]


def test_a_member_begins_with_the_first_of_its_extended_headers():
    data = extension(b"g", pax_record("comment", "x")) + extension(b"x", pax_record("path", LONG)) + block() + END
    assert walked(data) == [Member(LONG, 0, len(data) - len(END), 0)]


def test_a_contiguous_file_is_a_file():
    assert [m.name for m in walked(made((of_kind("a.jpg", tarfile.CONTTYPE), b"x")))] == ["a.jpg"]


def test_a_size_in_an_extended_header_is_the_members():
    data = extension(b"x", pax_record("size", "5")) + block() + b"12345".ljust(512, b"\0") + END
    [member] = walked(data)
    assert (member.offset, member.size, data[member.payload : member.payload + 5]) == (0, 5, b"12345")


def test_a_tar_of_nothing_has_no_members():
    assert walked(END) == []
    assert walked(made()) == []


@pytest.mark.parametrize("window", [1, 511, 512, 700, 10_000])
def test_reads_that_give_fewer_bytes_than_asked_for_are_repeated_or_refused(window):
    data = own()
    found = walk(lambda at, length: data[at : at + min(length, max(window, 0))], len(data), "shard")
    if window < 512:
        with pytest.raises(ShardError, match="at byte 0"):
            list(found)
    else:
        assert list(found) == walked(data)


def test_large_payloads_are_not_read():
    data = own({"a.bin": bytes(3_000_000), "b.bin": bytes(3_000_000), "c.bin": b"x"})
    asked = []

    def read(at, length):
        asked.append(length)
        return data[at : at + length]

    assert len(list(walk(read, len(data), "shard"))) == 3
    assert sum(asked) < 1_500_000


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"M", "a part of a file that spans volumes"),
        (b"Z", "of the unknown kind 'Z'"),
        (b"\xff", "of the unknown kind"),
    ],
)
def test_what_is_no_plain_file_is_refused_by_name_and_kind(kind, what):
    data = own({"a.jpg": b"x"})[:-1024] + block(b"folder/odd.jpg", kind=kind) + END
    with pytest.raises(ShardError, match=rf"shard 'animals': at byte 1024 .*'folder/odd\.jpg' is {what}"):
        walked(data, "animals")


@pytest.mark.parametrize("linkname", ["target", "/etc/passwd", "t" * 150])
@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["GNU", "PAX"])
def test_a_link_that_the_standard_library_wrote_is_refused(linkname, format_):
    data = made((of_kind("a.jpg", tarfile.SYMTYPE, linkname), b""), format_=format_)
    with pytest.raises(ShardError, match="link"):
        walked(data)


@pytest.mark.parametrize("key", ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.size"])
def test_a_sparse_file_of_an_extended_header_is_refused(key):
    info = tarfile.TarInfo("a.jpg")
    info.pax_headers = {key: "1"}
    with pytest.raises(ShardError, match="sparse"):
        walked(made((info, b"x")))


@pytest.mark.parametrize("key", ["path", "size"])
def test_a_global_header_that_renames_or_resizes_all_files_is_refused(key):
    with pytest.raises(ShardError, match="all files"):
        walked(extension(b"g", pax_record(key, "5")) + block() + END)


@pytest.mark.parametrize(
    "records",
    [
        b"garbage",
        b"5 a=",
        b"0 a=b\n",
        b"-6 a=b\n",
        b"99 a=b\n",
        b"6 a=b\nrest",
        b"5 ab\n\n",
        b"9 path=\xff\n",
        pax_record("size", "-1"),
        pax_record("size", "1e3"),
        pax_record("size", "\uff11"),
        pax_record("size", ""),
        pax_record("size", "9" * 30),
        pax_record("size", "9" * 5000),
    ],
    ids=range(14),
)
def test_an_extended_header_that_cannot_be_read_is_refused(records):
    with pytest.raises(ShardError, match=r"shard 'shard': at byte (0|1024|5632|\d+) of the tar"):
        walked(extension(b"x", records) + block() + END)


@pytest.mark.timeout(4)
def test_an_extended_header_of_many_small_records_is_read_soon():
    records = pax_record("a", "") * 200_000
    data = extension(b"x", records) + block() + END
    assert len(records) < 1 << 20
    assert [member.name for member in walked(data)] == ["a.bin"]


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_an_extended_header_that_describes_no_member_is_refused(kind):
    with pytest.raises(ShardError, match="at byte 0 .*describes no member"):
        walked(extension(kind, b"name\0" if kind == b"L" else pax_record("comment", "x")) + END)


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_an_extended_header_that_claims_gigabytes_is_refused(kind):
    data = block(b"extension", b"00010000000\0", kind)
    with pytest.raises(ShardError, match="at byte 0 "):
        list(walk(lambda at, length: data[at : at + length], 2**40, "shard"))


def test_a_name_that_is_no_utf_8_is_refused():
    with pytest.raises(ShardError, match=r"at byte 0 .*no UTF-8"):
        walked(block(b"\xff\xfe.jpg") + END)
    with pytest.raises(ShardError, match=r"at byte 0 .*cannot be read"):
        walked(extension(b"L", b"\xff\xfe.jpg\0") + block() + END)


def test_a_tar_of_this_library_that_is_cut_at_any_byte_is_refused():
    data = own()
    for length in range(len(data)):
        with pytest.raises(ShardError, match="shard 'shard': at byte "):
            walked(data[:length])


def test_a_tar_that_is_cut_at_any_byte_before_the_end_of_its_mark_is_refused():
    data = made(("a.jpg", b"x"), ("é" * 60 + ".jpg", b"y" * 600))
    end = walked(data)[-1].end + 1024
    assert end < len(data)
    for length in range(end):
        with pytest.raises(ShardError, match="shard 'shard': at byte "):
            walked(data[:length])


def test_a_tar_that_is_cut_in_the_zeros_after_its_end_mark_is_complete():
    data = made(("a.jpg", b"x"))
    expected = walked(data)
    for length in range(expected[-1].end + 1024, len(data)):
        assert walked(data[:length]) == expected


def test_each_flipped_bit_outside_the_payloads_is_refused_or_changes_nothing():
    data = own()
    expected = walked(data)
    payloads = {at for m in expected for at in range(m.payload, m.end)}
    refused = 0
    for bit in range(8 * len(data)):
        if bit // 8 in payloads:
            continue
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert walked(bytes(damaged)) == expected
        except ShardError:
            refused += 1
    assert refused > 8 * (3 * 504 + 1024)


def test_each_flipped_bit_in_the_headers_of_a_foreign_tar_is_refused_or_changes_nothing_but_where_pax_has_no_sum():
    data = made((LONG, b"x"), format_=tarfile.GNU_FORMAT)
    expected = walked(data)
    headers = [*range(512), *range(1024, 1536)]
    for bit in (8 * at + bit for at in headers for bit in range(8)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert walked(bytes(damaged)) == expected
        except ShardError as error:
            assert error.shard_id == "shard"  # noqa: PT017 -- one of two good ends


@pytest.mark.timeout(10)
@pytest.mark.parametrize("size", [-512, -1, -1024, -(2**60)])
def test_a_negative_size_is_refused_and_no_loop(size):
    data = block(size=(256**12 + size).to_bytes(12, "big")) * 2 + END
    with pytest.raises(ShardError, match="at byte 0 "):
        walked(data)


def test_a_member_that_claims_8_gib_in_2_kib_is_refused_by_name_and_size():
    data = block(b"big.bin", b"77777777777\0") + bytes(1536)
    with pytest.raises(ShardError, match=r"at byte 0 .*'big\.bin' claims 8589934591 bytes, and 1536 follow"):
        walked(data)


def test_a_member_that_claims_exabytes_in_base_256_is_refused():
    data = block(b"big.bin", b"\x80" + b"\x7f" * 11) + END
    with pytest.raises(ShardError, match="claims"):
        walked(data)


COMPRESSORS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: b"\x28\xb5\x2f\xfd" + data,
}


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_compressed_tar_is_refused_as_one(name):
    data = COMPRESSORS[name](own({"a.bin": random.Random(1).randbytes(5000)}))
    with pytest.raises(ShardError, match=f"at byte 0 .*compressed with {name}; .*plain tars only"):
        walked(data)


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz"])
def test_a_compressed_tar_of_less_than_a_block_is_refused_as_one(name):
    data = COMPRESSORS[name](own({"a.bin": b"x"}))
    assert len(data) < 512
    with pytest.raises(ShardError, match=f"compressed with {name}"):
        walked(data)


@pytest.mark.parametrize("rest", [b"x", bytes(511) + b"x", bytes(600_000) + b"x", own()], ids=[1, 512, 600_001, "tar"])
def test_bytes_after_the_end_mark_are_refused(rest):
    with pytest.raises(ShardError, match="expected zeros after the end-of-archive mark, found other bytes"):
        walked(own() + rest)


def test_half_an_end_mark_is_refused():
    data = own()
    with pytest.raises(ShardError, match="at byte 3072 .*mark is cut"):
        walked(data[:-512])


def test_a_block_of_zeros_between_members_is_refused():
    data = own()
    with pytest.raises(ShardError, match="at byte 1024 "):
        walked(data[:1024] + bytes(512) + data[1024:])


def test_an_empty_file_is_refused():
    with pytest.raises(ShardError, match="shard 'shard': at byte 0 .*ends here, after 0 bytes"):
        walked(b"")


@law(100)
@given(st.binary(min_size=1, max_size=3000))
def test_random_bytes_are_refused(data):
    if data.strip(b"\0"):
        with pytest.raises(ShardError):
            walked(data)


@law(150)
@given(st.data())
def test_random_damage_to_a_foreign_tar_gives_members_or_a_shard_error(data):
    tar = bytearray(made(("a.jpg", b"x"), (LONG, b"y" * 600), format_=data.draw(st.sampled_from([1, 2]))))
    for _ in range(data.draw(st.integers(1, 8))):
        tar[data.draw(st.integers(0, len(tar) - 1))] = data.draw(st.integers(0, 255))
    tar = bytes(tar)
    with contextlib.suppress(ShardError):
        assert all(0 <= member.offset < member.payload <= member.end <= len(tar) for member in walked(tar))


@pytest.mark.parametrize("record", [b"6 a=bc", b"6 abc\n"], ids=["without a line feed", "without a value"])
def test_a_record_of_its_promised_length_that_is_not_one_is_refused(record):
    with pytest.raises(ShardError, match="is no PAX record"):
        walked(extension(b"x", record) + block() + END)


def test_a_record_that_ends_the_header_is_read():
    data = extension(b"x", pax_record("comment", "x") + pax_record("path", "b.bin")) + block() + END
    assert [member.name for member in walked(data)] == ["b.bin"]


def test_forty_bytes_of_a_record_that_is_not_one_are_shown():
    with pytest.raises(ShardError, match=f"b'{'y' * 40}' is no PAX record"):
        walked(extension(b"x", b"y" * 60) + block() + END)
