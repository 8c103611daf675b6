"""The index as a reader finds it: what it counts on, and what it leaves out of account with a warning."""

import io
import itertools
import os
import shutil
import warnings

import msgspec
import polars as pl
import pytest
from msgspec import structs

import atdata
from atdata._index import Headers, open_index
from atdata._index import _statistics as _codes
from atdata._index._format import table_name
from atdata._index._index import find, path
from atdata._index._plan import Limits
from atdata._index._shards_table import encode_table
from atdata._index._statistics import decode_codes, encode_codes
from tests.tiers import slow_beyond

NAMES = [f"s-{number:03d}" for number in range(10)]


def test_a_folder_without_an_index_has_none(folder):
    folder.fill(2)
    assert folder.open() is None


def test_an_index_holds_the_rows_of_the_sidecars(folder):
    folder.fill(5)
    made = folder.compact()
    assert (made.shards, made.rows, made.parts_written, made.tables_read) == (5, 25, 1, 5)
    assert len(folder.check(covered=NAMES[:5])) == 5


@pytest.mark.parametrize("what", ["size", "time", "tag"])
def test_a_header_of_another_stamp_is_not_covered(folder, what):
    folder.fill(3)
    folder.compact()
    headers = folder.headers()
    other = {"size": 1, "time": 1, "tag": "1"}[what]
    stamps = [headers.stamps[0], headers.stamps[1]._replace(**{what: other}), headers.stamps[2]]
    assert open_index(folder.store, Headers(headers.shard_ids, stamps)).part_of.tolist() == [0, -1, 0]


def test_new_and_deleted_shards_are_not_covered(folder):
    folder.fill(4)
    folder.compact()
    folder.remove("s-001")
    folder.fill(2, start=4)
    index = folder.check(covered=["s-000", "s-002", "s-003"])
    assert index.part_of.tolist() == [0, 0, 0, -1, -1]
    assert index.number_of[:3].tolist() == [0, 2, 3]
    assert index.parts[0].positions.tolist() == [0, -1, 1, 2]


def test_shards_may_be_asked_in_any_order(folder):
    folder.fill(4)
    folder.compact(limits=Limits(rows=10))
    headers = folder.headers()
    turned = Headers(headers.shard_ids[::-1], headers.stamps[::-1])
    index = open_index(folder.store, turned)
    assert (index.part_of.tolist(), index.number_of.tolist()) == ([1, 1, 0, 0], [1, 0, 1, 0])
    assert [part.positions.tolist() for part in index.parts] == [[3, 2], [1, 0]]
    assert index.statistics(["score"])["__shard__"].to_list() == headers.shard_ids[::-1]
    assert index.statistics(["__key__"])["min:__key__"].to_list() == ["000015", "000010", "000005", "000000"]


def test_asking_a_few_shards_uses_their_parts_only(folder):
    folder.fill(6)
    folder.compact(limits=Limits(rows=10))
    headers = folder.headers()
    index = open_index(folder.store, Headers(headers.shard_ids[2:3], headers.stamps[2:3]))
    assert [part.shard_ids.to_list() for part in index.parts] == [["s-002", "s-003"]]


def test_no_shards_have_no_index(folder):
    folder.fill(1)
    folder.compact()
    assert open_index(folder.store, Headers([], [])) is None


def test_an_index_of_which_no_stamp_fits_is_left_out_with_a_warning_that_names_it(folder):
    folder.fill(2)
    folder.compact()
    for shard in NAMES[:2]:
        folder.age(shard, seconds=300)
    with pytest.warns(atdata.ManifestIndexWarning, match=folder.files("shards")[0]) as caught:
        assert folder.open() is None
    assert len(caught) == 1
    assert "compact()" in str(caught[0].message)


def test_an_index_of_another_dataset_is_left_out(folder, tmp_path):
    folder.fill(2)
    folder.compact()
    other = type(folder)(type(folder.store)(tmp_path / "other", durable=False))
    other.fill(2, start=5)
    shutil.copytree(folder.store.root / "_manifest_index", other.store.root / "_manifest_index")
    with pytest.warns(atdata.ManifestIndexWarning, match="of another dataset"):
        assert other.open() is None


