"""What every store does, whatever holds its bytes: the conformance suite of the seam.

A store has an entry in ``STORES``. One that lives elsewhere runs the suite from its own tests: a module with
``from tests.storage.test_base import *`` and a fixture ``store`` that returns an empty one.
"""

import contextlib
import io
import itertools
import pickle
import threading
import time

import polars as pl
import pytest

from atdata._storage import (
    ApartStore,
    ChangedFileError,
    LocalStore,
    MemoryStore,
    Outcome,
    OversizedFileError,
    is_leftover,
    scan_tables,
)
from tests.storage.object_store import open_bucket
from tests.tiers import rounds

#: How each store begins, empty.
STORES = {
    "local": lambda folder: LocalStore(folder / "data"),
    "memory": lambda _: MemoryStore(),
    "apart": lambda folder: ApartStore(LocalStore(folder / "tars"), MemoryStore()),
    "object": lambda _: open_bucket("conformance"),
}


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    return STORES[request.param](tmp_path)


def put(store, name, *parts):
    with store.create(name) as upload:
        for part in parts:
            upload.write(part)
        upload.commit()


def test_a_committed_file_reads_back(store):
    put(store, "a.bin", b"one", bytearray(b"two"), memoryview(b"three"))
    assert store.read("a.bin") == b"onetwothree"


def test_a_file_of_no_bytes_is_a_file(store):
    put(store, "empty")
    assert store.read("empty") == b""
    assert store.size("empty") == 0


def test_a_write_of_wide_elements_appends_their_bytes(store):
    put(store, "a.bin", memoryview(b"12345678").cast("I"))
    assert store.read("a.bin") == b"12345678"


def test_what_was_written_does_not_follow_the_buffer_it_came_from(store):
    buffer = bytearray(b"before")
    with store.create("a.bin") as upload:
        upload.write(buffer)
        buffer[:] = b"after!"
        upload.commit()
    assert store.read("a.bin") == b"before"


def test_a_store_of_a_folder_sees_what_lies_in_it(store):
    put(store, "folder/deep/a.bin", b"bytes")
    put(store, "z")
    below = store.folder("folder")
    assert below.names(recursive=True) == ["deep/a.bin"]
    assert below.read("deep/a.bin") == b"bytes"
    assert below.url("deep/a.bin") == store.url("folder/deep/a.bin")
    if not isinstance(store, ApartStore):  # has two folders of the name
        assert below.url() == store.url("folder")
    put(below, "b.bin", b"new")
    below.replace("deep/a.bin", b"other")
    assert below.swap("b.bin", b"new", b"newer")
    assert store.names(recursive=True) == ["folder/b.bin", "folder/deep/a.bin", "z"]
    assert (store.read("folder/b.bin"), store.read("folder/deep/a.bin")) == (b"newer", b"other")
    below.remove("b.bin")
    assert store.names("folder") == []
    with pytest.raises(FileNotFoundError):
        below.read("z")


def test_stores_of_one_place_are_equal_and_hash_alike(store):
    twice = store.folder("a").folder("b")
    assert twice == store.folder("a/b")
    assert hash(twice) == hash(store.folder("a/b"))
    assert len({store, store.folder("a"), store.folder("b")}) == 3
    assert store != store.url()


def test_a_store_pickles_and_is_over_the_same_place(store):
    put(store, "folder/a", b"bytes")
    for original in (store, store.folder("folder")):
        copy = pickle.loads(pickle.dumps(original))
        assert copy == original
        assert hash(copy) == hash(original)
        put(copy, f"{len(original.names())}", b"new")
        assert copy.names() == original.names()


def test_size_is_the_number_of_bytes(store):
    put(store, "a.bin", bytes(1234))
    assert store.size("a.bin") == 1234


def test_names_are_sorted(store):
    for name in ("b", "c", "a", "B"):
        put(store, name)
    assert store.names() == ["B", "a", "b", "c"]


def test_names_of_the_root_leave_out_what_lies_in_folders(store):
    put(store, "a")
    put(store, "folder/b")
    assert store.names() == ["a"]


def test_recursive_names_are_those_below_too(store):
    for name in ("a", "folder/b", "folder/deep/c", "z"):
        put(store, name)
    assert store.names(recursive=True) == ["a", "folder/b", "folder/deep/c", "z"]


def test_names_of_a_folder_begin_at_the_root(store):
    for name in ("a", "folder/b", "folder/deep/c", "folder-2/d"):
        put(store, name)
    assert store.names("folder") == ["folder/b"]
    assert store.names("folder", recursive=True) == ["folder/b", "folder/deep/c"]


