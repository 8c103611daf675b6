"""What a write does about shards that are there: replace them, add to them, or leave them alone."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import atdata
from atdata import DictSample, SchemaError, ShardError, ShardExistsError
from atdata._storage import MemoryStore
from atdata._write._set_names import ShardNames, begin_set

Photos = Callable[..., list[Any]]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def write(folder: Path, samples: Any, **options: Any) -> atdata.Dataset[Any]:
    return atdata.write_samples(
        samples, folder / "p.tar", **{"maxcount": 2, "manifest": True, "created_at": "2026-01-01", **options}
    )


# Replacing


def test_a_replaced_set_is_as_if_it_had_been_written_first(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path / "fresh", photos(5, seed=1))
    write(tmp_path / "replaced", photos(5, seed=2))
    ds = write(tmp_path / "replaced", photos(5, seed=1), overwrite=True)
    assert digests(tmp_path / "replaced") == digests(tmp_path / "fresh")
    assert [each.packed for each in ds] == [each.packed for each in photos(5, seed=1)]


def test_shards_left_over_from_a_longer_set_go_too(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(9))
    write(tmp_path, photos(3), overwrite=True)
    assert {name.split(".")[0] for name in names(tmp_path)} == {"p-000000", "p-000001"}
    assert len(atdata.Dataset(tmp_path)) == 3


def test_other_files_stay(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    others = ["pp-000000.tar", "p.tar", "p-000000.tar.bak", "notes.txt"]
    for name in others:
        (tmp_path / name).write_bytes(b"other")
    write(tmp_path, photos(2), overwrite=True)
    assert [name for name in others if (tmp_path / name).read_bytes() == b"other"] == others


def test_a_set_with_tables_that_replaced_others_goes_whole(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(2))
    (tmp_path / "p-000000.0123abcd.manifest.parquet").write_bytes(b"an annotation's")
    write(tmp_path, photos(2), overwrite=True)
    assert names(tmp_path) == ["p-000000.manifest.json", "p-000000.manifest.parquet", "p-000000.tar"]


class RecordingStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.removed: list[str] = []

    def remove(self, *names: str) -> None:
        self.removed += names
        super().remove(*names)


def test_headers_are_removed_first() -> None:
    store = RecordingStore()
    for shard in ("p-000000", "p-000001"):
        for end in (".tar", ".manifest.parquet", ".manifest.json"):
            store.replace(shard + end, b"old")
    begin_set(store, ShardNames("p-", 6, ""), "overwrite", DictSample)
    assert store.removed[:2] == ["p-000000.manifest.json", "p-000001.manifest.json"]
    assert len(store.removed) == 6
    assert store.names() == []


def test_another_writer_that_replaces_the_same_set_is_named() -> None:
    class Racing(MemoryStore):
        def remove(self, *names: str) -> None:
            super().remove(*names)
            super().remove(*names)  # what the other one has removed already

    store = Racing()
    store.replace("p-000000.manifest.json", b"old")
    with pytest.raises(ShardError, match=r"p-000000.manifest.json went while .* another writer is replacing it too"):
        begin_set(store, ShardNames("p-", 6, ""), "overwrite", DictSample)


def test_nothing_is_removed_before_the_first_sample_can_be_written(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    before = digests(tmp_path)
    for samples in ([], [object()], iter(photos(0))):
        with pytest.raises((ValueError, TypeError)):
            write(tmp_path, samples, overwrite=True)
    assert digests(tmp_path) == before


def test_replacing_nothing_writes(tmp_path: Path, photos: Photos) -> None:
    assert len(write(tmp_path / "new", photos(3), overwrite=True)) == 3


def test_a_replaced_single_shard(tmp_path: Path, photos: Photos) -> None:
    for seed in (1, 2):
        ds = atdata.write_samples(photos(4, seed=seed), tmp_path / "one.tar", manifest=True, overwrite=True)
    assert [each.packed for each in ds] == [each.packed for each in photos(4, seed=2)]


def test_without_being_asked_nothing_is_replaced_and_the_ways_out_are_named(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    before = digests(tmp_path)
    with pytest.raises(ShardExistsError, match=r"overwrite=True.*append=True"):
        write(tmp_path, photos(3))
    assert digests(tmp_path) == before


# Adding


def test_added_shards_follow_those_that_are_there(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3, seed=1))
    before = digests(tmp_path)
    ds = write(tmp_path, photos(3, seed=2), append=True)
    assert [Path(shard).name for shard in ds.list_shards()] == [f"p-{index:06d}.tar" for index in range(4)]
    expected = [each.packed for each in photos(3, seed=1) + photos(3, seed=2)]
    assert [each.packed for each in ds] == expected
    assert [each.packed for each in atdata.Dataset[type(photos(1)[0])](tmp_path)] == expected
    assert {name: digest for name, digest in digests(tmp_path).items() if name in before} == before


def test_default_keys_stay_unique_over_all_shards(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    ds = write(tmp_path, photos(3), append=True)
    keys = [location.key for location in ds.query(pl.lit(True))]
    assert keys == [
        "000000-000000",
        "000000-000001",
        "000001-000000",
        "000002-000000",
        "000002-000001",
        "000003-000000",
    ]


def test_two_writes_and_an_addition_give_the_same_bytes_as_a_set_that_was_cut_there(
    tmp_path: Path, photos: Photos
) -> None:
    write(tmp_path / "at once", photos(4))
    write(tmp_path / "in two", photos(2))
    write(tmp_path / "in two", photos(4)[2:], append=True)
    assert digests(tmp_path / "in two") == digests(tmp_path / "at once")


def test_adding_to_an_empty_folder_begins_a_set(tmp_path: Path, photos: Photos) -> None:
    assert len(write(tmp_path / "new", photos(3), append=True)) == 3
    assert [name for name in names(tmp_path / "new") if name.endswith(".tar")] == ["p-000000.tar", "p-000001.tar"]


def test_adding_after_a_gap_goes_on_after_the_last(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(6))
    for path in tmp_path.glob("p-000001.*"):
        path.unlink()
    ds = write(tmp_path, photos(1), append=True)
    assert [Path(shard).name for shard in ds.list_shards()] == ["p-000000.tar", "p-000002.tar", "p-000003.tar"]


def check_refused(folder: Path, samples: Any, error: type[Exception], match: str, **options: Any) -> None:
    before = digests(folder)
    with pytest.raises(error, match=match):
        write(folder, samples, append=True, **options)
    assert digests(folder) == before


def test_another_type_is_not_added(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    check_refused(tmp_path, [DictSample(a=1)], SchemaError, "shard 'p-000000' holds Photo, found DictSample")


def version(**annotations: type) -> Any:
    """Make one version of a sample type."""
    cls = type("Grown", (), {"__annotations__": annotations, "__module__": __name__})
    return atdata.packable(cls)


def test_a_type_that_has_grown_is_added_and_asked_together(tmp_path: Path) -> None:
    first, second = version(label=str, score=int), version(label=str, score=float, note=str)
    write(tmp_path, [first("a", 1)])
    ds = write(tmp_path, [second("b", 2.5, "new")], append=True)
    assert ds.scan().select("label", "score", "note").collect().rows() == [("a", 1.0, None), ("b", 2.5, "new")]


def test_a_type_whose_column_became_something_else_is_not_added(tmp_path: Path) -> None:
    first, second = version(label=str), version(label=int)
    write(tmp_path, [first("a")])
    check_refused(
        tmp_path, [second(1)], SchemaError, "'p-000000' and 'the new samples' differ .*'label' is String and Int64"
    )


def test_shards_without_manifests_are_not_added_to(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3), manifest=False)
    check_refused(
        tmp_path, photos(1), ShardError, r"adds to shards with manifests, and 'p-000000', 'p-000001' .* have none"
    )


def test_a_set_that_one_tar_broke_off_is_not_added_to(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    (tmp_path / "p-000002.tar").write_bytes(b"half")
    check_refused(tmp_path, photos(1), ShardError, "'p-000002' .* has none. Remove what a broken write left")


@pytest.mark.parametrize("pattern", ["p-%04d.tar", "q.tar", "p.tar"])
def test_a_set_of_another_pattern_is_not_added_to(tmp_path: Path, photos: Photos, pattern: str) -> None:
    atdata.write_samples(photos(1), tmp_path / pattern, manifest=True)
    check_refused(
        tmp_path, photos(1), ShardError, r"adds shards named|adds to shards named p-%06d\.tar, and .* holds '[pq]"
    )


def test_the_pattern_that_the_set_was_written_with_is_added_to(tmp_path: Path, photos: Photos) -> None:
    for index in range(2):
        ds = atdata.write_samples(photos(1), tmp_path / "a-%03d-z.tar", manifest=True, append=bool(index))
    assert [Path(shard).name for shard in ds.list_shards()] == ["a-000-z.tar", "a-001-z.tar"]


def test_a_damaged_header_is_not_added_to(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    (tmp_path / "p-000001.manifest.json").write_text("{}")
    check_refused(tmp_path, photos(1), atdata.DamagedManifestError, "p-000001.manifest.json")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"overwrite": True, "append": True}, "choose one"),
        ({"append": True, "manifest": False}, "give manifest=True"),
        ({"append": True, "maxcount": None}, "names one tar"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    tmp_path: Path, photos: Photos, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        write(tmp_path, photos(1), **options)
    assert names(tmp_path) == []


def test_two_that_add_at_once_do_not_overwrite_each_other(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(2, seed=1))

    def slow() -> Iterator[Any]:
        yield photos(1, seed=2)[0]
        write(tmp_path, photos(1, seed=3), append=True)

    with pytest.raises(ShardExistsError, match="p-000001.tar is there already"):
        write(tmp_path, slow(), append=True)
    samples = list(atdata.Dataset[type(photos(1)[0])](tmp_path))
    assert [each.packed for each in samples] == [each.packed for each in photos(2, seed=1) + photos(1, seed=3)]


# What is said of the shards


def test_provenance_is_kept_in_each_header(tmp_path: Path, photos: Photos) -> None:
    said = {"source_job_id": "nightly-7", "parent_shards": ["raw-000"], "camera": {"iso": 100}}
    write(tmp_path, photos(3), provenance=said)
    headers = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert [header["provenance"] for header in headers] == [said, said]
    assert atdata.QueryExecutor.from_directory(tmp_path).manifests[0].provenance == said


@pytest.mark.parametrize("provenance", ["a job", 7, {"x": float("nan")}, {"x": object()}, ["a"]])
def test_provenance_that_no_header_can_keep_is_refused(tmp_path: Path, photos: Photos, provenance: Any) -> None:
    with pytest.raises(TypeError, match="provenance"):
        write(tmp_path, photos(1), provenance=provenance)
    assert names(tmp_path) == []


# What only looks like the set


def test_a_first_key_that_is_none_removes_nothing(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    before = digests(tmp_path)
    with pytest.raises(atdata.SampleValueError, match=r"sample 0, field '__key__'.*holds a dot"):
        write(tmp_path, photos(2), overwrite=True, keys=["a.jpg", "b.jpg"])
    assert digests(tmp_path) == before


def test_a_set_whose_number_is_written_otherwise_is_not_replaced(tmp_path: Path, photos: Photos) -> None:
    atdata.write_samples(photos(3), tmp_path / "p-2024.tar", manifest=True)
    before = digests(tmp_path)
    with pytest.raises(ShardExistsError, match=r"p-%06d\.tar.*p-2024.*Nothing was removed"):
        write(tmp_path, photos(2), overwrite=True)
    assert digests(tmp_path) == before


def test_a_table_of_a_longer_stem_is_not_taken_for_a_replaced_one(tmp_path: Path, photos: Photos) -> None:
    dated = atdata.write_samples(photos(3), tmp_path / "p.20240101.tar", manifest=True)
    for _ in range(2):
        atdata.write_samples(photos(2), tmp_path / "p.tar", manifest=True, overwrite=True)
    assert len(dated.query(pl.lit(True))) == 3
    assert len(atdata.Dataset(tmp_path)) == 5


def test_adding_nothing_gives_what_is_there(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    options = {"maxcount": 2, "manifest": True, "append": True}
    with atdata.ShardWriter(tmp_path / "p.tar", type(photos(1)[0]), **options) as shards:
        pass
    assert [each.packed for each in shards.dataset] == [each.packed for each in photos(3)]


@pytest.mark.parametrize("option", ["content_metadata", "provenance"])
@pytest.mark.parametrize(
    ("value", "problem"), [("x" * 70_000, "takes 70008 bytes.*65536 bytes at most"), ("\udcff", "surrogates")]
)
def test_what_no_header_holds_is_found_before_anything_is_replaced(
    tmp_path: Path, photos: Photos, option: str, value: str, problem: str
) -> None:
    write(tmp_path, photos(3))
    before = digests(tmp_path)
    with pytest.raises((ValueError, TypeError), match=f"{option}.*{problem}"):
        write(tmp_path, photos(2), overwrite=True, **{option: {"a": value}})
    assert digests(tmp_path) == before


@pytest.mark.parametrize("option", ["overwrite", "append"])
def test_files_of_another_set_are_found_before_the_first_sample_is_taken(
    tmp_path: Path, photos: Photos, option: str
) -> None:
    atdata.write_samples(photos(3), tmp_path / "p-2024.tar", manifest=True)

    def generate() -> Iterator[Any]:
        raise AssertionError("a sample was taken")
        yield

    with pytest.raises(ShardError, match=r"p-%06d\.tar.*p-2024"):
        write(tmp_path, generate(), **{option: True})


def test_files_that_stand_in_the_way_are_named_up_to_four(tmp_path: Path, photos: Photos) -> None:
    write(tmp_path, photos(3))
    with pytest.raises(ShardExistsError) as caught:
        write(tmp_path, photos(3))
    there = names(tmp_path)
    assert [name in str(caught.value) for name in there] == [True] * 4 + [False] * 2
    assert "2 more" in str(caught.value)
