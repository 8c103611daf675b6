"""The command: measure, print, and keep what was found."""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from . import _environments
from ._catalogue import JOBS, candidates
from ._docs import page
from ._driver import DifferentAnswersError, Worker, WorkerFailedError, measure
from ._fresh import imports, memory
from ._report import job_table, jobs_measured, losses, question_table, targets_table
from ._run import Machine, Record, Run, Sizes, load

_ROOT = Path(__file__).resolve().parent.parent
_KEPT = _ROOT / ".bench"
_PAGE = _ROOT / "docs" / "benchmarks.md"
_SMALL = Sizes(
    samples=60, shards=3, fetched=60, fetched_shards=3, picks=20, rows=2000, row_shards=4, epoch=2000, small=1000,
    rounds=1, slow_rounds=1,
)  # fmt: skip


def main() -> int:
    """Run the benchmarks; return the exit status."""
    parser = _parser()
    options = parser.parse_args()
    jobs = options.jobs.split(",")
    if unknown := set(jobs) - set(JOBS):
        parser.error(f"no such job: {', '.join(sorted(unknown))}; there are {', '.join(JOBS)}")
    if options.write_docs and (options.small or set(jobs) != set(JOBS)):
        parser.error("--write-docs takes all jobs of one run at full size: leave out --small and --jobs")
    try:
        found = _small(jobs) if options.small else _full(options, jobs)
    except (DifferentAnswersError, WorkerFailedError, _environments.NoPythonError) as error:
        print(error, file=sys.stderr)
        return 1
    _print(found)
    out = options.out or (None if options.small else _KEPT / "results.jsonl")
    if out is not None:
        found.append_to(out)
        print(f"\nappended to {out}")
    if options.write_docs:
        _PAGE.write_text(page(found), encoding="utf-8")
        print(f"wrote {_PAGE}")
    return 0


def _parser() -> argparse.ArgumentParser:
    sizes = Sizes()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--jobs", default=",".join(JOBS), help="some of %(default)s")
    parser.add_argument("--small", action="store_true", help="tiny, in this environment: a test that all of it runs")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md anew, from data made anew")
    parser.add_argument("--rebuild", action="store_true", help="make the data anew, even if it is there")
    parser.add_argument("--out", type=Path, metavar="FILE", help="append JSON lines here (.bench/results.jsonl)")
    for name, words in {
        "samples": "samples to write and read",
        "shards": "their shards",
        "fetched": "samples to fetch from",
        "fetched-shards": "their shards",
        "picks": "samples to fetch",
        "rows": "rows to ask about",
        "row-shards": "their shards",
        "epoch": "samples of the epoch that is taken up",
        "small": "small samples to write while memory is watched",
        "rounds": "rounds",
        "slow-rounds": "rounds that slow candidates take part in",
    }.items():
        flag = "--small-samples" if name == "small" else f"--{name}"
        default = getattr(sizes, name.replace("-", "_"))
        parser.add_argument(flag, type=int, default=default, metavar="N", help=f"{words} (%(default)s)")
    return parser


def _small(jobs: list[str]) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(sys.executable)
        return _run({"peers": here, "torch": here}, jobs, _SMALL, Path(folder))


def _full(options: argparse.Namespace, jobs: list[str]) -> Run:
    interpreters = _environments.build(_KEPT / "env")
    if options.rebuild or options.write_docs:
        shutil.rmtree(_KEPT / "data", ignore_errors=True)
    sizes = Sizes(
        options.samples, options.shards, options.fetched, options.fetched_shards, options.picks, options.rows,
        options.row_shards, options.epoch, options.small_samples, options.rounds, options.slow_rounds,
    )  # fmt: skip
    return _run(interpreters, jobs, sizes, _KEPT)


def _run(interpreters: Mapping[str, Path], jobs: list[str], sizes: Sizes, folder: Path) -> Run:
    before, begin = load(), time.monotonic()
    records: list[Record] = []
    versions: dict[str, dict[str, str]] = {}
    for job in jobs:
        with contextlib.ExitStack() as stack:  # each job has fresh workers: what another one left in memory is gone
            workers = {
                name: stack.enter_context(Worker(interpreter, folder / f"worker-{name}.log"))
                for name, interpreter in interpreters.items()
                if name in {each.environment for each in candidates(job)}
            }
            versions |= {name: worker.versions for name, worker in workers.items()}
            records += _measure(job, workers, sizes, folder)
    return Run(Machine.here(), sizes, versions, before, load(), time.monotonic() - begin, tuple(records))


def _measure(job: str, workers: Mapping[str, Worker], sizes: Sizes, folder: Path) -> list[Record]:
    if job == "import":
        return imports(workers, sizes)
    if job == "memory":
        return memory(workers, sizes, folder)
    return measure(workers, job, sizes, folder)


def _print(run: Run) -> None:
    for job in jobs_measured(run):
        print(f"\n{job}\n\n{question_table(run) if job == 'query' else job_table(run, job)}")
    print(f"\ntargets\n\n{targets_table(run)}\n")
    for line in losses(run):
        print(f"loses: {line}")
    print(f"\nload {run.load_before} before and {run.load_after} after; {run.seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
