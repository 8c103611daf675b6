import io
import pickle
import tarfile
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import atdata
from atdata.manifest import ManifestBuilder, QueryExecutor, SampleLocation, ShardManifest
from tests.tiers import law

LAW = law(60)
PLACE = ["__shard__", "__key__", "__offset__", "__size__", "__crc32__"]


@atdata.packable
class Photo:
    label: str | None
    score: float
    count: int
    tags: list[str]


PHOTOS = [
    Photo("dog", 0.9, 1, ["sharp"]),
    Photo("cat", 0.8, 2, []),
    Photo("dog", float("nan"), 3, ["sharp", "night"]),
    Photo(None, 0.95, 4, ["night"]),
    Photo("bird", 0.1, 5, []),
    Photo("dog", 0.99, 6, ["night"]),
    Photo("cat", 0.2, 7, ["sharp"]),
]


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        atdata.write_samples(PHOTOS, f"{name}/photos.tar", maxcount=3, manifest=True, durable=False)
        yield Path(name)


@pytest.fixture(scope="module")
def stored(folder):
    return QueryExecutor.from_directory(folder)


@pytest.fixture(scope="module")
def given_manifests(stored):
    return QueryExecutor(stored.manifests)


@pytest.fixture(params=["stored", "given_manifests"], ids=["stored", "in memory"])
def executor(request):
    return request.getfixturevalue(request.param)


def keys(locations):
    return [location.key for location in locations]


def expected_keys(condition):
    """Return the keys that the default numbering gives the photos for which a condition holds."""
    return [f"{row // 3:06d}-{row % 3:06d}" for row, photo in enumerate(PHOTOS) if condition(photo)]


QUESTIONS = {
    "one value": (pl.col("label") == "dog", lambda df: df["label"] == "dog", lambda p: p.label == "dog"),
    "a bound": (pl.col("score") > 0.85, lambda df: df["score"] > 0.85, lambda p: p.score > 0.85),
    "both": (
        (pl.col("label") == "dog") & (pl.col("score") > 0.95),
        lambda df: (df["label"] == "dog") & (df["score"] > 0.95),
        lambda p: p.label == "dog" and p.score > 0.95,
    ),
    "a list": (
        [pl.col("label") == "dog", pl.col("count") > 2],
        lambda df: (df["label"] == "dog") & (df["count"] > 2),
        lambda p: p.label == "dog" and p.count > 2,
    ),
    "an element": (
        pl.col("tags").list.contains("night"),
        lambda df: df["tags"].map(lambda tags: "night" in tags),
        lambda p: "night" in p.tags,
    ),
    "null": (pl.col("label").is_null(), lambda df: df["label"].isna(), lambda p: p.label is None),
    "everything": (pl.lit(value=True), lambda df: df["count"] > 0, lambda _: True),
    "nothing": (pl.lit(value=False), lambda df: df["count"] < 0, lambda _: False),
    "one shard": (pl.col("count") > 6, lambda df: df["count"] > 6, lambda p: p.count > 6),
}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("form", [0, 1], ids=["expression", "function"])
def test_a_question_finds_the_samples_for_which_it_holds(executor, name, form):
    assert keys(executor.query(QUESTIONS[name][form])) == expected_keys(QUESTIONS[name][2])


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("form", [0, 1], ids=["expression", "function"])
def test_count_counts_what_query_finds(executor, name, form):
    assert executor.count(QUESTIONS[name][form]) == sum(map(QUESTIONS[name][2], PHOTOS))


def test_nan_is_above_nothing(executor):
    assert expected_keys(lambda p: p.score != p.score) == ["000000-000002"]
    assert "000000-000002" not in keys(executor.query(pl.col("score") > 0))


def test_a_location_holds_what_the_manifest_says(executor, folder):
    (found,) = executor.query(pl.col("count") == 5)
    assert type(found) is SampleLocation
    row = pl.read_parquet(folder / "photos-000001.manifest.parquet").row(1, named=True)
    assert found == SampleLocation(
        "photos-000001", row["__key__"], row["__offset__"], row["__size__"], row["__crc32__"]
    )


def test_a_locations_bytes_are_the_sample(executor, folder):
    for location, photo in zip(executor.query(pl.lit(value=True)), PHOTOS, strict=True):
        tar = (folder / f"{location.shard}.tar").read_bytes()
        with tarfile.open(fileobj=io.BytesIO(tar[location.offset : location.offset + location.size])) as one:
            (member,) = one.getmembers()
            assert member.name == f"{location.key}.msgpack"
            assert Photo.from_bytes(one.extractfile(member).read()).count == photo.count


