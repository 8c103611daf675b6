import copy
import pickle

import pytest

from atdata.manifest import SampleLocation

LOCATION = SampleLocation("train/images-000000", "000000-000007", 7168, 1024, 42)


@pytest.mark.parametrize("name", ["shard", "key", "offset", "size", "crc32", "other"])
def test_a_location_cannot_be_changed(name):
    with pytest.raises(AttributeError):
        setattr(LOCATION, name, 1)


def test_size_and_checksum_may_be_unknown():
    location = SampleLocation("a", "b", 0)
    assert (location.size, location.crc32) == (None, None)


def test_equal_locations_hash_alike():
    assert len({LOCATION, SampleLocation("train/images-000000", "000000-000007", 7168, 1024, 42)}) == 1


@pytest.mark.parametrize("change", [{"shard": "x"}, {"key": "x"}, {"offset": 0}, {"size": 2}, {"crc32": None}])
def test_locations_that_differ_in_a_field_are_different(change):
    fields = {name: getattr(LOCATION, name) for name in LOCATION.__struct_fields__}
    assert SampleLocation(**{**fields, **change}) != LOCATION


def test_locations_are_ordered_by_shard_then_key_then_offset():
    ordered = [
        SampleLocation("a", "a", 9, 1, 9),
        SampleLocation("a", "b", 0, 9, 9),
        SampleLocation("a", "b", 5, 1, 1),
        SampleLocation("b", "a", 0, 1, 1),
    ]
    backwards = ordered[::-1]
    assert sorted(backwards) == ordered


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_location_pickles(protocol):
    assert pickle.loads(pickle.dumps(LOCATION, protocol)) == LOCATION


def test_a_location_copies():
    assert copy.deepcopy(LOCATION) == LOCATION


def test_the_repr_makes_the_location_again():
    assert eval(repr(LOCATION)) == LOCATION  # noqa: S307 -- its own text


def test_the_repr_is_short_where_nothing_is_known():
    assert repr(SampleLocation("a", "b", 0)) == "SampleLocation(shard='a', key='b', offset=0)"
