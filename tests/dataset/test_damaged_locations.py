"""Damaged places, in what a caller gives and in what a sample table holds: one typed error, whatever reads by them."""

import functools
import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import atdata
from atdata import (
    AtdataError,
    DamagedManifestError,
    Dataset,
    PartialFailureError,
    QueryExecutor,
    SampleLocation,
    SampleValueError,
    ShardChangedError,
    ShardError,
)

COUNT, PER_SHARD = 12, 4
KEY, OFFSET, SIZE, CRC32 = "__key__", "__offset__", "__size__", "__crc32__"


@atdata.packable
class Numbered:
    number: int
    label: str


@functools.cache
def written() -> dict[str, bytes]:
    """Return the files of a few samples in three shards, by name."""
    with tempfile.TemporaryDirectory() as folder:
        samples = [Numbered(number, "ab"[number % 2]) for number in range(COUNT)]
        atdata.write_samples(samples, Path(folder, "p.tar"), maxcount=PER_SHARD, manifest=True, durable=False)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def make(tmp_path: Path) -> Path:
    """Return a folder of these files."""
    folder = tmp_path / "set"
    folder.mkdir()
    for name, data in written().items():
        (folder / name).write_bytes(data)
    return folder


def replace_table(folder: Path, shard: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Path:
    """Change a shard's sample table, and have its header vouch for the new bytes; return the table's path."""
    table, header = folder / f"{shard}.manifest.parquet", folder / f"{shard}.manifest.json"
    frame = change(pl.read_parquet(table))
    frame.write_parquet(table)
    data = table.read_bytes()
    members = json.loads(header.read_bytes())
    members.pop("digest")
    members["samples"] |= {
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "columns": {name: str(dtype) for name, dtype in frame.schema.items()},
    }
    body = json.dumps(members, separators=(",", ":")).encode()[:-1]
    header.write_bytes(body + b',"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'"}')
    return table


def at(row: int, name: str, value: Any, dtype: Any = None) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Return what puts a value into one row of a column, which may get another dtype for it."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        values = frame[name].to_list()
        values[row] = value
        return frame.with_columns(pl.Series(name, values, dtype or frame.schema[name]))

    return change


def cast(name: str, dtype: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.col(name).cast(dtype))


STORED: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "a null offset": at(2, OFFSET, None),
    "a null size": at(2, SIZE, None),
    "a null key": at(2, KEY, None),
    "offsets as floats": cast(OFFSET, pl.Float64),
    "an offset that is NaN": at(2, OFFSET, float("nan"), pl.Float64),
    "offsets as text": cast(OFFSET, pl.String),
    "sizes as floats": cast(SIZE, pl.Float64),
    "sizes as Booleans": cast(SIZE, pl.Boolean),
    "keys as numbers": lambda frame: frame.with_columns(pl.Series(KEY, range(len(frame)))),
    "checksums as floats": cast(CRC32, pl.Float64),
    "a negative offset": at(2, OFFSET, -512),
    "a negative size": at(2, SIZE, -1024),
    "a size of 0": at(2, SIZE, 0),
    "an offset beyond int64": at(2, OFFSET, 1 << 63, pl.UInt64),
    "a checksum beyond 32 bits": at(2, CRC32, 1 << 32, pl.Int64),
    "a negative checksum": at(2, CRC32, -1, pl.Int64),
    "a place beyond the tar": at(2, OFFSET, 1 << 40),
    "a place across the tar's end": at(3, SIZE, 1 << 20),
    "a place whose end is beyond int64": at(3, SIZE, (1 << 63) - 1),
    "no offsets": lambda frame: frame.drop(OFFSET),
    "no sizes": lambda frame: frame.drop(SIZE),
    "no keys": lambda frame: frame.drop(KEY),
}

WAYS: dict[str, Callable[[Dataset[Any], Path], Any]] = {
    "iteration": lambda ds, _: list(ds),
    "batches": lambda ds, _: list(ds.ordered(batch_size=3)),
    "where": lambda ds, _: list(ds.where(pl.col("number") >= 0)),
    "where, batches": lambda ds, _: list(ds.where(pl.col("number") >= 0).ordered(batch_size=3)),
    "where, first": lambda ds, _: ds.where(pl.col("number") >= PER_SHARD).head(PER_SHARD),
    "query, fetch": lambda ds, _: list(ds.fetch(ds.query(pl.col("number") >= 0))),
    "query of an executor": lambda ds, _: list(ds.fetch(QueryExecutor.from_directory(ds.source).query("number >= 0"))),
    "take": lambda ds, _: list(ds.take(range(COUNT))),
    "a position": lambda ds, _: [ds[number] for number in range(COUNT)],
    "a key": lambda ds, _: [ds[f"000001-{row:06d}"] for row in range(PER_SHARD)],
    "select": lambda ds, _: ds.select([7, 6, 1]),
    "shuffled": lambda ds, _: list(ds.shuffled(seed=1)),
    "shuffled, batches": lambda ds, _: list(ds.shuffled(batch_size=4, seed=1)),
    "to_dict": lambda ds, _: ds.to_dict(),
    "export": lambda ds, path: ds.export(path / "out" / "o.tar"),
    "annotate": lambda ds, _: ds.annotate(lambda batch: {"twice": [2 * sample.number for sample in batch]}),
    "save_slice": lambda ds, path: list(Dataset(ds.save_slice(path / "s.slice.parquet"))),
    "process_shards": lambda ds, _: ds.process_shards(lambda samples: len(list(samples))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("damage", STORED)
def test_a_sample_table_that_does_not_hold_places_is_named_by_whatever_reads_by_it(
    tmp_path: Path, damage: str, way: str
) -> None:
    folder = make(tmp_path)
    table = replace_table(folder, "p-000001", STORED[damage])
    with pytest.raises(AtdataError) as caught:
        WAYS[way](Dataset[Numbered](folder), tmp_path)
    found = caught.value
    if isinstance(found, PartialFailureError):
        assert list(found.failed_shards) == ["p-000001"]
        found = found.errors["p-000001"]
    assert isinstance(found, DamagedManifestError)
    assert str(found).startswith(f"{table}: ")
    assert "expected" in str(found) or "no sample table" in str(found)
    assert "Restore the file from a copy" in str(found)


@pytest.mark.parametrize("damage", STORED)
def test_an_index_is_not_made_of_it(tmp_path: Path, damage: str) -> None:
    folder = make(tmp_path)
    replace_table(folder, "p-000001", STORED[damage])
    done = QueryExecutor.from_directory(folder).compact(on_error="collect")
    assert done.shards == 2
    assert [*done.failures, *done.left_out] == ["p-000001"]
    assert all(isinstance(error, DamagedManifestError) for error in done.failures.values())
    with pytest.raises(DamagedManifestError, match=r"p-000001\.manifest\.parquet"):
        list(Dataset[Numbered](folder).where(pl.col("number") >= 0))


def test_all_tables_with_a_dtype_of_their_own_are_no_better_than_one(tmp_path: Path) -> None:
    folder = make(tmp_path)
    for shard in range(COUNT // PER_SHARD):
        replace_table(folder, f"p-{shard:06d}", cast(OFFSET, pl.Float64))
    for way in ("iteration", "where", "take", "save_slice"):
        with pytest.raises(DamagedManifestError, match=r"p-00000\d\.manifest\.parquet.*integers in __offset__"):
            WAYS[way](Dataset[Numbered](folder), tmp_path)


@pytest.mark.parametrize("dtype", [pl.Int32, pl.UInt16])
def test_narrower_integers_are_places_too(tmp_path: Path, dtype: Any) -> None:
    folder = make(tmp_path)
    replace_table(folder, "p-000001", lambda frame: frame.with_columns(pl.col(OFFSET, SIZE).cast(dtype)))
    ds = Dataset[Numbered](folder)
    assert [sample.number for sample in ds] == [*range(COUNT)]
    assert [sample.number for sample in ds.where(pl.col("number") > 2)] == [*range(3, COUNT)]
    assert [sample.number for sample in ds.take(range(COUNT))] == [*range(COUNT)]


def test_checksums_that_were_not_recorded_are_no_damage(tmp_path: Path) -> None:
    folder = make(tmp_path)
    replace_table(folder, "p-000001", lambda frame: frame.with_columns(pl.lit(None, pl.UInt32).alias(CRC32)))
    assert [sample.number for sample in Dataset[Numbered](folder).shuffled(seed=3)] != []
    assert [sample.number for sample in Dataset[Numbered](folder).take([5, 0])] == [5, 0]


# -- what a caller gives


def part(name: str, value: Any) -> Callable[[SampleLocation], SampleLocation]:
    return lambda location: SampleLocation(**{**dict(zip(PARTS, parts(location), strict=True)), name: value})


def parts(location: SampleLocation) -> tuple[Any, ...]:
    return tuple(getattr(location, name) for name in PARTS)


PARTS = ("shard", "key", "offset", "size", "crc32")

LISTED: dict[str, Callable[[SampleLocation], Any]] = {
    "no offset": part("offset", None),
    "an offset as a float": part("offset", 0.0),
    "an offset that is NaN": part("offset", float("nan")),
    "an offset as text": part("offset", "0"),
    "an offset as a Boolean": part("offset", False),
    "a negative offset": part("offset", -512),
    "an offset beyond int64": part("offset", 1 << 63),
    "a negative NumPy offset": part("offset", np.int64(-1)),
    "a size as a float": part("size", 1024.0),
    "a size of 0": part("size", 0),
    "a negative size": part("size", -1),
    "a size as a Boolean": part("size", True),
    "a size beyond int64": part("size", 1 << 70),
    "a checksum as a float": part("crc32", 1.0),
    "a negative checksum": part("crc32", -1),
    "a checksum beyond 32 bits": part("crc32", 1 << 32),
    "no shard": part("shard", None),
    "a shard as a number": part("shard", 1),
    "no key": part("key", None),
    "a key as bytes": part("key", b"000001-000000"),
    "None": lambda _: None,
    "a tuple": parts,
    "a dict": lambda location: dict(zip(PARTS, parts(location), strict=True)),
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("way", ["fetch", "take", "select"])
@pytest.mark.parametrize("damage", LISTED)
def test_a_listed_location_that_is_no_place_is_refused(tmp_path: Path, damage: str, way: str, *, first: bool) -> None:
    ds = Dataset[Numbered](make(tmp_path))
    good = ds.query(pl.col("number") >= PER_SHARD)
    given = [LISTED[damage](good[0]), *good[1:]] if first else [*good[1:], LISTED[damage](good[0])]
    with pytest.raises(SampleValueError, match="expected"):
        list(getattr(ds, way)(given))


def test_integers_of_numpy_are_places(tmp_path: Path) -> None:
    ds = Dataset[Numbered](make(tmp_path))
    found = ds.query(pl.col("number") == 5)[0]
    one = SampleLocation(found.shard, found.key, np.int64(found.offset), np.uint32(found.size), np.uint32(found.crc32))  # type: ignore[arg-type]
    for given in ([one], [one, one]):
        assert {sample.number for sample in ds.fetch(given)} == {5}
        assert {sample.number for sample in ds.take(given)} == {5}


FRAMES = {name: change for name, change in STORED.items() if not name.startswith(("no ", "a place"))} | {
    "a null shard": lambda frame: frame.with_columns(pl.Series("__shard__", [None, *["p-000000"] * (len(frame) - 1)])),
    "shards as numbers": lambda frame: frame.with_columns(pl.lit(1).alias("__shard__")),
}


@pytest.mark.parametrize("way", ["fetch", "take", "select"])
@pytest.mark.parametrize("damage", FRAMES)
def test_a_frame_that_does_not_hold_places_is_refused(tmp_path: Path, damage: str, way: str) -> None:
    ds = Dataset[Numbered](make(tmp_path))
    frame = FRAMES[damage](ds.scan().collect())
    if damage == "a null size":  # then it is looked up
        assert [sample.number for sample in getattr(ds, way)(frame)] == [*range(COUNT)]
    else:
        with pytest.raises(SampleValueError, match=r"has .* in __\w+__; found"):
            list(getattr(ds, way)(frame))


@pytest.mark.parametrize("name", ["__shard__", KEY, OFFSET])
def test_a_frame_without_what_names_a_sample_is_refused(tmp_path: Path, name: str) -> None:
    ds = Dataset[Numbered](make(tmp_path))
    with pytest.raises(SampleValueError, match=f"lacks '{name}'"):
        ds.fetch(ds.scan().collect().drop(name))


@pytest.mark.parametrize("dtype", [pl.Null, pl.Float64, pl.String, pl.List(pl.Int64), pl.Object, pl.Boolean])
def test_a_frame_without_rows_has_any_dtypes(tmp_path: Path, dtype: Any) -> None:
    ds = Dataset[Numbered](make(tmp_path))
    frame = pl.DataFrame(schema=dict.fromkeys(["__shard__", KEY, OFFSET, SIZE, CRC32], dtype))
    assert list(ds.fetch(frame)) == []
    assert list(ds.take(frame)) == []


def test_a_shard_that_the_dataset_does_not_have_is_named(tmp_path: Path) -> None:
    ds = Dataset[Numbered](make(tmp_path))
    frame = ds.scan().collect().with_columns(pl.lit("p-000007").alias("__shard__"))
    for given in (frame, ds.query(pl.col("number") == 1), frame.lazy()):
        listed = [part("shard", "p-000007")(one) for one in given] if isinstance(given, list) else given
        with pytest.raises(ShardError, match="'p-000007'.*none of this dataset's 3 shards"):
            list(ds.take(listed))
        if not isinstance(listed, pl.LazyFrame):
            with pytest.raises(ShardError, match="'p-000007'.*none of this dataset's 3 shards"):
                list(ds.fetch(listed))


@pytest.mark.parametrize("place", [(1 << 40, 1024), (0, 1 << 40), (1 << 62, 1 << 62), ((1 << 63) - 1, 1)])
def test_a_place_beyond_the_tar_that_no_table_has_is_not_the_tables_fault(
    tmp_path: Path, place: tuple[int, int]
) -> None:
    ds = Dataset[Numbered](make(tmp_path))
    odd = SampleLocation("p-000001", "000001-000000", *place, 7)
    good = ds.query(pl.col("number") == 1)
    for given in ([odd], [*good, odd]):
        with pytest.raises(ShardChangedError, match="a place inside the tar's"):
            list(ds.fetch(given))
