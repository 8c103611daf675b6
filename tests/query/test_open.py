import os
import pickle
import warnings

import pytest

import atdata
from atdata.manifest import QueryExecutor


@atdata.packable
class Photo:
    label: str
    score: float


def write(path, *, manifest=True, count=1):
    """Write as many shards of two photos each as are asked for."""
    photos = [Photo("dog" if row % 2 else "cat", row / 10) for row in range(2 * count)]
    options = {"maxcount": 2} if count > 1 else {}
    atdata.write_samples(photos, path, manifest=manifest, durable=False, **options)


def shards(executor):
    return sorted({location.shard for location in executor.query(lambda df: df["score"] >= 0)})


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "photos.tar", count=3)
    return tmp_path


def overwrite(folder, pattern, data=b"garbage"):
    for path in folder.rglob(pattern):
        path.chmod(0o644)
        path.write_bytes(data)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(atdata.ManifestNotFoundError, match="missing is no folder"):
        QueryExecutor.from_directory(tmp_path / "missing")


def test_a_file_is_no_folder(folder):
    with pytest.raises(atdata.ManifestNotFoundError, match="is no folder"):
        QueryExecutor.from_directory(folder / "photos-000000.tar")


def test_a_folder_may_be_text(folder):
    assert len(QueryExecutor.from_directory(str(folder)).manifests) == 3


