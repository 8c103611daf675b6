import random

import pytest

from atdata._manifest._shard_names import Sidecars, read_listing


def files(*stems, tar=True):
    return [f"{stem}{end}" for stem in stems for end in (".manifest.json", ".manifest.parquet", *([".tar"] * tar))]


def test_header_and_table_of_a_stem_belong_together():
    assert read_listing(files("a")).committed == (Sidecars("a", "a.manifest.json", ("a.manifest.parquet",)),)


def test_nothing_lists_nothing():
    assert read_listing([]) == ((), ())


@pytest.mark.parametrize("stem", ["v1.5-000000", "a.b.c", "train/x.y-000000", "a.tar", "a.manifest"])
def test_a_dot_is_part_of_the_stem(stem):
    (shard,) = read_listing(files(stem)).committed
    assert (shard.shard_id, shard.tar, shard.tables) == (stem, f"{stem}.tar", (f"{stem}.manifest.parquet",))


def test_stems_that_begin_alike_stay_apart():
    found = read_listing(files("a", "a.b", "a.b.c", "a-0"))
    assert {each.shard_id: each.tables for each in found.committed} == {
        stem: (f"{stem}.manifest.parquet",) for stem in ("a", "a.b", "a.b.c", "a-0")
    }


def test_a_shard_without_a_tar_is_committed():
    assert [each.shard_id for each in read_listing(files("a", tar=False)).committed] == ["a"]


def test_a_replaced_table_belongs_to_its_stem():
    (shard,) = read_listing(["a.manifest.json", "a.0123abcd.manifest.parquet"]).committed
    assert shard.tables == ("a.0123abcd.manifest.parquet",)


def test_old_and_new_table_of_a_stem_are_both_listed():
    (shard,) = read_listing(["a.manifest.json", "a.0123abcd.manifest.parquet", "a.manifest.parquet"]).committed
    assert set(shard.tables) == {"a.0123abcd.manifest.parquet", "a.manifest.parquet"}


@pytest.mark.parametrize("middle", ["0123abc", "0123abcde", "0123ABCD", "0123abcg", "", ".0123abcd.x"])
def test_what_is_not_eight_hex_digits_names_no_replaced_table(middle):
    (shard,) = read_listing(["a.manifest.json", f"a.{middle}.manifest.parquet"]).committed
    assert shard.tables == ()


def test_a_stem_that_looks_like_a_replaced_table_keeps_its_own():
    found = read_listing(files("a", "a.0123abcd"))
    assert {each.shard_id: each.tables for each in found.committed} == {
        "a": ("a.manifest.parquet",),
        "a.0123abcd": ("a.0123abcd.manifest.parquet",),
    }


def test_a_stem_that_looks_like_a_replaced_table_may_be_alone():
    (shard,) = read_listing(files("a.0123abcd")).committed
    assert (shard.shard_id, shard.tables) == ("a.0123abcd", ("a.0123abcd.manifest.parquet",))


def test_a_replaced_table_of_a_stem_that_looks_like_one_goes_to_the_longer_stem():
    names = [*files("a"), "a.0123abcd.manifest.json", "a.0123abcd.89abcdef.manifest.parquet"]
    tables = {each.shard_id: each.tables for each in read_listing(names).committed}
    assert tables == {"a": ("a.manifest.parquet",), "a.0123abcd": ("a.0123abcd.89abcdef.manifest.parquet",)}


def test_a_header_without_a_table_is_listed_with_none():
    assert read_listing(["a.manifest.json"]).committed == (Sidecars("a", "a.manifest.json", ()),)


def test_a_table_without_a_header_is_nothing():
    assert read_listing(["a.manifest.parquet"]) == ((), ())


def test_a_tar_without_a_header_is_uncommitted():
    assert read_listing(["a.tar", "b.tar", "b.manifest.parquet", *files("c")]).uncommitted == ("a", "b")


@pytest.mark.parametrize("leftover", [".tmp-1f.tar", ".tmp-1f.manifest.json", "train/.tmp-1f.manifest.parquet"])
def test_leftovers_of_a_writer_are_nothing(leftover):
    assert read_listing([leftover]) == ((), ())


def test_other_files_are_nothing():
    assert read_listing(["README.md", "a.json", "a.parquet", "a.tar.gz", "manifest.json", "atar"]) == ((), ())


def test_the_same_stem_in_two_folders_is_two_shards():
    found = read_listing(files("train/x", "val/x"))
    assert [(each.shard_id, each.header) for each in found.committed] == [
        ("train/x", "train/x.manifest.json"),
        ("val/x", "val/x.manifest.json"),
    ]


def test_shards_are_sorted_whatever_the_order_of_the_names():
    stems = [f"s-{number:06d}" for number in range(20)]
    names = [*files(*stems), *(f"{stem}-late.tar" for stem in stems)]
    random.Random(0).shuffle(names)
    found = read_listing(names)
    assert [each.shard_id for each in found.committed] == stems
    assert found.uncommitted == tuple(f"{stem}-late" for stem in stems)


def test_every_number_of_a_stem_counts_and_so_does_the_text_between_them():
    stems = ["a-2-a-9", "a-2-a-10", "a-2-b-1", "a-10-a-1", "b-1-a-1"]
    assert [each.shard_id for each in read_listing(files(*reversed(stems))).committed] == stems


@pytest.mark.parametrize("stem", ["a.tmp-b", "x.tmp-y/a", "train/a.tmp-1f"])
def test_a_stem_that_only_holds_the_mark_of_a_leftover_is_a_shard(stem):
    assert read_listing([f"{stem}.tar"]).uncommitted == (stem,)
    assert [each.shard_id for each in read_listing(files(stem)).committed] == [stem]