def test_numbers_of_locations_are_plain_integers(executor):
    location = executor.query(pl.col("count") == 5)[0]
    assert {type(location.offset), type(location.size), type(location.crc32)} == {int}


def test_locations_pickle(executor):
    found = executor.query(pl.lit(value=True))
    assert pickle.loads(pickle.dumps(found)) == found


def test_answers_come_in_shard_order_then_tar_order(tmp_path):
    def named(position, _):
        return f"{9 - position}"

    atdata.write_samples(PHOTOS, tmp_path / "b.tar", manifest=True, durable=False, keys=named)
    atdata.write_samples(PHOTOS, tmp_path / "a.tar", manifest=True, durable=False, keys=named)
    executor = QueryExecutor.from_directory(tmp_path)
    expected = [(shard, f"{9 - position}") for shard in "ab" for position in range(len(PHOTOS))]
    for where in (pl.lit(value=True), lambda df: df["count"] > 0):
        assert [(each.shard, each.key) for each in executor.query(where)] == expected


def test_manifests_in_memory_keep_the_order_given(stored):
    backwards = QueryExecutor(reversed(stored.manifests))
    for where in (pl.lit(value=True), lambda df: df["count"] > 0):
        found = [location.shard for location in backwards.query(where)]
        assert found == sorted(found, reverse=True)


def test_rows_are_place_and_fields(executor):
    rows = executor.rows()
    assert rows.columns == [*PLACE, "label", "score", "count", "tags"]
    assert rows["count"].to_list() == [photo.count for photo in PHOTOS]
    assert rows["tags"].to_list() == [photo.tags for photo in PHOTOS]


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ([], []),
        (["count"], ["count"]),
        (["tags", "label"], ["tags", "label"]),
        (["__key__", "count"], ["count"]),
        (("score",), ["score"]),
    ],
    ids=["none", "one", "in the order asked", "a place", "tuple"],
)
@pytest.mark.parametrize("where", [None, pl.col("count") > 3, lambda df: df["count"] > 3], ids=["all", "expr", "fn"])
def test_rows_has_the_columns_asked_for(executor, where, columns, fields):
    assert executor.rows(where, columns=columns).columns == [*PLACE, *fields]


@pytest.mark.parametrize("where", [None, pl.col("count") > 3, lambda df: df["count"] > 3], ids=["all", "expr", "fn"])
def test_rows_of_an_unknown_column_are_refused_by_name(executor, where):
    with pytest.raises(atdata.PredicateError, match="'labell'.*did you mean 'label'"):
        executor.rows(where, columns=["labell"])


def test_rows_of_an_expression_and_of_a_function_have_the_same_schema(executor):
    assert_frame_equal(executor.rows(pl.col("count") > 3), executor.rows(lambda df: df["count"] > 3))


def test_no_rows_still_have_their_schema(executor):
    for where in (pl.col("count") > 99, lambda df: df["count"] > 99):
        assert executor.rows(where).schema == executor.schema


def test_count_without_a_question_counts_all(executor):
    assert executor.count() == len(PHOTOS)


def test_the_schema_is_that_of_the_rows(executor):
    assert dict(executor.schema) == {
        "__shard__": pl.String,
        "__key__": pl.String,
        "__offset__": pl.Int64,
        "__size__": pl.Int64,
        "__crc32__": pl.UInt32,
        "label": pl.String,
        "score": pl.Float64,
        "count": pl.Int64,
        "tags": pl.List(pl.String),
    }


def test_manifests_are_one_a_shard_with_the_shards_rows(executor):
    assert [(each.shard_id, each.num_samples) for each in executor.manifests] == [
        ("photos-000000", 3),
        ("photos-000001", 3),
        ("photos-000002", 1),
    ]
    assert [len(each.samples) for each in executor._manifests] == [3, 3, 1]


def test_the_repr_counts_the_shards(executor):
    assert repr(executor) == "QueryExecutor(3 shards)"


def test_a_dataset_answers_as_an_executor_over_its_folder(folder, stored):
    where = pl.col("label") == "dog"
    assert atdata.Dataset[Photo](str(folder)).query(where) == stored.query(where)


def test_the_shard_is_a_column_of_expressions(executor):
    assert executor.count(pl.col("__shard__") == "photos-000001") == 3


