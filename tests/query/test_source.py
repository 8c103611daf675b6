import hashlib
import json
import random
import shutil

import polars as pl
import pytest

import atdata
from atdata._manifest import LOCATION, publish_manifest, read_listing
from atdata._manifest._table import parquet_bytes
from atdata._query import _source, parse_where
from atdata._query._stored import StoredManifests
from atdata._shards import OpenShards
from atdata._storage import MemoryStore
from atdata.manifest import ManifestWriter, QueryExecutor, ShardManifest
from tests.query.recording import RecordingStore
from tests.tiers import rounds

IS_DOG = pl.col("label") == "dog"


@atdata.packable
class Photo:
    label: str
    score: float


@atdata.packable
class Less:
    label: str


@atdata.packable
class Reordered:
    score: float
    label: str


PHOTO = Photo("dog", 0.5)


@pytest.fixture
def folder(tmp_path):
    photos = [Photo("dog" if row % 2 else "cat", row / 10) for row in range(300)]
    atdata.write_samples(photos, tmp_path / "photos.tar", maxcount=100, manifest=True, durable=False)
    return tmp_path


@pytest.fixture
def table(folder):
    return folder / "photos-000001.manifest.parquet"


def stored(folder, samples):
    for number, sample in enumerate(samples):
        atdata.write_samples([sample] * 2, folder / f"s{number}.tar", manifest=True, durable=False)
    return QueryExecutor.from_directory(folder)


def test_manifests_in_memory_may_have_their_columns_in_any_order(manifest_of):
    executor = QueryExecutor([manifest_of([PHOTO], "s0"), manifest_of([Reordered(0.25, "dog")], "s1")])
    assert executor.rows(IS_DOG)["score"].to_list() == [0.5, 0.25]