def test_of_two_tables_the_one_that_covers_more_is_used(folder):
    folder.fill(2)
    folder.compact()
    first = folder.files("shards")[0]
    kept = (folder.store.root / "_manifest_index" / first).read_bytes()
    folder.fill(2, start=2)
    folder.compact()
    (folder.store.root / "_manifest_index" / first).write_bytes(kept)
    assert len(folder.open()) == 4
    folder.compact()
    assert len(folder.files("shards")) == 1


def test_a_touched_part_is_read_once_and_used(folder):
    folder.fill(2)
    folder.compact()
    os.utime(folder.store.root / "_manifest_index" / folder.files("part")[0])
    folder.check(covered=NAMES[:2])


def test_a_damaged_part_is_left_out_with_one_warning_that_names_it(folder):
    folder.fill(6)
    folder.compact(limits=Limits(rows=10))
    part = folder.files("part")[1]
    file = folder.store.root / "_manifest_index" / part
    lost = next(each for each in folder.open().parts if each.name.endswith(part)).shard_ids.to_list()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.warns(atdata.ManifestIndexWarning, match=part) as caught:
        index = folder.open()
    assert len(caught) == 1
    folder.check(index, covered=sorted(set(NAMES[:6]) - set(lost)))


def test_a_part_that_is_gone_is_left_out_with_a_warning(folder):
    folder.fill(4)
    folder.compact(limits=Limits(rows=10))
    part = folder.files("part")[0]
    (folder.store.root / "_manifest_index" / part).unlink()
    with pytest.warns(atdata.ManifestIndexWarning, match=part):
        assert len(folder.open()) == 2


def test_an_index_whose_parts_are_all_gone_is_none(folder):
    folder.fill(2)
    folder.compact()
    (folder.store.root / "_manifest_index" / folder.files("part")[0]).unlink()
    with pytest.warns(atdata.ManifestIndexWarning) as caught:
        assert folder.open() is None
    assert len(caught) == 1


def test_a_table_cut_at_any_place_or_flipped_in_any_byte_is_left_out(folder):
    folder.fill(2)
    folder.compact()
    file = folder.store.root / "_manifest_index" / folder.files("shards")[0]
    whole = file.read_bytes()
    cut = [whole[:length] for length in range(0, len(whole), 97)]
    flipped = [whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :] for place in range(0, len(whole), 61)]
    for data in [*cut, *flipped, b"PAR1", b"PAR1PAR1", whole + b"x"]:
        file.write_bytes(data)
        with pytest.warns(atdata.ManifestIndexWarning, match=file.name):
            assert folder.open() is None


def forged(folder, *, facts=None, frame=None, metadata=None):
    """Put a shards table of other content under the name that vouches for it, in place of the one that is there."""
    table = find(folder.store).tables[0]
    rows = table.read(list(table.columns))
    rows = frame(rows) if frame else rows
    data = encode_table(rows, facts(table.facts) if facts else table.facts)
    if metadata is not None:
        buffer = io.BytesIO()
        rows.write_parquet(buffer, metadata=metadata)
        data = buffer.getvalue()
    folder.store.remove(table.name)
    folder.store.replace(path(table_name(data)), data)


def part_with(facts, **changes):
    return structs.replace(facts, parts=[structs.replace(facts.parts[0], **changes), *facts.parts[1:]])


def codes_with(facts, **columns):
    codes = {name: encode_codes(decode_codes(text).with_columns(**columns)) for name, text in facts.codes.items()}
    return structs.replace(facts, codes=codes)


