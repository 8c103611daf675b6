"""The driver: asks the workers in turn, in an order shuffled each round; believes no time before answers are equal."""

import json
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ._catalogue import Candidate, Case
from ._run import Peak, Record, Sizes, load

__all__ = ["DifferentAnswersError", "Worker", "WorkerFailedError", "able", "alone", "measure", "peaks"]

_WORKER = Path(__file__).resolve().parent / "workers" / "worker.py"


class DifferentAnswersError(Exception):
    """Two candidates gave different answers."""


class WorkerFailedError(Exception):
    """A worker could not do what it was asked for."""


class Worker:
    """One long-lived process in one environment, with the caller's environment variables or others."""

    def __init__(self, interpreter: Path, log: Path, variables: Mapping[str, str] | None = None) -> None:
        self.interpreter = interpreter
        self._log = log.open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [interpreter, _WORKER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=variables,
        )  # fmt: skip
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


def able(workers: Mapping[str, Worker], some: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates whose environment is there and has what they need."""
    return [
        each
        for each in some
        if each.environment in workers and all(package in workers[each.environment].versions for package in each.needs)
    ]


def measure(
    workers: Mapping[str, Worker], case: Case, some: Sequence[Candidate], sizes: Sizes, folder: Path
) -> list[Record]:
    """Return what each candidate took.

    Args:
        workers: By environment.
        case: What is done.
        some: Who does it.
        sizes: How often.
        folder: Holds the data that is kept, and what is written and removed.

    Raises:
        DifferentAnswersError: Two candidates gave different answers.
        WorkerFailedError: A worker could not.
    """
    before = load()
    proofs = _proofs(workers, some, case, _setup(case, sizes, folder))
    rounds = {name: _rounds(proof["seconds"], sizes) for name, proof in proofs.items()}
    order = random.Random(case.name)  # noqa: S311 -- no secret
    answers: dict[str, list[dict[str, Any]]] = {each.name: [] for each in some}
    for number in range(max(rounds.values(), default=0)):
        taking_part = [each for each in some if number < rounds[each.name]]
        for each in order.sample(taking_part, len(taking_part)):
            answers[each.name].append(workers[each.environment].ask("run", name=each.name))
        _check_equal(
            f"{case.name}, round {number}",
            _comparable(some, {name: found[-1] for name, found in answers.items() if found}),
        )
    for worker in workers.values():
        worker.ask("forget")
    return [
        Record(
            case.name, name, tuple(each["seconds"] for each in given), given[0]["count"],
            proofs[name]["digest"], before, proofs[name].get("facts", {}),
        )
        for name, given in answers.items()
    ]  # fmt: skip


def _rounds(seconds: float, sizes: Sizes) -> int:
    """Return how many rounds someone takes part in who took so long the first time."""
    affordable = int(sizes.budget / seconds) if seconds else sizes.rounds
    return min(sizes.rounds, max(sizes.fewest_rounds, affordable))


def _proofs(
    workers: Mapping[str, Worker], some: Sequence[Candidate], case: Case, setup: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Prepare everyone, run everyone once, and compare in full what each found or wrote."""
    proofs = {}
    for each in some:
        sys.stderr.write(f"{case.name}: {each.name}\n")
        workers[each.environment].ask("prepare", name=each.name, task=each.task, setup=setup)
        proofs[each.name] = workers[each.environment].ask("prove", name=each.name)
    _check_equal(case.name, _comparable(some, proofs))
    return proofs


def _comparable(some: Sequence[Candidate], given: Mapping[str, dict[str, Any]]) -> dict[str, tuple[int, str | None]]:
    """Return counts and digests of who finds something, which limits do not, and who tells what it found.

    Where nobody tells, counts are all there is.
    """
    found = {each.name: (given[each.name]["count"], given[each.name]["digest"]) for each in some if not each.is_limit
             and each.name in given}  # fmt: skip
    return {name: answer for name, answer in found.items() if answer[1] is not None} or found


def _check_equal(where: str, given: Mapping[str, tuple[int, str | None]]) -> None:
    """Compare counts, and each part of the digests where there is one: not everyone tells everything."""
    parts = [str(digest).split("+") for _, digest in given.values() if digest is not None]
    widest = max(map(len, parts), default=0)
    differ = any(len({part[index] for part in parts if index < len(part)}) > 1 for index in range(widest))
    if differ or len({count for count, _ in given.values()}) > 1:
        said = ", ".join(f"{name}: {count} ({digest})" for name, (count, digest) in given.items())
        raise DifferentAnswersError(f"{where}: the answers differ: {said}")


def peaks(
    interpreters: Mapping[str, Path], group: Sequence[Case], some: Sequence[Candidate], sizes: Sizes, folder: Path
) -> Iterator[Peak]:
    """Yield by how much each candidate's memory rises at most, in a process of its own that does all of a group.

    Raises:
        WorkerFailedError: A worker could not.
    """
    for name in dict.fromkeys(each.name for each in some if each.has_peak):
        entries = [(case, each) for case in group for each in some if each.name == name and each.does(case)]
        if not entries:
            continue
        sys.stderr.write(f"{group[0].group}, memory: {name}\n")
        with Worker(interpreters[entries[0][1].environment], folder / "worker-alone.log") as worker:
            found = [_alone(worker, case, each, sizes, folder)["peak"] for case, each in entries]
        if all(rise is not None for rise in found):
            yield Peak(group[0].group, name, max(found))


def alone(
    interpreters: Mapping[str, Path], case: Case, some: Sequence[Candidate], sizes: Sizes, folder: Path
) -> Iterator[Record | Peak]:
    """Yield what each candidate took and needed in fresh processes.

    Raises:
        DifferentAnswersError: Two candidates gave different answers.
        WorkerFailedError: A worker could not.
    """
    before = load()
    given: dict[str, list[dict[str, Any]]] = {each.name: [] for each in some}
    for _ in range(sizes.fewest_rounds):
        for each in some:
            sys.stderr.write(f"{case.name}: {each.name}\n")
            with Worker(interpreters[each.environment], folder / "worker-alone.log") as worker:
                given[each.name].append(_alone(worker, case, each, sizes, folder))
    _check_equal(case.name, _comparable(some, {name: found[-1] for name, found in given.items()}))
    for name, found in given.items():
        seconds = tuple(each["seconds"] for each in found)
        yield Record(case.name, name, seconds, found[0]["count"], found[0]["digest"], before)
        if all(each["peak"] is not None for each in found):
            yield Peak(case.group, name, max(each["peak"] for each in found))


def _alone(worker: Worker, case: Case, candidate: Candidate, sizes: Sizes, folder: Path) -> dict[str, Any]:
    worker.ask("prepare", name=candidate.name, task=candidate.task, setup=_setup(case, sizes, folder))
    answer = worker.ask("alone", name=candidate.name)
    worker.ask("forget")
    return answer


def _setup(case: Case, sizes: Sizes, folder: Path) -> dict[str, Any]:
    return {
        "data": str(folder / "data"),
        "scratch": str(folder / "scratch"),
        "samples": case.samples,
        "shards": case.shards,
        "picks": sizes.picks,
        "question": case.question,
        "kind": case.kind,
    }
