"""The tars that are written, as the standard library and the ``tar`` program read them."""

import io
import subprocess
import tarfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata._errors import SampleValueError
from atdata._tar import Buffers, TarWriter
from tests.tiers import law

FILES = {
    "a.msgpack": b"",
    "b.msgpack": b"x",
    "folder/c.msgpack": bytes(range(256)) * 2,
    "folder/deep/d.jpg": b"y" * 513,
    "e" * 100: b"z" * 5000,
}


def written(files):
    """Write files; return the tar, the places, and what ``finish`` said."""
    out = []
    writer = TarWriter(out.append)
    places = [writer.add([(name, [data])]) for name, data in files.items()]
    finished = writer.finish()
    return b"".join(out), places, finished


def opened(data):
    return tarfile.open(fileobj=io.BytesIO(data), mode="r:")


@pytest.fixture
def tar_file(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(written(FILES)[0])
    return path


def test_the_standard_library_reads_names_and_contents():
    with opened(written(FILES)[0]) as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == FILES


def test_names_in_any_script_are_utf_8():
    files = {"größe/图像.msgpack": b"1", "🐕" * 23 + ".jpg": b"2"}
    with opened(written(files)[0]) as tar:
        assert tar.getnames() == list(files)


def test_every_member_has_no_owner_no_time_and_mode_0444():
    with opened(written(FILES)[0]) as tar:
        facts = {(m.mode, m.uid, m.gid, m.uname, m.gname, m.mtime, m.type, bool(m.pax_headers)) for m in tar}
    assert facts == {(0o444, 0, 0, "", "", 0, tarfile.REGTYPE, False)}


def test_a_place_is_where_the_standard_library_finds_the_header():
    data, places, _ = written(FILES)
    with opened(data) as tar:
        assert [member.offset for member in tar] == [place.offset for place in places]


def test_the_bytes_at_a_place_are_a_tar_of_their_own():
    data, places, _ = written(FILES)
    for place, (name, payload) in zip(places, FILES.items(), strict=True):
        with opened(data[place.offset : place.offset + place.size] + bytes(1024)) as tar:
            [member] = tar.getmembers()
            assert (member.name, tar.extractfile(member).read()) == (name, payload)


def test_a_places_checksum_is_that_of_the_bytes_in_the_file():
    data, places, _ = written(FILES)
    assert [zlib.crc32(data[p.offset : p.offset + p.size]) for p in places] == [p.crc32 for p in places]


def test_places_lie_side_by_side():
    data, places, _ = written(FILES)
    ends = [place.offset + place.size for place in places]
    assert [place.offset for place in places] == [0, *ends[:-1]]
    assert ends[-1] == len(data) - 1024


def test_the_tar_ends_with_two_blocks_of_zeros_and_is_whole_blocks():
    data, _, _ = written(FILES)
    assert data[-1024:] == bytes(1024)
    assert len(data) % 512 == 0


def test_a_tar_of_nothing_is_the_end_mark():
    data, _, size = written({})
    assert data == bytes(1024)
    assert size == 1024
    with opened(data) as tar:
        assert tar.getmembers() == []


def test_finish_tells_the_length():
    data, _, size = written(FILES)
    assert size == len(data)


def test_the_same_files_give_the_same_bytes():
    assert written(FILES) == written(FILES)


def test_how_a_payload_is_split_into_parts_does_not_matter():
    out = []
    writer = TarWriter(out.append)
    places = [
        writer.add([(name, [data[:7], memoryview(data)[7:20], b"", bytearray(data[20:])])])
        for name, data in FILES.items()
    ]
    finished = writer.finish()
    assert (b"".join(out), places, finished) == written(FILES)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 100_000])
def test_size_with_is_the_length_of_the_tar_with_one_more_member(size):
    out = []
    writer = TarWriter(out.append)
    writer.add([("a.bin", [b"before"])])
    expected = writer.size_with([size])
    writer.add([("b.bin", [bytes(size)])])
    assert writer.finish() == len(b"".join(out)) == expected


def test_the_position_is_where_the_next_member_begins():
    writer = TarWriter(lambda _: None)
    for name, data in FILES.items():
        position = writer.position
        assert writer.add([(name, [data])]).offset == position


def test_bytes_are_passed_on_about_a_megabyte_at_a_time():
    out = []
    writer = TarWriter(out.append)
    for number in range(50):
        writer.add([(f"{number}.bin", [bytes(100_000)])])
    writer.finish()
    assert 4 <= len(out) <= 7
    with opened(b"".join(out)) as tar:
        assert len(tar.getmembers()) == 50


@pytest.mark.parametrize("size", [6, 1 << 16, (1 << 16) + 1, 3_000_000], ids=["small", "joined", "pieces", "large"])
def test_a_buffer_that_changes_after_it_was_added_changes_nothing(size):
    out, buffer = [], bytearray(b"b" * size)
    writer = TarWriter(out.append)
    place = writer.add([("a.bin", [b"head", memoryview(buffer), b"tail"])])
    buffer[:] = b"!" * size
    writer.finish()
    data = b"".join(out)
    with opened(data) as tar:
        assert tar.extractfile("a.bin").read() == b"head" + b"b" * size + b"tail"
    assert zlib.crc32(data[: place.size]) == place.crc32


def test_tars_one_after_the_other_are_laid_out_in_the_same_buffer():
    given, buffers = set(), Buffers()

    def take(data):
        given.add(id(data.obj))
        buffers.give_back(data)

    for _ in range(50):
        writer = TarWriter(take, buffers)
        writer.add([("a.bin", [b"small"])])
        writer.finish()
    assert len(given) == 1
    assert len(buffers._free) == 1


def test_a_member_of_8_gib_is_refused_before_anything_is_written():
    out = []
    writer = TarWriter(out.append)
    with pytest.raises(SampleValueError, match=r"8589934592 bytes are more than a tar member can hold \(8589934591\)"):
        writer.add([("a.bin", [range(8**11)])])  # as long as 8 GiB, and takes no memory
    assert writer.position == 0
    writer.finish()
    assert b"".join(out) == bytes(1024)


@law(60)
@given(st.dictionaries(st.text("abcé-_", min_size=1, max_size=30), st.binary(max_size=1500), max_size=6))
def test_any_files_are_read_by_the_standard_library_at_their_places(files):
    data, places, _ = written(files)
    with opened(data) as tar:
        found = [(m.name, tar.extractfile(m).read(), m.offset) for m in tar]
    assert found == [(*file, place.offset) for file, place in zip(files.items(), places, strict=True)]


def test_tar_lists_the_names(tar_file):
    listed = subprocess.run(["tar", "tf", tar_file], capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines() == list(FILES)
    assert listed.stderr == ""


def test_tar_unpacks_the_files(tar_file, tmp_path):
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", tar_file, "-C", tmp_path / "out"], check=True)
    found = {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == FILES
