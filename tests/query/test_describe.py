import math

import polars as pl
import pytest

import atdata
from atdata._query._source import ShardFacts, describe
from atdata.manifest import QueryExecutor


@atdata.packable
class Photo:
    label: str | None
    score: float
    count: int
    tags: list[str]
    ok: bool


@atdata.packable
class More:
    label: str | None
    more: int


PHOTOS = [
    Photo("dog", 0.5, 2**60, ["x"], ok=True),
    Photo("cat", math.nan, 2**60 + 1, ["x", "y", "x"], ok=True),
    Photo(None, 0.25, -(2**60) - 1, [], ok=False),
    Photo("dog", 1.0, 7, ["z"], ok=True),
    Photo("ant", 0.0, 8, ["x"], ok=True),
]


@pytest.fixture
def folder(tmp_path):
    atdata.write_samples(PHOTOS, tmp_path / "photos.tar", maxcount=2, manifest=True, durable=False)
    return tmp_path


def row(frame, field):
    return frame.row(by_predicate=pl.col("field") == field, named=True)


def test_fields_are_described_over_all_shards(folder):
    found = QueryExecutor.from_directory(folder).describe()
    assert found["field"].to_list() == ["label", "score", "count", "tags", "ok"]
    assert found["samples"].to_list() == [5] * 5
    assert row(found, "label") == {
        "field": "label",
        "dtype": "String",
        "aggregate": "categorical",
        "samples": 5,
        "nulls": 1,
        "nans": 0,
        "min": "ant",
        "max": "dog",
        "mean": None,
        "distinct": 3,
        "top": "dog",
        "top_count": 2,
    }
    score = row(found, "score")
    assert (score["dtype"], score["nulls"], score["nans"]) == ("Float64", 0, 1)
    assert (score["min"], score["max"], score["distinct"], score["top"]) == ("0.0", "1.0", None, None)
    tags = row(found, "tags")
    assert (tags["dtype"], tags["aggregate"], tags["distinct"]) == ("List(String)", "set", 3)
    assert (tags["min"], tags["max"], tags["top"], tags["top_count"]) == ("x", "z", "x", 3)
    assert (row(found, "ok")["top"], row(found, "ok")["top_count"]) == ("True", 4)


def test_the_mean_weighs_shards_by_their_values(folder):
    found = QueryExecutor.from_directory(folder).describe()
    values = [photo.score for photo in PHOTOS if not math.isnan(photo.score)]
    assert row(found, "score")["mean"] == pytest.approx(sum(values) / len(values), rel=1e-15)


def test_bounds_of_integers_are_exact(folder):
    found = row(QueryExecutor.from_directory(folder).describe(), "count")
    assert (found["min"], found["max"]) == (str(-(2**60) - 1), str(2**60 + 1))


def test_manifests_in_memory_are_described_alike(folder):
    stored = QueryExecutor.from_directory(folder)
    assert QueryExecutor(stored.manifests).describe().equals(stored.describe())


def test_describing_reads_headers_alone(folder):
    for path in [*folder.glob("*.parquet"), *folder.glob("*.tar")]:
        path.chmod(0o644)
        path.write_bytes(b"garbage")
    assert len(QueryExecutor.from_directory(folder).describe()) == 5


def test_a_field_that_a_shard_lacks_is_null_there(folder):
    atdata.write_samples([More("dog", 1), More(None, 3)], folder / "z.tar", manifest=True, durable=False)
    found = QueryExecutor.from_directory(folder).describe()
    assert found["field"].to_list() == ["label", "score", "count", "tags", "ok", "more"]
    assert (row(found, "label")["nulls"], row(found, "label")["top_count"]) == (2, 3)
    assert (row(found, "more")["samples"], row(found, "more")["nulls"], row(found, "more")["mean"]) == (7, 5, 2.0)


def test_no_manifest_has_no_field(tmp_path):
    assert len(QueryExecutor.from_directory(tmp_path).describe()) == 0


def test_a_damaged_header_is_named(folder):
    header = folder / "photos-000001.manifest.json"
    header.write_bytes(b"{}")
    with pytest.raises(atdata.DamagedManifestError, match=header.name):
        QueryExecutor.from_directory(folder).describe()


# -- what is not known is null

INT, FLOAT, TEXT = {"a": pl.Int64()}, {"a": pl.Float64()}, {"a": pl.String()}


def numeric(low, high, mean, count, **more):
    return {"a": {"type": "numeric", "min": low, "max": high, "mean": mean, "count": count, **more}}


def categorical(counts, **more):
    return {"a": {"type": "categorical", "cardinality": len(counts), "value_counts": counts, **more}}


def one(*shards):
    return describe(shards).row(0, named=True)


def test_an_infinite_bound_is_not_known_and_the_other_one_is():
    found = one(
        ShardFacts(2, numeric(1.0, None, None, 2, unbounded=True), FLOAT),
        ShardFacts(1, numeric(0.5, 0.5, 0.5, 1), FLOAT),
    )
    assert (found["min"], found["max"], found["mean"]) == ("0.5", None, None)


def test_a_shard_without_values_does_not_count():
    found = one(
        ShardFacts(2, numeric(None, None, None, 0, null_count=2), INT), ShardFacts(1, numeric(3, 3, 3.0, 1), INT)
    )
    assert (found["nulls"], found["min"], found["max"], found["mean"]) == (2, "3", "3", 3.0)


