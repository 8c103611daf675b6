"""Executors and datasets over an index answer what they answer without it."""

import functools
import os
import shutil
import warnings
from typing import Annotated

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import atdata
from atdata import F, ManifestField
from atdata.manifest import QueryExecutor
from tests.aging import age

INDEX = "_manifest_index"


@atdata.packable
class Photo:
    label: Annotated[str, ManifestField("categorical")]
    score: float | None
    tags: Annotated[list[str], ManifestField("set")]
    number: int


@atdata.packable
class Wider:
    label: Annotated[str, ManifestField("categorical")]
    score: float
    number: float
    extra: str


@atdata.packable
class Readings:
    values: Annotated[list[float], ManifestField("set")]


def photo(row):
    return Photo("dog" if row % 3 else "cat", None if row % 7 == 0 else row / 10, ["a", "b"][: row % 3], row)


def write(folder, rows, name="p.tar", make=photo, **options):
    atdata.write_samples(map(make, rows), folder / name, maxcount=50, manifest=True, durable=False, **options)


@pytest.fixture
def folder(tmp_path):
    """Five shards of fifty samples, and their index."""
    write(tmp_path / "data", range(250))
    age(tmp_path / "data")
    QueryExecutor.from_directory(tmp_path / "data").compact()
    return tmp_path / "data"


QUESTIONS = {
    "everything": None,
    "number": pl.col("number") > 120,
    "text": pl.col("label") == "cat",
    "list": pl.col("tags").list.contains("b"),
    "null": pl.col("score").is_null(),
    "key": pl.col("__key__") == "000002-000007",
    "shard": pl.col("__shard__").is_in(["p-000001", "p-000004"]),
    "F": (F.score > 3) & (F.label == "dog"),
    "SQL": "score BETWEEN 2 AND 9 OR number = 0",
    "function": lambda df: df["number"] % 2 == 0,
    "nothing": pl.col("number") > 10_000,
}


def check_same(folder, *, indexed, **options):
    """Check that the index answers for so many shards, and every answer is that of the sidecars."""
    executor = QueryExecutor.from_directory(folder, **options)
    plain = QueryExecutor.from_directory(folder, index="never", **options)
    assert executor.explain().shards_indexed == indexed
    assert executor.schema == plain.schema
    for question in QUESTIONS.values():
        found, expected = executor.rows(question), plain.rows(question)
        assert found.equals(expected)
        assert found.schema == expected.schema
        assert executor.count(question) == len(expected)
    assert executor.scan().collect().equals(plain.scan().collect())
    assert_frame_equal(executor.describe(), plain.describe(), rel_tol=1e-12)  # means, put together otherwise


def test_the_index_answers_as_the_sidecars_do(folder):
    check_same(folder, indexed=5)


def test_the_sidecars_are_not_read(folder):
    for table in folder.glob("*.manifest.parquet"):
        table.write_bytes(b"")
    executor = QueryExecutor.from_directory(folder)
    assert executor.count(pl.col("number") > 120) == 129
    assert executor.describe()["samples"].to_list() == [250] * 4


def test_it_answers_where_it_was_made(tmp_path):
    write(tmp_path, range(250))
    age(tmp_path)
    executor = QueryExecutor.from_directory(tmp_path)
    assert executor.explain().shards_indexed == 0
    done = executor.compact()
    assert (done.shards, done.rows, done.tables_read) == (5, 250, 5)
    assert executor.explain().shards_indexed == 5


def test_the_index_is_passed_over_where_it_is_not_wanted(folder):
    assert QueryExecutor.from_directory(folder, index="never").explain().shards_indexed == 0


def test_how_the_index_is_used_is_one_of_two_words(folder):
    with pytest.raises(ValueError, match=r"index is one of 'auto', 'never'; found 'always'"):
        QueryExecutor.from_directory(folder, index="always")


def test_a_shard_that_was_written_again_is_answered_from_its_sidecars(folder):
    atdata.write_samples(map(photo, range(1000, 1010)), folder / "p-000002.tar", manifest=True, overwrite=True)
    check_same(folder, indexed=4)


def test_shards_that_were_added_are_answered_from_their_sidecars(folder):
    write(folder, range(250, 400), append=True)
    check_same(folder, indexed=5)


