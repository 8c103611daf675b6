"""The page docs/benchmarks.md, from one run."""

from collections.abc import Iterator

from ._queries import CANDIDATES
from ._report import FEWEST, FRACTION, PER_LOCATION, allowed, tables
from ._run import Run

__all__ = ["page"]

_HEAD = """\
# Benchmarks

Written by `python -m benchmarks --write-docs` from one run; do not edit by hand. `make bench` measures and changes
nothing here. Times are medians in milliseconds; numbers in brackets are ratios.
Compare the ratios, not the times: the candidates took turns in one process, in an order shuffled each round.
A ratio nearer to 1 than 0.1 may be noise.
"""


def page(run: Run) -> str:
    """Return the page."""
    titles = tables(run)
    notes = dict(zip(titles, (_paths, _plain, _parts, _pandas), strict=True))
    parts = [_HEAD, _setting(run), _questions(run), _candidates()]
    for title, table in titles.items():
        text = "\n".join(notes[title](run))
        parts.append(f"## {title}\n\n{table}\n\n{text}\n")
    return "\n".join(parts)


def _setting(run: Run) -> str:
    machine, recipe = run.machine, run.recipe
    return f"""\
## Setting

- Data: {recipe.rows:,} rows in {recipe.shards:,} shards, {run.size_bytes / 1e6:.1f} MB of sample tables,
  written by the library's own `ManifestBuilder` and `ManifestWriter`. No column is sorted and every shard holds every
  label, so no shard can be skipped. Fields: a label of 10, a confidence uniform in [0, 1), tags out of 6.
- Machine: {machine.platform}, {machine.cpus} cores, {machine.memory / 2**30:.0f} GiB; the files were in
  the page cache. Load average {machine.load} before the run and {run.load_after} after it; the run itself adds
  about the number of cores, and what is above that is other work, which disturbs the figures.
- Versions: atdata {machine.atdata}, Python {machine.python}, Polars {machine.polars}, NumPy {machine.numpy},
  pandas {machine.pandas}, PyArrow {machine.pyarrow}.
- Command: `{_command(run)}`.
- Repetitions: {run.repetitions}; {run.slow_repetitions} for what goes through pandas, which is slow.
- Before a question was timed, all candidates had named the same shards and keys.
"""


def _command(run: Run) -> str:
    recipe = run.recipe
    return (
        f"python -m benchmarks --write-docs --rows {recipe.rows} --shards {recipe.shards} "
        f"--repetitions {run.repetitions} --pandas-repetitions {run.slow_repetitions}"
    )


def _questions(run: Run) -> str:
    lines = [f"- {each.name}: {each.words} ({run.locations(each.name):,} found)" for each in run.questions]
    return "## Questions\n\n" + "\n".join(lines) + "\n"


def _candidates() -> str:
    lines = [f"- `{name}`: {words}" for name, words in CANDIDATES.items()]
    return "## Candidates\n\n" + "\n".join(lines) + "\n"


def _paths(run: Run) -> Iterator[str]:
    ratios = [run.seconds(each.name, "pandas") / run.seconds(each.name, "query") for each in run.questions]
    yield "In brackets: the function's time over the expression's. Cold opens the folder anew for each question."
    yield f"An expression was answered {min(ratios):.0f} to {max(ratios):.0f} times as fast as the function."


def _plain(run: Run) -> Iterator[str]:
    yield f"In brackets: over `plain`. The target is {FRACTION:.0%} on top of plain Polars, and"
    yield f"{PER_LOCATION * 1e6} us a location returned: `allowed` counts from `plain`, which returns every column, and"
    yield "`allowed, places` from `plain_places`, which returns only four and no shard. `query` is held against both."
    yield ""
    short = [line for each in run.questions for line in _short(run, each.name)]
    yield from short or ["`query` met the target on every question, against both."]
    yield ""
    opening = [run.difference(each.name, "query_cold", "query") * 1e3 for each in run.questions]
    yield f"Opening the folder anew added {min(opening):.1f} to {max(opening):.1f} ms (the median over the rounds)."


def _short(run: Run, question: str) -> Iterator[str]:
    taken = run.seconds(question, "query")
    for base in ("plain", "plain_places"):
        limit = allowed(run, question, base)
        if taken > limit:
            yield (
                f"- {question} falls short against `{base}`: {taken * 1e3:.1f} ms, where {limit * 1e3:.1f} are "
                f"allowed. The check took {run.seconds(question, 'part_check') * 1e3:.1f} ms of it, the plan "
                f"{run.seconds(question, 'part_plan') * 1e3:.1f} ms, and plan and scan together "
                f"{run.difference(question, 'part_scan', base) * 1e3:+.1f} ms beside `{base}`."
            )


def _parts(_: Run) -> Iterator[str]:
    yield "Each part was timed on its own, so they do not add up exactly. The last column is the median over the rounds"
    yield f"of `query` less `rows`, for each location; with fewer than {FEWEST:,} of them it would say nothing."


def _pandas(run: Run) -> Iterator[str]:
    shares = [run.seconds(each.name, "part_convert") / run.seconds(each.name, "pandas") for each in run.questions]
    yield (
        f"Making pandas frames out of the sample tables took {min(shares):.0%} to {max(shares):.0%} of the time: a "
        "function may look at any column,"
    )
    yield "so all of them are converted, the lists element by element."