@pytest.mark.parametrize("hidden", [".cache", "_manifest_index"])
def test_recursive_names_enter_no_folder_that_begins_with_a_dot_or_an_underscore(store, hidden):
    put(store, "folder/a")
    put(store, f"{hidden}/b")
    put(store, f"folder/{hidden}/c")
    assert store.names(recursive=True) == ["folder/a"]


def test_a_folder_that_begins_with_an_underscore_is_listed_when_it_is_asked_for(store):
    put(store, "_manifest_index/part")
    assert store.names("_manifest_index") == ["_manifest_index/part"]


def test_names_of_a_folder_that_is_not_there_are_an_error(store):
    put(store, "a")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        store.names("nowhere")


def test_an_upload_that_was_not_committed_shows_under_no_final_name(store):
    with store.create("a.bin") as upload:
        upload.write(b"bytes")
        assert [name for name in store.names() if not is_leftover(name)] == []
        with pytest.raises(FileNotFoundError):
            store.read("a.bin")


def test_a_stamped_listing_has_all_names_and_the_stamps_of_those_asked_for(store):
    for name in ["b.json", "a.json", "a.tar", "in/c.json"]:
        put(store, name, name.encode())
    names, stamps = store.stamped(suffix=".json")
    assert sorted(names) == store.names() == ["a.json", "a.tar", "b.json"]
    assert stamps == {"a.json": store.stamp("a.json"), "b.json": store.stamp("b.json")}
    assert store.stamped(recursive=True, suffix="c.json")[1] == {"in/c.json": store.stamp("in/c.json")}


def test_a_stamp_stays_while_the_file_does(store):
    put(store, "file", b"content")
    first = store.stamp("file")
    assert first.size == len(b"content")
    assert store.stamp("file") == first


@pytest.mark.parametrize("new", [b"content", b"another length"])
def test_a_file_that_takes_anothers_name_has_another_stamp(store, new):
    put(store, "file", b"content")
    first = store.stamp("file")
    store.replace("file", new)
    assert store.stamp("file") != first


@pytest.mark.parametrize("verb", ["read", "size", "stamp"])
def test_a_missing_file_is_an_error_that_names_it(store, verb):
    put(store, "other")
    with pytest.raises(FileNotFoundError, match=r"missing\.bin"):
        getattr(store, verb)("missing.bin")


def test_removing_what_is_not_there_tells_it_or_does_nothing(store):
    put(store, "other")
    with contextlib.suppress(FileNotFoundError):
        store.remove("missing.bin")
    assert store.names() == ["other"]


def test_stamps_of_many_are_those_of_each_without_what_is_missing(store):
    for name in ("a", "folder/b", "c"):
        put(store, name, name.encode())
    assert store.stamps(["folder/b", "missing", "a"]) == {"folder/b": store.stamp("folder/b"), "a": store.stamp("a")}
    assert store.stamps([]) == {}


def test_many_files_are_read_in_order_each_with_its_own_error(store):
    for number in range(30):
        put(store, f"{number}", b"%d" % number)
    names = [f"{number}" for number in (*range(29, -1, -1), 7)]
    assert store.read_many(names) == [name.encode() for name in names]
    first, second, third = store.read_many(["3", "missing.bin", "4"])
    assert (first, third) == (b"3", b"4")
    assert isinstance(second, FileNotFoundError)
    assert "missing.bin" in str(second)
    assert store.read_many([]) == []


def test_a_file_above_the_limit_is_refused_by_name_and_both_lengths(store):
    put(store, "a.bin", bytes(101))
    assert store.read("a.bin", 101) == bytes(101)
    with pytest.raises(OversizedFileError, match=r"at most 100 bytes, found 101.*a\.bin"):
        store.read("a.bin", 100)
    assert isinstance(store.read_many(["a.bin"], limit=100)[0], OversizedFileError)


def test_a_settled_stamp_tells_any_later_content(store):
    put(store, "a", b"content")
    seen = time.time_ns()
    stamp = store.stamp("a")
    assert 0 <= store.seconds_to_settle(stamp, seen) <= 2.1
    assert store.seconds_to_settle(stamp, seen + 3 * 10**9) == 0


def test_a_file_is_abandoned_after_a_day(store):
    put(store, "a", b"content")
    stamp = store.stamp("a")
    assert not store.is_abandoned(stamp)
    assert store.is_abandoned(stamp._replace(time=stamp.time - 25 * 3600 * 10**9))


