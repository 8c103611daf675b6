"""The index's files: published under names that say what they hold, and found again."""

import pyarrow.parquet as pq
import pytest

from atdata._index._index import all_there, find, path, publish, sound_bytes
from atdata._shards import has_index
from atdata._storage import LocalStore, MemoryStore

NAME = "part-" + "0" * 32 + ".parquet"


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path, durable=False) if request.param == "local" else MemoryStore()


def test_a_file_is_published_in_the_index_s_folder(store):
    publish(store, NAME, b"part")
    assert store.read(f"_manifest_index/{NAME}") == b"part"
    assert find(store).stamps == {NAME: store.stamp(path(NAME))}


def test_the_same_file_is_left_as_it_is(store):
    publish(store, NAME, b"part")
    stamp = store.stamp(path(NAME))
    publish(store, NAME, b"part")
    assert store.stamp(path(NAME)) == stamp


@pytest.mark.parametrize("damaged", [b"", b"par", b"zart", b"parts"])
def test_a_damaged_file_of_that_name_is_replaced(store, damaged):
    publish(store, NAME, damaged)
    publish(store, NAME, b"part")
    assert store.read(path(NAME)) == b"part"


def test_a_file_that_comes_back_damaged_is_an_error(store, monkeypatch):
    publish(store, NAME, b"other")
    monkeypatch.setattr(store, "remove", lambda *_: None)
    with pytest.raises(FileExistsError):
        publish(store, NAME, b"part")
    assert store.read(path(NAME)) == b"other"


def test_there_may_be_an_index_where_its_folder_holds_a_file(store):
    assert not has_index(store)
    publish(store, NAME, b"part")
    assert has_index(store)


def test_parts_are_there_while_their_stamps_are_those_recorded(folder):
    folder.fill(2)
    folder.compact()
    facts = find(folder.store).tables[0].facts
    assert all_there(folder.store, facts)
    folder.store.replace(path(facts.parts[0].name), sound_bytes(folder.store, facts.parts[0]))
    assert not all_there(folder.store, facts)


def test_bytes_are_sound_where_their_digest_is_the_recorded_one(folder):
    folder.fill(2)
    folder.compact()
    (part,) = find(folder.store).tables[0].facts.parts
    data = folder.store.read(path(part.name))
    assert sound_bytes(folder.store, part) == data
    folder.store.replace(path(part.name), data[:-1] + b"x")
    assert sound_bytes(folder.store, part) is None
    folder.store.remove(path(part.name))
    assert sound_bytes(folder.store, part) is None


def test_a_part_has_the_statistics_of_its_columns(folder):
    folder.fill(2)
    folder.compact()
    (part,) = find(folder.store).tables[0].facts.parts
    group = pq.read_metadata(folder.store.path(path(part.name))).row_group(0)
    columns = {group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)}
    assert columns["score"].statistics.has_min_max
    assert columns["label"].statistics.has_min_max
