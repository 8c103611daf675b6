"""The system calls, each on its own."""

import os

import pytest

from atdata._store import Disk


def test_create_makes_an_empty_file_that_can_be_written(tmp_path):
    disk = Disk()
    descriptor = disk.create(tmp_path / "a")
    assert disk.write(descriptor, memoryview(b"bytes")) == 5
    disk.sync(descriptor)
    disk.close(descriptor)
    assert (tmp_path / "a").read_bytes() == b"bytes"


def test_create_never_opens_a_file_that_is_there(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        Disk().create(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_create_never_follows_a_link_to_a_file_that_is_not_there(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        Disk().create(tmp_path / "a")
    assert not (tmp_path / "elsewhere").exists()


def test_a_descriptor_is_not_inherited_by_other_programs(tmp_path):
    descriptor = Disk().create(tmp_path / "a")
    assert not os.get_inheritable(descriptor)
    Disk().close(descriptor)


def test_link_never_takes_a_name_that_is_taken(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with pytest.raises(FileExistsError):
        Disk().link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"b"


def test_rename_takes_the_place_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    Disk().rename(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a"
    assert not (tmp_path / "a").exists()


def test_sync_folder_takes_folders_only(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    Disk().sync_folder(tmp_path)
    with pytest.raises(NotADirectoryError):
        Disk().sync_folder(tmp_path / "a")