def test_polars_reads_tables_of_a_store(store):
    frames = [pl.DataFrame({"x": [number]}) for number in range(3)]
    for number, frame in enumerate(frames):
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        put(store, f"{number}.parquet", buffer.getvalue())
    tables = store.tables([f"{number}.parquet" for number in range(3)])
    assert scan_tables(tables, {"x": pl.Int64()}).collect().equals(pl.concat(frames))
    assert scan_tables([store.table("2.parquet")], {"x": pl.Int64()}).collect().equals(frames[2])
    with pytest.raises(FileNotFoundError, match=r"missing\.parquet"):
        store.tables(["0.parquet", "missing.parquet"])


def test_a_store_appends_or_says_that_it_does_not(store):
    put(store, "log", b"one\n")
    if not store.can_append:
        with pytest.raises(io.UnsupportedOperation, match="log cannot be appended to"):
            store.append("log", b"two\n")
        return
    store.append("log", b"two\n")
    store.append("log", memoryview(b"three\n"))
    assert store.read("log") == b"one\ntwo\nthree\n"
    with pytest.raises(FileNotFoundError, match="missing"):
        store.append("missing", b"x")


def test_limits_are_the_stores(store):
    assert 0 < store.limits.first_window <= store.limits.window
    assert store.limits.files > 0


def parts_of(file, ranges):
    return [(file, offset, memoryview(bytearray(length))) for offset, length in ranges]


def test_a_missing_file_cannot_be_opened_and_is_named(store):
    put(store, "other")
    with pytest.raises(FileNotFoundError, match=r"missing\.bin"):
        store.open("missing.bin")


def test_an_open_file_knows_its_length(store):
    put(store, "a.bin", bytes(1234))
    assert store.open("a.bin").size == 1234


def test_parts_are_filled_whatever_their_order(store):
    put(store, "a.bin", bytes(range(100)))
    ranges = [(90, 10), (0, 3), (50, 0), (1, 4), (0, 3)]
    parts = parts_of(store.open("a.bin"), ranges)
    store.fill(parts)
    assert [bytes(buffer) for _, _, buffer in parts] == [bytes(range(start, start + n)) for start, n in ranges]


def test_parts_of_several_files_are_filled_at_once(store):
    for number in range(5):
        put(store, f"{number}.bin", bytes([number]) * 1000)
    parts = [part for number in (3, 0, 4, 3) for part in parts_of(store.open(f"{number}.bin"), [(7, 50), (500, 9)])]
    store.fill(parts)
    assert [bytes(buffer) for _, _, buffer in parts] == [bytes([n]) * size for n in (3, 0, 4, 3) for size in (50, 9)]


def test_a_part_fills_its_buffer_and_nothing_around_it(store):
    put(store, "a.bin", bytes(range(1, 101)))
    memory = memoryview(bytearray(20))
    store.fill([(store.open("a.bin"), 10, memory[5:9])])
    assert bytes(memory) == bytes(5) + bytes([11, 12, 13, 14]) + bytes(11)


@pytest.mark.parametrize(("offset", "length"), [(8, 5), (10, 5), (1000, 5), (0, 99)])
@pytest.mark.parametrize("others", [[], [(0, 1)]], ids=["alone", "with another"])
def test_a_part_that_passes_the_end_is_an_error_and_never_short(store, offset, length, others):
    put(store, "a.bin", b"0123456789")
    with pytest.raises(ChangedFileError) as caught:
        store.fill(parts_of(store.open("a.bin"), [*others, (offset, length)]))
    assert caught.value.filename == store.url("a.bin")


def test_no_parts_are_filled_by_doing_nothing(store):
    put(store, "a.bin", b"content")
    store.fill([])
    assert store.names() == ["a.bin"]


def test_a_file_that_is_opened_again_has_the_same_stamp(store):
    put(store, "a.bin", b"content")
    put(store, "b.bin", b"content")
    assert store.open("a.bin").stamp == store.open("a.bin").stamp
    assert store.open("a.bin").stamp != store.open("b.bin").stamp


@pytest.mark.parametrize("new", [b"content", b"CONTENT", b"another length"])
def test_a_file_that_was_replaced_has_another_stamp(store, new):
    put(store, "a.bin", b"content")
    old = store.open("a.bin")
    store.replace("a.bin", new)
    assert store.open("a.bin").stamp != old.stamp
    assert store.open("a.bin").size == len(new)


