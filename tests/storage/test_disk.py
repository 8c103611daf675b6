"""The system calls, each on its own."""

import os

import pytest

from atdata._storage import Disk, _disk


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


@pytest.fixture
def opened(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(200)))
    descriptor = Disk().open(str(tmp_path / "a"))
    yield descriptor
    Disk().close(descriptor)


def test_a_file_that_was_opened_for_reading_is_not_inherited_by_other_programs(opened):
    assert not os.get_inheritable(opened)


def test_a_stamp_is_the_same_by_path_and_by_descriptor(tmp_path, opened):
    assert Disk().stamp(opened) == Disk().stamp(str(tmp_path / "a"))
    assert Disk().stamp(opened)[2] == 200


def test_what_is_at_hand_is_the_bytes_or_nothing(opened):
    buffer = memoryview(bytearray(10))
    found = Disk().read_at_hand(opened, buffer, 50)
    assert found == -1 or bytes(buffer[:found]) == bytes(range(50, 50 + found))


def test_what_was_just_read_is_at_hand_where_the_system_can_tell(opened):
    buffer = memoryview(bytearray(10))
    Disk().read_into(opened, buffer, 50)
    assert Disk().read_at_hand(opened, buffer, 50) in ({10} if hasattr(os, "RWF_NOWAIT") else {-1})


def test_an_error_is_not_taken_for_bytes_that_are_not_at_hand():
    with pytest.raises(OSError, match="Bad file descriptor"):
        Disk().read_at_hand(1 << 20, memoryview(bytearray(1)), 0)


def test_expecting_bytes_changes_nothing_that_is_read(opened):
    Disk().expect(opened, 0, 1 << 20)
    buffer = memoryview(bytearray(10))
    assert Disk().read_into(opened, buffer, 7) == 10
    assert bytes(buffer) == bytes(range(7, 17))


def test_nothing_is_at_hand_where_the_system_cannot_tell(opened, monkeypatch):
    monkeypatch.setattr(_disk, "_NO_WAIT", 0)
    buffer = memoryview(bytearray(10))
    Disk().read_into(opened, buffer, 50)
    assert Disk().read_at_hand(opened, memoryview(bytearray(10)), 50) == -1
