"""What a source names, the same for everything that opens one."""

import itertools
import os
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import atdata
from atdata import Dataset, DuplicateShardError, ForeignManifestWarning, ManifestNotFoundError, QueryExecutor
from atdata import load_dataset as load_splits
from atdata._shards import OpenShards, open_shards
from atdata._storage import LocalStore, MemoryStore
from tests.storage.object_store import open_bucket

Photos = Callable[..., list[Any]]
Opener = Callable[..., Any]


def load_dataset(source: Any, **options: Any) -> Dataset[Any]:
    return load_splits(source, split="train", **options)


OPENERS = [Dataset, load_dataset, QueryExecutor.from_shard_urls]
FOLDER_OPENERS = [*OPENERS, QueryExecutor.from_directory]


def ids(opened: Any) -> list[str]:
    return list(dict.fromkeys(location.shard for location in opened.query(pl.lit(True))))


FORMS = [
    ("", ["a-0", "a-1", "b-0"]),
    ("a-1.tar", ["a-1"]),
    ("a-*.tar", ["a-0", "a-1"]),
    ("?-[01].tar", ["a-0", "a-1", "b-0"]),
    ("a-{1..0}.tar", ["a-1", "a-0"]),
    ("{b,a}-0.tar", ["b-0", "a-0"]),
    ("{b-*,a-1}.tar", ["b-0", "a-1"]),
    ("**/a-0.tar", ["a-0"]),
    ("./b-0.tar", ["b-0"]),
]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(("form", "expected"), FORMS)
def test_every_opener_takes_every_form(
    put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, opener: Opener, form: str, expected: list[str]
) -> None:
    root = put("a-0", "a-1", "b-0")
    for source in (f"{root}/{form}", Path(f"{root}/{form}"), [f"{root}/{form}"]):
        opened = opener(source)
        assert ids(opened) == expected
        assert ids(opened.refresh()) == ids(pickle.loads(pickle.dumps(opened)).refresh()) == expected
    monkeypatch.chdir(root)
    relative = opener(form or ".")
    monkeypatch.chdir("/")
    assert ids(relative.refresh()) == expected


@pytest.mark.parametrize("opener", OPENERS)
def test_lists_mix_forms_and_keep_their_order(put: Callable[..., Path], opener: Opener) -> None:
    root = put("x/c", "x/d", "b", "e-0", "e-1")
    source = [root / "x", f"{root}/e-*.tar", f"{root}/b.tar"]
    assert ids(opener(source)) == ["x/c", "x/d", "e-0", "e-1", "b"]


@pytest.mark.parametrize("opener", FOLDER_OPENERS)
def test_folders_below_are_searched_where_a_folder_holds_no_shard(put: Callable[..., Path], opener: Opener) -> None:
    root = put("by-day/2024-01-01/p", "by-day/2024-01-02/p", "by-day/.git/p", "by-day/_old/p")
    opened = opener(root / "by-day")
    assert ids(opened) == ids(opened.refresh()) == ["2024-01-01/p", "2024-01-02/p"]
    put("by-day/p")
    assert ids(opener(root / "by-day")) == ids(opened.refresh()) == ["p"]


@pytest.mark.parametrize(
    ("opener", "form"),
    [(QueryExecutor.from_directory, ""), *itertools.product(OPENERS, ["", "*.tar", ["sub/y.tar", "x.tar"]])],
)
def test_manifests_may_be_apart(put: Callable[..., Path], tmp_path: Path, opener: Opener, form: Any) -> None:
    root = put("tars/x", "tars/sub/y")
    for path in sorted((root / "tars").rglob("*.manifest.*")):
        target = root / "sidecars" / path.relative_to(root / "tars")
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    source = [root / "tars" / name for name in form] if isinstance(form, list) else f"{root}/tars/{form}"
    opened = opener(source, manifests=tmp_path / "sidecars")
    expected = form and ["sub/y", "x"] if isinstance(form, list) else ["x"]
    assert ids(opened) == ids(pickle.loads(pickle.dumps(opened)).refresh()) == expected
    if isinstance(opened, Dataset):
        assert len(list(opened)) == len(opened) == 2 * len(expected)
        assert [sample.packed for sample in opened.fetch(opened.query(pl.lit(True)))] == [s.packed for s in opened]
        assert opened.annotate(lambda batch: {"n": [1] * len(batch)}).where(pl.col("n") == 1).digest == opened.digest
    with pytest.raises(ManifestNotFoundError, match="nowhere is no folder"):
        opener(source, manifests=tmp_path / "nowhere")


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    "source",
    [
        ["a.tar", "a.tar"],
        ["a.tar", "./a.tar"],
        ["a.tar", "../{here}/a.tar"],
        "{a,a}.tar",
        "{a,b,a}.tar",
        ["*.tar", "a*.tar"],
        [".", "a.tar"],
    ],
)
def test_a_tar_that_is_named_twice_is_refused(
    put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, opener: Opener, source: Any
) -> None:
    root = put("a", "b")
    monkeypatch.chdir(root)
    if isinstance(source, list):
        source = [name.replace("{here}", root.name) for name in source]
    with pytest.raises(DuplicateShardError, match=rf"{root}/a\.tar is named 2 times.*take\(\) or atdata.concat\(\)"):
        opener(source)


