"""What a run says in tables and sentences: the same on the terminal and on the page."""

from collections.abc import Iterator, Sequence

from ._catalogue import JOBS, QUESTIONS, Candidate, candidates
from ._run import Record, Run, jobs_of
from ._targets import TARGETS, Target

__all__ = ["job_table", "jobs_measured", "losses", "question_table", "targets_table"]

#: A ratio nearer to 1 than this may be noise.
NOISE = 0.1


def jobs_measured(run: Run) -> list[str]:
    """Return the jobs that a run has anything of."""
    there = {each.job.partition("/")[0] for each in run.records}
    return [job for job in JOBS if job in there]


def targets_table(run: Run) -> str:
    """Return each target with what was found."""
    head = ["target", "needed", "stretch", "found", ""]
    return _markdown(head, [_target(run, each) for each in TARGETS], right=3)


def _target(run: Run, target: Target) -> list[str]:
    found = target.found(run)
    figures = [_figure(value, target.unit) for value in (target.needed, target.stretch, found)]
    return [target.words, *figures, target.verdict(run)]


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:,.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"  # noqa: PLR2004 -- digits


def losses(run: Run) -> list[str]:
    """Say where someone does the same job in less time, or less memory, than the library."""
    return [line for job in jobs_measured(run) for name in jobs_of(job) for line in _losses(run, name)]


def _losses(run: Run, job: str) -> Iterator[str]:
    kind, _, question = job.partition("/")
    where = f"{kind}, {question}" if question else kind
    for each in candidates(kind):
        ratio = run.ratio(job, each.against, each.name) if each.against else None
        if ratio is not None and ratio > 1:
            what = "needs" if kind == "memory" else "takes"
            unit = "memory" if kind == "memory" else "time"
            doubt = ", which may be noise" if ratio < 1 + NOISE else ""
            yield f"{where}: `{each.against}` {what} {ratio:.2f} times the {unit} of `{each.name}`{doubt}."


def job_table(run: Run, job: str) -> str:
    """Return a job's candidates with medians and ratios to ours."""
    given = _of(run, job)
    if job == "memory":
        head = ["candidate", "samples", "MB", "to `atdata`"]
        body = [[*_named(each), f"{each.median / 1e6:,.0f}", _ratio(run, job, each)] for each in given]
    elif job == "import":
        head = ["candidate", "ms", "to `atdata`", "slowest / fastest round"]
        body = [[_named(each)[0], _ms(each.median), _ratio(run, job, each), _spread(each)] for each in given]
    else:
        head = ["candidate", "samples", "ms", "us each", "to `atdata`", "slowest / fastest round"]
        body = [[*_named(each), *_times(each), _ratio(run, job, each), _spread(each)] for each in given]
    return _markdown(head, body)


def question_table(run: Run) -> str:
    """Return the candidates' medians for each question, in ms, with the ratio to whom they are held against."""
    asked = [name for name in QUESTIONS if _of(run, f"query/{name}")]
    head = ["candidate", "held against", *(f"{name} ({_of(run, f'query/{name}')[0].count:,})" for name in asked)]
    body = []
    for each in candidates("query"):
        cells = [_cell(run, f"query/{name}", each) for name in asked]
        if any(cells):
            body.append([f"`{each.name}`", f"`{each.against}`" if each.against else "", *cells])
    return _markdown(head, body, right=len(asked))


def _cell(run: Run, job: str, candidate: Candidate) -> str:
    found = run.find(job, candidate.name)
    if found is None:
        return ""
    ratio = run.ratio(job, candidate.name, candidate.against) if candidate.against else None
    return _ms(found.median) if ratio is None else f"{_ms(found.median)} ({ratio:.2f})"


def _of(run: Run, job: str) -> list[Record]:
    return [each for each in run.records if each.job == job]


def _named(record: Record) -> list[str]:
    return [f"`{record.candidate}`", f"{record.count:,}"]


def _times(record: Record) -> list[str]:
    return [_ms(record.median), f"{record.median / record.count * 1e6:,.1f}"]


def _spread(record: Record) -> str:
    return f"{max(record.values) / min(record.values):.2f}"


def _ratio(run: Run, job: str, record: Record) -> str:
    ratio = run.ratio(job, record.candidate, "atdata")
    return "-" if ratio is None else f"{ratio:.2f}"


def _ms(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"  # noqa: PLR2004 -- three digits are enough


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]], *, right: int | None = None) -> str:
    numbers = len(head) - 1 if right is None else right
    trailing = 1 if head[-1] == "" else 0
    rule = ["---"] * (len(head) - numbers - trailing) + ["---:"] * numbers + ["---"] * trailing
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *body])