def test_shards_that_were_added_before_others_come_in_shard_order(folder):
    write(folder, range(400, 500), "a.tar")
    check_same(folder, indexed=5)


def test_shards_that_were_removed_are_gone_from_all_answers(folder):
    for suffix in (".tar", ".manifest.json", ".manifest.parquet"):
        (folder / f"p-000001{suffix}").unlink()
    check_same(folder, indexed=4)
    executor = QueryExecutor.from_directory(folder)
    assert executor.count() == 200
    assert "p-000001" not in executor.rows()["__shard__"].unique()


def test_a_column_that_was_added_is_there_at_once(folder):
    ds = atdata.Dataset[Photo](str(folder))
    frame = ds.scan().select("__shard__", "__key__", twice=pl.col("number") * 2).collect()
    annotated = ds.annotate(frame, on=["__shard__", "__key__"])
    assert annotated.value_counts("twice").height == 250
    with pytest.warns(atdata.ManifestIndexWarning, match=r"compact\(\) makes it anew"):
        executor = QueryExecutor.from_directory(folder)
    assert executor.count(pl.col("twice") > 240) == 129
    executor.compact()
    check_same(folder, indexed=5)


def test_after_changes_the_index_is_brought_up_to_date_by_reading_what_changed(folder):
    write(folder, range(250, 350), append=True)
    atdata.write_samples(map(photo, range(2000, 2010)), folder / "p-000000.tar", manifest=True, overwrite=True)
    age(folder, "p-000000", "p-000005", "p-000006")
    done = QueryExecutor.from_directory(folder).compact()
    assert done.tables_read == 3
    check_same(folder, indexed=7)


def test_shards_that_differ_have_their_columns_together(folder):
    write(folder, range(60), "w.tar", make=lambda row: Wider("dog", row / 7, row + 0.5, "é" * row))
    check_same(folder, indexed=5)
    age(folder, "w-")
    QueryExecutor.from_directory(folder).compact()
    check_same(folder, indexed=7)


def test_columns_come_in_the_order_of_the_first_shard_also_where_it_is_not_in_the_index(folder):
    write(folder, range(60), "a.tar", make=lambda row: Wider("dog", row / 7, row + 0.5, "é" * row))
    check_same(folder, indexed=5)


def test_of_values_as_frequent_the_same_is_the_top_in_whatever_order_shards_are_put_together(folder):
    write(folder, range(50), "o.tar", make=lambda row: Wider("cow" if row < 42 else "ape", row / 7, row + 0.5, "é"))
    write(folder, range(84), "q.tar", make=lambda row: Photo("cow", row / 7, [], row))
    write(folder, range(42), "r.tar", make=lambda row: Wider("cow" if row < 40 else "dog", row / 7, row + 0.5, "é"))
    check_same(folder, indexed=5)
    age(folder, "o-", "q-", "r-")
    QueryExecutor.from_directory(folder).compact()
    check_same(folder, indexed=9)


