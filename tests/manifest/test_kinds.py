import dataclasses
import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atdata.manifest import (
    CategoricalAggregate,
    ManifestWriter,
    NumericAggregate,
    QueryExecutor,
    SetAggregate,
    ShardManifest,
    create_aggregate,
)
from tests.tiers import law

KINDS = {"categorical": CategoricalAggregate, "numeric": NumericAggregate, "set": SetAggregate}


def filled(aggregate, values):
    for value in values:
        aggregate.add(value)
    return aggregate


@pytest.mark.parametrize("kind", KINDS)
def test_an_aggregate_is_made_by_kind(kind):
    assert create_aggregate(kind) == KINDS[kind]()


@pytest.mark.parametrize("kind", ["median", "", "Set", None])
def test_an_unknown_kind_names_the_three(kind):
    with pytest.raises(ValueError, match="'categorical', 'numeric', 'set'"):
        create_aggregate(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_two_aggregates_share_nothing(kind):
    value = ["a"] if kind == "set" else 1
    assert filled(create_aggregate(kind), [value]) != create_aggregate(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_aggregates_are_dataclasses(kind):
    assert dataclasses.replace(create_aggregate(kind)) == create_aggregate(kind)


def test_a_categorical_aggregate_counts_text():
    aggregate = filled(CategoricalAggregate(), ["dog", True, 1, "dog", np.str_("cat"), np.int8(3)])
    assert aggregate.value_counts == {"dog": 2, "True": 1, "1": 1, "cat": 1, "3": 1}
    assert aggregate.cardinality == 5


def test_a_categorical_aggregate_goes_on_from_given_counts():
    aggregate = filled(CategoricalAggregate({"dog": 2}), ["dog", "cat"])
    assert aggregate.to_dict() == {"type": "categorical", "cardinality": 2, "value_counts": {"dog": 3, "cat": 1}}


@law(100)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100), min_size=1))
def test_a_numeric_aggregate_knows_its_numbers(numbers):
    aggregate = filled(NumericAggregate(), numbers)
    assert (aggregate.min, aggregate.max, aggregate.count) == (min(numbers), max(numbers), len(numbers))
    assert math.isclose(aggregate.mean, sum(numbers) / len(numbers))


def test_an_empty_numeric_aggregate_has_the_bounds_that_any_number_replaces():
    empty = NumericAggregate()
    assert (empty.min, empty.max, empty.mean, empty.count) == (math.inf, -math.inf, 0.0, 0)


def test_an_empty_numeric_aggregate_is_null_in_a_header():
    assert NumericAggregate().to_dict() == {"type": "numeric", "min": None, "max": None, "mean": None, "count": 0}


def test_nan_is_not_counted():
    assert filled(NumericAggregate(), [math.nan, 2.0, np.float32("nan")]) == NumericAggregate(2.0, 2.0, 2.0, 1)


@pytest.mark.parametrize(
    ("numbers", "low", "high"),
    [([math.inf, 1], 1, None), ([-math.inf, 1], None, 1), ([-math.inf, math.inf], None, None)],
)
def test_an_infinite_bound_is_open_in_a_header(numbers, low, high):
    summary = filled(NumericAggregate(), numbers).to_dict()
    assert (summary["min"], summary["max"], summary["unbounded"], summary["count"]) == (low, high, True, 2)
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize("number", [2**53 + 1, np.int64(2**53 + 1), np.uint64(2**64 - 1)])
def test_whole_numbers_stay_exact(number):
    summary = filled(NumericAggregate(), [number]).to_dict()
    assert summary["min"] == summary["max"] == int(number)
    assert type(summary["min"]) is int


@pytest.mark.parametrize("number", [True, np.float32(1), np.int8(1), "1"])
def test_what_counts_as_a_number_is_one_in_a_header(number):
    assert json.dumps(filled(NumericAggregate(), [number]).to_dict()["max"]) in ("1", "1.0")


@pytest.mark.parametrize(("value", "error"), [(None, TypeError), ([], TypeError), ("one", ValueError)])
def test_what_is_no_number_is_refused_and_changes_nothing(value, error):
    aggregate = NumericAggregate()
    with pytest.raises(error):
        aggregate.add(value)
    assert aggregate == NumericAggregate()


def test_a_set_aggregate_lists_its_elements_sorted():
    aggregate = filled(SetAggregate(), [["night", "blurry"], {"blurry"}, (), (3, True)])
    assert aggregate.to_dict() == {"type": "set", "all_values": ["3", "True", "blurry", "night"]}


def test_a_header_dict_is_a_copy():
    aggregate = filled(CategoricalAggregate(), ["dog"])
    aggregate.to_dict()["value_counts"].clear()
    assert aggregate.cardinality == 1


def test_a_manifest_made_by_hand_of_aggregates_is_written_read_and_queried(tmp_path):
    aggregates = {
        "label": filled(CategoricalAggregate(), ["dog", "cat"]),
        "score": filled(NumericAggregate(), [0.5, 0.25]),
        "empty": NumericAggregate(),
        "tags": filled(SetAggregate(), [["a"], ["b", "a"]]),
    }
    frame = pl.DataFrame(
        {
            "__key__": ["k0", "k1"],
            "__offset__": [0, 1024],
            "__size__": [1024, 1024],
            "__crc32__": pl.Series([None, None], dtype=pl.UInt32),
            "label": ["dog", "cat"],
            "score": [0.5, 0.25],
            "empty": pl.Series([None, None], dtype=pl.Float64),
            "tags": [["a"], ["b", "a"]],
        }
    )
    manifest = ShardManifest("hand-000000", "Photo", "1.0.0", 2, 2048, "2024-05-01", aggregates, frame)
    again = ShardManifest.from_files(*ManifestWriter(tmp_path / "hand-000000").write(manifest))
    assert again.aggregates == {name: each.to_dict() for name, each in aggregates.items()}
    for executor in (QueryExecutor([manifest]), QueryExecutor.from_directory(tmp_path)):
        found = executor.query((pl.col("label") == "cat") & (pl.col("score") < 0.3))
        assert [(each.shard, each.key, each.offset) for each in found] == [("hand-000000", "k1", 1024)]
