"""What the index tells of many headers is what they tell."""

import datetime as dt
import decimal
import pickle
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from atdata._index._plan import Limits
from atdata._manifest._dtypes import parse_dtype
from atdata._manifest._manifest_header import parse_header
from atdata._query._source import ShardFacts, describe
from atdata._storage import LocalStore
from tests.tiers import law

FLOATS = st.sampled_from([0.0, 0.5, -1.25, 1e300, float("nan"), float("inf"), float("-inf"), 0.1])
TEXTS = st.sampled_from(["", "a", "b", "é", "😀", "z" * 70, "\U0010ffff" * 70])
#: Fields of many kinds: aggregate, dtype, values.
FIELDS = {
    "text": ("categorical", pl.String(), TEXTS),
    "flag": ("categorical", pl.Boolean(), st.booleans()),
    "code": ("categorical", pl.Int64(), st.sampled_from([0, 1, -5, 2**63 - 1, -(2**63)])),
    "grade": ("categorical", pl.Float32(), st.sampled_from([0.5, 0.25, float("inf")])),
    "day": ("categorical", pl.Date(), st.dates()),
    "n": ("numeric", pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    "u": ("numeric", pl.UInt64(), st.integers(0, 2**64 - 1)),
    "small": ("numeric", pl.Int8(), st.integers(-128, 127)),
    "x": ("numeric", pl.Float64(), FLOATS),
    "y": ("numeric", pl.Float32(), st.sampled_from([0.5, 1.5, float("nan")])),
    "when": ("numeric", pl.Datetime("us"), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))),
    "utc": ("numeric", pl.Datetime("us", "UTC"), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))),
    "took": ("numeric", pl.Duration("us"), st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999))),
    "price": ("numeric", pl.Decimal(12, 2), st.decimals(-9999, 9999, places=2)),
    "tags": ("set", pl.List(pl.String()), st.lists(TEXTS, max_size=3)),
    "codes": ("set", pl.List(pl.Int64()), st.lists(st.integers(-3, 3), max_size=3)),
    "marks": ("set", pl.List(pl.Float64()), st.lists(FLOATS, max_size=3)),
}
KINDS = {name: kind for name, (kind, _, _) in FIELDS.items()}
DTYPES = {name: dtype for name, (_, dtype, _) in FIELDS.items()}


def from_headers(folder):
    """Return what the headers say."""
    headers = [parse_header(folder.store.read(each.header), each.header) for each in folder.sidecars()]
    return [
        ShardFacts(
            header.num_samples,
            header.plain_aggregates(),
            {name: parse_dtype(text) for name, text in header.samples.columns.items()},
        )
        for header in headers
    ]


@st.composite
def shards(draw):
    """Draw the fields of some shards; a shard may lack some, and a value may be null."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        names = draw(st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=6, unique=True))
        count = draw(st.integers(0, 6))
        found.append({name: [draw(st.none() | FIELDS[name][2]) for _ in range(count)] for name in names})
    return found


def unrounded(frame):
    """Return a frame in which a tie for the most frequent value is none: shards with other columns may come later."""
    return frame.drop("top").sort("field")


@law(20)
@given(shards())
@example([{"n": [1]}, {"text": ["a"]}, {"n": [None]}])
@example([{"marks": [[float("nan"), float("nan"), 1.0]]}])
def test_describe_says_the_same_by_the_index_as_by_the_headers(drawn):
    with tempfile.TemporaryDirectory() as root:
        folder = FOLDER(LocalStore(Path(root), durable=False))
        for number, columns in enumerate(drawn):
            folder.write(f"s-{number}", columns, KINDS, DTYPES)
        folder.compact(limits=Limits(rows=8, batch=3))
        index = folder.check(covered=[f"s-{number}" for number in range(len(drawn))])
        expected = describe(from_headers(folder))
        assert_frame_equal(unrounded(describe(index.facts())), unrounded(expected), rel_tol=1e-9)
        alike = all(columns.keys() == drawn[0].keys() for columns in drawn)
        if alike and all(len(next(iter(columns.values()))) for columns in drawn):
            assert describe(index.facts())["top"].to_list() == expected["top"].to_list()


@law(25)
@given(shards())
def test_bounds_hold_and_values_are_all_there_are(drawn):
    with tempfile.TemporaryDirectory() as root:
        folder = FOLDER(LocalStore(Path(root), durable=False))
        for number, columns in enumerate(drawn):
            folder.write(f"s-{number}", columns, KINDS, DTYPES)
        folder.compact()
        index, tables = folder.open(), folder.tables()
        told = index.statistics(["__key__", *FIELDS])
        assert told["__shard__"].to_list() == list(tables)
        for row, table in zip(told.iter_rows(named=True), tables.values(), strict=True):
            assert row["rows"] == len(table)
            for name in FIELDS:
                if f"min:{name}" in row:
                    held(
                        row, name, table[name] if name in table else pl.Series(name, [None] * len(table), DTYPES[name])
                    )


def held(row, name, column):
    """Hold a shard's statistics of one column against its values."""
    assert row[f"nulls:{name}"] == column.null_count()
    is_list = isinstance(column.dtype, pl.List)
    values = column.explode(empty_as_null=False).drop_nulls() if is_list else column.drop_nulls()
    if values.dtype.is_float():
        nans = column.list.eval(pl.element().is_nan().any()).explode().sum() if is_list else row[f"nans:{name}"]
        assert row[f"nans:{name}"] == nans
        values = values.filter(values.is_not_nan())
    if not len(values):
        assert row[f"min:{name}"] is row[f"max:{name}"] is None
    else:
        assert row[f"min:{name}"] <= values.min()
        assert row[f"max:{name}"] is None or values.max() <= row[f"max:{name}"]
    if f"values:{name}" in row:
        counts = dict(zip(row[f"values:{name}"], row[f"counts:{name}"], strict=True))
        distinct = column.list.unique().explode(empty_as_null=False).drop_nulls() if is_list else values
        distinct = distinct.filter(distinct.is_not_nan()) if distinct.dtype.is_float() else distinct
        assert counts == dict(distinct.value_counts().iter_rows())
        assert row[f"distinct:{name}"] == len(counts)


