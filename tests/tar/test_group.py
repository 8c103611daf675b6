"""From members to samples."""

import pytest

from atdata._errors import ShardError
from atdata._tar import Member, SampleRun, TarWriter, sample_runs, walk


def runs(*names, size=600):
    """Write files of these names and group them."""
    out = []
    writer = TarWriter(out.append)
    for name in names:
        writer.add([(name, [bytes(size)])])
    writer.finish()
    data = b"".join(out)
    return list(sample_runs(walk(lambda at, length: data[at : at + length], len(data), "shard"), "shard"))


def described(found):
    return [(run.key, run.offset, run.size, run.extensions) for run in found]


def test_a_sample_of_one_member_is_its_run():
    assert described(runs("a.msgpack", "b.msgpack")) == [
        ("a", 0, 1536, ("msgpack",)),
        ("b", 1536, 1536, ("msgpack",)),
    ]


def test_a_sample_of_many_members_is_one_run_over_all_of_them():
    assert described(runs("a.jpg", "a.json", "a.seg.png", "b.jpg")) == [
        ("a", 0, 3 * 1536, ("jpg", "json", "seg.png")),
        ("b", 3 * 1536, 1536, ("jpg",)),
    ]


def test_a_run_begins_with_the_extended_header_of_its_first_member():
    members = [Member("a.jpg", 0, 1536, 5), Member("a.json", 2048, 3584, 5)]
    assert list(sample_runs(members, "shard")) == [SampleRun("a", 0, 4096, tuple(members))]


def test_folders_are_part_of_the_key():
    assert [run.key for run in runs("x/a.jpg", "y/a.jpg", "y/a.json", "a.jpg")] == ["x/a", "y/a", "a"]


def test_case_is_part_of_the_key():
    assert [run.key for run in runs("a.jpg", "A.jpg")] == ["a", "A"]


def test_dots_in_folders_do_not_end_the_key():
    assert [run.key for run in runs("v1.5/a.jpg", "v1.5/b.jpg")] == ["v1.5/a", "v1.5/b"]


def test_no_members_are_no_samples():
    assert runs() == []


def test_runs_lie_side_by_side():
    found = runs("a.jpg", "b.jpg", "b.json", "c.jpg")
    assert [run.offset + run.size for run in found[:-1]] == [run.offset for run in found[1:]]


def test_a_key_that_comes_back_is_refused_with_its_place():
    with pytest.raises(ShardError, match="shard 'shard': the key 'a' comes back at byte 3072 after other samples"):
        runs("a.jpg", "b.jpg", "a.json")


def test_a_key_that_comes_back_after_many_is_refused():
    with pytest.raises(ShardError, match="the key '0' comes back"):
        runs(*(f"{number}.jpg" for number in range(50)), "0.jpg", size=0)


def test_a_member_that_stands_twice_in_a_sample_is_refused():
    with pytest.raises(ShardError, match="'a'"):
        runs("a.msgpack", "a.msgpack")


def test_samples_are_given_as_they_are_found():
    def members():
        yield Member("a.jpg", 0, 512, 0)
        yield Member("b.jpg", 512, 1024, 0)
        raise AssertionError("read too far")

    assert next(sample_runs(members(), "shard")).key == "a"
