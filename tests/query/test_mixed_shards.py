"""Shards whose columns differ: what one lacks is null there, numbers widen, and nothing goes missing."""

import dataclasses
import pickle

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata import F
from atdata._manifest._publish import publish_manifest
from atdata._manifest._shard_names import read_listing
from atdata._manifest._table import parquet_bytes
from atdata._query._stored import StoredManifests
from atdata._storage import MemoryStore
from atdata.manifest import QueryExecutor, ShardManifest
from tests.tiers import law

LAW = law(40)
PLACE = {"__key__": pl.String(), "__offset__": pl.Int64(), "__size__": pl.Int64(), "__crc32__": pl.UInt32()}


def manifest(shard_id, **fields):
    """Return a manifest with the columns given, each a Series or a list."""
    count = len(next(iter(fields.values())))
    place = {
        "__key__": pl.Series([f"{shard_id}-{row}" for row in range(count)], dtype=pl.String),
        "__offset__": pl.Series(range(count), dtype=pl.Int64),
        "__size__": pl.Series([10] * count, dtype=pl.Int64),
        "__crc32__": pl.Series([0] * count, dtype=pl.UInt32),
    }
    return ShardManifest(shard_id, "T", "1.0.0", count, 10 * count, "2024", {}, pl.DataFrame(place | fields))


def on_disk(folder, manifests):
    from atdata._storage import LocalStore  # noqa: PLC0415 -- beside its one use

    for each in manifests:
        publish_manifest(LocalStore(folder, durable=False), each.shard_id, each)
    return QueryExecutor.from_directory(folder)


def in_memory_files(_, manifests):
    store = MemoryStore()
    for each in manifests:
        publish_manifest(store, each.shard_id, each)
    return QueryExecutor(StoredManifests(store, read_listing(store.names())))


OPENED = {
    "on disk": on_disk,
    "in a store": in_memory_files,
    "in memory": lambda _, manifests: QueryExecutor(manifests),
}


@pytest.fixture(params=OPENED.values(), ids=OPENED)
def opened(request, tmp_path):
    return lambda *manifests: request.param(tmp_path, manifests)


def keys(rows):
    return rows["__key__"].to_list()


def three(position, **extra):
    """Return three manifests of two rows each, one of which, by position, has another column."""
    return [manifest(f"s{index}", a=[index, 10 + index], **(extra if index == position else {})) for index in range(3)]


EXTRA = ["x", None]


@pytest.mark.parametrize("position", range(3), ids=["first", "middle", "last"])
class TestAColumnOfOneShard:
    def test_is_in_the_schema(self, opened, position):
        executor = opened(*three(position, b=EXTRA))
        assert executor.schema == pl.Schema({"__shard__": pl.String(), **PLACE, "a": pl.Int64(), "b": pl.String()})

    def test_is_in_all_rows_and_null_elsewhere(self, opened, position):
        rows = opened(*three(position, b=EXTRA)).rows()
        assert rows["a"].to_list() == [0, 10, 1, 11, 2, 12]
        assert rows["b"].to_list() == [*[None] * 2 * position, "x", *[None] * (5 - 2 * position)]

    @pytest.mark.parametrize(
        "where",
        [pl.col("b") == "x", "b = 'x'", F.b == "x", lambda df: df["b"] == "x", lambda df: df.loc[:, "b"] == "x"],
        ids=["polars", "sql", "F", "function", "function by loc"],
    )
    def test_is_asked_first_of_all(self, opened, position, where):
        assert [each.key for each in opened(*three(position, b=EXTRA)).query(where)] == [f"s{position}-0"]

    def test_is_asked_by_equality(self, opened, position):
        assert opened(*three(position, b=EXTRA)).count(b="x") == 1

    def test_is_null_for_null_tests(self, opened, position):
        assert opened(*three(position, b=EXTRA)).count(pl.col("b").is_null()) == 5

    def test_does_not_disturb_questions_to_the_others(self, opened, position):
        executor = opened(*three(position, b=EXTRA))
        assert executor.count() == 6
        assert executor.count(pl.col("a") > 9) == 3
        assert keys(executor.rows(pl.col("a") == 11, columns=["a"])) == ["s1-1"]
        assert len(executor.query(pl.lit(value=True))) == 6

    def test_is_had_by_name(self, opened, position):
        rows = opened(*three(position, b=EXTRA)).rows(pl.col("a") < 9, columns="b")
        assert rows["b"].to_list() == ["x" if index == position else None for index in range(3)]

    def test_is_seen_by_selectors(self, opened, position):
        where = pl.any_horizontal(pl.selectors.string().exclude("__shard__", "__key__") == "x")
        assert opened(*three(position, b=EXTRA)).count(where) == 1

    def test_is_there_for_functions_in_every_shard_with_its_dtype(self, opened, position):
        seen = []

        def function(df):
            seen.append((list(df.columns), str(df["b"].dtype), df["b"].isna().to_list()))
            return df["a"] > -1

        numbers = pl.Series([1.5, None])
        assert opened(*three(position, b=numbers)).count(function) == 6
        columns = [*PLACE, "a", "b"]
        lacking = (columns, "float64", [True, True])
        assert seen == [(columns, "float64", [False, True]) if index == position else lacking for index in range(3)]

    def test_is_scanned(self, opened, position):
        rows = opened(*three(position, b=EXTRA)).scan().filter(pl.col("b") == "x").collect()
        assert keys(rows) == [f"s{position}-0"]

    def test_is_explained(self, opened, position):
        explained = opened(*three(position, b=EXTRA)).explain(b="x")
        assert (explained.shards_selected, explained.rows_selected, explained.rows) == (1, 1, 6)

    def test_is_asked_in_another_process(self, tmp_path, position):
        executor = on_disk(tmp_path, three(position, b=EXTRA))
        fresh = pickle.loads(pickle.dumps(executor))
        assert executor.count(b="x") == fresh.count(b="x") == 1
        assert pickle.loads(pickle.dumps(executor)).count(b="x") == 1


