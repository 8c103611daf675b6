"""Shards' files, as every room reads them: a shard is what its files are called."""

import shutil

import polars as pl
import pytest

import atdata
from atdata._manifest import read_listing
from atdata._query import StoredManifests
from atdata._shards import CommittedShard, ShardFiles
from atdata._storage import LocalStore, MemoryStore
from atdata.manifest import QueryExecutor


@atdata.packable
class Item:
    label: str
    number: int


COUNT = 3


def items(label):
    return [Item(label, number) for number in range(COUNT)]


def give_name(folder, old, new, place):
    """Move or copy all files of a shard to another name, together."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.startswith(f"{old}."):
            place(path, folder / (new + path.name.removeprefix(old)))


def annotate(folder):
    ds = atdata.Dataset[Item](folder)
    frame = ds.scan().select("__shard__", "__key__", late=pl.col("number") * 2).collect()
    return ds.annotate(frame, on=["__shard__", "__key__"])


@pytest.fixture(params=["as written", "after its columns were changed"])
def folder(tmp_path, request):
    """A folder of two shards."""
    for stem in ("a", "b"):
        atdata.write_samples(items(stem), tmp_path / f"{stem}.tar", manifest=True, durable=False)
    if request.param != "as written":
        annotate(tmp_path)
    return tmp_path


@pytest.fixture(params=[shutil.move, shutil.copy], ids=["moved", "copied"])
def renamed(folder, request):
    """The folder with the shard ``a`` under the name ``c``, or under both."""
    give_name(folder, "a", "c", request.param)
    return folder


def labels(folder):
    """Return the label of each shard of the folder."""
    stems = sorted(path.stem for path in folder.glob("*.tar"))
    return {stem: "a" if stem == "c" else stem for stem in stems}


def opened_in_memory(folder):
    store = MemoryStore()
    for path in folder.iterdir():
        if path.is_file():
            store.replace(path.name, path.read_bytes())
    return QueryExecutor(StoredManifests(store, read_listing(store.names())))


def expected_rows(folder):
    return [(stem, label, number) for stem, label in labels(folder).items() for number in range(COUNT)]


def rows_of(executor):
    return executor.rows(columns=["label", "number"]).select("__shard__", "label", "number").rows()


@pytest.mark.parametrize("opened", [QueryExecutor.from_directory, opened_in_memory], ids=["paths", "bytes"])
def test_a_renamed_shard_answers_under_its_new_name(renamed, opened):
    assert rows_of(opened(renamed)) == expected_rows(renamed)
    assert opened(renamed).count(lambda df: df["number"] > 0) == (COUNT - 1) * len(labels(renamed))
    frames = {manifest.shard_id: manifest.frame for manifest in opened(renamed).manifests}
    assert {stem: frame["label"].unique().item() for stem, frame in frames.items()} == labels(renamed)


def test_a_renamed_shard_is_read_in_order_and_by_place(renamed):
    ds = atdata.Dataset[Item](renamed)
    assert [(item.label, item.number) for item in ds] == [row[1:] for row in expected_rows(renamed)]
    assert [item.label for item in ds.where(pl.col("__shard__") == "c")] == ["a"] * COUNT
    assert ds[len(ds) - 1].label == "a"
    assert [item.label for item in ds.fetch(ds.query(number=0), verify="full")] == list(labels(renamed).values())


def test_a_slice_of_a_renamed_shard_is_saved_and_loaded(renamed):
    file = renamed / "some.slice.parquet"
    atdata.Dataset[Item](renamed).where(pl.col("__shard__") == "c").save_slice(file)
    assert [item.label for item in atdata.Dataset[Item](file)] == ["a"] * COUNT


def test_a_renamed_shard_is_indexed(renamed):
    executor = QueryExecutor.from_directory(renamed)
    made = executor.compact()
    assert (made.shards, dict(made.failures), dict(made.left_out)) == (len(labels(renamed)), {}, {})
    assert rows_of(QueryExecutor.from_directory(renamed)) == expected_rows(renamed)


def test_a_renamed_shard_is_annotated_under_its_new_name(renamed):
    ds = annotate(renamed)
    assert ds.scan().select("late").collect()["late"].to_list() == [0, 2, 4] * len(labels(renamed))
    assert [item.label for item in ds] == [label for label in labels(renamed).values() for _ in range(COUNT)]
    assert rows_of(QueryExecutor.from_directory(renamed)) == expected_rows(renamed)


def test_shards_are_added_after_a_renamed_one(tmp_path):
    atdata.write_samples(items("a"), tmp_path / "p.tar", maxcount=2, manifest=True, durable=False)
    give_name(tmp_path, "p-000001", "p-000004", shutil.move)
    atdata.write_samples(items("b"), tmp_path / "p.tar", maxcount=2, manifest=True, append=True, durable=False)
    assert [item.label for item in atdata.Dataset[Item](tmp_path)] == ["a"] * COUNT + ["b"] * COUNT


def test_a_change_that_another_writer_forestalled_loses_no_renamed_table(folder, monkeypatch):
    give_name(folder, "a", "c", shutil.move)
    ds = atdata.Dataset[Item](folder)
    frame = ds.scan().select("__shard__", "__key__", later="number").collect()
    with monkeypatch.context() as patched:
        swap = LocalStore.swap  # fails as where another writer was faster, of the renamed shard
        patched.setattr(LocalStore, "swap", lambda store, name, *data: name[0] != "c" and swap(store, name, *data))
        with pytest.raises(atdata.ManifestError, match="'c': another writer replaced its header"):
            ds.annotate(frame, on=["__shard__", "__key__"])
    assert rows_of(QueryExecutor.from_directory(folder)) == expected_rows(folder)


def damage(folder, change):
    """Rename a shard, and change its one table."""
    give_name(folder, "a", "c", shutil.move)
    (table,) = folder.glob("c*.manifest.parquet")
    table.write_bytes(change(table.read_bytes()))
    return table.name


WAYS = {
    "query": lambda folder: QueryExecutor.from_directory(folder).query(label="a"),
    "count": lambda folder: QueryExecutor.from_directory(folder).count(),
    "function": lambda folder: QueryExecutor.from_directory(folder).count(lambda df: df["number"] > 0),
    "manifests": lambda folder: [each.frame for each in QueryExecutor.from_directory(folder).manifests],
    "iteration": lambda folder: list(atdata.Dataset[Item](folder)),
    "take": lambda folder: atdata.Dataset[Item](folder)[COUNT],
    "compact": lambda folder: QueryExecutor.from_directory(folder).compact(),
    "annotate": annotate,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_renamed_table_that_is_not_as_long_as_promised_is_named(folder, way):
    name = damage(folder, lambda data: data + b"more")
    with pytest.raises(atdata.DamagedManifestError, match=rf"{name}: the header promises \d+ bytes"):
        way(folder)


@pytest.mark.parametrize("way", ["manifests", "iteration", "compact"])
def test_a_renamed_table_of_other_bytes_is_named_where_it_is_read_whole(folder, way):
    name = damage(folder, lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(atdata.DamagedManifestError, match=f"{name}: the header promises SHA-256"):
        WAYS[way](folder)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_header_that_means_neither_of_two_tables_is_named(folder, way):
    give_name(folder, "a", "c", shutil.move)
    (table,) = folder.glob("c*.manifest.parquet")
    shutil.copy(table, folder / "c.00000000.manifest.parquet")
    with pytest.raises(atdata.ManifestNotFoundError, match=r"c\.manifest\.json names the sample table a.*not there"):
        way(folder)


def test_headers_are_read_together_once_and_kept(folder):
    asked = []

    class Noting(LocalStore):
        def read_many(self, names, limit=None):
            asked.append(list(names))
            return super().read_many(names, limit)

    store = Noting(folder)
    files = ShardFiles(store, read_listing(store.names()).committed)
    assert [header.num_samples for header in files.headers(["a", "b"])] == [COUNT, COUNT]
    assert files.headers(["b"])[0] is files.header("b")
    assert asked == [["a.manifest.json", "b.manifest.json"]]


def test_a_damaged_header_is_no_header_among_many_and_an_error_alone(folder):
    (folder / "a.manifest.json").write_bytes(b"{}")
    store = LocalStore(folder)
    files = ShardFiles(store, read_listing(store.names()).committed)
    assert [header is None for header in files.headers(["a", "b"])] == [True, False]
    with pytest.raises(atdata.DamagedManifestError, match=r"a\.manifest\.json"):
        files.header("a")


@pytest.mark.parametrize("file", ["header", "table"])
def test_what_is_gone_is_said_in_the_same_words(folder, file):
    store = LocalStore(folder)
    (listed, _) = read_listing(store.names()).committed
    shard, _ = CommittedShard.read(store, listed)
    gone = listed.header if file == "header" else shard.table_name
    store.remove(gone)
    with pytest.raises(atdata.ManifestNotFoundError, match=f"{gone} was there when the shards were listed and is gone"):
        CommittedShard.read(store, listed)[0].table()


def test_a_footer_is_read_without_the_rows(folder, monkeypatch):
    store = LocalStore(folder)
    files = ShardFiles(store, read_listing(store.names()).committed)
    whole = store.read(files.table_name("a"))
    monkeypatch.setattr(LocalStore, "read", None)
    footer = files.footer("a")
    assert pl.read_parquet_schema(footer) == pl.read_parquet_schema(whole)
    assert len(footer) < len(whole)
