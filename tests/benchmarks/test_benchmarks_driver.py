"""The driver believes no time before the answers are equal; what cannot run is told in words."""

import sys

import pytest

from benchmarks import _environments
from benchmarks._catalogue import candidates
from benchmarks._driver import DifferentAnswersError, Worker, WorkerFailedError, measure
from benchmarks._run import Sizes


class Recorder:
    """Stands in for a worker: answers as it is told to, and keeps who was asked for what."""

    def __init__(self, proofs: dict[str, str] | None = None, rounds: dict[str, str] | None = None) -> None:
        self.proofs, self.rounds = proofs or {}, rounds or {}
        self.versions = {"python": "3", "webdataset": "1"}
        self.asked = []

    def ask(self, do: str, name: str = "", **_):
        self.asked.append((do, name))
        digest = {"prove": self.proofs, "run": self.rounds}.get(do, {}).get(name, "same")
        return {"seconds": 1.0, "count": 3, "digest": digest}


def test_different_answers_end_the_run_before_anything_is_timed(tmp_path):
    worker = Recorder(proofs={"webdataset": "other"})
    with pytest.raises(DifferentAnswersError, match=r"read: the answers differ: .*webdataset: 3 \(other\)"):
        measure({"peers": worker}, "read", Sizes(), tmp_path)
    assert "run" not in {do for do, _ in worker.asked}


def test_an_answer_that_differs_in_a_round_ends_the_run(tmp_path):
    with pytest.raises(DifferentAnswersError, match="read, round 0: the answers differ"):
        measure({"peers": Recorder(rounds={"atdata": "other"})}, "read", Sizes(), tmp_path)


def test_each_round_asks_everyone_once_in_another_order(tmp_path):
    worker = Recorder()
    measure({"peers": worker}, "read", Sizes(rounds=6, slow_rounds=6), tmp_path)
    names = [name for do, name in worker.asked if do == "run"]
    rounds = [tuple(names[at : at + len(names) // 6]) for at in range(0, len(names), len(names) // 6)]
    assert {frozenset(each) for each in rounds} == {frozenset(rounds[0])}
    assert len(set(rounds)) > 1


def test_what_is_not_installed_and_what_has_no_environment_is_left_out(tmp_path):
    found = {record.candidate for record in measure({"peers": Recorder()}, "read", Sizes(rounds=1), tmp_path)}
    assert "webdataset" in found
    assert found.isdisjoint({"lance", "datasets", "webshart", "original"})
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