DTYPES = {
    (pl.Int64, pl.Float64): pl.Float64,
    (pl.Int8, pl.Float32): pl.Float64,
    (pl.UInt64, pl.Float32): pl.Float64,
    (pl.Float32, pl.Float64): pl.Float64,
    (pl.Int8, pl.Int64): pl.Int64,
    (pl.Int8, pl.Int16): pl.Int16,
    (pl.UInt8, pl.Int8): pl.Int16,
    (pl.UInt16, pl.Int8): pl.Int32,
    (pl.UInt32, pl.Int32): pl.Int64,
    (pl.UInt32, pl.Int64): pl.Int64,
    (pl.UInt8, pl.UInt64): pl.UInt64,
}


@pytest.mark.parametrize("turned", [False, True], ids=["this order", "turned round"])
@pytest.mark.parametrize("dtypes", DTYPES, ids=str)
def test_numbers_widen(opened, dtypes, turned):
    one, other = reversed(dtypes) if turned else dtypes
    executor = opened(
        manifest("s0", a=pl.Series([1, 100, None], dtype=one)), manifest("s1", a=pl.Series([2, 120], dtype=other))
    )
    assert executor.query(pl.col("a") > 99) == executor.query(lambda df: df["a"] > 99)
    assert [each.key for each in executor.query(pl.col("a") > 99)] == ["s0-1", "s1-1"]
    rows = executor.rows(columns=["a"])
    assert rows["a"].dtype == DTYPES[dtypes] == executor.schema["a"]
    assert rows["a"].to_list() == [1, 100, None, 2, 120]


def test_whole_numbers_beyond_2_53_round_where_others_are_floats(opened):
    executor = opened(manifest("s0", a=[2**53 + 1]), manifest("s1", a=[0.5]))
    assert executor.rows()["a"].to_list() == [float(2**53), 0.5]


APART = {
    (pl.Int64, pl.String): "'a' is Int64 and String",
    (pl.UInt64, pl.Int64): "'a' is UInt64 and Int64",
    (pl.Boolean, pl.Int64): "'a' is Boolean and Int64",
    (pl.List(pl.Int64), pl.List(pl.Float64)): r"'a' is List\(Int64\) and List\(Float64\)",
    (pl.String, pl.List(pl.String)): r"'a' is String and List\(String\)",
}


@pytest.mark.parametrize("dtypes", APART, ids=str)
@pytest.mark.parametrize(
    "ask",
    [lambda each: each.rows(), lambda each: each.schema, lambda each: each.count(lambda df: df["b"] > 0)],
    ids=["rows", "schema", "function"],
)
def test_what_does_not_go_together_is_named_with_both_shards_and_dtypes(opened, dtypes, ask):
    shards = [
        manifest("s0", b=[1]),
        *(manifest(f"s{index}", b=[1], a=pl.Series([None], dtype=dtype)) for index, dtype in enumerate(dtypes, 1)),
    ]
    with pytest.raises(atdata.SchemaError, match=f"'s1' and 's2' differ in their columns: {APART[dtypes]}"):
        ask(opened(*shards))