def test_scan_is_lazy_and_holds_all_rows(executor):
    scan = executor.scan()
    assert isinstance(scan, pl.LazyFrame)
    assert_frame_equal(scan.collect(), executor.rows())


def test_scan_takes_what_a_predicate_may_not(executor):
    found = executor.scan().filter(pl.col("count") > pl.col("count").mean()).collect()
    assert found["count"].to_list() == [5, 6, 7]


def test_scan_pushes_predicate_and_projection_into_the_files(stored):
    plan = stored.scan().filter(pl.col("count") > 3).select("__key__").explain()
    assert "Parquet SCAN" in plan
    assert "PROJECT 2/" in plan
    assert 'SELECTION: col("count") > 3' in plan
    assert "FILTER" not in plan


def test_a_query_by_shard_and_key_reads_only_these_columns(stored):
    plan = stored.scan().filter(pl.col("label") == "dog").select("__shard__", "__key__").explain()
    assert "PROJECT 2/" in plan
    assert 'SELECTION: col("label") == "dog"' in plan


def test_counting_reads_no_field(stored):
    plan = stored.scan().select(pl.len()).explain()
    assert "PROJECT 9/" not in plan
    assert "label" not in plan


@pytest.mark.parametrize(
    "where",
    [
        pl.col("score") > pl.col("score").mean(),
        pl.len() > 3,
        pl.col("count").shift() == 1,
        pl.col("label").head(1) == "dog",
    ],
    ids=["mean", "len", "shift", "head"],
)
@pytest.mark.parametrize("ask", ["query", "rows", "count"])
def test_every_way_of_asking_refuses_what_looks_at_other_rows(executor, ask, where):
    with pytest.raises(atdata.PredicateError, match="looks at more than one row"):
        getattr(executor, ask)(where)


@pytest.mark.parametrize(
    "where", [True, 1, [], [True], [[pl.col("count") > 1]]], ids=["true", "1", "empty", "list", "nested"]
)
@pytest.mark.parametrize("ask", ["query", "rows", "count"])
def test_every_way_of_asking_refuses_what_is_no_predicate(executor, ask, where):
    with pytest.raises(atdata.PredicateError, match="a predicate is a Polars expression"):
        getattr(executor, ask)(where)


@pytest.mark.parametrize(
    "where",
    [
        pl.col("labell") == "dog",
        lambda df: df["labell"] == "dog",
        lambda df: df.labell == "dog",
        [pl.col("count") > 1, pl.col("labell") == "dog"],
    ],
    ids=["expression", "function", "attribute", "list"],
)
def test_every_form_of_predicate_names_an_unknown_column(executor, where):
    with pytest.raises(atdata.PredicateError, match="'labell'.*did you mean 'label'"):
        executor.query(where)


class OwnError(Exception):
    pass


def test_an_error_of_a_function_passes_through(executor):
    error = OwnError("x")

    def function(_):
        raise error

    with pytest.raises(OwnError) as caught:
        executor.query(function)
    assert caught.value is error


def test_a_function_sees_one_shard_at_a_time(executor):
    seen = []

    def function(df):
        seen.append(list(df["count"]))
        return df["count"] > 0

    executor.query(function)
    assert seen == [[1, 2, 3], [4, 5, 6], [7]]


def test_a_function_sees_the_columns_of_the_table(executor):
    def function(df):
        assert list(df) == ["__key__", "__offset__", "__size__", "__crc32__", "label", "score", "count", "tags"]
        return df["count"] > 0

    assert executor.count(function) == len(PHOTOS)


def test_a_function_of_whole_columns_decides_beside_other_conditions(executor):
    odd = pl.col("count").map_batches(lambda counts: counts % 2 == 1, return_dtype=pl.Boolean)
    assert executor.rows(odd & (pl.col("count") > 2))["count"].to_list() == [3, 5, 7]


def test_a_function_of_whole_columns_decides_alone(executor):
    odd = pl.col("count").map_batches(lambda counts: counts % 2 == 1, return_dtype=pl.Boolean)
    assert executor.rows(odd)["count"].to_list() == [1, 3, 5, 7]


def is_long(label):
    return len(list(label)) > 3


def test_a_function_of_single_values_decides(executor):
    long = pl.col("label").map_elements(is_long, return_dtype=pl.Boolean)
    assert executor.rows(long)["count"].to_list() == [5]


def test_an_error_of_a_function_of_single_values_keeps_its_type(executor):
    def fails(_):
        raise OwnError("no such luck")

    with pytest.raises(OwnError, match="no such luck"):
        executor.query(pl.col("label").map_elements(fails, return_dtype=pl.Boolean))


