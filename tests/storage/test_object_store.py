"""The walls, tried by a store that has no paths, no renames and no folders, and whose answers get lost."""

import hashlib
import itertools
import json

import pytest

import atdata
from atdata import F, UnknownOutcomeError
from atdata._storage import Outcome
from tests.storage.object_store import ATTEMPTS, LostAnswer, open_bucket

#: Whether a request whose answer is lost is carried out.
MODES = ["before", "after", "late"]


@atdata.packable
class Caption:
    text: str
    number: int


@pytest.fixture
def store():
    return open_bucket("walls")


def captions(count=5):
    return [Caption(f"text {number}", number) for number in range(count)]


def write(store, **options):
    return atdata.write_samples(captions(), store.url("set/p.tar"), maxcount=2, manifest=True, **options)


def check_committed(store):
    """Check that each header has the table and the tar that it names; return the shards."""
    names = store.names(recursive=True)
    headers = [name for name in names if name.endswith(".manifest.json")]
    for name in headers:
        header = json.loads(store.read(name))
        for part in ("samples", "shard"):
            data = store.read(f"set/{header[part]['file']}")
            assert hashlib.sha256(data).hexdigest() == header[part]["sha256"], (name, part)
    return headers


def lose(store, mode, first, verbs=("put", "get", "head", "list", "delete"), count=None):
    """Lose the answers of some requests from the ``first`` one from now on, all of them or ``count``."""
    begin = len(store.server.requests) + first
    end = float("inf") if count is None else begin + count
    store.server.fault = lambda verb, _, number: mode if verb in verbs and begin <= number < end else None


def requests_of(store, call):
    before = len(store.server.requests)
    call()
    return len(store.server.requests) - before


# -- one upload


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lost", range(1, ATTEMPTS))
def test_a_commit_is_sent_again_and_what_it_put_before_is_taken_for_its_own(store, mode, lost):
    lose(store, mode, 0, count=lost)
    with store.create("a.bin") as upload:
        upload.write(b"bytes")
        upload.commit()
        assert upload.outcome is Outcome.PUBLISHED
    store.server.land()
    assert store.read("a.bin") == b"bytes"


@pytest.mark.parametrize("mode", MODES)
def test_a_commit_is_never_taken_for_success_where_the_name_holds_other_bytes(store, mode):
    store.replace("a.bin", b"other")
    lose(store, mode, 0, count=1)
    with store.create("a.bin") as upload:
        upload.write(b"bytes")
        with pytest.raises(FileExistsError, match=r"a\.bin"):
            upload.commit()
        assert upload.outcome is Outcome.NOT_PUBLISHED
    assert store.read("a.bin") == b"other"


@pytest.mark.parametrize("mode", ["before", "late"])
@pytest.mark.parametrize("verbs", [("put",), ("put", "get")])
def test_a_commit_whose_every_answer_is_lost_is_unknown_and_says_what_to_do(store, mode, verbs):
    lose(store, mode, 0, verbs)
    upload = store.create("a.bin")
    upload.write(b"bytes")
    with pytest.raises(UnknownOutcomeError, match=r"may be published, and nothing was removed.*a\.bin"):
        upload.commit()
    upload.abort()
    assert upload.outcome is Outcome.UNKNOWN
    store.server.heal()
    store.server.land()
    assert store.names() == (["a.bin"] if mode == "late" else [])


def test_a_commit_that_was_carried_out_every_time_is_found_by_its_bytes(store):
    lose(store, "after", 0, ("put",))
    with store.create("a.bin") as upload:
        upload.write(b"bytes")
        upload.commit()
        assert upload.outcome is Outcome.PUBLISHED


@pytest.mark.parametrize("mode", MODES)
def test_a_swap_whose_answer_was_lost_is_told_by_the_bytes_that_are_there(store, mode):
    store.replace("a", b"old")
    lose(store, mode, 1, count=1)  # the first request reads
    assert store.swap("a", b"old", b"new")
    assert store.read("a") == b"new"


@pytest.mark.parametrize("mode", ["before", "late"])
def test_a_swap_whose_every_answer_is_lost_is_unknown(store, mode):
    store.replace("a", b"old")
    lose(store, mode, 1)
    with pytest.raises(UnknownOutcomeError):
        store.swap("a", b"old", b"new")


#: Verbs that can be sent twice.
REPEATED = {
    "read": lambda store: store.read("a"),
    "read_many": lambda store: store.read_many(["a"])[0],
    "stamp": lambda store: store.stamp("a"),
    "stamps": lambda store: store.stamps(["a"]),
    "names": lambda store: store.names(),
    "stamped": lambda store: store.stamped(suffix=""),
    "open": lambda store: store.open("a").size,
    "tables": lambda store: store.tables(["a"]),
    "replace": lambda store: store.replace("a", b"new"),
    "remove": lambda store: store.remove("a"),
}