def test_the_two_shards_that_do_not_go_together_are_named_not_the_first(opened):
    shards = [
        manifest("s0", a=pl.Series([1], dtype=pl.Int8)),
        manifest("s1", a=pl.Series([1], dtype=pl.Int64)),
        manifest("s2", a=pl.Series([1], dtype=pl.UInt64)),
    ]
    with pytest.raises(atdata.SchemaError, match=r"'s[01]' and 's2' differ in their columns: 'a' is Int\d+ and UInt64"):
        opened(*shards).rows()


def test_columns_come_in_the_order_of_the_first_shard_then_as_they_appear(opened):
    executor = opened(manifest("s0", b=[1], a=[1]), manifest("s1", d=[1], a=[2], c=[1]), manifest("s2", e=[1], c=[1]))
    assert executor.rows().columns[5:] == ["b", "a", "d", "c", "e"]


def test_a_shard_without_rows_has_no_say_about_dtypes(opened):
    executor = opened(
        manifest("s0", a=pl.Series([], dtype=pl.Float64), b=pl.Series([], dtype=pl.Boolean)),
        manifest("s1", a=[1], b=["x"]),
        manifest("s2", a=pl.Series([], dtype=pl.String), more=pl.Series([], dtype=pl.Int8)),
    )
    assert executor.rows().schema == pl.Schema(
        {"__shard__": pl.String(), **PLACE, "a": pl.Int64(), "b": pl.String(), "more": pl.Int8()}
    )
    assert executor.count(a=1) == 1
    assert executor.count(lambda df: df["a"] == 1) == 1


def test_shards_without_rows_alone_are_no_rows(opened):
    executor = opened(manifest("s0", a=pl.Series([], dtype=pl.Int64)), manifest("s1", b=pl.Series([], dtype=pl.String)))
    assert executor.rows().columns[5:] == ["a", "b"]
    assert (len(executor.rows()), executor.count(), executor.count(b="x")) == (0, 0, 0)


def test_a_column_that_no_shard_has_is_unknown_in_all(opened):
    with pytest.raises(atdata.PredicateError, match=r"'c'.*the columns are .*'a', 'b'"):
        opened(manifest("s0", a=[1]), manifest("s1", b=[1])).query(pl.col("c") > 1)


def test_selectors_by_dtype_mean_the_dtypes_of_all_shards(opened):
    executor = opened(manifest("s0", a=[1, 9], f=[0.5, 0.5]), manifest("s1", a=[8.5], f=[0.5]))
    assert [each.key for each in executor.query(pl.any_horizontal(pl.selectors.float() > 5))] == ["s0-1", "s1-0"]


def test_filters_and_projections_reach_files_that_differ(tmp_path):
    executor = on_disk(tmp_path, three(1, b=EXTRA))
    plan = executor.scan().filter(pl.col("b") == "x").select("__key__").explain()
    assert "PROJECT 2/" in plan
    assert 'SELECTION: col("b") == "x"' in plan
    assert "UNION" not in plan


def test_shards_that_are_alike_are_asked_without_reading_their_columns(tmp_path, monkeypatch):
    executor = on_disk(tmp_path, [manifest(f"s{index}", a=[index]) for index in range(3)])

    def read(_):
        raise AssertionError("a footer was read")

    monkeypatch.setattr(pl, "read_parquet_schema", read)
    assert executor.count() == 3
    assert executor.count(pl.col("a") > 0) == len(executor.query(a=1)) + len(executor.query("a = 2")) == 2
    assert keys(executor.rows(F.a == 2, columns=["a"])) == ["s2-0"]


def test_the_columns_are_read_once(tmp_path, monkeypatch):
    executor = on_disk(tmp_path, three(2, b=EXTRA))
    seen, read = [], pl.read_parquet_schema
    monkeypatch.setattr(pl, "read_parquet_schema", lambda source: seen.append(source) or read(source))
    for _ in range(3):
        assert executor.count(b="x") == 1
    assert len(seen) == 3


def test_a_table_that_differs_from_its_header_is_damaged_not_different(tmp_path):
    executor = on_disk(tmp_path, three(1, b=EXTRA))
    (tmp_path / "s2.manifest.parquet").write_bytes(parquet_bytes(manifest("s2", c=[1, 2]).frame))
    with pytest.raises(atdata.PredicateError, match="a column 'c'"):
        executor.count(c=1)
    with pytest.raises(atdata.DamagedManifestError, match=r"s2\.manifest\.parquet"):
        executor.count(a=1)


