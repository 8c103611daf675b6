"""The command: measure, print, and keep what was found."""

import argparse
import contextlib
import dataclasses
import datetime as dt
import fnmatch
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from . import _environments
from ._cases import LARGE, Choice, cases
from ._catalogue import DATA_KINDS, JOBS, QUESTIONS, Candidate, Case, candidates
from ._docs import write_page
from ._driver import DifferentAnswersError, Worker, WorkerFailedError, able, alone, measure, peaks
from ._fresh import imports, memory
from ._report import summary
from ._results import Results, Writer, read_results
from ._run import Machine, Peak, Record, Run, Sizes, load
from .compare import main as compare

_ROOT = Path(__file__).resolve().parent.parent
_KEPT = _ROOT / ".bench"
_SMALL = Sizes(
    samples=60, shards=3, fetched=60, fetched_shards=3, picks=20, epoch=2000, small=1000, rows={"1m": (3000, 12)},
    growth=(2,), growth_rows=50, rounds=1, fewest_rounds=1,
)  # fmt: skip
#: The jobs that are measured at the largest size.
_LARGE_JOBS = ("open", "index", "query", "describe", "growth")


def main() -> int:
    """Run the benchmarks, or compare two versions; return the exit status."""
    if sys.argv[1:2] == ["compare"]:
        return compare(sys.argv[2:], _ROOT)
    parser = _parser()
    options = parser.parse_args()
    if options.write_docs and options.small:
        parser.error("--write-docs takes figures of full size: leave out --small")
    try:
        measured = _small if options.small else _full
        results = read_results(options.read) if options.read else measured(options)
        print(summary(results))
        if options.write_docs:
            for path in write_page(results, _ROOT / "docs", lambda: _environments.plotting(_KEPT / "env")):
                print(f"wrote {path}")
    except (DifferentAnswersError, WorkerFailedError, _environments.NoPythonError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    sizes = [name for name in Sizes().rows if name != LARGE]
    for name, default, words in (
        ("jobs", list(JOBS), "what is measured"),
        ("sizes", [*sizes, LARGE], "of how many rows questions are asked"),
        ("kinds", list(DATA_KINDS), "how these rows are distributed"),
        ("questions", list(QUESTIONS), "what is asked"),
    ):
        parser.add_argument(f"--{name}", nargs="+", choices=default, metavar="NAME", help=f"{words}: {default}")
    parser.add_argument("--candidates", nargs="+", default=["*"], metavar="NAME", help="who; * stands for anything")
    parser.add_argument("--large", action="store_true", help=f"{LARGE} rows, and growth up to as many shards, alone")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"at most ({Sizes().rounds})")
    parser.add_argument("--no-memory", action="store_true", help="leave out the processes that tell peaks of memory")
    parser.add_argument("--small", action="store_true", help="tiny, in this environment: a test that all of it runs")
    parser.add_argument("--rebuild", action="store_true", help="make the data anew, even if it is there")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="keep the data of a --small run here")
    parser.add_argument("--out", type=Path, metavar="FILE", help="append JSON lines here (.bench/results.jsonl)")
    parser.add_argument("--from", dest="read", type=Path, nargs="+", metavar="FILE", help="measure nothing: read these")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md and its figures anew")
    return parser


def _choice(options: argparse.Namespace, sizes: Sizes) -> Choice:
    named = {name: tuple(given) for name in ("jobs", "sizes", "kinds", "questions") if (given := vars(options)[name])}
    if options.large:
        return Choice(**{"jobs": _LARGE_JOBS, "sizes": (LARGE,), "growth": (10_001, 100_000)} | named)
    if options.small:
        return Choice(**{"sizes": tuple(sizes.rows)} | named)
    return Choice(**named)


def _small(options: argparse.Namespace) -> Results:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(sys.executable)
        environments = dict.fromkeys(("peers", "torch", "streaming"), here)
        return _run(options, environments, _SMALL, options.data or Path(folder), options.out)


def _full(options: argparse.Namespace) -> Results:
    interpreters = _environments.build(_KEPT / "env")
    if options.rebuild:
        for name in ("data", "scratch"):
            shutil.rmtree(_KEPT / name, ignore_errors=True)
    chosen = ({"rounds": options.rounds} if options.rounds else {}) | ({"fewest_rounds": 1} if options.large else {})
    sizes = dataclasses.replace(Sizes(), **chosen)
    return _run(options, interpreters, sizes, _KEPT, options.out or _KEPT / "results.jsonl")


def _run(
    options: argparse.Namespace, interpreters: Mapping[str, Path], sizes: Sizes, folder: Path, out: Path | None
) -> Results:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scratch").mkdir(exist_ok=True)
    with _workers(interpreters, interpreters, folder) as workers:
        versions = {name: worker.versions for name, worker in workers.items()}
        chosen = [each for each in _everyone(options.candidates) if each in able(workers, [each])]
    name = f"{dt.datetime.now(dt.UTC).isoformat(timespec='seconds')} {os.getpid()}"
    run = Run(name, Machine.here(), sizes, versions, load(), options.small, _command())
    results, choice = Results(), _choice(options, sizes)
    writer = Writer(out, run) if out else None
    for job in choice.jobs:
        some = [each for each in chosen if each.job == job]
        for found in _job(list(cases(job, sizes, choice)), some, interpreters, sizes, folder, options):
            results.add(run, found)
            if writer:
                writer.add(found)
    if writer:
        writer.close()
        print(f"appended to {out}")
    return results


def _command() -> str:
    """Return what the run was asked for, but for where its results go."""
    given = sys.argv[1:]
    return " ".join(each for at, each in enumerate(given) if "--out" not in (each, *given[max(0, at - 1) : at]))


def _everyone(patterns: Sequence[str]) -> list[Candidate]:
    everyone = [each for job in JOBS for each in candidates(job)]
    return [each for each in everyone if any(fnmatch.fnmatchcase(each.name, pattern) for pattern in patterns)]


@contextlib.contextmanager
def _workers(interpreters: Mapping[str, Path], names: Iterator[str], folder: Path) -> Iterator[dict[str, Worker]]:
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(Worker(interpreters[name], folder / f"worker-{name}.log"))
            for name in dict.fromkeys(names)
        }


def _job(
    given: Sequence[Case], some: Sequence[Candidate], interpreters: Mapping[str, Path], sizes: Sizes, folder: Path,
    options: argparse.Namespace,
) -> Iterator[Sequence[Record | Peak]]:  # fmt: skip
    """Yield what is found of a job, case by case; each group of cases has fresh workers, whose memory is clean."""
    for _, grouped in itertools.groupby(given, lambda case: case.group):
        group = list(grouped)
        doing = [each for each in some if any(each.does(case) for case in group)]
        if group[0].job == "growth":
            for case in group:
                yield list(alone(interpreters, case, [each for each in doing if each.does(case)], sizes, folder))
            continue
        with _workers(interpreters, (each.environment for each in doing), folder) as workers:
            for case in group:
                taking_part = [each for each in doing if each.does(case)]
                if case.job == "import":
                    yield imports(workers, taking_part, sizes)
                elif case.job == "memory":
                    yield memory(workers, taking_part, sizes, folder)
                else:
                    yield measure(workers, case, taking_part, sizes, folder)
        if group[0].job not in ("import", "memory") and not options.no_memory:
            yield list(peaks(interpreters, group, doing, sizes, folder))


if __name__ == "__main__":
    sys.exit(main())