FORGERIES = {
    "a newer version": {"facts": lambda facts: structs.replace(facts, index_version="2.0.0")},
    "no version": {"metadata": {"atdata.index": "{}"}},
    "no metadata": {"metadata": {}},
    "no JSON": {"metadata": {"atdata.index": "[" * 100_000}},
    "a part elsewhere": {"facts": lambda facts: part_with(facts, name="../part-" + "0" * 32 + ".parquet")},
    "a part in a folder": {"facts": lambda facts: part_with(facts, name="a/part-" + "0" * 32 + ".parquet")},
    "rows below 0": {"facts": lambda facts: part_with(facts, rows=-1)},
    "rows beyond 64 bits": {"facts": lambda facts: part_with(facts, rows=1 << 70)},
    "other rows": {"facts": lambda facts: part_with(facts, rows=9)},
    "a part's column of no dtype": {"facts": lambda facts: part_with(facts, columns={"a": "Nothing"})},
    "dtypes in dtypes": {"facts": lambda facts: part_with(facts, columns={"a": "List(" * 50_000 + ")" * 50_000})},
    "no parts": {"facts": lambda facts: structs.replace(facts, parts=[])},
    "one part more": {"facts": lambda facts: structs.replace(facts, parts=[*facts.parts, facts.parts[0]])},
    "codes of no field": {"facts": lambda facts: structs.replace(facts, codes={})},
    "codes that are no Base64": {"facts": lambda facts: structs.replace(facts, codes={"tags": "é"})},
    "codes that are no table": {"facts": lambda facts: structs.replace(facts, codes={"tags": "UEFSMQ=="})},
    "codes of other columns": {"facts": lambda facts: codes_with(facts, value=pl.lit("x"))},
    "codes of another dtype": {"facts": lambda facts: codes_with(facts, code=pl.col("code").cast(pl.Int64))},
    "a code of two lists": {"facts": lambda facts: codes_with(facts, code=pl.lit(1, pl.UInt32))},
    "a code of none": {"facts": lambda facts: codes_with(facts, code=pl.lit(None, pl.UInt32))},
    "no sets": {"facts": lambda facts: structs.replace(facts, sets=[])},
    "a column less": {"frame": lambda frame: frame.drop("min:score")},
    "a column more": {"frame": lambda frame: frame.with_columns(x=1)},
    "bounds of another dtype": {"frame": lambda frame: frame.with_columns(pl.col("min:score").cast(pl.String))},
    "values of another dtype": {"frame": lambda frame: frame.with_columns(pl.col("values:label").list.len())},
    "a part that is not named": {"frame": lambda frame: frame.with_columns(part=pl.lit(7, pl.UInt32))},
    "a part beyond all": {"frame": lambda frame: frame.with_columns(part=pl.lit((1 << 32) - 1, pl.UInt32))},
    "parts in no order": {"frame": lambda frame: frame.reverse()},
    "numbers with a gap": {"frame": lambda frame: frame.with_columns(pl.col("number") * 2)},
    "a set that is not named": {"frame": lambda frame: frame.with_columns(set=pl.lit(9, pl.UInt32))},
    "a shard twice": {"frame": lambda frame: frame.with_columns(__shard__=pl.lit("s-000"))},
    "a shard without a name": {"frame": lambda frame: frame.with_columns(__shard__=pl.lit(None, pl.String))},
    "rows of a shard below 0": {"frame": lambda frame: frame.with_columns(rows=pl.lit(-5, pl.Int64))},
    "a short digest": {"frame": lambda frame: frame.with_columns(table_sha256=pl.lit(b"x"))},
    "no rows at all": {"frame": lambda frame: frame.clear()},
}


@pytest.mark.parametrize("forgery", slow_beyond(18, [*list(FORGERIES)[::2], *list(FORGERIES)[1::2]]))
def test_a_table_that_vouches_for_nonsense_is_left_out_with_one_warning(folder, monkeypatch, forgery):
    monkeypatch.setattr(_codes, "_REPEATED", 1)  # so that there are codes
    folder.fill(4)
    folder.compact(limits=Limits(rows=10))
    assert find(folder.store).tables[0].codes.keys() == {"tags"}
    forged(folder, **FORGERIES[forgery])
    with pytest.warns(atdata.ManifestIndexWarning, match=folder.files("shards")[0]) as caught:
        assert folder.open() is None
    assert len(caught) == 1
    folder.compact(limits=Limits(rows=10))
    folder.check(covered=NAMES[:4])