def test_a_folder_may_be_relative(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    executor = QueryExecutor.from_directory(folder.name)
    monkeypatch.chdir("/")
    assert executor.count() == 6


@pytest.mark.parametrize("pattern", ["*.manifest.json", "*.manifest.parquet", "*"])
def test_opening_reads_nothing(folder, pattern):
    overwrite(folder, pattern)
    assert repr(QueryExecutor.from_directory(folder)) == "QueryExecutor(3 shards)"


@pytest.mark.parametrize("pattern", ["*.manifest.json", "*.manifest.parquet", "*"])
def test_opening_tars_by_name_reads_nothing(folder, pattern):
    tars = sorted(folder.glob("*.tar"))
    overwrite(folder, pattern)
    assert repr(QueryExecutor.from_shard_urls(tars)) == "QueryExecutor(3 shards)"


def test_a_query_reads_no_tar(folder):
    overwrite(folder, "*.tar")
    assert len(QueryExecutor.from_directory(folder).query(lambda df: df["label"] == "dog")) == 3


@pytest.mark.parametrize("number", range(3))
def test_a_header_without_its_table_is_named_when_the_folder_is_opened(folder, number):
    (folder / f"photos-{number:06d}.manifest.parquet").unlink()
    with pytest.raises(atdata.ManifestNotFoundError, match=f"photos-{number:06d}.manifest.json has no sample table"):
        QueryExecutor.from_directory(folder)


@pytest.mark.parametrize("number", range(3))
def test_a_shard_without_its_tar_can_still_be_asked(folder, number):
    (folder / f"photos-{number:06d}.tar").unlink()
    assert len(shards(QueryExecutor.from_directory(folder))) == 3


@pytest.mark.parametrize("number", range(3))
def test_a_tar_without_its_header_is_left_out_warned_of_and_listed(folder, number):
    stem = f"photos-{number:06d}"
    (folder / f"{stem}.manifest.json").unlink()
    with pytest.warns(atdata.UncommittedShardWarning, match=f"'{stem}': no manifest") as caught:
        executor = QueryExecutor.from_directory(folder)
    assert len(caught) == 1
    assert executor.uncommitted == [stem]
    assert stem not in shards(executor)
    assert len(shards(executor)) == 2


def test_many_tars_without_a_header_are_one_warning(folder):
    write(folder / "late.tar", manifest=False, count=4)
    with pytest.warns(atdata.UncommittedShardWarning) as caught:
        executor = QueryExecutor.from_directory(folder)
    assert len(caught) == 1
    assert executor.uncommitted == [f"late-{number:06d}" for number in range(4)]


def test_asking_does_not_warn_again(folder):
    write(folder / "late.tar", manifest=False)
    with pytest.warns(atdata.UncommittedShardWarning):
        executor = QueryExecutor.from_directory(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert executor.count() == 6


def test_the_warning_points_at_the_caller(folder):
    write(folder / "late.tar", manifest=False)
    with pytest.warns(atdata.UncommittedShardWarning) as caught:
        QueryExecutor.from_directory(folder)
    assert caught[0].filename == __file__


def test_strict_refuses_a_tar_without_a_header(folder):
    write(folder / "late.tar", manifest=False)
    with pytest.raises(atdata.ShardError, match="shard 'late': no manifest"):
        QueryExecutor.from_directory(folder, strict=True)


def test_strict_accepts_a_folder_that_is_whole(folder):
    assert QueryExecutor.from_directory(folder, strict=True).count() == 6


def test_tars_alone_are_listed_without_a_warning(tmp_path):
    write(tmp_path / "bare.tar", manifest=False)
    assert QueryExecutor.from_directory(tmp_path).uncommitted == ["bare"]


@pytest.mark.parametrize("leftover", [".tmp-1.tar", ".tmp-1.manifest.json", ".tmp-1.manifest.parquet", "notes.txt"])
def test_other_files_do_not_disturb(folder, leftover):
    (folder / leftover).write_bytes(b"half")
    executor = QueryExecutor.from_directory(folder)
    assert (executor.count(), executor.uncommitted) == (6, [])


def test_folders_below_are_not_entered_unless_asked(folder):
    write(folder / "below" / "x.tar")
    assert len(QueryExecutor.from_directory(folder).manifests) == 3


def test_folders_below_give_ids_with_their_path(tmp_path):
    for name in ("train", "val", "deep/er"):
        write(tmp_path / name / "x.tar", count=2)
    executor = QueryExecutor.from_directory(tmp_path, recursive=True)
    assert shards(executor) == [f"{name}/x-{number:06d}" for name in ("deep/er", "train", "val") for number in (0, 1)]


def test_uncommitted_tars_below_have_ids_with_their_path(tmp_path):
    write(tmp_path / "x.tar")
    write(tmp_path / "train" / "late.tar", manifest=False)
    with pytest.warns(atdata.UncommittedShardWarning):
        assert QueryExecutor.from_directory(tmp_path, recursive=True).uncommitted == ["train/late"]


@pytest.mark.parametrize("hidden", [".git", "_manifest_index"])
def test_hidden_folders_are_not_entered(folder, hidden):
    write(folder / hidden / "x.tar")
    assert len(QueryExecutor.from_directory(folder, recursive=True).manifests) == 3


def test_a_link_to_a_folder_is_opened_under_the_name_it_was_given(folder, tmp_path):
    os.symlink(folder, tmp_path / "link")  # noqa: PTH211 -- as a user would
    assert QueryExecutor.from_directory(tmp_path / "link").count() == 6


def test_tars_named_keep_their_order(folder):
    tars = [folder / f"photos-{number:06d}.tar" for number in (2, 0, 1)]
    executor = QueryExecutor.from_shard_urls(tars)
    assert [manifest.shard_id for manifest in executor.manifests] == [tar.stem for tar in tars]
    assert executor.rows()["__shard__"].unique(maintain_order=True).to_list() == [tar.stem for tar in tars]


def test_only_the_tars_named_are_asked(folder):
    assert shards(QueryExecutor.from_shard_urls([str(folder / "photos-000001.tar")])) == ["photos-000001"]


def test_tars_of_several_folders_have_ids_below_the_one_they_share(tmp_path):
    for name in ("val", "train"):
        write(tmp_path / name / "x.tar")
    executor = QueryExecutor.from_shard_urls([tmp_path / "val" / "x.tar", tmp_path / "train" / "x.tar"])
    assert executor.rows()["__shard__"].unique(maintain_order=True).to_list() == ["val/x", "train/x"]


@pytest.mark.parametrize("missing", ["photos-000009.tar", "nowhere/x.tar"])
def test_a_tar_that_is_not_there_is_named(folder, missing):
    with pytest.raises(atdata.ManifestNotFoundError, match=f"{missing}.*neither the tar nor its manifest is there"):
        QueryExecutor.from_shard_urls([folder / "photos-000000.tar", folder / missing])


def test_a_tar_that_was_named_and_has_no_header_is_left_out_with_a_warning(folder):
    (folder / "photos-000001.manifest.json").unlink()
    with pytest.warns(atdata.UncommittedShardWarning, match="photos-000001"):
        executor = QueryExecutor.from_shard_urls(sorted(folder.glob("*.tar")))
    assert executor.uncommitted == ["photos-000001"]


def test_a_header_without_its_table_is_named_when_its_tar_is(folder):
    (folder / "photos-000001.manifest.parquet").unlink()
    with pytest.raises(atdata.ManifestNotFoundError, match=r"photos-000001\.manifest\.json"):
        QueryExecutor.from_shard_urls([folder / "photos-000001.tar"])


def test_what_is_no_tar_is_refused_by_name(folder):
    with pytest.raises(ValueError, match=r"expected the names of \.tar files, found '.*photos-000000.manifest.json'"):
        QueryExecutor.from_shard_urls([folder / "photos-000000.manifest.json"])


@pytest.mark.parametrize("name", ["photos-000000", "photos-000000.tar.gz"])
def test_what_is_not_there_is_refused_by_name(folder, name):
    with pytest.raises(atdata.ManifestNotFoundError, match=f"there is no folder or tar '.*{name}'"):
        QueryExecutor.from_shard_urls([folder / name])


def test_no_tar_at_all_is_refused():
    with pytest.raises(ValueError, match="found none"):
        QueryExecutor.from_shard_urls([])


def test_a_refreshed_executor_finds_new_shards_and_misses_removed_ones(folder):
    executor = QueryExecutor.from_directory(folder)
    assert executor.count() == 6
    write(folder / "late.tar", count=2)
    for path in folder.glob("photos-000001.*"):
        path.unlink()
    refreshed = executor.refresh()
    assert shards(refreshed) == ["late-000000", "late-000001", "photos-000000", "photos-000002"]
    assert repr(executor) == "QueryExecutor(3 shards)"


def test_a_refreshed_executor_reads_changed_files(folder):
    executor = QueryExecutor.from_directory(folder)
    assert executor.count(label="bird") == 0
    for path in folder.glob("*"):
        path.unlink()
    atdata.write_samples([Photo("bird", 0.5)], folder / "photos-000000.tar", manifest=True, durable=False)
    assert executor.refresh().count(label="bird") == 1


def test_refreshing_keeps_how_the_folder_was_opened(tmp_path, monkeypatch):
    write(tmp_path / "a" / "below" / "x.tar")
    monkeypatch.chdir(tmp_path)
    executor = QueryExecutor.from_directory("a", recursive=True, strict=True)
    monkeypatch.chdir("/")
    assert shards(pickle.loads(pickle.dumps(executor)).refresh()) == ["below/x"]
    write(tmp_path / "a" / "late.tar", manifest=False)
    with pytest.raises(atdata.ShardError, match="'late'"):
        executor.refresh()


def test_refreshing_keeps_the_tars_that_were_named(folder, monkeypatch):
    monkeypatch.chdir(folder)
    executor = QueryExecutor.from_shard_urls(["photos-000001.tar"])
    monkeypatch.chdir("/")
    assert shards(executor.refresh().refresh()) == ["photos-000001"]


def test_manifests_in_memory_are_refreshed_to_themselves(folder):
    executor = QueryExecutor(QueryExecutor.from_directory(folder).manifests)
    assert executor.refresh() is executor


@pytest.fixture
def apart(tmp_path):
    """Tars in one folder, their manifests in another one."""
    for name in ("x", "train/x"):
        write(tmp_path / "tars" / f"{name}.tar")
        moved = tmp_path / "sidecars" / f"{name}.tar"
        moved.parent.mkdir(parents=True, exist_ok=True)
        for path in (tmp_path / "tars" / f"{name}.tar").parent.glob("x.manifest.*"):
            path.rename(moved.parent / path.name)
    return tmp_path


def test_manifests_may_lie_in_another_folder(apart):
    executor = QueryExecutor.from_directory(apart / "tars", manifests=apart / "sidecars", recursive=True)
    assert shards(executor) == ["train/x", "x"]
    assert executor.uncommitted == []
    assert shards(executor.refresh()) == ["train/x", "x"]


def test_tars_without_a_manifest_in_the_other_folder_are_listed(apart):
    write(apart / "tars" / "late.tar")  # its own manifest is beside it, and passed over
    with pytest.warns(atdata.UncommittedShardWarning, match=f"'late': no manifest .* in {apart}/sidecars"):
        executor = QueryExecutor.from_directory(apart / "tars", manifests=str(apart / "sidecars"))
    assert (shards(executor), executor.uncommitted) == (["x"], ["late"])
    with pytest.raises(atdata.ShardError, match="shard 'late'"):
        QueryExecutor.from_directory(apart / "tars", manifests=apart / "sidecars", strict=True)


@pytest.mark.parametrize("missing", ["tars", "manifests"])
def test_either_folder_that_is_not_there_is_named(apart, missing):
    folders = {"tars": apart / "tars", "manifests": apart / "sidecars", missing: apart / "nowhere"}
    with pytest.raises(atdata.ManifestNotFoundError, match="nowhere is no folder"):
        QueryExecutor.from_directory(folders["tars"], manifests=folders["manifests"])
