"""The page docs/benchmarks.md and its figures, from what runs found."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from ._catalogue import ABSENT, DATA_KINDS, GROWTH, JOBS, QUESTIONS, candidates
from ._figures import figures
from ._report import NOISE, case_table, groups_of, growth_table, losses, question_table, targets_table
from ._results import Results
from ._run import Run, Sizes
from ._targets import TARGETS

__all__ = ["page", "write_page"]

_PLOTS = Path(__file__).resolve().parent / "plots.py"
_HEAD = """\
# Benchmarks

Written by `python -m benchmarks --from FILE ... --write-docs`; do not edit by hand. `make bench` measures and changes
nothing here; `make bench-large` adds 100 million rows. Compare the ratios, not the times.
"""
_HOW = """\
## How it is measured

- Environments: `peers` has `atdata` and most peers; `original` the original library, which has the same import name;
  `torch` ours with PyTorch; `streaming` the peers that need PyTorch or older packages, on an older Python. For each
  group of cases there is one long-lived process in each. Candidates take turns, in an order shuffled each round; the
  clock runs around the work alone. Each figure is a median of all rounds; who is slow takes part in fewer.
- Before anything is timed, all candidates' answers are compared: the images' CRC-32, labels and numbers of all samples
  that were written or read, the keys of all samples that were found, and their shards where an answer has them. In each
  round they are compared again, by count and by a sum. A limit finds nothing, and is not compared.
- Ratios are formed only between figures of one run. Where several runs measured the same, the last one counts.
- "Cold" is opened anew inside the clock, "opened" is opened before it and has answered nothing yet. The files are in
  the page cache in any case. What was written is flushed before the next writer starts, and removed.
- Memory is by how much the peak of resident memory rose while a fresh process did the work once, without imports and
  what is opened before the clock starts; in tables of questions, while it answered all of them one after the other.
  Pages of files that are mapped count.
- Samples are 12,288 random bytes as an array of 64 x 64 x 3, a label of 10 and a number. Rows have a key, an offset, a
  size and a CRC-32, one label of 10, a number, tags out of 6, and a time.