FOLDER = None


@pytest.fixture(autouse=True)
def _folder_type(folder):
    globals()["FOLDER"] = type(folder)


def test_a_shard_of_infinite_numbers_leaves_all_without_a_bound_as_its_header_does(folder):
    folder.write("s-000", {"x": [float("inf")]}, KINDS, DTYPES)
    folder.write("s-001", {"x": [1.0]}, KINDS, DTYPES)
    folder.compact()
    assert describe(folder.open().facts())["min"].to_list() == [None]
    assert_frame_equal(describe(folder.open().facts()), describe(from_headers(folder)))


def test_value_counts_are_those_of_the_samples(folder):
    folder.fill(5)
    folder.compact()
    rows = pl.concat(folder.tables().values())
    labels = folder.open().value_counts("label")
    assert dict(labels.iter_rows()) == dict(rows["label"].value_counts().iter_rows())
    assert labels["value"].to_list() == rows["label"].unique(maintain_order=True).to_list()
    assert dict(folder.open().value_counts("tags").iter_rows()) == {"sharp": 16, "wide": 8}
    assert folder.open().value_counts("score") is None
    assert folder.open().value_counts("nothing") is None


def test_only_covered_shards_are_counted(folder):
    folder.fill(3)
    folder.compact()
    folder.age("s-001", seconds=500)
    index = folder.open()
    rows = pl.concat([table for name, table in folder.tables().items() if name != "s-001"])
    assert dict(index.value_counts("label").iter_rows()) == dict(rows["label"].value_counts().iter_rows())
    assert sum(each.samples for each in index.facts()) == 10
    assert index.statistics(["label"])["rows"].to_list() == [5, None, 5]
    assert index.files()["rows"].to_list() == [5, None, 5]


def many(count, first=0):
    return {"label": [f"v{first + number:05d}" for number in range(count)]}


def test_more_than_a_thousand_values_are_counted_and_not_listed(folder):
    folder.write("s-000", many(1000), KINDS | {"label": "categorical"})
    folder.write("s-001", many(1001), KINDS | {"label": "categorical"})
    folder.compact()
    told = folder.open().statistics(["label"])
    assert told["distinct:label"].to_list() == [1000, 1001]
    assert told["values:label"].list.len().to_list() == [1000, None]
    assert told["max:label"].to_list() == ["v00999", "v01000"]
    assert folder.open().value_counts("label") is None
    assert_frame_equal(describe(folder.open().facts()), describe(from_headers(folder)))


def test_what_one_header_truncated_is_said_of_one_shard(folder):
    folder.write("s-000", many(1200))
    folder.compact()
    assert describe(folder.open().facts())["distinct"].to_list() == [1200]
    assert_frame_equal(describe(folder.open().facts()), describe(from_headers(folder)))


def test_values_that_are_too_many_in_all_are_not_listed_and_the_headers_are_to_be_asked(folder):
    limits = Limits(values=16 * 20 + 6 * 20)
    for number in range(4):
        folder.write(f"s-{number:03d}", many(8, first=8 * number))
    folder.compact(limits=limits)
    index = folder.open()
    told = index.statistics(["label"])
    assert told["values:label"].null_count() == 4
    assert told["distinct:label"].to_list() == [8] * 4
    assert told["min:label"].to_list() == [f"v{8 * number:05d}" for number in range(4)]
    assert index.facts() is None
    assert index.value_counts("label") is None
    folder.write("s-004", many(1))  # and stay so
    folder.compact(limits=limits)
    assert folder.open().statistics(["label"])["values:label"].null_count() == 5