def test_a_copy_of_the_folder_is_answered_from_its_sidecars_and_is_cheap_to_index(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    with pytest.warns(atdata.ManifestIndexWarning, match="made of other files"):
        executor = QueryExecutor.from_directory(copy)
    assert executor.explain().shards_indexed == 0
    assert executor.rows().equals(QueryExecutor.from_directory(folder).rows())
    done = executor.compact()
    assert (done.tables_read, done.parts_kept) == (0, 1)
    check_same(copy, indexed=5)


def test_tars_that_are_named_come_in_their_order(folder):
    urls = [folder / f"p-00000{number}.tar" for number in (3, 0, 4)]
    executor = QueryExecutor.from_shard_urls(urls)
    assert executor.explain().shards_indexed == 3
    for url in urls:
        (folder / url.name.replace(".tar", ".manifest.parquet")).write_bytes(b"")
    rows = executor.rows(columns=["number"])
    assert rows["number"].to_list() == [*range(150, 200), *range(50), *range(200, 250)]


def test_folders_in_folders_have_one_index_at_the_root(tmp_path):
    write(tmp_path / "train", range(100))
    write(tmp_path / "test", range(100, 150))
    age(tmp_path)
    QueryExecutor.from_directory(tmp_path, recursive=True).compact()
    check_same(tmp_path, indexed=3, recursive=True)
    splits = atdata.load_dataset(str(tmp_path))
    assert {name: ds._sequence.opened.executor.explain().shards_indexed for name, ds in splits.items()} == {
        "train": 2,
        "test": 1,
    }
    assert len(splits["test"].where(pl.col("number") >= 120)) == 30


def test_manifests_apart_from_the_tars_have_their_index_beside_them(tmp_path):
    write(tmp_path / "tars", range(100))
    (tmp_path / "manifests").mkdir()
    for file in (tmp_path / "tars").glob("*.manifest.*"):
        file.rename(tmp_path / "manifests" / file.name)
    age(tmp_path)
    options = {"manifests": tmp_path / "manifests"}
    QueryExecutor.from_directory(tmp_path / "tars", **options).compact()
    assert (tmp_path / "manifests" / INDEX).is_dir()
    assert not (tmp_path / "tars" / INDEX).exists()
    check_same(tmp_path / "tars", indexed=2, **options)


def test_a_dataset_counts_knows_itself_and_reads_by_the_index(folder):
    plain = without_index(folder)
    digest, counts = plain.digest, plain.value_counts("label")
    for table in folder.glob("*.manifest.parquet"):
        table.write_bytes(b"")
    ds = atdata.Dataset[Photo](str(folder))
    assert len(ds) == 250
    assert ds.digest == digest
    assert ds.value_counts("label").equals(counts)
    assert [sample.number for sample in ds.where(pl.col("number") > 247)] == [248, 249]


def without_index(folder):
    """Return the dataset in a folder, opened as if there were no index."""
    (folder / INDEX).rename(folder.parent / "aside")
    ds = atdata.Dataset[Photo](str(folder))
    (folder.parent / "aside").rename(folder / INDEX)
    return ds


@pytest.mark.parametrize("field", ["label", "score", "number", "tags"])
def test_values_are_counted_as_without_the_index(folder, field):
    assert atdata.Dataset[Photo](str(folder)).value_counts(field).equals(without_index(folder).value_counts(field))


def test_an_index_is_made_of_a_folder(folder, manifest_of):
    with pytest.raises(atdata.ManifestError, match=r"an index is made of a folder; open it whole"):
        QueryExecutor([manifest_of([photo(1)])]).compact()
    with pytest.raises(atdata.ManifestError, match=r"QueryExecutor.from_directory\(folder\).compact\(\)"):
        QueryExecutor.from_shard_urls([folder / "p-000000.tar"]).compact()


def parts(folder, kind="part"):
    (file,) = (folder / INDEX).glob(f"{kind}-*.parquet")
    return file


def flip(file, place):
    data = bytearray(file.read_bytes())
    data[int(len(data) * place)] ^= 4
    file.write_bytes(data)


HARM = {
    "part cut": lambda folder: os.truncate(parts(folder), 1000),
    "part flipped": lambda folder: flip(parts(folder), 0.3),
    "part gone": lambda folder: parts(folder).unlink(),
    "part empty": lambda folder: parts(folder).write_bytes(b""),
    "table cut": lambda folder: os.truncate(parts(folder, "shards"), 1000),
    "table flipped": lambda folder: flip(parts(folder, "shards"), 0.7),
    "table of text": lambda folder: parts(folder, "shards").write_text("shards"),
}


@pytest.mark.parametrize("name", HARM)
def test_a_damaged_index_is_left_out_with_a_warning_that_names_it(folder, name):
    expected = QueryExecutor.from_directory(folder).rows(pl.col("number") > 120)
    named = parts(folder, "shards" if "table" in name else "part").name
    HARM[name](folder)
    with pytest.warns(atdata.ManifestIndexWarning, match=named):
        executor = QueryExecutor.from_directory(folder)
    assert executor.explain().shards_indexed == 0
    assert executor.rows(pl.col("number") > 120).equals(expected)
    executor.compact()
    check_same(folder, indexed=5)


@pytest.mark.parametrize("name", ["part cut", "part gone", "part empty"])
def test_an_index_that_is_damaged_after_it_was_opened_is_set_aside(folder, name):
    executor = QueryExecutor.from_directory(folder)
    expected = executor.rows()
    HARM[name](folder)
    with pytest.warns(atdata.ManifestIndexWarning, match="left out of account"):
        assert executor.rows().equals(expected)
    assert executor.rows(pl.col("number") > 120).equals(expected.filter(pl.col("number") > 120))


@pytest.mark.parametrize(
    "choose", [lambda ds: ds.sort("number"), lambda ds: ds.where("number > 10").limit(3)], ids=["sort", "limit"]
)
def test_a_dataset_goes_on_where_its_index_is_removed(folder, choose):
    ds = atdata.Dataset[Photo](folder)
    ds.scan()
    expected = choose(atdata.Dataset[Photo](folder)).scan().collect()
    shutil.rmtree(folder / INDEX)
    assert choose(ds).scan().collect().equals(expected)


def test_values_are_counted_where_the_index_is_removed(folder):
    ds = atdata.Dataset[Photo](folder)
    expected = ds.value_counts("number")
    shutil.rmtree(folder / INDEX)
    assert ds.value_counts("number").equals(expected)


def test_lists_that_hold_nan_are_found(tmp_path):
    for shard in range(2):
        readings = [Readings([float("nan"), 1.0 + shard]), Readings([2.0])]
        atdata.write_samples(readings, tmp_path / f"r-{shard}.tar", manifest=True, durable=False)
    age(tmp_path)
    executor = QueryExecutor.from_directory(tmp_path)
    executor.compact()
    assert executor.explain().shards_indexed == 2
    assert executor.count(pl.col("values").list.contains(float("nan"))) == 2
    assert executor.explain(pl.col("values").list.contains(1.0)).shards_ruled_out == 1


def test_an_index_that_was_made_anew_answers_after_the_old_one_is_gone(folder):
    executor = QueryExecutor.from_directory(folder)
    write(folder, range(250, 300), append=True)
    age(folder, "p-000005")
    QueryExecutor.from_directory(folder).compact()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert executor.count() == 250
        assert executor.explain().shards_indexed == 5


def test_a_header_whose_time_lies_ahead_does_not_count(folder):
    header = folder / "p-000003.manifest.json"
    ahead = header.stat().st_mtime_ns + 3600 * 10**9
    os.utime(header, ns=(ahead, ahead))
    QueryExecutor.from_directory(folder).compact()
    check_same(folder, indexed=4)


def test_a_damaged_shard_stops_compacting_or_is_collected(folder):
    shutil.rmtree(folder / INDEX)
    table = folder / "p-000002.manifest.parquet"
    flip(table, 0.5)
    with pytest.raises(atdata.DamagedManifestError, match=r"p-000002\.manifest\.parquet"):
        QueryExecutor.from_directory(folder).compact()
    assert not list((folder / INDEX).glob("shards-*")) if (folder / INDEX).exists() else True
    done = QueryExecutor.from_directory(folder).compact(on_error="collect")
    assert list(done.failures) == ["p-000002"]
    assert done.shards == 4


def test_compacting_tells_how_far_it_is(folder):
    shutil.rmtree(folder / INDEX)
    seen = []
    QueryExecutor.from_directory(folder).compact(progress=functools.partial(lambda *each: seen.append(each)))
    assert seen[-1] == (5, 5)


def test_a_plan_over_an_index_that_was_removed_is_refused_with_what_to_do(folder):
    ds = atdata.Dataset[Photo](str(folder))
    plan = ds.scan().filter(pl.col("number") < 5)
    shutil.rmtree(folder / INDEX)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", atdata.ManifestIndexWarning)
        with pytest.raises(atdata.ManifestError, match=r"removed or made anew .* make the plan again, from scan\(\)"):
            ds.take(plan)
    assert len(ds.take(ds.scan().filter(pl.col("number") < 5))) == 5


def test_an_executor_sees_the_folder_anew_once_it_was_compacted(folder):
    executor = QueryExecutor.from_directory(folder).load(["score"])
    (folder / "late.tar").write_bytes(b"")
    write(folder, range(250, 260), append=True)
    with pytest.warns(atdata.UncommittedShardWarning):
        executor.compact()
    assert executor.uncommitted == ["late"]
    assert executor.loaded is None
    assert executor.count() == 260