def test_an_open_file_that_was_replaced_or_removed_gives_its_own_bytes_or_says_so(store):
    put(store, "a.bin", b"old content")
    file = store.open("a.bin")
    store.replace("a.bin", b"new content")
    store.remove("a.bin")
    parts = parts_of(file, [(0, 3), (4, 7)])
    try:
        store.fill(parts)
    except ChangedFileError as error:
        assert error.filename == store.url("a.bin")  # noqa: PT017 -- a store gives the old bytes or raises
    else:
        assert [bytes(buffer) for _, _, buffer in parts] == [b"old", b"content"]
    with pytest.raises(FileNotFoundError):
        store.open("a.bin")


@pytest.mark.soak
def test_eight_threads_filling_from_forty_files_each_get_their_own_bytes(store):
    for number in range(40):
        put(store, f"{number}.bin", bytes([number]) * 5000)
    wrong = []

    def read(seed):
        order = [(seed * 7 + step * 11) % 40 for step in range(rounds(120))]
        for number in order:
            parts = parts_of(store.open(f"{number}.bin"), [(100, 700), (4000, 1000)])
            store.fill(parts)
            wrong.extend(number for _, _, buffer in parts if set(buffer) != {number})

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_name_that_is_taken_cannot_be_created(store):
    put(store, "a.bin", b"first")
    with pytest.raises(FileExistsError, match=r"a\.bin"):
        put(store, "a.bin", b"second")
    assert store.read("a.bin") == b"first"
    assert store.names() == ["a.bin"]


def test_of_two_uploads_of_one_name_the_first_to_commit_wins(store):
    with store.create("a.bin") as first, store.create("a.bin") as second:
        first.write(b"first")
        second.write(b"second")
        second.commit()
        with pytest.raises(FileExistsError, match=r"a\.bin"):
            first.commit()
    assert store.read("a.bin") == b"second"


def test_the_upload_that_lost_leaves_nothing(store):
    with store.create("a.bin") as first, store.create("a.bin") as second:
        first.commit()
        with pytest.raises(FileExistsError):
            second.commit()
    assert store.names(recursive=True) == ["a.bin"]


def test_an_upload_that_is_left_without_a_commit_leaves_nothing(store):
    put(store, "other")
    with store.create("a.bin") as upload:
        upload.write(b"bytes")
    assert store.names() == ["other"]


def test_an_upload_that_is_left_by_an_exception_leaves_nothing(store):
    put(store, "other")
    with pytest.raises(KeyboardInterrupt), store.create("a.bin") as upload:  # noqa: PT012 -- raised inside the upload
        upload.write(b"bytes")
        raise KeyboardInterrupt
    assert store.names() == ["other"]


def test_aborting_twice_is_aborting_once(store):
    put(store, "other")
    upload = store.create("a.bin")
    upload.write(b"bytes")
    upload.abort()
    upload.abort()
    assert store.names() == ["other"]


def test_aborting_after_a_commit_does_nothing(store):
    upload = store.create("a.bin")
    upload.write(b"bytes")
    upload.commit()
    upload.abort()
    assert store.read("a.bin") == b"bytes"


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_an_upload_that_is_over_takes_no_more_bytes(store, end):
    upload = store.create("a.bin")
    getattr(upload, end)()
    with pytest.raises(ValueError, match=r"a\.bin is published or dropped"):
        upload.write(b"late")


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_an_upload_that_is_over_cannot_be_committed(store, end):
    upload = store.create("a.bin")
    getattr(upload, end)()
    with pytest.raises(ValueError, match=r"a\.bin is (already )?published or dropped"):
        upload.commit()


def test_an_upload_over_a_file_replaces_it_when_it_is_committed(store):
    put(store, "a.bin", b"first")
    with store.create("a.bin", over=True) as upload:
        upload.write(b"second")
        assert store.read("a.bin") == b"first"
        upload.commit()
        assert upload.outcome is Outcome.PUBLISHED
    assert store.read("a.bin") == b"second"
    with store.create("b.bin", over=True) as upload:
        upload.write(b"new")
        upload.commit()
    assert store.names() == ["a.bin", "b.bin"]


def test_a_staged_upload_is_whole_and_has_no_name_before_the_commit(store):
    put(store, "other")
    with store.create("a.bin") as upload:
        upload.write(b"bytes")
        upload.stage()
        assert upload.outcome is Outcome.NOT_PUBLISHED
        assert [name for name in store.names() if not is_leftover(name)] == ["other"]
        with pytest.raises(ValueError, match="published or dropped"):
            upload.write(b"more")
        upload.commit()
    assert store.read("a.bin") == b"bytes"
    with store.create("b.bin") as upload:
        upload.stage()
    assert store.names() == ["a.bin", "other"]


def test_a_name_is_free_again_after_an_abort(store):
    store.create("a.bin").abort()
    put(store, "a.bin", b"second")
    assert store.read("a.bin") == b"second"


