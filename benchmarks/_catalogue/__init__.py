"""Who is measured at what: the one list that driver, tables and page go by."""

from ._model import DATA_KINDS, GROWTH, JOBS, QUESTIONS, Candidate, Case
from ._peers import ABSENT, Absent
from ._queries import QUERIES
from ._samples import SAMPLES

__all__ = [
    "ABSENT",
    "CATALOGUE",
    "DATA_KINDS",
    "GROWTH",
    "JOBS",
    "QUESTIONS",
    "Absent",
    "Candidate",
    "Case",
    "candidates",
]

CATALOGUE: tuple[Candidate, ...] = SAMPLES + QUERIES


def candidates(job: str) -> list[Candidate]:
    """Return who does a job, in the order in which they are prepared and printed."""
    return [each for each in CATALOGUE if each.job == job]
