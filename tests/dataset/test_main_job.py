"""The main job, end to end: what is written is found, and what is found is what was written."""

import hashlib
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pandas as pd
import polars as pl
import pytest

import atdata
from tests.extras import needs

Photos = Callable[..., list[Any]]


def members_of(folder: Path) -> dict[tuple[str, str], tuple[int, bytes]]:
    """Read all tars with the standard library: (shard, key) to the member's offset and payload."""
    found = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                found[path.name[:-4], member.name.removesuffix(".msgpack")] = member.offset, file.read()
    return found


def assert_every_location_leads_to_its_sample(dataset: atdata.Dataset[Any], folder: Path, samples: list[Any]) -> None:
    locations = dataset.query(pl.lit(True))
    members = members_of(folder)
    assert len(locations) == len(samples) == len(members)
    fetched = list(dataset.fetch(locations))
    for location, sample, again in zip(locations, samples, fetched, strict=True):
        offset, payload = members[location.shard, location.key]
        assert location.offset == offset
        assert payload == sample.packed == again.packed
        with (folder / f"{location.shard}.tar").open("rb") as file:
            file.seek(location.offset)
            assert file.read(100).rstrip(b"\0").decode() == f"{location.key}.msgpack"


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250])
def test_locations_lead_to_their_samples_with_maxcount(tmp_path: Path, photos: Photos, count: int) -> None:
    samples = photos(count)
    dataset = atdata.write_samples(samples, tmp_path / "x.tar", maxcount=100, manifest=True, durable=False)
    assert [Path(path).name for path in dataset.list_shards()] == [f"x-{i:06d}.tar" for i in range(-(-count // 100))]
    assert_every_location_leads_to_its_sample(dataset, tmp_path, samples)


@pytest.mark.parametrize("maxsize", [1, 3_000, 20_000, 1_000_000])
def test_locations_lead_to_their_samples_with_maxsize(tmp_path: Path, photos: Photos, maxsize: int) -> None:
    samples = photos(60)
    dataset = atdata.write_samples(samples, tmp_path / "x.tar", maxsize=maxsize, manifest=True, durable=False)
    for path in map(Path, dataset.list_shards()):
        with tarfile.open(path) as tar:
            assert path.stat().st_size <= maxsize or len(tar.getnames()) == 1
    assert_every_location_leads_to_its_sample(dataset, tmp_path, samples)


def test_locations_lead_to_their_samples_in_the_owners_program(tmp_path: Path) -> None:
    # As tests/examples/manifest_queries.py makes them.
    samples, labels = owners_samples()
    dataset = atdata.write_samples(samples, tmp_path / "images.tar", maxcount=100, manifest=True, durable=False)
    assert_every_location_leads_to_its_sample(dataset, tmp_path, samples)
    locations = dataset.query(pl.col("label") == "dog")
    assert len(locations) == labels.count("dog")
    assert {each.shard for each in locations} == {"images-000000", "images-000001", "images-000002"}


def owners_samples() -> tuple[list[Any], list[str]]:
    program = (Path(__file__).parents[1] / "examples" / "manifest_queries.py").read_text()
    # Up to the first thing it prints, the program defines its type; its samples follow the folder that it makes.
    definition = program[: program.index("fields = resolve_manifest_fields")]
    making = program[program.index("rng = np.random") : program.index("ds = atdata.write_samples")]
    path = Path(__file__).parents[1] / "examples" / "manifest_queries.py"
    names: dict[str, Any] = {"__name__": "__main__"}
    code = compile(definition + making, str(path), "exec")
    exec(code, names)  # noqa: S102 -- the owner's program, cut before it writes
    return names["samples"], [sample.label for sample in names["samples"]]


@pytest.fixture(scope="module")
def printed() -> str:
    """Return what the owner's program prints."""
    path = Path(__file__).parents[1] / "examples" / "manifest_queries.py"
    return subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True).stdout


def test_the_owners_program_runs_as_it_stands(printed: str) -> None:
    lines = printed.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["label", "->", "categorical"],
        ["confidence", "->", "numeric"],
        ["tags", "->", "set"],
    ]
    assert "Wrote 300 samples across 3 shards" in lines
    assert "Shard: images-000000" in lines
    assert "Samples: 100" in lines
    aggregates = "\n".join(lines)
    assert "'value_counts': {'horse': 22, 'bird': 26, 'fish': 25, 'dog': 12, 'cat': 15}" in aggregates
    assert "'min': 0.509, 'max': 0.996, 'mean': 0.761" in aggregates
    assert "['blurry', 'closeup', 'indoor', 'outdoor', 'sharp', 'wide']" in aggregates


def test_the_owners_program_finds_all_samples_and_not_only_those_of_the_first_two_shards(printed: str) -> None:
    # The figures in the program's head, 6 dogs, 22 outdoor samples and 200 labels, are those of the first 200 of its
    # 300 samples: the library that it was written for lost the last shard's manifest.
    samples, labels = owners_samples()

    def sure_dogs(some: list[Any]) -> int:
        return sum(each.label == "dog" and each.confidence > 0.9 for each in some)

    def unsure_outdoors(some: list[Any]) -> int:
        return sum("outdoor" in each.tags and each.confidence < 0.7 for each in some)

    assert (sure_dogs(samples[:200]), unsure_outdoors(samples[:200])) == (6, 22)
    assert [labels[:200].count(each) for each in ["fish", "bird", "horse", "dog", "cat"]] == [50, 45, 38, 36, 31]

    assert f"Found {sure_dogs(samples)} high-confidence dog samples" in printed
    assert f"Found {unsure_outdoors(samples)} low-confidence outdoor samples" in printed
    counts = dict(line.split() for line in printed.splitlines()[-5:])
    assert counts == {each: str(labels.count(each)) for each in ["fish", "bird", "horse", "dog", "cat"]}


@needs("webdataset")
def test_webdataset_reads_the_shards(written: atdata.Dataset[Any], photos: Photos) -> None:
    # In a process of its own: it leaves files open.
    program = """
import hashlib, json, sys, webdataset
for sample in webdataset.WebDataset(sys.argv[1:], shardshuffle=False):
    print(json.dumps([sample["__key__"], hashlib.sha256(sample["msgpack"]).hexdigest()]))
"""
    command = [sys.executable, "-c", program, *written.list_shards()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    read = [json.loads(line) for line in done.stdout.splitlines()]
    assert [digest for _, digest in read] == [hashlib.sha256(photo.packed).hexdigest() for photo in photos(250)]
    assert read[101][0] == "000001-000001"


def test_tar_lists_the_members(written: atdata.Dataset[Any]) -> None:
    done = subprocess.run(["tar", "tf", written.list_shards()[2]], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"000002-{row:06d}.msgpack" for row in range(50)]


def test_msgpack_reads_the_payloads(written: atdata.Dataset[Any], tmp_path: Path, photos: Photos) -> None:
    members = members_of(tmp_path)
    assert len(members) == len(written)
    photo = photos(250)[0]
    payload = msgpack.unpackb(members["photos-000000", "000000-000000"][1])
    assert {name: value for name, value in payload.items() if name != "pixels"} == {
        "label": photo.label,
        "confidence": photo.confidence,
        "tags": photo.tags,
        "note": photo.note,
    }
    assert payload["pixels"].endswith(photo.pixels.tobytes())


def test_pandas_and_duckdb_read_the_sidecars(written: atdata.Dataset[Any], tmp_path: Path, photos: Photos) -> None:
    duckdb = pytest.importorskip("duckdb")
    expected = [photo.label for photo in photos(250)]
    files = [str(path) for path in sorted(tmp_path.glob("*.manifest.parquet"))]
    assert pd.concat(map(pd.read_parquet, files))["label"].tolist() == expected
    rows = duckdb.sql(f"select label, tags from read_parquet({files!r}, filename = true) order by filename, __offset__")
    assert [row[0] for row in rows.fetchall()] == expected
    assert len(written) == len(expected)


def test_a_dot_in_the_stem_is_part_of_it(tmp_path: Path, photos: Photos) -> None:
    samples = photos(30)
    dataset = atdata.write_samples(samples, tmp_path / "v1.5-x.tar", maxcount=20, manifest=True, durable=False)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:3] == ["v1.5-x-000000.manifest.json", "v1.5-x-000000.manifest.parquet", "v1.5-x-000000.tar"]
    assert json.loads((tmp_path / names[0]).read_bytes())["shard_id"] == "v1.5-x-000000"
    assert_every_location_leads_to_its_sample(dataset, tmp_path, samples)
    opened = atdata.QueryExecutor.from_directory(tmp_path)
    assert opened.query(pl.lit(True)) == dataset.query(pl.lit(True))


def test_the_same_samples_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    program = """
import sys
from typing import Annotated
import numpy as np, atdata
from atdata import ManifestField
@atdata.packable
class Photo:
    pixels: np.ndarray
    label: Annotated[str, ManifestField("categorical")]
    score: Annotated[float, ManifestField("numeric")]
    tags: Annotated[list[str], ManifestField("set")]
rng = np.random.default_rng(3)
photos = [Photo(rng.integers(0, 9, (5, 5)), f"label {i % 7}", float(rng.normal()), [f"é{j}" for j in range(i % 4)])
          for i in range(500)]
atdata.write_samples(photos, sys.argv[1] + "/p.tar", maxcount=150, manifest=True,
                     created_at="2026-01-01T00:00:00+00:00")
"""
    environments = [
        {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "POLARS_MAX_THREADS": "1"},
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "POLARS_MAX_THREADS": "4"},
    ]
    digests = []
    for index, environment in enumerate(environments):
        folder = tmp_path / str(index)
        folder.mkdir()
        subprocess.run([sys.executable, "-c", program, str(folder)], env=environment, check=True)
        digests.append({p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()})
    assert len(digests[0]) == 12
    assert digests[0] == digests[1]


def test_only_created_at_differs_between_two_writes(
    tmp_path: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = []
    for epoch in ("0", "86400"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        folder = tmp_path / epoch
        atdata.write_samples(photos(5), folder / "x.tar", manifest=True, durable=False)
        headers.append(json.loads((folder / "x.manifest.json").read_bytes()))
    assert [header.pop("created_at") for header in headers] == [
        "1970-01-01T00:00:00+00:00",
        "1970-01-02T00:00:00+00:00",
    ]
    assert headers[0].pop("digest") != headers[1].pop("digest")
    assert headers[0] == headers[1]
