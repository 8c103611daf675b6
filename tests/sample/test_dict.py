"""A sample whose type nobody declared."""

import copy
import pickle

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata import DictSample
from atdata._errors import DecodeError, SampleValueError
from atdata._sample._array import bytes_to_array
from tests.tiers import law

LAW = law(60)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(), st.binary()
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.dictionaries(st.text(max_size=8), VALUES, max_size=5)


@pytest.fixture
def sample():
    return DictSample(label="dog", confidence=0.9, tags=["a", "b"])


@LAW
@given(FIELDS)
def test_a_sample_comes_back_as_it_was(fields):
    sample = DictSample(fields)
    assert DictSample.from_bytes(sample.packed) == sample


@LAW
@given(FIELDS)
def test_the_payload_is_the_map_of_the_fields(fields):
    assert msgpack.unpackb(DictSample.from_data(fields).packed) == fields


def test_fields_are_attributes_and_items(sample):
    assert sample.label == sample["label"] == "dog"


def test_the_names_of_methods_are_items_still():
    sample = DictSample({"keys": 1, "packed": 2, "_data": 3})
    assert [sample["keys"], sample["packed"], sample["_data"]] == [1, 2, 3]


def test_a_missing_attribute_is_an_error_that_lists_the_fields(sample):
    with pytest.raises(AttributeError, match=r"no field 'lable'; it has \['label', 'confidence', 'tags'\]"):
        sample.lable  # noqa: B018 -- raises


def test_a_missing_item_is_a_key_error(sample):
    with pytest.raises(KeyError, match="lable"):
        sample["lable"]


def test_membership_is_of_names(sample):
    assert "label" in sample
    assert "dog" not in sample
    assert 5 not in sample


def test_it_iterates_and_counts_its_names_in_order(sample):
    assert list(sample) == sample.keys() == ["label", "confidence", "tags"]
    assert len(sample) == 3


def test_values_and_items_are_those_of_a_dict(sample):
    assert sample.values() == ["dog", 0.9, ["a", "b"]]
    assert sample.items() == [("label", "dog"), ("confidence", 0.9), ("tags", ["a", "b"])]


def test_get_has_a_default(sample):
    assert sample.get("label") == "dog"
    assert sample.get("other") is None
    assert sample.get("other", 5) == 5


def test_to_dict_is_a_copy(sample):
    fields = sample.to_dict()
    fields["label"] = "cat"
    assert sample.label == "dog"
    assert type(fields) is dict


def test_the_sample_does_not_follow_the_mapping_that_it_was_made_from():
    fields = {"label": "dog"}
    sample = DictSample.from_data(fields)
    fields["label"] = "cat"
    assert sample.label == "dog"


def test_keywords_join_and_win_over_the_mapping():
    assert DictSample({"a": 1, "b": 2}, b=3, c=4).to_dict() == {"a": 1, "b": 3, "c": 4}


def test_setting_an_attribute_is_refused(sample):
    with pytest.raises(AttributeError, match="does not change: make a new one with label="):
        sample.label = "cat"
    assert sample.label == "dog"


def test_setting_and_deleting_items_are_refused(sample):
    with pytest.raises(TypeError):
        sample["label"] = "cat"
    with pytest.raises(TypeError):
        del sample["label"]


def test_deleting_an_attribute_is_refused(sample):
    with pytest.raises(AttributeError):
        del sample.label
    assert sample.label == "dog"


def test_samples_with_the_same_fields_are_equal():
    assert DictSample(a=1, b=[2]) == DictSample({"b": [2], "a": 1})
    assert DictSample(a=1) != DictSample(a=2)
    assert DictSample(a=1) != DictSample(b=1)


def test_a_sample_is_no_dict():
    assert DictSample(a=1) != {"a": 1}


def test_a_sample_has_no_hash(sample):
    with pytest.raises(TypeError, match="unhashable"):
        hash(sample)


def test_it_shows_its_fields():
    assert repr(DictSample(label="dog", n=1)) == "DictSample(label='dog', n=1)"


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_pickles(sample, protocol):
    assert pickle.loads(pickle.dumps(sample, protocol)) == sample


def test_it_copies(sample):
    assert copy.copy(sample) == copy.deepcopy(sample) == sample
    assert copy.deepcopy(sample).tags is not sample.tags


def test_an_array_comes_back_as_the_bytes_of_an_array():
    found = DictSample.from_bytes(DictSample(pixels=np.arange(3, dtype="<i2"), deep={"x": [np.ones(1)]}).packed)
    assert found.pixels == b"\x03<i2\x01\x03\0\0\0\0\0\0\0" + b"\0\0\1\0\2\0"
    assert bytes_to_array(found.deep["x"][0]).tolist() == [1.0]


def test_a_field_that_is_not_named_by_text_is_refused():
    with pytest.raises(SampleValueError, match="a field's name is text, not 5"):
        DictSample({5: 1})


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, 1j, np.array([{}], object), np.ma.masked_array([1], [True]), 2**64]
)
def test_a_value_that_msgpack_does_not_hold_is_refused_by_field(value):
    with pytest.raises(SampleValueError) as caught:
        DictSample(fine=1, wrong=value).packed  # noqa: B018 -- raises
    assert caught.value.field == "wrong"


def test_as_wds_holds_the_payload_under_a_new_key_each_time(sample):
    first, second = sample.as_wds, sample.as_wds
    assert set(first) == {"__key__", "msgpack"}
    assert first["msgpack"] == sample.packed
    assert first["__key__"] != second["__key__"]


@pytest.mark.parametrize(
    "payload", [b"", b"\xc0", b"\x90", b"\x05", b"\x81\x01\x02", b"\x81\xa1a", b"\x80\x80", b"\xc1"]
)
def test_bytes_that_are_no_map_from_text_are_refused(payload):
    with pytest.raises(DecodeError, match="no msgpack map from field names to values"):
        DictSample.from_bytes(payload)


def test_a_payload_that_is_cut_at_any_byte_is_refused(sample):
    for length in range(len(sample.packed)):
        with pytest.raises(DecodeError):
            DictSample.from_bytes(sample.packed[:length])


def test_each_flipped_bit_gives_a_sample_or_a_decode_error(sample):
    outcomes = set()
    for bit in range(8 * len(sample.packed)):
        damaged = bytearray(sample.packed)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            outcomes.add(type(DictSample.from_bytes(bytes(damaged))))
        except DecodeError as error:
            outcomes.add(type(error))
    assert outcomes == {DictSample, DecodeError}
