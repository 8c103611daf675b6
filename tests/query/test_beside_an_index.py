"""What stands beside an index, or comes in the middle of it, is answered as it is without one."""

import decimal
import shutil
import threading
from pathlib import Path
from typing import Annotated

import polars as pl
import pytest

import atdata
from atdata import ManifestField
from atdata.manifest import QueryExecutor
from tests.aging import age
from tests.tiers import rounds

OLD = Path(__file__).parents[1] / "golden" / "1.0.0"


@atdata.packable
class Photo:
    label: Annotated[str, ManifestField("categorical")]
    index: Annotated[int, ManifestField("numeric")]


@atdata.packable
class Sale:
    buyer: Annotated[str, ManifestField("categorical")]
    price: Annotated[decimal.Decimal, pl.Decimal(12, 2), ManifestField("numeric")]


def write(folder, samples, name="new.tar", **options):
    atdata.write_samples(samples, folder / name, manifest=True, durable=False, **options)


def compacted(folder):
    age(folder)
    executor = QueryExecutor.from_directory(folder)
    executor.compact()
    return executor


def check_same(executor, plain, *questions):
    for question in [None, *questions]:
        found, expected = executor.rows(question), plain.rows(question)
        assert found.equals(expected)
        assert found.schema == expected.schema
        assert executor.count(question) == plain.count(question) == len(expected)


def test_shards_of_version_1_0_are_answered_beside_the_index(tmp_path):
    shutil.copytree(OLD, tmp_path, dirs_exist_ok=True)
    # Its manifest says that there is no sample in it, and its tar is left.
    for name in OLD.glob("photos-000002.*"):
        (tmp_path / name.name).unlink()
    write(tmp_path, [Photo(["dog", "wolf"][n % 2], n) for n in range(1000, 1100)], maxcount=50)
    executor = compacted(tmp_path)
    plain = QueryExecutor.from_directory(tmp_path, index="never")
    assert executor.explain().shards_indexed == 2
    assert len(executor._source.shard_ids) == 4
    questions = [pl.col("label") == "dog", pl.col("index") > 20, pl.col("score").is_null(), "note IS NULL"]
    check_same(executor, plain, *questions)
    assert {"new-000000", "photos-000000"} <= set(executor.rows(pl.col("label") == "dog")["__shard__"])
    assert executor.describe().drop("mean").equals(plain.describe().drop("mean"))
    check_same(executor.load(), plain, *questions)


def test_more_than_a_thousand_categories(tmp_path):
    write(tmp_path, [Photo(f"kind {n % 2500:04d}", n) for n in range(6000)], maxcount=3000)
    executor = compacted(tmp_path)
    plain = QueryExecutor.from_directory(tmp_path, index="never")
    assert executor.explain().shards_indexed == 2
    check_same(
        executor,
        plain,
        pl.col("label") == "kind 2400",
        pl.col("label").is_in(["kind 0001", "kind 2499", "kind 2500"]),
        pl.col("label").str.ends_with("99"),
        pl.col("label") > "kind 2490",
    )
    assert executor.count(pl.col("label") == "kind 2400") == 2
    assert executor.describe().equals(plain.describe())
    counts = atdata.Dataset[Photo](tmp_path).value_counts("label")
    assert len(counts) == 2500
    assert counts["count"].sum() == 6000


def test_decimals_are_compared_exactly(tmp_path):
    prices = [decimal.Decimal(n) / 100 + 90_000_000 for n in range(400)]
    write(tmp_path, [Sale(f"b{n % 3}", price) for n, price in enumerate(prices)], maxcount=100)
    executor = compacted(tmp_path)
    plain = QueryExecutor.from_directory(tmp_path, index="never")
    assert executor.explain().shards_indexed == 4
    one = pl.col("price") == pl.lit(decimal.Decimal("90000001.50"), pl.Decimal(12, 2))
    check_same(executor, plain, one, pl.col("price") >= decimal.Decimal("90000003.99"))
    assert executor.count(one) == 1
    assert executor.explain(one).shards_ruled_out == 3
    assert executor.describe().equals(plain.describe())
    check_same(executor.load(), plain, one)


@pytest.mark.parametrize(
    "source",
    [
        lambda folder: folder / "p-00000{1..3}.tar",
        lambda folder: folder / "p-00000[1-3].tar",
        lambda folder: [folder / f"p-00000{number}.tar" for number in (1, 2, 3)],
    ],
    ids=["range", "glob", "list"],
)
def test_some_shards_of_an_indexed_folder(tmp_path, source):
    write(tmp_path, [Photo("dog", n) for n in range(500)], "p.tar", maxcount=100)
    compacted(tmp_path)
    for table in tmp_path.glob("*.manifest.parquet"):
        table.write_bytes(b"")  # the index alone answers
    dataset = atdata.Dataset[Photo](source(tmp_path) if isinstance(source(tmp_path), list) else str(source(tmp_path)))
    assert len(dataset) == 300
    assert dataset.where(pl.col("index") >= 350).scan().collect()["index"].to_list() == [*range(350, 400)]
    assert [sample.index for sample in dataset.where(pl.col("index") % 100 == 99)] == [199, 299, 399]
    assert len(dataset.where(pl.col("index") < 100)) == 0


def test_slices_of_an_indexed_dataset(tmp_path):
    write(tmp_path, [Photo("dog", n) for n in range(500)], "p.tar", maxcount=100)
    compacted(tmp_path)
    dataset = atdata.Dataset[Photo](tmp_path)
    assert [sample.index for sample in dataset[198:202]] == [198, 199, 200, 201]
    assert [sample.index for sample in dataset.take([499, 0, 250])] == [499, 0, 250]
    assert dataset.where(pl.col("index") >= 350)[-1].index == 499


@pytest.mark.filterwarnings("ignore::atdata.UncommittedShardWarning")  # of a shard that is being written
@pytest.mark.soak
def test_questions_while_the_index_is_made_again_and_again(tmp_path):
    write(tmp_path, [Photo("dog", n) for n in range(400)], "p.tar", maxcount=50)
    executor = compacted(tmp_path)
    turns = rounds(6)
    failures, asked, ended = list[BaseException](), [0, 0], threading.Event()

    def ask(number):
        try:
            while not ended.is_set() or not asked[number]:
                opened = executor if number else QueryExecutor.from_directory(tmp_path)
                found = opened.rows(pl.col("index") >= 100, "index")["index"].to_list()
                assert found == [*range(100, max(400, 100 + len(found)))]
                asked[number] += 1
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(turns):
            write(tmp_path, [Photo("dog", 400 + 50 * turn + n) for n in range(50)], "p.tar", append=True, maxcount=50)
            age(tmp_path, f"p-{8 + turn:06d}")
            executor.compact()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert min(asked) > 0
    assert executor.count() == 400 + 50 * turns
    assert executor.explain().shards_indexed == 8 + turns