"""
_NOTES = {
    "write": "Samples are made before the clock starts, the same ones for all.",
    "read": "Touching one element favours those who hand out views: the rest of an image is never looked at.",
    "batch": "As in `read`, one element of each image is touched, which favours views.",
    "fetch": "Opening, and finding out which samples to fetch, is not part of the time.",
    "slice": "Opening, and choosing the samples, is part of the time.\nWho reads tars from end to end reads ten times "
    "the bytes.",
    "loader": "Starting the two worker processes, by fork, is part of the time.",
    "resume": "Samples' places are in memory; nothing is read. With a window, the shards or bytes are counted first.",
    "tars": "Plain ustar tars of one member a sample, written by Python's own tarfile.",
    "open": "What opening means differs: who names no columns has not looked at a table yet.",
    "index": "The folder has no index before, and its files are in the page cache.",
    "query": "In brackets: the time over that of our candidate it is held against. In the head: how many rows the "
    "answer has.",
    "describe": "Ours says more: also how often each tag occurs, and the dtypes.",
    "growth": "Each figure is from fresh processes, with how far the peak of memory rose in brackets.",
    "import": "Whole processes, the interpreter's own start included.",
    "memory": "Two small fields from a generator, in a fresh process; the peak before writing, imports included, is "
    "taken off.\nMeasured once.",
}
_FIGURES = {
    "samples": "Times over ours, for what is done with samples",
    "queries": "Times over plain Polars, for each question",
    "growth": "Time and memory against the number of shards",
}


def write_page(results: Results, folder: Path, interpreter: Callable[[], Path]) -> list[Path]:
    """Write the page and its figures; return the paths.

    Args:
        results: What was found.
        folder: The documentation's.
        interpreter: Gives one that has matplotlib.

    Raises:
        ValueError: There is nothing to write of.
        subprocess.CalledProcessError: The figures could not be drawn.
    """
    if not results.cases:
        raise ValueError("there are no results of full size to write of")
    drawn = figures(results)
    pictures = folder / "benchmarks"
    subprocess.run([interpreter(), _PLOTS, pictures], input=json.dumps(drawn), text=True, check=True)
    path = folder / "benchmarks.md"
    path.write_text(page(results), encoding="utf-8")
    return [path, *(pictures / f"{each['name']}.svg" for each in drawn)]


def page(results: Results) -> str:
    """Return the page."""
    drawn = {each["name"] for each in figures(results)}
    measured = [job for job in JOBS if groups_of(results, job)]
    parts = [_HEAD, _setting(results), _HOW, _targets(results), _losses(results), _pictures(drawn)]
    return "\n".join([*parts, *(_job(results, job) for job in measured), _absent()])


def _setting(results: Results) -> str:
    runs = results.used
    lines = []
    for machine in dict.fromkeys(run.machine for run in runs):
        memory = machine.memory / 2**30
        lines.append(f"- Machine: {machine.platform}, {machine.cpus} cores, {memory:.0f} GiB.")
    lines += [_load(results, run) for run in runs]
    lines += dict.fromkeys(_sizes(run.sizes) for run in runs)
    lines += dict.fromkeys(line for run in runs for line in _versions(run))
    return "## Setting\n\n" + "\n".join(lines) + "\n"


def _load(results: Results, run: Run) -> str:
    loads = results.loads(run) or [run.load_before]
    command = f" `{run.command}`" if run.command else ""
    return (
        f"- Run of {run.name.partition(' ')[0]}:{command}. Load average {run.load_before} before it, {min(loads)} to "
        f"{max(loads)} before its cases; a run itself adds about the number of cores, and what is above "
        "that is other work, which disturbs the figures."
    )


def _sizes(sizes: Sizes) -> str:
    return (
        f"- Sizes: {sizes.samples:,} samples in {sizes.shards} shards written and read; {sizes.picks:,} fetched of "
        f"{sizes.fetched:,} in {sizes.fetched_shards}; {sizes.epoch:,} samples in the epoch that is taken up. "
        f"{sizes.fewest_rounds} to {sizes.rounds} rounds."
    )


def _versions(run: Run) -> Iterator[str]:
    shown = ("atdata-polars", "atdata", "polars", "numpy", "pandas", "pyarrow", "fastparquet", "webdataset", "torch",
             "pylance", "datasets", "webshart", "duckdb", "msgspec", "litdata", "mosaicml-streaming")  # fmt: skip
    for environment, versions in run.versions.items():
        named = ", ".join(f"{name} {versions[name]}" for name in shown if name in versions)
        yield f"- Versions, `{environment}`: Python {versions['python']}, {named}."


def _targets(results: Results) -> str:
    missed = [each for each in TARGETS if "missed" in each.verdict(results)]
    words = f"{len(missed)} of {len(TARGETS)} were missed." if missed else "None was missed."
    unmeasured = sum(each.found(results) is None for each in TARGETS)
    words += f" {unmeasured} were not measured." if unmeasured else ""
    return f"## Targets\n\n{words}\n\n{targets_table(results)}\n"


def _losses(results: Results) -> str:
    lines = [f"- {line}" for line in losses(results)] or ["Nowhere in these runs."]
    head = f"A candidate is named here when it took less than ours that does the same job; within {NOISE:.0%} it may be"
    return f"## Where `atdata` loses\n\n{head} noise.\n\n" + "\n".join(lines) + "\n"


def _pictures(drawn: set[str]) -> str:
    shown = [f"![{words}](benchmarks/{name}.svg)" for name, words in _FIGURES.items() if name in drawn]
    return (
        "## At a glance\n\n" + "\n\n".join([*shown, "Both axes of the ratios are logarithmic; less is better."]) + "\n"
    )


def _job(results: Results, job: str) -> str:
    parts = [f"## {job}: {JOBS[job][0].lower()}{JOBS[job][1:]}", *_legend(job)]
    if job == "growth":
        parts.append(growth_table(results))
    else:
        table = question_table if job == "query" else case_table
        for group in groups_of(results, job):
            parts += [*([f"### {_title(results, group)}"] if "/" in group else []), table(results, group)]
    return "\n\n".join([*parts, _NOTES[job], "\n".join(_who(results, job))]) + "\n"


def _legend(job: str) -> list[str]:
    if job == "query":
        kinds = [f"- *{name}* data: {words}" for name, words in DATA_KINDS.items()]
        return ["\n".join([*(f"- {name}: {words}" for name, words in QUESTIONS.items()), *kinds])]
    return ["\n".join(f"- {name}: {words}" for name, words in GROWTH.items())] if job == "growth" else []


def _title(results: Results, group: str) -> str:
    job, size, kind = group.split("/")
    rows, shards = results.used[-1].sizes.rows[size]
    return f"{job}, {size}, {kind}: {rows:,} rows in {shards:,} shards"


def _who(results: Results, job: str) -> Iterator[str]:
    cases = [case for case in results.cases if case.partition("/")[0] == job]
    measured = {each.candidate for case in cases for each in results.records(case)}
    said: set[tuple[str, str]] = set()
    for each in candidates(job):
        if (each.name, each.words) not in said:
            said.add((each.name, each.words))
            missing = "" if each.name in measured else " (not measured in these runs)"
            yield f"- `{each.name}`: {each.words}{missing}."


def _absent() -> str:
    rows = [f"| {who} | {jobs} | {why} |" for who, jobs, why in ABSENT]
    return "\n".join(["## Who takes no part in what\n", "| who | in what | why |", "| --- | --- | --- |", *rows, ""])
