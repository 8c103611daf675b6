"""Every public call that takes a path refuses the URL of an unsupported store by one error, and writes nothing."""

from pathlib import Path

import polars as pl
import pytest

import atdata
from atdata import F, UnsupportedSchemeError


@atdata.packable
class Caption:
    text: str


@pytest.fixture(scope="module", name="dataset")
def _dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("doors") / "set" / "p.tar"
    return atdata.write_samples([Caption("a"), Caption("b")], path, manifest=True)


def manifest_of(dataset):
    return atdata.ShardManifest.from_files(*files_of(dataset))


def files_of(dataset):
    stem = dataset.list_shards()[0].removesuffix(".tar")
    return f"{stem}.manifest.json", f"{stem}.manifest.parquet"


def folder_of(dataset):
    return Path(dataset.list_shards()[0]).parent


def slice_of(dataset):
    path = folder_of(dataset).parent / "a.slice.parquet"
    return dataset.where(F.text == "a").save_slice(path, overwrite=True)


#: Each call with a path in it, by what people call it.
DOORS = {
    "write_samples": lambda path, _: atdata.write_samples([Caption("a")], path, manifest=True),
    "ShardWriter": lambda path, _: atdata.ShardWriter(path, Caption),
    "export": lambda path, ds: ds.export(path),
    "save_slice": lambda path, ds: ds.where(F.text == "a").save_slice(path),
    "Dataset root": lambda path, ds: atdata.Dataset[Caption](slice_of(ds), root=path),
    "to_parquet": lambda path, ds: ds.to_parquet(path),
    "to_parquet maxcount": lambda path, ds: ds.to_parquet(path, maxcount=1),
    "process_shards": lambda path, ds: ds.process_shards(len, checkpoint=path),
    "ManifestWriter": lambda path, ds: atdata.ManifestWriter(path).write(manifest_of(ds)),
    "Dataset": lambda path, _: len(atdata.Dataset[Caption](path)),
    "Dataset of several": lambda path, ds: len(atdata.Dataset[Caption]([*ds.list_shards(), path])),
    "load_dataset": lambda path, _: atdata.load_dataset(path, Caption),
    "load_dataset data_files": lambda path, ds: atdata.load_dataset(folder_of(ds), Caption, data_files=path),
    "from_directory": lambda path, _: atdata.QueryExecutor.from_directory(path),
    "from_directory manifests": lambda path, ds: atdata.QueryExecutor.from_directory(folder_of(ds), manifests=path),
    "from_shard_urls": lambda path, _: atdata.QueryExecutor.from_shard_urls([path]),
    "from_files": lambda path, ds: atdata.ShardManifest.from_files(path, files_of(ds)[1]),
    "from_files table": lambda path, ds: atdata.ShardManifest.from_files(files_of(ds)[0], path),
    "from_json_only": lambda path, _: atdata.ShardManifest.from_json_only(path),
    "annotate": lambda path, ds: ds.annotate(path),
    "Dataset manifests": lambda path, ds: len(atdata.Dataset[Caption](folder_of(ds), manifests=path)),
    "load_dataset manifests": lambda path, ds: atdata.load_dataset(folder_of(ds), Caption, manifests=path),
}


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("suffix", [".tar", ".slice.parquet", ""])
@pytest.mark.parametrize("door", DOORS)
def test_a_url_of_another_store_is_refused_and_nothing_is_written(dataset, door, suffix, kind, tmp_path, monkeypatch):
    if "slice" in suffix and door in ("Dataset of several", "from_shard_urls"):
        pytest.skip("a slice is not one of several, wherever it is")
    monkeypatch.chdir(tmp_path)
    path = kind(f"s3://bucket/folder/x{suffix}")
    before = sorted(folder_of(dataset).iterdir())
    with pytest.raises(UnsupportedSchemeError, match=r"s3:/+bucket/folder/x.*file://"):
        DOORS[door](path, dataset)
    assert list(tmp_path.iterdir()) == []
    assert sorted(folder_of(dataset).iterdir()) == before


def test_every_door_takes_a_file_url(tmp_path):
    dataset = atdata.write_samples([Caption("a"), Caption("b")], tmp_path / "set" / "p.tar", manifest=True)
    frame = dataset.scan().select("__key__", pl.lit(1).alias("one")).collect()
    frame.write_parquet(tmp_path / "one.parquet")
    annotated = dataset.annotate((tmp_path / "one.parquet").as_uri())
    assert len(annotated.where(F.one == 1)) == 2
    [path] = annotated.to_parquet((tmp_path / "all.parquet").as_uri())
    assert path == tmp_path / "all.parquet"
    assert pl.read_parquet(path.read_bytes())["text"].to_list() == ["a", "b"]
