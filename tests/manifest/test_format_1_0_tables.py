"""Sample tables of format 1.0.0: no checksums, lists as JSON in binary columns, an empty last table without columns."""

import pickle

import polars as pl
import pytest

import atdata
from atdata import F
from atdata.manifest import QueryExecutor


@atdata.packable
class Photo:
    label: str
    width: int
    tags: list[str]


def old(folder, stem, **fields):
    """Write an old table; its header is no strict JSON."""
    count = len(next(iter(fields.values()), []))
    place = {"__key__": [f"{stem}-{row}" for row in range(count)], "__offset__": range(count), "__size__": [9] * count}
    pl.DataFrame({**place, **fields} if fields else {}).write_parquet(folder / f"{stem}.manifest.parquet")
    (folder / f"{stem}.manifest.json").write_text(
        f'{{"manifest_version": "1.0.0", "shard_id": "{stem}", "schema_type": "Photo", "schema_version": "1.0.0", '
        f'"num_samples": {count}, "size_bytes": 0, "created_at": "", "provenance": {{}}, "aggregates": {{"width": '
        '{"type": "numeric", "min": Infinity, "max": -Infinity, "mean": NaN, "count": 0}}}'
    )


@pytest.fixture
def folder(tmp_path):
    old(tmp_path, "s0", label=["dog", "cat"], tags=[b"[]", b'["night","na\\u00efve, [1]"]'], width=[1.0, None])
    old(tmp_path, "s1", label=["dog"], tags=[b'["night"]'], width=[3], note=["x"], score=[float("nan")])
    old(tmp_path, "s2")
    return tmp_path


def opened(folder):
    return QueryExecutor.from_directory(folder)


ASKED = {
    "polars": (pl.col("tags").list.contains("night"), ["s0-1", "s1-0"]),
    "sql": ("array_contains(tags, 'naïve, [1]')", ["s0-1"]),
    "F": (F.tags.contains("night") & (F.label == "dog"), ["s1-0"]),
    "function": (lambda df: df["tags"].map(lambda tags: "night" in tags), ["s0-1", "s1-0"]),
    "widened": ("width > 2", ["s1-0"]),
    "absent": (F.note == "x", ["s1-0"]),
    "nan": ("score IS NULL AND width = 1", ["s0-0"]),
    "shard": ("__shard__ = 's1'", ["s1-0"]),
}


@pytest.mark.parametrize("name", ASKED)
def test_old_tables_are_asked_as_others(folder, name):
    where, keys = ASKED[name]
    found = opened(folder).query(where)
    assert [each.key for each in found] == keys
    assert {each.crc32 for each in found} == {None}


def test_old_tables_have_the_columns_of_others(folder):
    rows = opened(folder).rows()
    assert rows.schema == pl.Schema(
        {
            "__shard__": pl.String(),
            "__key__": pl.String(),
            "__offset__": pl.Int64(),
            "__size__": pl.Int64(),
            "__crc32__": pl.UInt32(),
            "label": pl.String(),
            "tags": pl.List(pl.String()),
            "width": pl.Float64(),
            "note": pl.String(),
            "score": pl.Float64(),
        }
    )
    assert rows["tags"].to_list() == [[], ["night", "naïve, [1]"], ["night"]]
    assert rows["score"].to_list() == [None, None, None]


def test_an_old_table_without_columns_holds_no_row(folder):
    assert (opened(folder).count(), len(opened(folder).query(pl.lit(value=True)))) == (3, 3)


@pytest.mark.parametrize("empty", ["s", "s9"], ids=["first", "last"])
def test_the_empty_table_may_stand_anywhere(folder, empty):
    old(folder, empty)
    assert opened(folder).count(label="dog") == 2
    assert opened(folder).rows()["__key__"].to_list() == ["s0-0", "s0-1", "s1-0"]


def test_only_empty_tables_hold_nothing(tmp_path):
    old(tmp_path, "s0")
    old(tmp_path, "s1")
    executor = opened(tmp_path)
    assert (executor.count(), executor.query(pl.lit(value=True)), len(executor.rows())) == (0, [], 0)


@pytest.mark.parametrize("stem", ["a", "s0x", "z"], ids=["before", "between", "after"])
def test_old_and_new_shards_are_asked_together(folder, stem):
    photos = [Photo("dog", 7, ["night"]), Photo("cat", 8, [])]
    atdata.write_samples(photos, folder / f"{stem}.tar", manifest=True, durable=False)
    executor = opened(folder)
    found = executor.rows(F.tags.contains("night"))
    assert found["__shard__"].to_list() == sorted(["s0", "s1", stem])
    assert found.filter(pl.col("__shard__") == stem)["__crc32__"].null_count() == 0
    assert executor.count(lambda df: df["width"] > 2) == 3
    assert pickle.loads(pickle.dumps(executor)).count("width > 2") == 3


def test_lists_take_the_dtype_that_a_new_shard_knows(folder):
    @atdata.packable
    class Marked:
        label: str
        marks: list[int]

    old(folder, "s3", label=["cat"], marks=[b"[1,2]"])
    atdata.write_samples([Marked("dog", [2])], folder / "z.tar", manifest=True, durable=False)
    executor = opened(folder)
    assert executor.schema["marks"] == pl.List(pl.Int64())
    assert [each.key for each in executor.query(F.marks.contains(2))] == ["s3-0", "000000-000000"]


def test_text_that_is_no_json_is_refused(folder):
    old(folder, "s3", label=["cat"], tags=[b"garbage"])
    with pytest.raises(atdata.SchemaError, match=r"'s0' and 's3' differ .*'tags' is List\(String\) and String"):
        opened(folder).rows()


def test_a_list_and_text_in_one_column_do_not_go_together(folder):
    old(folder, "s3", label=["cat"], tags=["text"])
    with pytest.raises(atdata.SchemaError, match="'tags' is"):
        opened(folder).rows()