FOLDERS = ["a b", "a[1]", "a=b", "é漢", "v1.5", "a*b?", "a{b,c}", "x.tar", "a#b", "~a", "a:b", "it's", "a\\b", "file:"]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_may_have_any_name(tmp_path, name):
    atdata.write_samples(PHOTOS, tmp_path / name / "v1.5.tar", maxcount=4, manifest=True, durable=False)
    executor = QueryExecutor.from_directory(tmp_path / name)
    assert [each.shard for each in executor.query(pl.col("count") > 3)] == ["v1.5-000000", *["v1.5-000001"] * 3]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_below_may_have_any_name(tmp_path, name):
    atdata.write_samples(PHOTOS, tmp_path / name / "x.tar", manifest=True, durable=False)
    executor = QueryExecutor.from_directory(tmp_path, recursive=True)
    assert [each.shard for each in executor.query(pl.col("count") > 6)] == [f"{name}/x"]


@pytest.mark.parametrize("stem", ["a b", "a[1]", "a=b", "é漢", "a.b.c", "a*", "x.manifest", "a.0123abcd"])
def test_a_shard_may_have_any_name(tmp_path, stem):
    atdata.write_samples(PHOTOS, tmp_path / f"{stem}.tar", manifest=True, durable=False)
    executor = QueryExecutor.from_directory(tmp_path)
    assert [each.shard for each in executor.query(pl.col("count") > 6)] == [stem]


def test_a_folder_that_looks_like_a_hive_partition_adds_no_column(tmp_path):
    atdata.write_samples(PHOTOS, tmp_path / "label=bird" / "x.tar", manifest=True, durable=False)
    rows = QueryExecutor.from_directory(tmp_path, recursive=True).rows()
    assert rows["label"].to_list() == [photo.label for photo in PHOTOS]


NOTHING = {
    "query": lambda executor: executor.query(pl.lit(value=True)),
    "query by function": lambda executor: executor.query(lambda df: df["count"] > 0),
    "rows": lambda executor: executor.rows(),
    "count": lambda executor: executor.count(),
    "count by expression": lambda executor: executor.count(pl.lit(value=True)),
    "scan": lambda executor: executor.scan(),
    "schema": lambda executor: executor.schema,
}


@pytest.mark.parametrize("ask", NOTHING.values(), ids=NOTHING)
def test_a_folder_without_manifests_is_named_when_it_is_asked(tmp_path, ask):
    executor = QueryExecutor.from_directory(tmp_path)
    with pytest.raises(atdata.ManifestNotFoundError, match=f"{tmp_path.name} holds no manifest"):
        ask(executor)


@pytest.mark.parametrize("ask", NOTHING.values(), ids=NOTHING)
def test_tars_without_manifests_are_counted_when_they_are_asked(tmp_path, ask):
    atdata.write_samples(PHOTOS, tmp_path / "bare.tar", maxcount=3, durable=False)
    executor = QueryExecutor.from_directory(tmp_path)
    with pytest.raises(atdata.ManifestNotFoundError, match="holds 3 tars without one"):
        ask(executor)


@pytest.mark.parametrize("ask", NOTHING.values(), ids=NOTHING)
def test_no_manifest_in_memory_cannot_be_asked(ask):
    with pytest.raises(atdata.ManifestNotFoundError, match="give at least one"):
        ask(QueryExecutor([]))


def test_a_folder_without_manifests_has_none(tmp_path):
    executor = QueryExecutor.from_directory(tmp_path)
    assert (executor.manifests, executor.uncommitted) == ([], [])


@pytest.mark.parametrize(
    "where",
    [
        pl.col("count") > 0,
        lambda df: df["count"] > 0,
        lambda df: df["tags"].map(lambda tags: "night" in tags) | (df["count"] > 0),
    ],
    ids=["expression", "function", "function of lists"],
)
def test_a_shard_without_samples_adds_nothing(manifest_of, where):
    empty = ManifestBuilder(Photo, "empty").build()
    executor = QueryExecutor([empty, manifest_of(PHOTOS, "full")])
    assert {location.shard for location in executor.query(where)} == {"full"}


# -- laws, over small random tables

VALUES = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["dog", "cat", "", "é", None]),
        "count": st.sampled_from([-2, -1, 0, 1, 2, None]),
        "score": st.sampled_from([-1.5, 0.0, 0.5, 1.0, None]),
        "ok": st.booleans(),
    }
)
TABLES = st.lists(st.lists(VALUES, max_size=5), min_size=1, max_size=3)
FIELDS = {"label": pl.String(), "count": pl.Int64(), "score": pl.Float64(), "ok": pl.Boolean()}