def test_tables_on_disk_may_have_their_columns_in_any_order(tmp_path):
    executor = stored(tmp_path, [PHOTO, Reordered(0.25, "dog")])
    assert executor.rows(IS_DOG)["score"].to_list() == [0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize("where", [IS_DOG, lambda df: df["label"] == "dog"], ids=["expression", "function"])
def test_a_table_without_location_columns_is_damaged(where):
    frame = pl.DataFrame({"__key__": ["a"], "__offset__": [0], "label": ["dog"]})
    manifest = ShardManifest("s", "Photo", "1.0.0", 1, 10, "2024", {}, frame)
    with pytest.raises(atdata.DamagedManifestError, match=r"of 's' lacks the columns \['__crc32__', '__size__'\]"):
        QueryExecutor([manifest]).query(where)


QUESTIONS = {
    "query": lambda executor: executor.query(IS_DOG),
    "rows": lambda executor: executor.rows(),
    "count": lambda executor: executor.count(IS_DOG),
    "schema": lambda executor: executor.rows(columns=["label"]),
    "function": lambda executor: executor.query(lambda df: df["label"] == "dog"),
    "manifests": lambda executor: [manifest.frame for manifest in executor.manifests],
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("number", range(3))
def test_a_table_that_goes_after_opening_is_named(folder, ask, number):
    executor = QueryExecutor.from_directory(folder)
    name = f"photos-{number:06d}.manifest.parquet"
    (folder / name).unlink()
    with pytest.raises(atdata.ManifestNotFoundError, match=name.replace(".", r"\.")):
        ask(executor)


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1PAR1", b"garbage" * 100, b"PAR1" + b"\xff" * 100 + b"PAR1"], ids=repr
)
def test_a_table_that_becomes_no_parquet_after_opening_is_named(folder, table, ask, data):
    executor = QueryExecutor.from_directory(folder)
    table.write_bytes(data)
    with pytest.raises(atdata.DamagedManifestError, match=r"photos-000001\.manifest\.parquet"):
        ask(executor)


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_a_table_that_is_cut_after_opening_is_named(folder, table, ask):
    executor = QueryExecutor.from_directory(folder)
    data = table.read_bytes()
    for length in range(0, len(data), 101):
        table.write_bytes(data[:length])
        with pytest.raises(atdata.DamagedManifestError, match=r"photos-000001\.manifest\.parquet"):
            ask(executor)


def test_a_flip_of_a_table_gives_rows_or_an_error_of_this_library_that_names_it(folder, table):
    executor = QueryExecutor.from_directory(folder)
    data = table.read_bytes()
    refused = 0
    for bit in random.Random(0).sample(range(len(data) * 8), 200):  # others can make Polars abort the process
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        table.write_bytes(flipped)
        try:
            executor.rows(IS_DOG)
        except atdata.ManifestError as error:
            assert table.name in str(error)  # noqa: PT017 -- most flips raise nothing
            refused += 1
    assert refused > 20


@pytest.mark.soak
def test_a_flip_of_a_table_is_always_found_where_the_whole_table_is_read(folder, table):
    data = table.read_bytes()
    for bit in range(5, len(data) * 8, max(1, 997 // rounds(1))):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        table.write_bytes(flipped)
        with pytest.raises(atdata.DamagedManifestError, match=table.name):
            _ = QueryExecutor.from_directory(folder).manifests[1].frame


def test_a_table_of_other_columns_under_an_open_executor_is_named(folder, table, manifest_of):
    executor = QueryExecutor.from_directory(folder)
    table.write_bytes(parquet_bytes(manifest_of([Less("dog")]).frame))
    with pytest.raises(atdata.DamagedManifestError, match=table.name):
        executor.rows()


@pytest.mark.parametrize("number", range(3))
def test_a_header_that_goes_after_opening_is_named(folder, number):
    executor = QueryExecutor.from_directory(folder)
    name = f"photos-{number:06d}.manifest.json"
    (folder / name).unlink()
    with pytest.raises(atdata.ManifestNotFoundError, match=f"{name} was there .* and is gone"):
        _ = executor.manifests


def test_a_damaged_header_is_named_when_it_is_used(folder):
    header = folder / "photos-000001.manifest.json"
    header.write_bytes(header.read_bytes().replace(b"Photo", b"Phato"))
    executor = QueryExecutor.from_directory(folder)
    with pytest.raises(atdata.DamagedManifestError, match=header.name):
        _ = executor.manifests


def test_sidecars_of_two_shards_that_were_swapped_are_found(folder):
    one, other = (folder / f"photos-{number:06d}.manifest.parquet" for number in (0, 1))
    shutil.move(one, folder / "aside")
    shutil.move(other, one)
    shutil.move(folder / "aside", other)
    for manifest in QueryExecutor.from_directory(folder).manifests[:2]:
        with pytest.raises(atdata.DamagedManifestError, match="header promises"):
            _ = manifest.frame


def replace_table(folder, stem, frame):
    """Add a table beside the old one and let the header name it, as annotating does."""
    data = parquet_bytes(frame)
    sha256 = hashlib.sha256(data).hexdigest()
    name = f"{stem}.{sha256[:8]}.manifest.parquet"
    (folder / name).write_bytes(data)
    header = folder / f"{stem}.manifest.json"
    members = json.loads(header.read_bytes())
    del members["digest"]
    members["samples"] |= {"file": name, "size_bytes": len(data), "sha256": sha256}
    body = json.dumps(members).removesuffix("}").encode()
    header.write_bytes(body + b',"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'"}')
    return folder / name


@pytest.fixture
def replaced(tmp_path, manifest_of):
    """A folder of two shards, the second of which has its old table and the new one that its header names."""
    for stem in ("s0", "s1"):
        ManifestWriter(tmp_path / stem).write(manifest_of([PHOTO, Photo("cat", 0.25)], stem))
    frame = pl.read_parquet(tmp_path / "s1.manifest.parquet").with_columns(label=pl.lit("bird"))
    return replace_table(tmp_path, "s1", frame)


@pytest.mark.parametrize("old", ["there", "gone"])
def test_the_table_that_the_header_names_is_the_one(tmp_path, replaced, old):
    if old == "gone":
        (tmp_path / "s1.manifest.parquet").unlink()
    executor = QueryExecutor.from_directory(tmp_path)
    assert replaced.is_file()
    assert executor.rows().select("__shard__", "label").rows() == [
        ("s0", "dog"),
        ("s0", "cat"),
        ("s1", "bird"),
        ("s1", "bird"),
    ]
    assert executor.manifests[1].frame["label"].to_list() == ["bird", "bird"]


def test_a_named_table_that_is_not_there_beside_others_is_named(tmp_path, replaced):
    replaced.rename(tmp_path / "s1.00000000.manifest.parquet")
    with pytest.raises(atdata.ManifestNotFoundError, match=f"names the sample table {replaced.name}"):
        QueryExecutor.from_directory(tmp_path).rows()


def test_a_strict_cast_that_fails_on_the_rows_is_the_predicates_fault(folder):
    executor = QueryExecutor.from_directory(folder)
    with pytest.raises(atdata.PredicateError, match="the manifests are sound"):
        executor.query(pl.col("label").cast(pl.Int64) > 1)


@pytest.mark.parametrize("predicate", [pl.col("score") == "high", pl.col("label") > 1], ids=["number", "text"])
def test_a_comparison_of_text_with_numbers_is_the_predicates_fault(folder, predicate):
    with pytest.raises(atdata.PredicateError, match="cannot compare string with numeric"):
        QueryExecutor.from_directory(folder).query(predicate)


@pytest.fixture
def store(folder):
    """The folder's files in a store that notes what is read."""
    store = RecordingStore()
    for path in folder.iterdir():
        store.replace(path.name, path.read_bytes())
    return store


def asking(store):
    return QueryExecutor(StoredManifests(store, read_listing(store.names())))


MISTYPED = {
    "unknown column": pl.col("labell") == "dog",
    "unknown column in SQL": "labell = 'dog'",
    "another dtype": pl.col("label") > 1,
    "not a Boolean": pl.col("label"),
    "an aggregate": pl.col("score") > pl.col("score").mean(),
}


@pytest.mark.parametrize("where", MISTYPED.values(), ids=MISTYPED)
@pytest.mark.parametrize("ask", ["query", "count", "rows"])
@pytest.mark.parametrize("shards", ["alike", "different"])
def test_a_mistyped_predicate_is_refused_before_a_table_is_read(store, manifest_of, where, ask, shards):
    if shards == "different":
        publish_manifest(store, "another", manifest_of([Less("dog")], "another"))
        store.read_names.clear()
    executor = asking(store)
    with pytest.raises(atdata.PredicateError):
        getattr(executor, ask)(where)
    assert store.tables_read == []
    assert len(store.read_names) == len(executor._source.shard_ids)  # each header, once


def test_the_columns_are_known_without_a_table(store):
    assert list(asking(store).schema) == ["__shard__", *LOCATION, "label", "score"]
    assert store.tables_read == []


def test_a_question_that_fails_on_sound_rows_has_each_table_read_once_more(store):
    with pytest.raises(atdata.PredicateError, match="the manifests are sound"):
        asking(store).query(pl.col("label").cast(pl.Int64) > 1)
    names = [f"photos-{number:06d}.manifest.parquet" for number in range(3)]
    assert sorted(store.tables_read) == sorted(names * 2)  # to ask them, and to check them


def test_a_question_that_was_checked_is_planned_once(store, monkeypatch):
    executor, seen = asking(store), []
    check = _source.check_row_wise
    monkeypatch.setattr(_source, "check_row_wise", lambda *asked: seen.append(asked) or check(*asked))
    question = parse_where(IS_DOG)
    _source.check(executor._source, question)
    assert _source.count(executor._source, question) == 150
    assert len(seen) == 1


def shortened(store, stem, rows):
    """Cut a shard's table, and let its header promise the bytes that are left, and as many samples as before."""
    header = json.loads(store.read(f"{stem}.manifest.json"))
    table = parquet_bytes(pl.read_parquet(store.read(f"{stem}.manifest.parquet")).head(rows))
    store.replace(f"{stem}.manifest.parquet", table)
    header["samples"] |= {"size_bytes": len(table), "sha256": hashlib.sha256(table).hexdigest()}
    del header["digest"]
    body = json.dumps(header).removesuffix("}").encode()
    digest = hashlib.sha256(body).hexdigest().encode()
    store.replace(f"{stem}.manifest.json", body + b',"digest":"' + digest + b'"}')


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("others", ["alike", "different"])
def test_a_table_of_fewer_rows_than_its_header_promises_shifts_no_other(store, manifest_of, ask, others):
    if others == "different":
        publish_manifest(store, "another", manifest_of([Less("dog")], "another"))
    shortened(store, "photos-000001", 99)
    with pytest.raises(
        atdata.DamagedManifestError, match=r"photos-000001\.manifest\.parquet.* 100 samples, and the table has 99 rows"
    ):
        ask(asking(store))


def test_rows_of_bytes_are_of_their_shards_where_some_have_none(manifest_of):
    store = MemoryStore()
    for stem, count in {"a": 2, "b": 0, "c": 0, "d": 3, "e": 0}.items():
        publish_manifest(store, stem, manifest_of([Photo(stem, 0.5)] * count, stem, Photo))
    rows = asking(store).rows()
    assert rows["__shard__"].to_list() == rows["label"].to_list() == ["a", "a", "d", "d", "d"]
    assert asking(store).rows(pl.col("__shard__") > "a", ["label"])["label"].to_list() == ["d"] * 3


@pytest.mark.usefixtures("replaced")
def test_rows_of_paths_are_of_their_shards_where_tables_were_replaced(tmp_path):
    rows = QueryExecutor.from_directory(tmp_path).rows(pl.col("label") == "bird", ["label"])
    assert rows["__shard__"].to_list() == ["s1", "s1"]


def test_some_of_the_shards_share_the_headers_that_were_read(store):
    ds = atdata.Dataset[Photo](OpenShards(store, read_listing(store.names())))
    assert len(ds.where(IS_DOG)) == 150
    store.read_names.clear()
    assert ds[110:120].scan().collect()["__shard__"].unique().to_list() == ["photos-000001"]
    assert [name for name in store.read_names if name.endswith(".json")] == []
