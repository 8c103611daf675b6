"""Places column by column: there and back, and any part of them in any order."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from atdata._shards._locations import NO_CRC, Locations
from tests.tiers import law

FRAME = pl.DataFrame(
    {
        "__shard__": ["b", "a", "b"],
        "__key__": ["k1", "k2", "k3"],
        "__offset__": [0, 512, 1 << 40],
        "__size__": [1024, 1536, 1024],
        "__crc32__": pl.Series([(1 << 32) - 1, None, 7], dtype=pl.UInt32),
    }
)


def test_a_frame_comes_back_as_it_was() -> None:
    locations = Locations.from_frame(FRAME, ["a", "b", "c"])
    assert len(locations) == 3
    assert locations.crc32s.tolist() == [(1 << 32) - 1, NO_CRC, 7]
    assert_frame_equal(locations.to_frame(), FRAME)


def test_no_rows_are_a_frame_too() -> None:
    assert_frame_equal(Locations.from_frame(FRAME, ["a", "b"])[:0].to_frame(), FRAME.clear())


@law(100)
@given(st.lists(st.integers(0, 2)))
def test_any_order_and_multiplicity_is_that_of_the_frame(indices: list[int]) -> None:
    locations = Locations.from_frame(FRAME, ["a", "b"])[np.array(indices, np.intp)]
    assert_frame_equal(locations.to_frame(), FRAME[indices])


def test_a_slice_is_that_of_the_frame() -> None:
    assert_frame_equal(Locations.from_frame(FRAME, ["b", "a"])[1:].to_frame(), FRAME[1:])


def test_places_without_keys_make_no_frame() -> None:
    locations = Locations.from_frame(FRAME, ["a", "b"])
    bare = Locations(locations.shard_ids, locations.shards, locations.offsets, locations.sizes, locations.crc32s, None)
    with pytest.raises(ValueError, match="keys were left out"):
        bare[1:].to_frame()