#: The same question to Polars, to pandas, and about one row in plain Python; null compares false in all of them.
COMPARISONS = st.one_of(
    st.tuples(st.just("label"), st.just("=="), st.sampled_from(["dog", "cat", "", "é", "bird"])),
    st.tuples(st.sampled_from(["count", "score"]), st.sampled_from(["==", "<", "<=", ">", ">="]), st.integers(-2, 2)),
    st.tuples(st.just("ok"), st.just("=="), st.booleans()),
    st.tuples(st.sampled_from(["label", "count", "score"]), st.just("null"), st.none()),
    st.tuples(st.just("label"), st.just("in"), st.sampled_from([("dog", "é"), ("cat",), ("",)])),
)
TREES = st.recursive(COMPARISONS, lambda inner: st.tuples(inner, st.sampled_from("&|"), inner), max_leaves=4)


def compare(column, operator, value):
    """Apply a comparison to what has Python's operators: an expression, a pandas column, a plain value."""
    return {
        "==": lambda: column == value,
        "<": lambda: column < value,
        "<=": lambda: column <= value,
        ">": lambda: column > value,
        ">=": lambda: column >= value,
    }[operator]()


def as_expression(tree):
    left, operator, right = tree
    if operator == "&":
        return as_expression(left) & as_expression(right)
    if operator == "|":
        return as_expression(left) | as_expression(right)
    if operator == "null":
        return pl.col(left).is_null()
    return pl.col(left).is_in(list(right)) if operator == "in" else compare(pl.col(left), operator, right)


def as_mask(tree, df):
    left, operator, right = tree
    if operator == "&":
        return as_mask(left, df) & as_mask(right, df)
    if operator == "|":
        return as_mask(left, df) | as_mask(right, df)
    if operator == "null":
        return df[left].isna()
    return df[left].isin(list(right)) if operator == "in" else compare(df[left], operator, right)


def holds(tree, row):
    left, operator, right = tree
    if operator == "&":
        return holds(left, row) and holds(right, row)
    if operator == "|":
        return holds(left, row) or holds(right, row)
    value = row[left]
    if operator == "null":
        return value is None
    if value is None:
        return False
    return value in right if operator == "in" else compare(value, operator, right)


def executor_over(tables):
    manifests = []
    for number, rows in enumerate(tables):
        place = {
            "__key__": pl.Series([f"k{row}" for row in range(len(rows))], dtype=pl.String),
            "__offset__": pl.Series([row * 1024 for row in range(len(rows))], dtype=pl.Int64),
            "__size__": pl.Series([1024] * len(rows), dtype=pl.Int64),
            "__crc32__": pl.Series([None] * len(rows), dtype=pl.UInt32),
        }
        fields = {name: pl.Series([row[name] for row in rows], dtype=dtype) for name, dtype in FIELDS.items()}
        frame = pl.DataFrame({**place, **fields})
        manifests.append(ShardManifest(f"s{number}", "T", "1.0.0", len(rows), 0, "2024", {}, frame))
    return QueryExecutor(manifests)


def expected_places(tables, tree):
    return [
        (f"s{number}", f"k{position}")
        for number, rows in enumerate(tables)
        for position, row in enumerate(rows)
        if holds(tree, row)
    ]


@LAW
@given(TABLES, TREES)
def test_expressions_and_functions_find_what_plain_python_finds(tables, tree):
    executor = executor_over(tables)
    expected = expected_places(tables, tree)
    for where in (as_expression(tree), lambda df: as_mask(tree, df)):
        assert [(each.shard, each.key) for each in executor.query(where)] == expected


@LAW
@given(TABLES, TREES, TREES)
def test_asking_one_question_after_the_other_is_asking_both(tables, one, other):
    executor = executor_over(tables)
    one, other = as_expression(one), as_expression(other)
    afterwards = executor.rows(one).filter(other)
    assert_frame_equal(executor.rows(one & other), afterwards)
    assert_frame_equal(executor.rows([one, other]), afterwards)


@LAW
@given(TABLES, TREES)
def test_a_question_its_opposite_and_the_unknown_are_everything(tables, tree):
    executor = executor_over(tables)
    where = as_expression(tree)
    assert executor.count(where) + executor.count(~where) + executor.count(where.is_null()) == executor.count()
