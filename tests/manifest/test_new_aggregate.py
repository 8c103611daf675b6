"""A kind of aggregate that is one class: what it takes to add one, and what forgetting a method does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import atdata
from atdata import F, ManifestField
from atdata._manifest import FieldStatistics
from atdata._manifest._aggregate import Aggregate, AggregateMembers, known_values, none_where_unset
from atdata._manifest._kinds import registered
from atdata.manifest import QueryExecutor, create_aggregate
from tests.aging import age

WORDS = ["ox", "horse", "elephant", "cat", None, "hedgehog", ""]


class LengthMembers(AggregateMembers, frozen=True, kw_only=True, tag="length"):
    shortest: int | None
    longest: int | None
    mean: float | None
    count: int


class RunningLength:
    def __init__(self):
        self.lengths = []

    def add(self, value):
        self.lengths.append(len(value))

    def to_dict(self):
        return {"type": "length", "shortest": min(self.lengths), "longest": max(self.lengths)}


class Length(Aggregate[LengthMembers]):
    """How long texts are."""

    kind: ClassVar[str] = "length"
    members: ClassVar[type[AggregateMembers]] = LengthMembers
    takes: ClassVar[str] = "text"
    lists_values: ClassVar[bool] = False
    index_columns: ClassVar[Mapping[str, pl.DataType]] = {"shortest": pl.Int64(), "longest": pl.Int64()}

    def fits(self, dtype):
        return dtype == pl.String

    def is_default(self, dtype, *, by_codec):
        del dtype, by_codec
        return False

    def summarise(self, values):
        known, nans = known_values(values)
        lengths = known.str.len_chars()
        return {
            "shortest": lengths.min(),
            "longest": lengths.max(),
            "mean": lengths.mean(),
            "count": len(lengths),
        }, nans

    def shortened(self, members, dtype):
        del members, dtype

    def statistics(self, members, dtype, samples):
        del dtype
        nulls = none_where_unset(members.null_count) or 0
        return FieldStatistics(nulls if nulls + members.count == samples else None)

    def describe(self, parts, dtype):
        del dtype
        filled = [part.members for part in parts if part.members["count"]]
        if not filled:
            return {}
        return {
            "min": str(min(each["shortest"] for each in filled)),
            "max": str(max(each["longest"] for each in filled)),
        }

    def index_values(self, members):
        return {"shortest": members.shortest, "longest": members.longest}

    def from_index(self, rows, dtype):
        del dtype
        count = int((rows["rows"] - rows["nulls"]).sum())
        return {"shortest": rows["shortest"].min(), "longest": rows["longest"].max(), "mean": None, "count": count}

    def running(self):
        return RunningLength()


@pytest.fixture
def length():
    with registered(Length()):
        yield


@pytest.fixture
def word(length):  # noqa: ARG001 -- the kind is there as long as the type is
    @atdata.packable
    class Word:
        text: Annotated[str | None, ManifestField("length")]
        number: int

    return Word


@pytest.fixture
def ds(word, tmp_path):
    samples = [word(text, number) for number, text in enumerate(WORDS)]
    atdata.write_samples(samples, tmp_path / "w.tar", maxcount=3, manifest=True, durable=False)
    age(tmp_path)
    return atdata.Dataset[word](tmp_path)


def aggregate(path, name="text"):
    return json.loads(path.read_bytes())["aggregates"][name]


def row(executor, name="text"):
    return executor.describe().filter(field=name).row(0, named=True)


@pytest.mark.usefixtures("ds")
def test_it_is_written_to_headers_and_read_back(tmp_path):
    expected = {"type": "length", "shortest": 3, "longest": 8, "mean": 5.5, "count": 2, "null_count": 1}
    assert aggregate(tmp_path / "w-000001.manifest.json") == expected
    manifests = QueryExecutor.from_directory(tmp_path)._manifests
    assert [each.aggregates["text"]["longest"] for each in manifests] == [8, 8, 0]


@pytest.mark.usefixtures("ds")
def test_it_is_described(tmp_path):
    assert row(QueryExecutor.from_directory(tmp_path)) == {
        **dict.fromkeys(["mean", "distinct", "top", "top_count"]),
        "field": "text",
        "dtype": "String",
        "aggregate": "length",
        "samples": 7,
        "nulls": 1,
        "nans": 0,
        "min": "0",
        "max": "8",
    }


@pytest.mark.usefixtures("ds")
def test_the_index_alone_describes_it(tmp_path):
    before = QueryExecutor.from_directory(tmp_path).describe()
    QueryExecutor.from_directory(tmp_path).compact()
    executor = QueryExecutor.from_directory(tmp_path)
    assert executor._source.index is not None
    facts = executor._source.index.facts()
    assert [each.aggregates["text"]["longest"] for each in facts] == [8]
    assert_frame_equal(executor.describe(), before)
    assert executor._source.index.statistics(["text"])["shortest:text"].to_list() == [2, 3, 0]


@pytest.mark.usefixtures("ds")
def test_an_index_keeps_it_beside_shards_that_lack_it(tmp_path):
    QueryExecutor.from_directory(tmp_path).compact()

    @atdata.packable
    class Word:
        text: str
        number: int

    atdata.write_samples([Word("bee", 9)], tmp_path / "x.tar", manifest=True, durable=False)
    age(tmp_path, "x")
    done = QueryExecutor.from_directory(tmp_path).compact()
    assert (done.shards, done.tables_read, done.left_out) == (4, 1, {})
    index = QueryExecutor.from_directory(tmp_path)._source.index
    assert index.statistics(["text"])["longest:text"].to_list() == [8, 8, 0, None]
    assert row(QueryExecutor.from_directory(tmp_path))["aggregate"] is None


def test_queries_prune_by_what_it_proves(word, tmp_path):
    samples = [word(None if number == 7 else "a", number) for number in range(400)]
    atdata.write_samples(samples, tmp_path / "w.tar", maxcount=2, manifest=True, durable=False)
    executor = QueryExecutor.from_directory(tmp_path)
    assert executor.explain(pl.col("text").is_null()).shards_ruled_out == 199
    assert executor.count(pl.col("text").is_null()) == 1
    assert executor.count(pl.col("text") == "a") == 399


def test_annotate_adds_replaces_and_keeps_it(ds, tmp_path):
    header = tmp_path / "w-000000.manifest.json"
    before = aggregate(header)
    late = ds.annotate(
        lambda batch: {"again": [text and text * 2 for text in batch.text]}, aggregates={"again": "length"}
    )
    assert aggregate(header) == before
    assert aggregate(header, "again")["longest"] == 16
    late.annotate(lambda batch: {"again": ["abc"] * len(batch)}, replace=True)
    assert aggregate(header, "again") == {"type": "length", "shortest": 3, "longest": 3, "mean": 3.0, "count": 3}


def test_annotate_names_it_among_the_kinds(ds):
    with pytest.raises(atdata.SchemaError, match="'length' text"):
        ds.annotate(lambda batch: {"n": [1] * len(batch)}, aggregates={"n": "length"})


def test_export_sums_the_column_up_the_same_way(ds, tmp_path):
    ds.where(F.number < 2).export(tmp_path / "other" / "x.tar")
    assert aggregate(tmp_path / "other" / "x.manifest.json") == {
        "type": "length",
        "shortest": 2,
        "longest": 5,
        "mean": 3.5,
        "count": 2,
    }


@pytest.mark.usefixtures("length")
def test_a_header_that_has_to_be_shortened_leaves_it_as_it_is(tmp_path):
    @atdata.packable
    class Long:
        text: Annotated[str, ManifestField("length")]
        name: str

    samples = [Long("a" * number, f"{number:0900d}") for number in range(900)]
    atdata.write_samples(samples, tmp_path / "w.tar", manifest=True, durable=False)
    assert aggregate(tmp_path / "w.manifest.json")["longest"] == 899
    assert aggregate(tmp_path / "w.manifest.json", "name")["truncated"] is True


@pytest.mark.usefixtures("length")
def test_it_takes_values_one_at_a_time():
    running = create_aggregate("length")
    running.add("four")
    assert running.to_dict()["longest"] == 4


def test_without_it_the_same_files_hold_an_unknown_kind(tmp_path):
    with registered(Length()):

        @atdata.packable
        class Word:
            text: Annotated[str, ManifestField("length")]

        atdata.write_samples([Word("ox")], tmp_path / "w.tar", manifest=True, durable=False)
    assert row(QueryExecutor.from_directory(tmp_path))["aggregate"] == "length"
    assert row(QueryExecutor.from_directory(tmp_path))["max"] is None
    with pytest.raises(atdata.SchemaError, match="unknown aggregate 'length'"):
        ManifestField("length")


METHODS = sorted(Aggregate.__abstractmethods__)
ATTRIBUTES = sorted(Aggregate.__annotations__)


@pytest.mark.parametrize("forgotten", METHODS)
def test_a_kind_without_a_method_cannot_be_made(forgotten):
    members: dict[str, Any] = {name: value for name, value in vars(Length).items() if name in METHODS + ATTRIBUTES}
    del members[forgotten]
    with pytest.raises(TypeError, match=forgotten):
        type("Half", (Aggregate,), members)()


@pytest.mark.parametrize("forgotten", ATTRIBUTES)
def test_a_kind_without_an_attribute_cannot_be_made(forgotten):
    members: dict[str, Any] = {name: value for name, value in vars(Length).items() if name in METHODS + ATTRIBUTES}
    del members[forgotten]
    with pytest.raises(TypeError, match=forgotten):
        type("Half", (Aggregate,), members)()


@pytest.mark.usefixtures("length")
def test_two_kinds_of_one_name_are_refused():
    with pytest.raises(ValueError, match="'length' already"), registered(Length()):
        pass


def test_only_the_rooms_own_modules_compare_kinds_by_name():
    # A comparison elsewhere is what a new kind would have to know of.
    package = Path(atdata.__file__).parent
    named = {
        str(path.relative_to(package)): line
        for path in package.rglob("*.py")
        for line in path.read_text().splitlines()
        for kind in ("categorical", "numeric", "set")
        if any(f"{sign} {quote}{kind}{quote}" in line for sign in ("==", "!=") for quote in ("'", '"'))
    }
    assert named == {}


def test_a_kind_that_names_an_index_column_of_every_field_cannot_be_made():
    class Clashing(Length):
        index_columns: ClassVar[Mapping[str, pl.DataType]] = {"shortest": pl.Int64(), "min": pl.Int64()}

    with pytest.raises(TypeError, match="Clashing names index columns that every field may have: min"):
        Clashing()