def test_replace_writes_over_what_is_there(store):
    put(store, "a.json", b"a longer old text")
    store.replace("a.json", b"new")
    assert store.read("a.json") == b"new"
    assert store.names() == ["a.json"]


def test_replace_makes_a_file_that_was_not_there(store):
    put(store, "other")
    store.replace("a.json", b"new")
    assert store.read("a.json") == b"new"


def test_replace_makes_the_folder_too(store):
    store.replace("folder/a.json", b"new")
    assert store.read("folder/a.json") == b"new"


def test_replace_keeps_bytes_of_its_own(store):
    put(store, "a.json", b"old")
    data = bytearray(b"new")
    store.replace("a.json", data)
    data[:] = b"???"
    assert store.read("a.json") == b"new"


def test_swap_writes_over_a_file_that_holds_what_is_expected(store):
    put(store, "a.json", b"a longer old text")
    assert store.swap("a.json", b"a longer old text", bytearray(b"new"))
    assert store.read("a.json") == b"new"
    assert store.names() == ["a.json"]


@pytest.mark.parametrize("found", [b"other", b"ol", b"older", b""])
def test_swap_leaves_a_file_that_holds_something_else(store, found):
    put(store, "a.json", found)
    assert not store.swap("a.json", b"old", b"new")
    assert store.read("a.json") == found
    assert store.names() == ["a.json"]


def test_swap_makes_no_file_that_was_not_there(store):
    put(store, "other")
    assert not store.swap("a.json", b"old", b"new")
    assert store.names() == ["other"]


@pytest.mark.soak
def test_of_many_that_swap_one_file_none_is_lost(store):
    put(store, "count", b"0")
    racers, turns = 6, rounds(40)

    def count_up():
        done = 0
        while done < turns:
            old = store.read("count")
            done += store.swap("count", old, b"%d" % (int(old) + 1))

    threads = [threading.Thread(target=count_up) for _ in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("count") == b"%d" % (racers * turns)


def test_a_removed_file_is_gone_and_its_name_is_free(store):
    put(store, "a.bin", b"first")
    store.remove("a.bin")
    assert store.names() == []
    put(store, "a.bin", b"second")
    assert store.read("a.bin") == b"second"


def test_the_url_of_a_file_ends_with_its_name(store):
    assert store.url("folder/a.bin").endswith("/folder/a.bin")
    root = store.others if isinstance(store, ApartStore) else store
    assert store.url("folder/a.bin").startswith(root.url())


@pytest.mark.soak
def test_eight_threads_racing_for_a_name_have_one_winner_each_round(store):
    turns, racers = rounds(40), 8
    barrier, wins = threading.Barrier(racers, timeout=30), []

    def race(racer):
        for number in range(turns):
            name, data = f"{number}.bin", bytes([racer]) * 10_000
            barrier.wait()
            try:
                put(store, name, data[:5000], data[5000:])
            except FileExistsError:
                continue
            wins.append((number, racer))

    threads = [threading.Thread(target=race, args=(racer,)) for racer in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number, _ in wins) == list(range(turns))
    assert all(store.read(f"{number}.bin") == bytes([racer]) * 10_000 for number, racer in wins)
    assert len(store.names()) == turns


@pytest.mark.soak
def test_a_reader_of_a_replaced_file_sees_the_old_or_the_new_whole(store):
    versions = [bytes([n]) * (50_000 + n) for n in range(20)]
    store.create("other").commit()
    store.replace("a.json", versions[0])
    stop, seen = threading.Event(), []

    def read():
        while not stop.is_set():
            seen.append(store.read("a.json"))

    reader = threading.Thread(target=read)
    reader.start()
    for version in itertools.islice(itertools.cycle(versions), rounds(60)):
        store.replace("a.json", version)
    stop.set()
    reader.join()
    assert seen
    assert set(seen) <= set(versions)


@pytest.mark.parametrize(
    ("name", "leftover"),
    [
        (".tmp-0123", True),
        ("folder/.tmp-0123", True),
        ("folder/.tmp-lock-a.tar", True),
        ("a.tar", False),
        (".tmp-folder/a.tar", False),
        ("a.tmp-1", False),
    ],
)
def test_a_leftover_is_told_by_its_own_name(name, leftover):
    assert is_leftover(name) is leftover


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_an_upload_says_whether_it_is_published(store, end):
    upload = store.create("a")
    assert upload.outcome is Outcome.NOT_PUBLISHED
    getattr(upload, end)()
    assert upload.outcome is (Outcome.PUBLISHED if end == "commit" else Outcome.NOT_PUBLISHED)