def test_a_number_named_twice_by_braces_is_refused(put: Callable[..., Path]) -> None:
    with pytest.raises(DuplicateShardError, match=r"a-1\.tar is named 2 times"):
        Dataset(f"{put('a-0', 'a-1')}/a-{{0..1,1}}.tar")


@pytest.mark.parametrize("opener", OPENERS)
def test_hidden_files_are_ignored(put: Callable[..., Path], opener: Opener) -> None:
    root = put("a")
    for name in ("._a.tar", "._a.manifest.json", "._a.manifest.parquet", ".b.tar", ".DS_Store", ".c.manifest.json"):
        (root / name).write_bytes(b"Mac OS X")
    for source in (root, f"{root}/*.tar", f"{root}/a.tar"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert ids(opener(source)) == ["a"]


def test_a_shard_whose_name_would_be_ignored_is_not_written(tmp_path: Path, photos: Photos) -> None:
    with pytest.raises(ValueError, match=r"does not begin with '\.'"):
        atdata.write_samples(photos(1), tmp_path / ".a.tar")


@pytest.mark.parametrize("opener", FOLDER_OPENERS)
@pytest.mark.parametrize("content", [b"{}", b"[1]", b"not json \xff", b'{"name": "app", "icons": []}'])
def test_a_header_of_another_program_is_named_in_one_warning(
    put: Callable[..., Path], opener: Opener, content: bytes
) -> None:
    root = put("a", "b")
    (root / "app.manifest.json").write_bytes(content)
    with pytest.warns(ForeignManifestWarning, match=r"app\.manifest\.json': not a manifest of atdata") as caught:
        opened = opener(root)
    assert [warning.filename for warning in caught] == [__file__]
    assert ids(opened) == ["a", "b"]


@pytest.mark.parametrize("opener", FOLDER_OPENERS)
def test_a_header_of_ours_is_not_ignored(put: Callable[..., Path], opener: Opener) -> None:
    root = put("a", "b")
    (root / "b.tar").unlink()
    (root / "b.manifest.parquet").unlink()
    with pytest.raises(ManifestNotFoundError, match=r"b\.manifest\.json has no sample table beside it"):
        opener(root)


NAMES = ["a[1]", "a*b", "{x,y}", "a?b", "a b", "50%25", "#1", "[!a]", "{0..1}", "x[", "]{", "a'b\"c"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_works_in_every_call(tmp_path: Path, photos: Photos, name: str) -> None:
    made = photos(6)
    root = tmp_path / name
    written = atdata.write_samples(made, root / f"{name}.tar", maxcount=3, manifest=True, durable=False)
    atdata.write_samples(photos(1), tmp_path / "a1" / "a1-000000.tar", manifest=True, durable=False)  # a decoy
    expected = [f"{name}-00000{number}" for number in range(2)]
    tars = [str(root / f"{shard_id}.tar") for shard_id in expected]
    assert written.list_shards() == tars
    for opener in OPENERS:
        for source in (root, tars, [Path(tar) for tar in tars], [root], f"{root}/*.tar"):
            assert ids(opener(source)) == ids(opener(source).refresh()) == expected
        assert ids(opener(tars[1])) == expected[1:]
    packed = [photo.packed for photo in made]
    assert [photo.packed for photo in written.refresh()] == packed
    file = written.where(pl.lit(True)).save_slice(root / f"{name}.slice.parquet")
    assert [photo.packed for photo in Dataset(file)] == [photo.packed for photo in Dataset(file).refresh()] == packed
    added = atdata.write_samples(made, root / f"{name}.tar", maxcount=3, manifest=True, append=True, durable=False)
    assert len(Dataset(file).refresh()) == len(added.refresh()) == 12
    executor = QueryExecutor.from_directory(root)
    executor.compact()
    assert executor.count() == QueryExecutor.from_directory(root).count() == 12
    late = Dataset(root).annotate(lambda batch: {"n": [len(batch)] * len(batch)})
    assert len(late.where(pl.col("n") > 0)) == 12
    assert len(late.export(tmp_path / "out" / f"{name}.tar", maxcount=5, keys="renew", durable=False)) == 12
    assert late.process_shards(len, shards=[tars[0]]) == {expected[0]: 3}


def test_a_path_that_exists_is_never_a_pattern(put: Callable[..., Path]) -> None:
    root = put("a[1]", "a1", "d[1]/x", "d1/y")
    assert ids(Dataset(root / "a[1].tar")) == ["a[1]"]
    assert ids(Dataset(root / "d[1]")) == ids(Dataset(root / "d[1]" / "*.tar")) == ["x"]
    for path in (*root.glob("a[[]1].*"), *(root / "d[1]").iterdir()):
        path.unlink()
    shutil.rmtree(root / "d[1]")
    assert ids(Dataset(root / "a[1].tar")) == ["a1"]
    assert ids(Dataset(root / "d[1]" / "*.tar")) == ["y"]


def test_a_shard_without_its_tar_is_found_by_its_very_name(put: Callable[..., Path]) -> None:
    root = put("a[1]", "a1")
    (root / "a[1].tar").unlink()
    assert ids(QueryExecutor.from_shard_urls(root / "a[1].tar")) == ["a[1]"]


def test_a_folder_may_be_called_like_a_tar(put: Callable[..., Path]) -> None:
    root = put("x.tar/a", "b")
    assert ids(Dataset(root / "x.tar")) == ["a"]
    assert ids(Dataset([root / "x.tar", root / "b.tar"])) == ["x.tar/a", "b"]


def test_folders_that_a_glob_names_may_be_hidden_from_folders(put: Callable[..., Path]) -> None:
    root = put("_old/a", "_new/a")
    assert ids(Dataset(f"{root}/_*/a.tar")) == ["_new/a", "_old/a"]
    assert ids(Dataset(f"{root}/{{_old,_new}}/*.tar")) == ["_old/a", "_new/a"]


def test_a_pattern_through_links_finds_what_is_behind_them(put: Callable[..., Path]) -> None:
    root = put("far/a")
    os.symlink(root / "far", root / "near", target_is_directory=True)  # noqa: PTH211 -- as a user would
    assert ids(Dataset(f"{root}/n*/a.tar")) == ["a"]
    assert Dataset(f"{root}/n*/a.tar").list_shards() == [f"{root}/near/a.tar"]


@pytest.mark.parametrize("opener", OPENERS)
def test_a_slice_is_opened_by_itself(put: Callable[..., Path], opener: Opener) -> None:
    file = Dataset(put("a")).save_slice(put("a2") / "all.slice.parquet")
    with pytest.raises(ValueError, match=r"a slice is opened by itself: Dataset\('.*all\.slice\.parquet'\)"):
        opener([file, file.parent / "a.tar"])


def test_an_executor_says_what_answers_for_a_slice(put: Callable[..., Path]) -> None:
    file = Dataset(put("a")).limit(1).save_slice(put("a2") / "one.slice.parquet")
    with pytest.raises(ValueError, match=r"Dataset\('.*one\.slice\.parquet'\) answers for the slice's samples"):
        QueryExecutor.from_shard_urls(file)


@pytest.mark.parametrize("opener", OPENERS)
def test_what_is_not_there_is_said_the_same(put: Callable[..., Path], opener: Opener) -> None:
    root = put("images/a")
    for source, problem in [
        ("imags", r"there is no folder or tar '.*/imags' \(did you mean 'images'\?\)"),
        ("images/b.tar", r"images/b\.tar': neither the tar nor its manifest is there"),
        ("images/b*.tar", r"the pattern '.*/images/b\*\.tar' matches no \.tar file; .*/images holds 'a\.tar'"),
        ("{images,imags}", r"there is no folder or tar '.*/imags'"),
        ("image*/x.tar", r"matches no \.tar file; .* holds 'images'"),
    ]:
        with pytest.raises(ManifestNotFoundError, match=problem):
            opener(f"{root}/{source}")
    (root / "notes.txt").touch()
    with pytest.raises(ValueError, match=r"expected the names of \.tar files, found '.*notes\.txt'"):
        opener(root / "notes.txt")
    with pytest.raises(ValueError, match="found none"):
        opener([])


def test_open_shards_are_equal_by_place(put: Callable[..., Path]) -> None:
    root = put("a", "b")
    one, other = open_shards(root), open_shards([root / "a.tar", root / "b.tar"])
    for path in root.iterdir():
        path.write_bytes(b"")  # nothing is read
    assert one == other
    assert hash(one) == hash(other)
    assert one != open_shards(root / "a.tar")
    assert one != open_shards([root / "b.tar", root / "a.tar"])
    assert OpenShards(MemoryStore(), one.listing) != OpenShards(LocalStore(root), one.listing)


def test_shards_in_a_store_without_a_path_are_found_again(photos: Photos, tmp_path: Path) -> None:
    atdata.write_samples(photos(4), tmp_path / "p.tar", maxcount=2, manifest=True, durable=False)
    local, memory = LocalStore(tmp_path), MemoryStore("bucket")
    for name in local.names():
        memory.replace(name, local.read(name))
    dataset: Dataset[Any] = Dataset(OpenShards(memory, open_shards(tmp_path).listing))
    assert len(dataset.refresh()) == 4
    memory.remove("p-000001.tar", "p-000001.manifest.json", "p-000001.manifest.parquet")
    with pytest.raises(ManifestNotFoundError, match=r"memory://bucket/p-000001\.tar': neither"):
        dataset.refresh()


@pytest.mark.parametrize(("form", "expected"), FORMS[:-1])
def test_every_form_names_shards_in_a_bucket(photos: Photos, form: str, expected: list[str]) -> None:
    root = open_bucket("opening").url("set")
    for number, shard_id in enumerate(["a-0", "a-1", "b-0"]):
        atdata.write_samples(photos(2, seed=number), f"{root}/{shard_id}.tar", manifest=True)
    for opener in OPENERS:
        opened = opener(f"{root}/{form}".rstrip("/"))
        assert ids(opened) == ids(opened.refresh()) == expected
    dataset: Dataset[Any] = Dataset(f"{root}/{form}".rstrip("/"))
    assert len(list(dataset)) == 2 * len(expected)
    file = dataset.where(pl.lit(True)).save_slice(f"{root}/all.slice.parquet", overwrite=True)
    assert [photo.packed for photo in Dataset(file)] == [photo.packed for photo in dataset]
    assert [photo.packed for photo in Dataset(file).refresh()] == [photo.packed for photo in dataset]


def test_manifests_may_be_on_another_store(put: Callable[..., Path]) -> None:
    root, bucket = put("x", "y"), open_bucket("apart")
    for path in root.glob("*.manifest.*"):
        bucket.replace(f"manifests/{path.name}", path.read_bytes())
        path.unlink()
    dataset: Dataset[Any] = Dataset(root, manifests=bucket.url("manifests"))
    assert len(list(dataset)) == len(dataset.where(pl.lit(True))) == 4
    file = dataset.save_slice(root / "all.slice.parquet")
    assert Dataset(file) == Dataset(file).refresh() == dataset


def test_a_bucket_and_a_folder_are_concatenated(put: Callable[..., Path], photos: Photos) -> None:
    root, bucket = put("here/x"), open_bucket("far")
    far = atdata.write_samples(photos(3, seed=9), bucket.url("there/x.tar"), manifest=True)
    near: Dataset[Any] = Dataset[far.sample_type](root / "here")
    both = atdata.concat([near, far])
    assert both.shards == ["here/x", "there/x"]
    file = both.where(pl.lit(True)).save_slice(root / "both.slice.parquet")
    expected = [photo.packed for photo in (*near, *far)]
    for dataset in (both, both.refresh(), Dataset(file), Dataset(file).refresh(), pickle.loads(pickle.dumps(both))):
        assert [photo.packed for photo in dataset] == expected


def test_tars_of_stores_that_share_no_folder_are_joined_by_concat(put: Callable[..., Path]) -> None:
    root, bucket = put("x"), open_bucket("far")
    bucket.replace("x.tar", (root / "x.tar").read_bytes())
    with pytest.raises(ValueError, match=r"have no folder in common.*atdata\.concat\(\)"):
        Dataset([root / "x.tar", bucket.url("x.tar")])


def test_a_file_too_long_for_a_header_is_of_another_program(
    put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = put("a")
    (root / "app.manifest.json").write_bytes(b'{"manifest_version": "1.1.0"}')
    monkeypatch.setattr("atdata._shards._opening.MAX_READ", 10)
    with pytest.warns(ForeignManifestWarning, match=r"app\.manifest\.json"):
        assert ids(Dataset(root)) == ["a"]