def test_values_that_are_just_few_enough_are_listed(folder):
    for number in range(4):
        folder.write(f"s-{number:03d}", many(5, first=5 * number))
    folder.compact(limits=Limits(values=16 * 20 + 6 * 20))
    assert folder.open().value_counts("label").height == 20


def test_a_field_that_only_some_shards_list_is_not_taken_for_empty(folder):
    folder.write("s-000", {"n": [1, 2]}, {"n": "numeric"}, {"n": pl.Int64()})
    folder.write("s-001", {"n": [3, 3]}, {"n": "categorical"}, {"n": pl.Int64()})
    folder.compact(limits=Limits(rows=2, batch=1))
    told = folder.open().statistics(["n"])
    assert told["values:n"].to_list() == [None, [3]]
    assert told["distinct:n"].to_list() == [None, 1]
    assert folder.open().value_counts("n") is None
    assert_frame_equal(describe(folder.open().facts()), describe(from_headers(folder)))


def test_bounds_of_integers_that_another_shard_made_floats_of_are_not_given(folder):
    folder.write("s-000", {"n": [2**53 + 1]}, {"n": "numeric"}, {"n": pl.Int64()})
    folder.write("s-001", {"n": [0.5]}, {"n": "numeric"}, {"n": pl.Float64()})
    folder.compact()
    both = folder.open()
    assert both.statistics(["n"])["max:n"].to_list() == [2**53, 0.5]
    assert both.facts() is None
    folder.age("s-001", seconds=500)
    one = folder.open()
    assert one.columns["n"] == pl.Int64()
    told = one.statistics(["n"])
    assert told["nulls:n"].to_list() == [0, None]
    assert not {"min:n", "max:n", "values:n"} & set(told.columns)


def test_narrower_integers_come_back_as_they_were(folder):
    folder.write("s-000", {"n": [7, None]}, {"n": "categorical"}, {"n": pl.Int8()})
    folder.write("s-001", {"n": [2**40]}, {"n": "categorical"}, {"n": pl.Int64()})
    folder.compact()
    assert_frame_equal(describe(folder.open().facts()), describe(from_headers(folder)))
    folder.age("s-001", seconds=500)
    one = folder.open().statistics(["n"])
    assert one.schema["min:n"] == pl.Int8()
    assert one["values:n"].to_list() == [[7], None]


def test_long_text_is_cut_so_that_bounds_hold(folder):
    folder.write("s-000", {"label": ["z" * 100, "a" * 100], "score": [1.0, 2.0], "tags": [["b" * 100], []]})
    folder.compact()
    told = folder.open().statistics(["label", "tags"]).row(0, named=True)
    assert (told["min:label"], told["max:label"]) == ("a" * 64, "z" * 63 + "{")
    assert (told["min:tags"], told["max:tags"]) == ("b" * 64, "b" * 63 + "c")


def test_decimals_keep_their_places(folder):
    folder.write("s-000", {"price": [decimal.Decimal("1.50")]}, KINDS, DTYPES)
    folder.compact()
    assert folder.open().statistics(["price"])["min:price"].to_list() == [decimal.Decimal("1.50")]


def test_an_opened_index_pickles(folder):
    folder.fill(3)
    folder.compact()
    index = folder.open()
    again = pickle.loads(pickle.dumps(index))
    assert again.statistics(["label"]).equals(index.statistics(["label"]))
    assert again.parts[0].columns == index.parts[0].columns


def test_an_index_without_a_part_covers_the_others(folder):
    folder.fill(4)
    folder.compact(limits=Limits(rows=10))
    index = folder.open()
    less = index.without(index.parts[0].name)
    folder.check(less, covered=["s-002", "s-003"])
    assert less.statistics(["score"])["rows"].to_list() == [None, None, 5, 5]


def test_values_that_were_too_many_stay_unlisted_while_one_shard_of_them_stays(folder):
    limits = Limits(values=16 * 20 + 6 * 20)
    for number in range(4):
        folder.write(f"s-{number:03d}", many(8, first=8 * number))
    folder.compact(limits=limits)
    for number in range(1, 4):
        folder.remove(f"s-{number:03d}")
    folder.write("s-004", many(1))
    folder.compact(limits=limits)
    assert folder.open().statistics(["label"])["values:label"].to_list() == [None, None]
    assert folder.open().facts() is None


def test_values_that_were_too_many_are_listed_again_once_none_of_those_shards_is_left(folder):
    limits = Limits(values=16 * 20 + 6 * 20)
    for number in range(4):
        folder.write(f"s-{number:03d}", many(8, first=8 * number))
    folder.compact(limits=limits)
    for number in range(4):
        folder.remove(f"s-{number:03d}")
    folder.write("s-004", many(2))
    folder.compact(limits=limits)
    assert folder.open().statistics(["label"])["values:label"].to_list() == [["v00000", "v00001"]]