def test_a_forgery_of_nothing_is_none(folder, monkeypatch):
    monkeypatch.setattr(_codes, "_REPEATED", 1)
    folder.fill(4)
    folder.compact(limits=Limits(rows=10))
    forged(folder, facts=codes_with)
    folder.check(covered=NAMES[:4])


def test_members_of_a_later_minor_version_are_passed_over(folder):
    folder.fill(2)
    folder.compact()
    table = find(folder.store).tables[0]
    said = msgspec.json.decode(msgspec.json.encode(table.facts)) | {"index_version": "1.9.0", "more": [1]}
    forged(folder, metadata={"atdata.index": msgspec.json.encode(said).decode()})
    folder.check(covered=NAMES[:2])


def test_a_file_in_place_of_the_folder_is_no_index(folder):
    folder.fill(1)
    (folder.store.root / "_manifest_index").write_bytes(b"")
    assert folder.open() is None


def test_other_files_in_the_folder_are_passed_over(folder):
    folder.fill(2)
    folder.compact()
    for name in ("shards-x.parquet", "notes.txt", ".tmp-1", "part-" + "0" * 32 + ".parquet"):
        (folder.store.root / "_manifest_index" / name).write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(folder.open()) == 2


def test_parts_name_their_columns_and_shards(folder):
    folder.fill(3)
    folder.compact()
    (part,) = folder.open().parts
    assert part.columns == folder.tables()["s-000"].schema
    assert part.shard_ids.to_list() == NAMES[:3]
    assert part.size == folder.store.size(part.name)


def test_columns_are_those_of_the_shards_that_are_covered(folder):
    folder.write("s-000", {"label": ["a"]})
    folder.write("s-001", {"score": [1.0]})
    folder.compact()
    assert folder.open().columns.names()[4:] == ["label", "score"]
    assert [table.shard_id for table in folder.open().tables] == ["s-000", "s-001"]
    folder.age("s-000", seconds=500)
    assert folder.open().columns.names()[4:] == ["score"]
    assert folder.open().statistics(["label", "score"]).columns == list(
        itertools.chain(["__shard__", "rows"], (f"{kind}:score" for kind in ("min", "max", "nulls", "nans", "mean")))
    )


CHECKS = {
    "the part after the last": (
        {"frame": lambda rows: rows.with_columns(pl.col("part") + 1)},
        "in parts that it does not name",
    ),
    "the set after the last": ({"frame": lambda rows: rows.with_columns(set=pl.lit(1, pl.UInt32))}, "sets of columns"),
    "a row less": ({"facts": lambda facts: part_with(facts, rows=11)}, "the numbers of its rows"),
    "a row more": ({"facts": lambda facts: part_with(facts, rows=9)}, "the numbers of its rows"),
    "a shard less": ({"frame": lambda rows: rows[1:]}, "the numbers of its shards"),
    "numbers from 1": ({"frame": lambda rows: rows.with_columns(pl.col("number") + 1)}, "the numbers of its shards"),
    "a header's digest": ({"frame": lambda rows: rows.with_columns(header_digest=pl.lit(bytes(31)))}, "another length"),
    "a tar's digest": ({"frame": lambda rows: rows.with_columns(tar_sha256=pl.lit(bytes(33)))}, "another length"),
}


@pytest.mark.parametrize(("forgery", "why"), CHECKS.values(), ids=CHECKS.keys())
def test_each_check_of_a_table_says_what_is_wrong(folder, forgery, why):
    folder.fill(4)
    folder.compact(limits=Limits(rows=10))
    forged(folder, **forgery)
    with pytest.warns(atdata.ManifestIndexWarning, match=why):
        assert folder.open() is None


def test_a_shard_without_a_tar_has_no_digest_of_one_and_is_covered(folder):
    folder.write("s-000", {"label": ["a"]}, tar=False)
    folder.compact()
    folder.check(covered=["s-000"])


def test_more_shards_than_small_numbers_are_covered(folder):
    for number in range(300):
        folder.write(f"s-{number:03d}", {"label": ["a"]}, first=number)
    folder.compact()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(folder.open()) == 300
