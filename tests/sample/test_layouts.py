"""Layouts: a sample as the members of a tar, and back."""

import re

import pytest

import atdata
from atdata import DecodeError, DictSample, SampleValueError
from atdata._sample import LONGEST_EXTENSION, MSGPACK, layout_of
from atdata._sample._layouts import LAYOUTS


@atdata.packable
class Caption:
    text: str


SAMPLES = [Caption("a"), DictSample(text="a")]


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_comes_back_from_its_members(sample):
    layout = layout_of(type(sample))
    stored = [(extension, memoryview(b"".join(parts))) for extension, parts in layout.encode(sample)]
    assert [extension for extension, _ in stored] == [MSGPACK]
    assert layout.decoder_of(type(sample))(layout.payload(stored)).text == "a"
    gatherer = layout.gatherer_of(type(sample), 2)
    gatherer.add(layout.payload(stored))
    assert list(gatherer.take().text) == ["a"]


@pytest.mark.parametrize(
    ("extensions", "held"),
    [
        (["jpg", "json"], "holds jpg, json;"),
        (["msgpack", "json"], "holds msgpack, json;"),
        (["json"], "holds json;"),
        ([""], "holds a file without an extension;"),
        (["MSGPACK"], "holds MSGPACK;"),
    ],
)
def test_other_members_are_refused_with_what_they_are(extensions, held):
    with pytest.raises(DecodeError, match=re.escape(f"{held} expected one .msgpack member")):
        layout_of(Caption).payload([(extension, memoryview(b"")) for extension in extensions])


def test_a_value_that_cannot_be_written_is_refused_by_field():
    with pytest.raises(SampleValueError, match="'text'"):
        layout_of(Caption).encode(Caption(5))


def test_keys_leave_room_for_the_longest_extension_of_any_layout():
    assert len(LONGEST_EXTENSION) == max(len(layout.suffix) - 1 for layout in LAYOUTS.values()) == len(MSGPACK)
