"""One side of a comparison: the processes that run one version of the library."""

import dataclasses
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks._driver import Worker, WorkerFailedError

from ._jobs import Job
from ._trees import Tree

__all__ = ["Side"]

_WORKERS = Path(__file__).resolve().parent.parent / "workers"
_COUNTED = """\
import sys
sys.path.append({workers!r})
import cost, json
with cost.counting() as counts:
{program}
print(json.dumps(counts))
"""


class Side:
    """One version in a long-lived process for tasks, and in fresh ones for programs.

    It is a context manager: the long-lived process ends with the block. Data stays in the folder for the next one.

    Args:
        name: Names the side in errors.
        tree: The version.
        folder: Holds its data, what tasks write, and the log of its processes.
        seed: The seed of hashing, which decides the order of sets.

    Raises:
        WorkerFailedError: The version cannot be imported, or another one would be.
    """

    def __init__(self, name: str, tree: Tree, folder: Path, seed: int) -> None:
        self._name, self._folder = name, folder
        for part in ("data", "scratch"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        self._variables = _variables(tree.folder, seed)
        self._log = self._folder / "log"
        self._check(tree)
        self._worker = Worker(Path(sys.executable), self._log, self._variables)

    def prepare(self, job: Job) -> None:
        """Get a job ready; make its data where it is not there yet."""
        if job.task:
            setup = {"samples": job.samples, "shards": job.shards, "picks": job.picks}
            folders = {name: str(self._folder / name) for name in ("data", "scratch")}
            self._ask("prepare", name=job.name, task=job.task, setup=setup | folders)

    def measure(self, job: Job, repeats: int) -> dict[str, Any]:
        """Return what doing a job costs on average, over some repeats: `cpu` in seconds, `count` and `facts`."""
        if not job.program:
            return self._ask("measure", name=job.name, repeats=repeats)
        seconds = sum(self._run(job.program, job).cpu for _ in range(repeats))
        return {"cpu": seconds / repeats, "count": 0, "facts": {}}

    def count(self, job: Job) -> dict[str, int]:
        """Do a job once, and return its counts by name."""
        if not job.program:
            counts: dict[str, int] = self._ask("count", name=job.name)["counts"]
            return counts
        program = _COUNTED.format(workers=str(_WORKERS), program=textwrap.indent(job.program, "    "))
        return dict(json.loads(self._run(program, job).output))

    def __enter__(self) -> Self:
        self._worker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.__exit__(kind, error, trace)

    def _ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._worker.ask(do, **arguments)
        except WorkerFailedError as error:
            raise WorkerFailedError(f"{self._name}: {str(error).strip().splitlines()[-1]}") from error

    def _check(self, tree: Tree) -> None:
        origin = self._run("import importlib.util as u; print(u.find_spec('atdata').origin)", None).output.strip()
        if not Path(origin).is_relative_to(tree.folder):
            raise WorkerFailedError(f"{self._name}: expected the library of {tree.folder}, found {origin}")

    def _run(self, program: str, job: Job | None) -> "_Ended":
        data = [str(path) for path in (self._folder / "data").glob(f"rows-*-{job.samples}x{job.shards}")] if job else []
        with self._log.open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", program, *data],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                cwd=self._folder / "scratch", env=self._variables,
            )  # fmt: skip
            ended = _wait(process)
        if process.returncode:
            lines = self._log.read_text(encoding="utf-8").strip().splitlines()
            raise WorkerFailedError(f"{self._name}: {lines[-1] if lines else f'status {process.returncode}'}")
        return ended


@dataclasses.dataclass(frozen=True, slots=True)
class _Ended:
    """A process that has ended."""

    #: In seconds, user and system, its children's included.
    cpu: float
    output: str


def _wait(process: subprocess.Popen[str]) -> _Ended:
    with process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return _Ended(usage.ru_utime + usage.ru_stime, output)


def _variables(tree: Path, seed: int) -> Mapping[str, str]:
    """Return environment variables that put a version first and keep compiled modules, as on a user's machine."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # A thread of NumPy's BLAS spins for a tenth of a second after the import, in whatever is imported next.
    variables["OPENBLAS_NUM_THREADS"] = "1"
    path = [str(tree), *filter(None, [os.environ.get("PYTHONPATH")])]
    return variables | {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONHASHSEED": str(seed),
        "SOURCE_DATE_EPOCH": "0",  # headers of the same length
    }