@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("call", REPEATED.values(), ids=REPEATED)
def test_verbs_that_can_be_sent_twice_are_sent_again_and_give_up_in_the_end(store, mode, call):
    store.replace("a", b"old")
    lose(store, mode, 0, count=1)
    call(store)
    store.server.heal()
    store.replace("a", b"old")
    lose(store, mode, 0)
    answer = None
    try:
        answer = call(store)
    except LostAnswer:
        return
    assert isinstance(answer, LostAnswer)


# -- a set of shards


def test_one_lost_answer_is_not_noticed_when_a_set_is_written(store):
    count = requests_of(store, lambda: write(store))
    for number, mode in itertools.product(range(count), MODES):
        store = open_bucket("walls")
        lose(store, mode, number, count=1)
        dataset = write(store)
        store.server.land()
        assert len(check_committed(store)) == 3
        assert [sample.number for sample in dataset] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("mode", MODES)
def test_a_set_whose_answers_are_lost_from_some_request_on_has_whole_shards_alone(store, mode):
    count = requests_of(store, lambda: write(store))
    whole = set()
    for number in range(count):
        store = open_bucket("walls")
        lose(store, mode, number)
        try:
            write(store)
        except OSError as error:
            assert isinstance(error, LostAnswer | UnknownOutcomeError)  # noqa: PT017 -- or nothing failed
        store.server.heal()
        store.server.land()
        whole.add(len(check_committed(store)))
        assert [sample.number for sample in write(store, overwrite=True)] == [0, 1, 2, 3, 4]
    assert whole >= {0, 1, 2}


def test_a_header_that_is_published_late_finds_its_table_and_its_tar(store):
    store.server.fault = lambda verb, key, _: "late" if verb == "put" and key.endswith("json") else None
    with pytest.raises(UnknownOutcomeError, match=r"p-000000\.manifest\.json"):
        write(store)
    store.server.heal()
    assert check_committed(store) == []
    store.server.land()
    assert check_committed(store) == ["set/p-000000.manifest.json"]


# -- late columns


def doubled(batch):
    return {"double": [2 * number for number in batch.number]}


@pytest.mark.parametrize("mode", MODES)
def test_columns_whose_answers_are_lost_leave_each_shard_the_old_one_or_the_new_one(store, mode):
    dataset = write(store)
    count = requests_of(store, lambda: dataset.annotate(doubled))
    seen = set()
    for number in range(count):
        store = open_bucket("walls")
        dataset = write(store)
        lose(store, mode, number)
        try:
            dataset.annotate(doubled)
        except (OSError, atdata.AtdataError) as error:
            seen.add(type(error))
        store.server.heal()
        store.server.land()
        assert len(check_committed(store)) == 3
    assert UnknownOutcomeError in seen or mode == "after"


# -- everything that is done with a set


def test_a_set_in_a_bucket_is_written_queried_fetched_and_annotated(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = write(store)
    assert len(dataset) == 5
    assert [sample.number for sample in dataset] == [0, 1, 2, 3, 4]
    locations = dataset.query(F.number > 2)
    assert [sample.text for sample in dataset.fetch(locations)] == ["text 3", "text 4"]
    assert [sample.number for sample in dataset.where(F.text == "text 1")] == [1]
    annotated = dataset.annotate(doubled)
    assert [sample.number for sample in annotated.where(F.double >= 6)] == [3, 4]
    copied = annotated.where(F.double >= 6).export(store.url("copy/q.tar"))
    assert [sample.number for sample in copied] == [3, 4]
    assert annotated.process_shards(len, checkpoint=store.url("done")) == {"p-000000": 2, "p-000001": 2, "p-000002": 1}
    assert annotated.process_shards(len, checkpoint=store.url("done")) == {}
    assert annotated.to_parquet(store.url("all.parquet")) == [store.url("all.parquet")]
    assert store.tables(["all.parquet"])[0][:4] == b"PAR1"
    assert list(tmp_path.iterdir()) == []


def test_a_set_in_a_bucket_is_opened_compacted_and_sliced(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(store)
    for source in ("set", "set/p-000000.tar", "set/*.tar", "set/p-{000000..000002}.tar"):
        opened = atdata.Dataset[Caption](store.url(source))
        assert [sample.number for sample in opened.where(F.number < 2)] == [0, 1]
    assert len(atdata.load_dataset(store.url("set"), Caption, split="train")) == 5
    executor = atdata.QueryExecutor.from_directory(store.url("set"))
    executor.compact()
    assert any(name.startswith("set/_manifest_index/") for name in store.names("set/_manifest_index"))
    opened = atdata.Dataset[Caption](store.url("set"))
    assert [sample.number for sample in opened.where(F.number > 2)] == [3, 4]
    path = opened.where(F.number > 2).save_slice(store.url("late.slice.parquet"))
    assert [sample.number for sample in atdata.Dataset[Caption](path)] == [3, 4]
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_in_a_bucket_reads_many_headers_at_a_time(store):
    write(store)
    opened = atdata.Dataset[Caption](store.url("set"))
    store.server.requests.clear()
    assert len(opened) == 5
    verbs = [verb for verb, key in store.server.requests if key.endswith(".json")]
    assert sorted(verbs) in (["get"] * 3, ["get"] * 3 + ["head"] * 3)  # the limit of a header's length is a request
