"""What runs say in tables and sentences: the same on the terminal and on the page."""

from collections.abc import Sequence

from ._cases import GROWING
from ._catalogue import JOBS, QUESTIONS, Candidate, candidates
from ._results import Results
from ._run import Record
from ._targets import TARGETS, Target

__all__ = ["NOISE", "case_table", "groups_of", "growth_table", "losses", "question_table", "summary", "targets_table"]

#: A ratio nearer to 1 than this may be noise.
NOISE = 0.1


def groups_of(results: Results, job: str) -> list[str]:
    """Return the groups of a job's cases that were measured: all of a table's figures."""
    named = [case for case in results.cases if case.partition("/")[0] == job]
    return list(dict.fromkeys(case.rpartition("/")[0] if job == "query" else case for case in named))


def summary(results: Results) -> str:
    """Return all tables, the targets and the losses, for a terminal."""
    parts = []
    for job in JOBS:
        if job == "growth":
            parts += [f"growth\n\n{growth_table(results)}"] if groups_of(results, job) else []
            continue
        table = question_table if job == "query" else case_table
        parts += [f"{group}\n\n{table(results, group)}" for group in groups_of(results, job)]
    found = "\n".join(f"loses: {line}" for line in losses(results))
    return "\n\n".join([*parts, f"targets\n\n{targets_table(results)}", found])


def targets_table(results: Results) -> str:
    """Return each target with what was found."""
    head = ["target", "needed", "stretch", "found", ""]
    return _markdown(head, [_target(results, each) for each in TARGETS], right=3)


def _target(results: Results, target: Target) -> list[str]:
    figures = [_figure(value, target.unit) for value in (target.needed, target.stretch, target.found(results))]
    return [target.words, *figures, target.verdict(results)]


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:,.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"  # noqa: PLR2004 -- digits


def losses(results: Results) -> list[str]:
    """Say where someone does the same job in less time, or less memory, than the library: one line for each of them."""
    said: dict[tuple[str, str, str], list[tuple[str, float]]] = {}
    for case in sorted(results.cases, key=lambda case: list(JOBS).index(case.partition("/")[0])):
        job = case.partition("/")[0]
        group, question = case.rpartition("/")[::2] if job == "query" else (case, "")
        for each in {each.name: each for each in candidates(job)}.values():
            ratio = results.ratio(case, each.against, each.name) if each.against else None
            if ratio is not None and ratio > 1:
                said.setdefault((group, each.against, each.name), []).append((question, ratio))
    return [_loss(*who, ratios) for who, ratios in said.items()]


def _loss(group: str, ours: str, other: str, ratios: Sequence[tuple[str, float]]) -> str:
    where = group.replace("/", ", ")
    what, unit = ("needs", "memory") if group == "memory" else ("takes", "time")
    found = ", ".join(f"{ratio:.2f}{f' ({question})' if question else ''}" for question, ratio in ratios)
    doubt = ", which may be noise" if max(ratio for _, ratio in ratios) < 1 + NOISE else ""
    return f"{where}: `{ours}` {what} {found} times the {unit} of `{other}`{doubt}."


def case_table(results: Results, case: str) -> str:
    """Return a case's candidates with medians, ratios to ours, and how far memory rose."""
    given = results.records(case)
    ours = _first_of_ours(case)
    job = given[0].job
    if job == "memory":
        head = ["candidate", "samples", "MB", f"to `{ours}`"]
        body = [[*_named(each), f"{each.median / 1e6:,.0f}", _ratio(results, case, each, ours)] for each in given]
    elif job in ("import", "open", "describe"):
        head = ["candidate", "ms", f"to `{ours}`", "slowest / fastest round"]
        body = [[f"`{each.candidate}`", _ms(each.median), _ratio(results, case, each, ours), _spread(each)]
                for each in given]  # fmt: skip
    else:
        head = ["candidate", "rows" if "/" in case else "samples", "ms", "us each", f"to `{ours}`",
                "slowest / fastest round"]  # fmt: skip
        body = [[*_named(each), *_times(each), _ratio(results, case, each, ours), _spread(each)] for each in given]
    peaks = [results.peak(case, each.candidate) for each in given]
    if any(peak is not None for peak in peaks):
        head.append("memory, MB")
        body = [[*row, _mb(peak)] for row, peak in zip(body, peaks, strict=True)]
    return _markdown(head, body)


def _first_of_ours(case: str) -> str:
    return candidates(case.partition("/")[0])[0].name


def question_table(results: Results, group: str) -> str:
    """Return the candidates' medians for each question, in ms, with the ratio to whom they are held against."""
    asked = [name for name in QUESTIONS if results.records(f"{group}/{name}")]
    counts = [max(each.count for each in results.records(f"{group}/{name}")
                  if not each.candidate.startswith("limit: ")) for name in asked]  # fmt: skip
    head = ["candidate", "held against", *(f"{name} ({n:,})" for name, n in zip(asked, counts, strict=True))]
    body = []
    for each in {each.name: each for each in candidates("query")}.values():
        cells = [_cell(results, f"{group}/{name}", each) for name in asked]
        if any(cells):
            held = f"`{each.against}`" if each.against else ""
            body.append([f"`{each.name}`", held, *cells, _mb(results.peak(group, each.name))])
    return _markdown([*head, "memory, MB"], body, right=len(asked) + 1)


def _cell(results: Results, case: str, candidate: Candidate) -> str:
    found = results.find(case, candidate.name)
    if found is None:
        return ""
    ratio = results.ratio(case, candidate.name, candidate.against) if candidate.against else None
    return _ms(found.median) if ratio is None else f"{_ms(found.median)} ({ratio:.2f})"


def growth_table(results: Results) -> str:
    """Return time and memory by what was done and who did it, for each number of shards."""
    cases = [case.split("/") for case in groups_of(results, "growth")]
    shards = sorted({int(size) for _, size, *_ in cases})
    names = list(dict.fromkeys(each.name for each in candidates("growth")))
    body = []
    for what in dict.fromkeys(what for *_, what in cases):
        for name in names:
            cells = [_grown(results, f"growth/{size}/{GROWING}/{what}", name) for size in shards]
            if any(cells):
                body.append([what, f"`{name}`", *cells])
    head = ["what", "candidate", *(f"{size:,} shards: ms (MB)" for size in shards)]
    return _markdown(head, body, right=len(shards))


def _grown(results: Results, case: str, name: str) -> str:
    found = results.find(case, name)
    return "" if found is None else f"{_ms(found.median)} ({_mb(results.peak(case, name))})"


def _named(record: Record) -> list[str]:
    return [f"`{record.candidate}`", f"{record.count:,}"]


def _times(record: Record) -> list[str]:
    each = f"{record.median / record.count * 1e6:,.1f}" if record.count else "-"
    return [_ms(record.median), each]


def _spread(record: Record) -> str:
    return f"{max(record.values) / min(record.values):.2f}" if min(record.values) else "-"


def _ratio(results: Results, case: str, record: Record, ours: str) -> str:
    ratio = results.ratio(case, record.candidate, ours)
    return "-" if ratio is None else f"{ratio:.2f}"


def _ms(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"  # noqa: PLR2004 -- three digits are enough


def _mb(peak: int | None) -> str:
    return "" if peak is None else f"{peak / 1e6:,.0f}"


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]], *, right: int | None = None) -> str:
    numbers = len(head) - 1 if right is None else right
    trailing = 1 if head[-1] == "" else 0
    rule = ["---"] * (len(head) - numbers - trailing) + ["---:"] * numbers + ["---"] * trailing
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *body])
