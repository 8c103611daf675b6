"""The driver: asks the workers in turn, in an order shuffled each round; believes no time before answers are equal."""

import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ._catalogue import Candidate, candidates
from ._run import Record, Sizes, jobs_of, load

__all__ = ["DifferentAnswersError", "Worker", "WorkerFailedError", "measure"]

_WORKER = Path(__file__).resolve().parent / "workers" / "worker.py"


class DifferentAnswersError(Exception):
    """Two candidates gave different answers."""


class WorkerFailedError(Exception):
    """A worker could not do what it was asked for."""


class Worker:
    """One long-lived process in one environment."""

    def __init__(self, interpreter: Path, log: Path) -> None:
        self.interpreter = interpreter
        self._log = log.open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [interpreter, _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        hello = self.ask("hello")
        self.versions: dict[str, str] = {"python": hello["python"], **hello["versions"]}

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Return the worker's answer.

        Raises:
            WorkerFailedError: The worker says why it could not, or has ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise WorkerFailedError("the worker has no pipes")
        stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        stdin.flush()
        line = stdout.readline()
        answer = json.loads(line) if line else {"error": f"the worker ended; its last words are in {self._log.name}"}
        if "error" in answer:
            raise WorkerFailedError(f"{do} {arguments}: {answer['error']}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # closes its input, which ends it, and waits
        self._log.close()


def measure(workers: Mapping[str, Worker], job: str, sizes: Sizes, folder: Path) -> list[Record]:
    """Return what each candidate took for a job that workers do.

    Args:
        workers: By environment.
        job: Any but `import` and `memory`.
        sizes: How much.
        folder: Holds the data that is kept, and what is written and removed.

    Raises:
        DifferentAnswersError: Two candidates gave different answers.
        WorkerFailedError: A worker could not.
    """
    able = [each for each in candidates(job) if each.environment in workers and _has(workers[each.environment], each)]
    return [record for name in jobs_of(job) for record in _measure(workers, able, name, sizes, folder)]


def _has(worker: Worker, candidate: Candidate) -> bool:
    return all(package in worker.versions for package in candidate.needs)


def _measure(
    workers: Mapping[str, Worker], able: Sequence[Candidate], job: str, sizes: Sizes, folder: Path
) -> list[Record]:
    before = load()
    digests = _proofs(workers, able, job, _setup(job, sizes, folder))
    order = random.Random(job)  # noqa: S311 -- no secret
    answers: dict[str, list[dict[str, Any]]] = {each.name: [] for each in able}
    for number in range(sizes.rounds):
        taking_part = [each for each in able if not each.slow or number < sizes.slow_rounds]
        for each in order.sample(taking_part, len(taking_part)):
            answers[each.name].append(workers[each.environment].ask("run", name=each.name))
        _check_equal(f"{job}, round {number}", {name: _answer(given[-1]) for name, given in answers.items()})
    for worker in workers.values():
        worker.ask("forget")
    return [
        Record(job, name, tuple(each["seconds"] for each in given), given[0]["count"], digests[name][1], before)
        for name, given in answers.items()
    ]


def _proofs(
    workers: Mapping[str, Worker], able: Sequence[Candidate], job: str, setup: dict[str, Any]
) -> dict[str, tuple[int, str | None]]:
    """Prepare everyone, run everyone once, and compare in full what each found or wrote."""
    proofs = {}
    for each in able:
        sys.stderr.write(f"{job}: {each.name}\n")
        workers[each.environment].ask("prepare", name=each.name, task=each.task, setup=setup)
        proofs[each.name] = _answer(workers[each.environment].ask("prove", name=each.name))
    _check_equal(job, proofs)
    return proofs


def _answer(given: dict[str, Any]) -> tuple[int, str | None]:
    return given["count"], given["digest"]


def _check_equal(job: str, given: Mapping[str, tuple[int, str | None]]) -> None:
    digests = {digest for _, digest in given.values() if digest is not None}
    if len(digests) > 1 or len({count for count, _ in given.values()}) > 1:
        said = ", ".join(f"{name}: {count} ({digest})" for name, (count, digest) in given.items())
        raise DifferentAnswersError(f"{job}: the answers differ: {said}")


def _setup(job: str, sizes: Sizes, folder: Path) -> dict[str, Any]:
    kind, _, question = job.partition("/")
    count, shards = {
        "fetch": (sizes.fetched, sizes.fetched_shards),
        "query": (sizes.rows, sizes.row_shards),
        "resume": (sizes.epoch, 1),
    }.get(kind, (sizes.samples, sizes.shards))
    return {
        "data": str(folder / "data"),
        "scratch": str(folder / "scratch"),
        "samples": count,
        "shards": shards,
        "picks": sizes.picks,
        "question": question,
    }
