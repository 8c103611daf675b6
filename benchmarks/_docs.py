"""The page docs/benchmarks.md, from one run."""

from collections.abc import Iterator

from ._catalogue import JOBS, QUESTIONS, candidates
from ._report import NOISE, job_table, jobs_measured, losses, question_table, targets_table
from ._run import Run
from ._targets import TARGETS

__all__ = ["page"]

_HEAD = """\
# Benchmarks

Written by `python -m benchmarks --write-docs` from one run; do not edit by hand. `make bench` measures and changes
nothing here. Compare the ratios, not the times.
"""
_HOW = """\
## How it is measured

- Two environments on the same Python: `atdata` and its peers in one, the original library, which has the same import
  name, in the other; for `loader` a third one, with PyTorch. For each job one long-lived process in each. Candidates
  take turns, in an order shuffled each round; the clock runs around the work alone. Each figure is a median of all
  rounds.
- Before anything is timed, all candidates' answers are compared: the images' CRC-32, labels and numbers of all samples
  that were written or read, the shards and keys of all samples that were found. In each round they are compared again,
  by count and by the sum of what was touched. A limit finds nothing, and only its count is compared.
- The files are in the page cache. What was written is flushed before the next writer starts, and removed.
- Samples are 12,288 random bytes as an array of 64 x 64 x 3, a label of 10 and a number. Rows have tags out of 6
  besides. No column is sorted and every shard holds every label, so no shard can be skipped.
- The original takes no part in `fetch`: the offsets in its manifests are no places in its tars.
"""
_NOTES = {
    "write": "Samples are made before the clock starts, the same ones for all.",
    "read": "Touching one element favours those who hand out views: the rest of an image is never looked at.",
    "fetch": "Opening, and finding out which samples to fetch, is not part of the time.",
    "slice": "Opening, and choosing the samples, is part of the time.\nWho reads tars from end to end reads ten times "
    "the bytes.",
    "loader": "Starting the two worker processes, by fork, is part of the time.",
    "resume": "Samples' places are in memory; nothing is read. With a window, the shards or bytes are counted first.",
    "query": "In brackets: the time over that of our candidate it is held against. In the head: how many samples are "
    "found.\nCold opens the folder anew each time; plain Polars always scans it anew.",
    "import": "Whole processes, the interpreter's own start included.",
    "memory": "Two small fields from a generator, in a fresh process; the peak before writing, imports included, is "
    "taken off.\nMeasured once.",
}


def page(run: Run) -> str:
    """Return the page."""
    parts = [_HEAD, _setting(run), _HOW, _targets(run), _losses(run), *(_job(run, job) for job in jobs_measured(run))]
    return "\n".join(parts)


def _setting(run: Run) -> str:
    machine, loads = run.machine, [each.load for each in run.records]
    return f"""\
## Setting

- Machine: {machine.platform}, {machine.cpus} cores, {machine.memory / 2**30:.0f} GiB. Load average {run.load_before}
  before the run, {min(loads)} to {max(loads)} before its jobs, {run.load_after} after it; the run itself adds about
  the number of cores, and what is above that is other work, which disturbs the figures.
- Sizes: {run.sizes.samples:,} samples in {run.sizes.shards} shards written and read; {run.sizes.picks:,} fetched of
  {run.sizes.fetched:,} in {run.sizes.fetched_shards}; {run.sizes.rows:,} rows in {run.sizes.row_shards} shards asked;
  {run.sizes.epoch:,} samples in the epoch that is taken up.
- Rounds: {run.sizes.rounds}; {min(run.sizes.slow_rounds, run.sizes.rounds)} for what is slow. The run took
  {run.seconds / 60:.0f} minutes.
{_versions(run)}
"""


def _versions(run: Run) -> str:
    shown = ("atdata-polars", "atdata", "polars", "numpy", "pandas", "pyarrow", "fastparquet", "webdataset", "torch",
             "pylance", "datasets", "webshart", "duckdb", "msgspec")  # fmt: skip
    lines = []
    for environment, versions in run.versions.items():
        named = ", ".join(f"{name} {versions[name]}" for name in shown if name in versions)
        lines.append(f"- Versions, `{environment}`: Python {versions['python']}, {named}.")
    return "\n".join(lines)


def _targets(run: Run) -> str:
    missed = [each for each in TARGETS if "missed" in each.verdict(run)]
    words = f"{len(missed)} of {len(TARGETS)} were missed." if missed else "None was missed."
    unmeasured = sum(each.found(run) is None for each in TARGETS)
    words += f" {unmeasured} were not measured in this run." if unmeasured else ""
    return f"## Targets\n\n{words}\n\n{targets_table(run)}\n"


def _losses(run: Run) -> str:
    lines = [f"- {line}" for line in losses(run)] or ["Nowhere in this run."]
    head = f"A candidate is named here when it took less than ours that does the same job; within {NOISE:.0%} it may be"
    return f"## Where `atdata` loses\n\n{head} noise.\n\n" + "\n".join(lines) + "\n"


def _job(run: Run, job: str) -> str:
    table = question_table(run) if job == "query" else job_table(run, job)
    asked = ["\n".join(f"- {name}: {words}" for name, words in QUESTIONS.items())] if job == "query" else []
    parts = [f"## {job}: {JOBS[job][0].lower()}{JOBS[job][1:]}", *asked, table, _NOTES[job], "\n".join(_who(run, job))]
    return "\n\n".join(parts) + "\n"


def _who(run: Run, job: str) -> Iterator[str]:
    measured = {each.candidate for each in run.records if each.job.partition("/")[0] == job}
    for each in candidates(job):
        missing = "" if each.name in measured else " (not measured in this run)"
        yield f"- `{each.name}`: {each.words}{missing}."
