"""A sample is its members, of which there may be several: written, walked and verified as one run of bytes."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata._errors import ShardChangedError
from atdata._tar import TarWriter, sample_runs, verified_members, walk
from tests.tiers import law

EXTENSIONS = st.sampled_from(["msgpack", "jpg", "json", "seg.png", "cls", ""])
SAMPLES = st.dictionaries(
    st.text("ab/é-_", min_size=1, max_size=8).filter(lambda key: "//" not in key and key.strip("/") == key),
    st.dictionaries(EXTENSIONS, st.binary(max_size=1200), min_size=1, max_size=4),
    min_size=1,
    max_size=5,
)


def written(samples):
    """Return a tar of samples, and the place of each."""
    out = []
    writer = TarWriter(lambda data: out.append(bytes(data)))
    places = [
        writer.add([(f"{key}.{extension}" if extension else key, [payload]) for extension, payload in members.items()])
        for key, members in samples.items()
    ]
    writer.finish()
    return b"".join(out), places


def verified(run, key, crc):
    members = verified_members(memoryview(run), "shard", key, 0, len(run), crc)
    return {extension: bytes(payload) for extension, payload in members}


@law(200)
@given(SAMPLES)
def test_what_was_written_is_walked_and_verified_member_by_member(samples):
    data, places = written(samples)
    runs = list(sample_runs(walk(lambda at, length: data[at : at + length], len(data), "shard"), "shard"))
    assert [run.key for run in runs] == list(samples)
    assert [(run.offset, run.size) for run in runs] == [(place.offset, place.size) for place in places]
    for run, place, members in zip(runs, places, samples.values(), strict=True):
        found = {member.extension: data[member.payload : member.payload + member.size] for member in run.members}
        assert found == members
        held = data[place.offset : place.offset + place.size]
        assert zlib.crc32(held) == place.crc32
        for key in (run.key, None):
            for crc in (place.crc32, None):
                assert verified(held, key, crc) == members


@law(100)
@given(SAMPLES, st.data())
def test_a_flipped_bit_is_found_by_the_checksum(samples, draw):
    data, places = written(samples)
    index = draw.draw(st.integers(0, len(places) - 1))
    place, key = places[index], list(samples)[index]
    damaged = bytearray(data[place.offset : place.offset + place.size])
    damaged[draw.draw(st.integers(0, len(damaged) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(ShardChangedError):
        verified(bytes(damaged), key, place.crc32)


@pytest.mark.parametrize("with_crc", [True, False])
def test_a_run_with_a_member_of_another_sample_is_refused(with_crc):
    data, places = written({"a": {"jpg": b"1", "json": b"2"}, "b": {"jpg": b"3"}})
    run = data[: places[0].size + places[1].size]
    with pytest.raises(ShardChangedError, match=r"expected the members of 'a', found 'a\.jpg', 'a\.json', 'b\.jpg'"):
        verified(run, "a", zlib.crc32(run) if with_crc else None)


def test_a_run_with_a_member_twice_is_refused():
    data, places = written({"a": {"jpg": b"1"}})
    run = data[: places[0].size] * 2
    with pytest.raises(ShardChangedError, match=r"found 'a\.jpg', 'a\.jpg'"):
        verified(run, "a", zlib.crc32(run))


def test_a_run_that_ends_before_its_last_member_is_refused():
    data, places = written({"a": {"jpg": b"1", "json": b"2"}})
    run = data[: places[0].size - 512]
    with pytest.raises(ShardChangedError, match="expected the members of 'a', found .*end-of-archive mark is cut"):
        verified(run, "a", None)


def test_a_key_that_begins_another_name_is_not_that_name():
    data, places = written({"a.d/b": {"msgpack": b"1"}})
    run = data[: places[0].size]
    for crc in (zlib.crc32(run), None):
        with pytest.raises(ShardChangedError, match="expected a member of 'a', found 'a.d/b.msgpack'"):
            verified(run, "a", crc)
