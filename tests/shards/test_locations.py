"""Places column by column: there and back, and any part of them in any order."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from atdata import SampleLocation, SampleValueError
from atdata._shards._locations import NO_CRC, LocationProblem, Locations, PlainKeys
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


def test_listed_locations_are_numbered_as_they_come() -> None:
    rows = [
        SampleLocation("b", "k1", 0, 1024, 7),
        SampleLocation("a", "k2", 512, 1536),
        SampleLocation("b", "k3", 0, 1, 0),
    ]
    locations = Locations.from_locations(rows)
    assert list(locations.shard_ids) == ["b", "a"]
    assert [SampleLocation(*row) for row in locations.to_frame().rows()] == rows
    assert locations.crc32s.tolist() == [7, NO_CRC, 0]


def test_parts_are_joined_by_the_names_of_their_shards() -> None:
    first, second = Locations.from_frame(FRAME, ["a", "b"]), Locations.from_frame(FRAME[::-1], ["b", "c", "a"])
    walked = Locations.of_shard("c", ["k"], [0], [1024])
    joined = Locations.concat([first, second[1:], walked], ["c", "b", "a"])
    expected = pl.concat([FRAME, FRAME[::-1][1:], walked.to_frame()])
    assert_frame_equal(joined.to_frame(), expected)
    assert list(Locations.concat([], ["a"]).shard_ids) == ["a"]
    assert len(Locations.concat([], ["a"])) == 0


def test_a_table_is_read_as_a_frame_of_its_shard() -> None:
    table = FRAME.drop("__shard__")
    locations = Locations.from_table(table, "b", AssertionError)
    assert_frame_equal(locations.to_frame(), FRAME.with_columns(pl.lit("b").alias("__shard__")))
    assert len(Locations.from_table(table.clear(), "b", AssertionError)) == 0


def test_what_is_no_location_is_described_to_whoever_words_the_error() -> None:
    problems: list[LocationProblem] = []

    def refused(problem: LocationProblem) -> Exception:
        problems.append(problem)
        return LookupError(str(problem))

    odd = FRAME.with_columns(pl.Series("__size__", [1024, None, 5]))
    for refuse in (
        lambda: Locations.from_frame(odd, ["a", "b"], refused),
        lambda: Locations.from_table(odd.drop("__shard__"), "b", refused),
    ):
        with pytest.raises(LookupError, match="expected no null in __size__, found one in row 1"):
            refuse()
    assert problems == [LocationProblem("__size__", "no null", "one", 1)] * 2


def test_a_shard_that_is_not_among_them_is_refused() -> None:
    with pytest.raises(SampleValueError, match="shards of this dataset in __shard__; found 'b' in row 0"):
        Locations.from_frame(FRAME, ["a"])


def test_the_digest_is_of_places_and_not_of_numbers() -> None:
    first, second = Locations.from_frame(FRAME, ["a", "b"]), Locations.from_frame(FRAME, ["c", "b", "a"])
    listed = Locations.from_locations([SampleLocation(*row) for row in FRAME.rows()])
    assert first.digest() == second.digest() == listed.digest()
    assert first[::-1].digest() != first.digest()
    assert Locations.from_frame(FRAME.with_columns(pl.col("__crc32__") + 1), ["a", "b"]).digest() != first.digest()


def test_keys_without_polars_are_taken_by_position_and_by_slice() -> None:
    for keys in (PlainKeys(["a", "b", "c"]), PlainKeys(np.array(["a", "b", "c"], object))):
        assert keys[1] == "b"
        assert len(keys) == 3
        assert keys[1:].to_list() == keys[np.array([1, 2])].to_list() == ["b", "c"]