@pytest.mark.parametrize("stem", ["s0", "s2"])
@pytest.mark.parametrize("lacking", ["all", "__key__", "__offset__", "__size__"])
def test_a_table_without_places_is_damaged_and_no_rows_are_made_of_it(tmp_path, stem, lacking):
    executor = on_disk(tmp_path, three(1, b=EXTRA))
    frame = pl.DataFrame({"__key__": ["x"], "__offset__": [0], "__size__": [9], "z": [1]})
    left = frame.select("z") if lacking == "all" else frame.drop(lacking)
    (tmp_path / f"{stem}.manifest.parquet").write_bytes(parquet_bytes(left))
    with pytest.raises(atdata.DamagedManifestError, match=rf"{stem}\.manifest\.parquet: the header promises"):
        executor.rows()


def test_a_table_without_checksums_is_damaged_where_its_header_promises_them(tmp_path):
    executor = on_disk(tmp_path, three(1, b=EXTRA))
    file = tmp_path / "s2.manifest.parquet"
    file.write_bytes(parquet_bytes(pl.read_parquet(file).drop("__crc32__", "a")))
    with pytest.raises(atdata.DamagedManifestError, match=r"s2\.manifest\.parquet"):
        executor.count("a >= 0")


def test_a_damaged_table_among_shards_that_differ_is_named(tmp_path):
    executor = on_disk(tmp_path, three(1, b=EXTRA))
    (tmp_path / "s2.manifest.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(atdata.DamagedManifestError, match=r"s2\.manifest\.parquet"):
        executor.rows()


def test_samples_of_shards_that_differ_are_fetched(tmp_path):
    @atdata.packable
    class Old:
        label: str

    @atdata.packable
    class New:
        label: str
        score: float = 0.0

    atdata.write_samples([Old("dog"), Old("cat")], tmp_path / "a.tar", manifest=True, durable=False)
    atdata.write_samples([New("dog", 0.9)], tmp_path / "b.tar", manifest=True, durable=False)
    ds = atdata.Dataset[New](tmp_path)
    assert [sample.score for sample in ds.fetch(ds.query(label="dog"))] == [0.0, 0.9]
    assert [dataclasses.astuple(sample) for sample in ds.fetch(ds.query("score > 0.5"))] == [("dog", 0.9)]


# -- laws

COLUMNS = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from([pl.Int8, pl.Int64, pl.UInt16, pl.Float32, pl.Float64]),
        "b": st.sampled_from([pl.Int32, pl.Float64]),
        "c": st.just(pl.String),
    },
)
SHARDS = st.lists(
    st.tuples(COLUMNS, st.lists(st.sampled_from([0, 1, 2, 100, None]), max_size=4)), min_size=1, max_size=4
)
CONDITIONS = st.one_of(
    st.tuples(st.sampled_from("ab"), st.sampled_from([0, 1.5, 50])).map(lambda two: pl.col(two[0]) > two[1]),
    st.sampled_from("abc").map(lambda name: pl.col(name).is_null()),
    st.sampled_from("abc").map(lambda name: pl.col(name).is_not_null()),
    st.just(pl.col("c") == "1"),
    st.just(pl.col("__size__") > 0),
)


def by_hand(manifests):
    """Put tables together as plainly as it can be done."""
    frames = [each.frame.select(pl.lit(each.shard_id).alias("__shard__"), pl.all()) for each in manifests]
    wide = pl.concat([frame for frame in frames if len(frame)] or frames[:1], how="diagonal_relaxed")
    floats = pl.col(pl.Float32).cast(pl.Float64) if any("a" in each.frame for each in manifests) else pl.all()
    return wide.with_columns(floats)


@LAW
@given(SHARDS, CONDITIONS)
def test_shards_that_differ_answer_as_their_tables_put_together_by_hand(shards, condition):
    manifests = []
    for index, (columns, values) in enumerate(shards):
        texts = [None if value is None else str(value) for value in values]
        fields = {
            name: pl.Series(texts if dtype == pl.String else values, dtype=dtype) for name, dtype in columns.items()
        }
        manifests.append(manifest(f"s{index}", z=pl.Series(values, dtype=pl.Int64), **fields))
    together = by_hand(manifests)
    for open_them in (OPENED["in a store"], OPENED["in memory"]):
        executor = open_them(None, manifests)
        if set(condition.meta.root_names()) <= set(together.columns):
            expected = together.filter(condition)["__key__"].to_list()
            assert [each.key for each in executor.query(condition)] == expected
        assert executor.count() == len(together)
