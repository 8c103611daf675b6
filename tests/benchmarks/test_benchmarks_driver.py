"""The driver believes no time before the answers are equal; what cannot run is told in words."""

import sys

import pytest

from benchmarks import _environments
from benchmarks._catalogue import Candidate, Case, candidates
from benchmarks._driver import DifferentAnswersError, Worker, WorkerFailedError, able, measure
from benchmarks._run import Sizes

READ = Case("read", 10, 1)


class Recorder:
    """Stands in for a worker: answers as it is told to, and keeps who was asked for what."""

    def __init__(self, proofs=None, rounds=None, counts=None, seconds=None) -> None:
        self.proofs, self.rounds, self.counts, self.seconds = proofs or {}, rounds or {}, counts or {}, seconds or {}
        self.versions = {"python": "3", "webdataset": "1"}
        self.asked = []

    def ask(self, do: str, name: str = "", **_):
        self.asked.append((do, name))
        digest = {"prove": self.proofs, "run": self.rounds}.get(do, {}).get(name, "same")
        return {"seconds": self.seconds.get(name, 1e-3), "count": self.counts.get(name, 3), "digest": digest}


def reading(worker: Recorder) -> list[Candidate]:
    return able({"peers": worker}, candidates("read"))


def test_different_answers_end_the_run_before_anything_is_timed(tmp_path):
    worker = Recorder(proofs={"webdataset": "other"})
    with pytest.raises(DifferentAnswersError, match=r"read: the answers differ: .*webdataset: 3 \(other\)"):
        measure({"peers": worker}, READ, reading(worker), Sizes(), tmp_path)
    assert "run" not in {do for do, _ in worker.asked}


def test_an_answer_that_differs_in_a_round_ends_the_run(tmp_path):
    worker = Recorder(rounds={"atdata": "other"})
    with pytest.raises(DifferentAnswersError, match="read, round 0: the answers differ"):
        measure({"peers": worker}, READ, reading(worker), Sizes(), tmp_path)


def test_another_count_is_another_answer(tmp_path):
    worker = Recorder(counts={"webdataset": 2})
    with pytest.raises(DifferentAnswersError, match="the answers differ"):
        measure({"peers": worker}, READ, reading(worker), Sizes(), tmp_path)


def test_who_tells_less_is_compared_by_what_it_tells(tmp_path):
    worker = Recorder(proofs={"atdata": "keys+shards", "webdataset": "keys"}, rounds={"webdataset": "same"})
    assert measure({"peers": worker}, READ, reading(worker), Sizes(), tmp_path)
    worker = Recorder(proofs={"atdata": "keys+shards", "webdataset": "keys+others"})
    with pytest.raises(DifferentAnswersError):
        measure({"peers": worker}, READ, reading(worker), Sizes(), tmp_path)


def test_a_limit_and_who_says_nothing_are_not_compared(tmp_path):
    some = [Candidate("read", name, "", "") for name in ("atdata", "quiet", "limit: bytes")]
    worker = Recorder(
        proofs={"quiet": None, "limit: bytes": None},
        rounds={"quiet": None, "limit: bytes": None},
        counts={"limit: bytes": 9, "quiet": 1},
    )
    found = {each.candidate: each.count for each in measure({"peers": worker}, READ, some, Sizes(), tmp_path)}
    assert found == {"atdata": 3, "quiet": 1, "limit: bytes": 9}


def test_each_round_asks_everyone_once_in_another_order(tmp_path):
    worker = Recorder()
    measure({"peers": worker}, READ, reading(worker), Sizes(rounds=6), tmp_path)
    names = [name for do, name in worker.asked if do == "run"]
    rounds = [tuple(names[at : at + len(names) // 6]) for at in range(0, len(names), len(names) // 6)]
    assert {frozenset(each) for each in rounds} == {frozenset(rounds[0])}
    assert len(set(rounds)) > 1


def test_who_is_slow_takes_part_in_fewer_rounds(tmp_path):
    worker = Recorder(seconds={"webdataset": 1.0, "atdata": 60.0})
    found = measure({"peers": worker}, READ, reading(worker), Sizes(rounds=7, fewest_rounds=2, budget=3.0), tmp_path)
    rounds = {each.candidate: len(each.values) for each in found}
    assert rounds == {"atdata": 2, "webdataset": 3, "limit: bytes": 7}


def test_what_is_not_installed_and_what_has_no_environment_is_left_out():
    found = {each.name for each in reading(Recorder())}
    assert "webdataset" in found
    assert found.isdisjoint({"lance", "datasets", "webshart", "original", "litdata"})
    assert found < {each.name for each in candidates("read")}


def test_a_worker_that_cannot_says_why(tmp_path):
    with (
        Worker(sys.executable, tmp_path / "log") as worker,
        pytest.raises(WorkerFailedError, match="No module named 'nobody'"),
    ):
        worker.ask("prepare", name="x", task="nobody:nothing", setup={"data": "", "scratch": ""})


def test_a_missing_python_is_told_with_the_way_to_name_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON312", str(tmp_path / "nowhere"))
    with pytest.raises(_environments.NoPythonError, match="need Python 3.12.*is not there.*make bench PYTHON312="):
        _environments.build(tmp_path)


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="another Python than 3.12 is needed")
def test_another_python_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON312", sys.executable)
    with pytest.raises(_environments.NoPythonError, match="is no Python 3.12 that runs"):
        _environments.build(tmp_path)