def test_no_value_at_all_has_no_bounds():
    found = one(ShardFacts(2, numeric(None, None, None, 0, null_count=2), INT))
    assert (found["min"], found["max"], found["mean"], found["nulls"]) == (None, None, None, 2)


def test_integers_and_floats_are_bounds_together():
    found = one(
        ShardFacts(1, numeric(2**53 + 1, 2**53 + 1, 2.0**53, 1), INT), ShardFacts(1, numeric(0.5, 0.5, 0.5, 1), FLOAT)
    )
    assert (found["dtype"], found["min"], found["max"]) == ("Float64", "0.5", str(2**53 + 1))


def test_of_values_cut_short_only_one_shard_knows_how_many():
    cut = categorical({"x": 2}, truncated=True, min="a", max="z") | {}
    cut["a"]["cardinality"] = 7
    alone = one(ShardFacts(9, cut, TEXT))
    assert (alone["distinct"], alone["top"], alone["min"], alone["max"]) == (7, None, None, None)
    both = one(ShardFacts(9, cut, TEXT), ShardFacts(1, categorical({"x": 1}), TEXT))
    assert (both["distinct"], both["top"], both["top_count"]) == (None, None, None)


def test_one_number_written_in_two_ways_is_one_value():
    found = one(ShardFacts(1, categorical({"1": 1}), INT), ShardFacts(2, categorical({"1.0": 1, "2.5": 1}), FLOAT))
    assert (found["distinct"], found["top"], found["top_count"]) == (2, "1.0", 2)


def test_format_1_0_0_tells_neither_nulls_nor_bounds_that_it_rounded():
    found = one(ShardFacts(3, numeric(1.0, 2.0**60, 5.0, 3), {}, counts_nulls=False))
    assert (found["dtype"], found["nulls"], found["nans"], found["min"], found["max"]) == (
        None,
        None,
        None,
        "1.0",
        None,
    )


def test_format_1_0_0_may_have_counted_nan_as_a_value():
    found = one(ShardFacts(3, categorical({"1.0": 1, "nan": 2}), {}, counts_nulls=False))
    assert (found["distinct"], found["top"]) == (None, None)


def test_sets_without_counts_have_no_most_frequent_element():
    said = {"a": {"type": "set", "all_values": ["x", "y"]}}
    found = one(ShardFacts(3, said, {}, counts_nulls=False))
    assert (found["distinct"], found["min"], found["max"], found["top"]) == (2, "x", "y", None)


def test_a_field_summed_up_in_two_ways_has_no_figures():
    found = one(ShardFacts(1, numeric(1, 1, 1.0, 1), INT), ShardFacts(1, categorical({"1": 1}), INT))
    assert (found["aggregate"], found["min"], found["distinct"], found["samples"]) == (None, None, None, 2)


@pytest.mark.parametrize(
    ("dtype", "bounds", "expected"),
    [
        (pl.Decimal(12, 2), [("9.50", "10.00"), ("-3.00", "9.75")], ("-3.00", "10.00")),
        (pl.Date(), [("2026-02-01", "2026-10-01"), ("2025-12-31", "2026-01-01")], ("2025-12-31", "2026-10-01")),
        (pl.Duration("us"), [("PT9S", "PT10S"), ("-PT1S", "P1D")], ("-PT1S", "P1D")),
    ],
)
def test_bounds_that_are_text_are_compared_as_what_they_stand_for(dtype, bounds, expected):
    found = one(*(ShardFacts(2, numeric(low, high, None, 2), {"a": dtype}) for low, high in bounds))
    assert (found["min"], found["max"], found["mean"]) == (*expected, None)


def test_bounds_of_shards_that_do_not_go_together_are_not_known():
    decimals = [
        ShardFacts(1, numeric(text, text, None, 1), {"a": pl.Decimal(12, places)})
        for places, text in ((1, "10.0"), (2, "9.50"))
    ]
    assert (one(*decimals)["min"], one(*decimals)["max"]) == (None, None)
    day = ShardFacts(1, numeric("2026-01-01", "2026-01-01", None, 1), {"a": pl.Date()})
    mixed = one(day, ShardFacts(1, numeric(3, 3, 3.0, 1), INT))
    assert (mixed["dtype"], mixed["min"], mixed["max"]) == (None, None, None)


@pytest.mark.parametrize(
    "said",
    [categorical({"9": 1, "10": 2}), {"a": {"type": "set", "all_values": [9, 10]}}],
    ids=["categorical", "set"],
)
def test_format_1_0_0_does_not_tell_the_order_of_what_may_be_numbers(said):
    found = one(ShardFacts(3, said, {}, counts_nulls=False))
    assert (found["distinct"], found["min"], found["max"]) == (2, None, None)


def test_what_may_be_one_number_or_two_texts_is_not_counted():
    old = ShardFacts(2, categorical({"1": 2}), {}, counts_nulls=False)
    found = one(old, ShardFacts(1, categorical({"1.0": 1}), FLOAT))
    assert (found["distinct"], found["top"], found["top_count"]) == (None, None, None)


def test_short_floats_are_what_a_column_of_long_ones_holds():
    short = ShardFacts(2, categorical({"0.1": 2}), {"a": pl.Float32()})
    alone, both = one(short), one(short, ShardFacts(1, categorical({"0.1": 1}), FLOAT))
    assert (alone["top"], alone["distinct"]) == ("0.1", 1)
    assert (both["dtype"], both["top"], both["min"], both["distinct"]) == (
        "Float64",
        "0.10000000149011612",
        "0.1",
        2,
    )
