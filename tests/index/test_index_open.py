"""The index as a reader finds it."""

import pytest

import atdata


def test_a_folder_without_an_index_has_none(folder):
    folder.fill(2)
    assert folder.open() is None


def test_an_index_holds_the_rows_of_the_sidecars(folder):
    folder.fill(5)
    made = folder.compact()
    assert (made.shards, made.rows, made.parts_written, made.tables_read) == (5, 25, 1, 5)
    assert len(folder.check(covered=[f"s-{n:03d}" for n in range(5)])) == 5


def test_a_header_that_changed_is_not_covered(folder):
    folder.fill(3)
    folder.compact()
    folder.age("s-001", seconds=200)
    folder.check(covered=["s-000", "s-002"])


def test_an_index_of_which_no_stamp_fits_is_left_out_with_a_warning_that_names_it(folder):
    folder.fill(2)
    folder.compact()
    for shard in ("s-000", "s-001"):
        folder.age(shard, seconds=300)
    with pytest.warns(atdata.ManifestIndexWarning, match=folder.files("shards")[0]):
        assert folder.open() is None
