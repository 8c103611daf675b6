"""The page's figures, as plain values: what each panel shows. ``plots.py`` draws them."""

from typing import Any

from ._cases import GROWING
from ._catalogue import DATA_KINDS, GROWTH, QUESTIONS, candidates
from ._results import Results
from ._run import Sizes

__all__ = ["figures"]

_SAMPLE_JOBS = ("write", "read", "batch", "fetch", "slice", "tars")
#: Who is drawn, of all that ask questions.
_ASKING = ("atdata, index", "atdata, sidecars", "atdata, hot", "polars, one file", "duckdb", "duckdb, one file",
           "pyarrow", "lance", "original")  # fmt: skip
_GLOB = "polars"


def figures(results: Results) -> list[dict[str, Any]]:
    """Return what is drawn of the results: figures by file name, of panels with series; a missing value is None."""
    return [each for each in (_samples(results), _queries(results), _growth(results)) if each["panels"]]


def _samples(results: Results) -> dict[str, Any]:
    panels = []
    for job in _SAMPLE_JOBS:
        ratios = {each.name: results.ratio(job, each.name, "atdata") for each in candidates(job)}
        known = {name: ratio for name, ratio in ratios.items() if ratio is not None}
        if known:
            panels.append({"title": job, "kind": "dots", "names": list(known), "values": list(known.values()),
                           "axis": "time, atdata = 1"})  # fmt: skip
    return {"name": "samples", "columns": 2, "panels": panels}


def _queries(results: Results) -> dict[str, Any]:
    measured = {case.rpartition("/")[0] for case in results.cases if case.startswith("query/")}
    named = [f"query/{size}/{kind}" for size in Sizes().rows for kind in DATA_KINDS]
    panels = []
    for group in [group for group in named if group in measured]:
        asked = [name for name in QUESTIONS if name != "list" and results.records(f"{group}/{name}")]
        series = {who: [results.ratio(f"{group}/{name}", who, _GLOB) for name in asked] for who in _ASKING}
        drawn = {who: values for who, values in series.items() if any(value is not None for value in values)}
        if drawn:
            size, kind = group.split("/")[1:]
            panels.append({"title": f"{size}, {kind}", "kind": "points", "names": asked, "series": drawn,
                           "axis": "time, plain Polars = 1"})  # fmt: skip
    return {"name": "queries", "columns": 2, "panels": panels}


def _growth(results: Results) -> dict[str, Any]:
    cases = [case.split("/") for case in results.cases if case.startswith("growth/")]
    shards = sorted({int(size) for _, size, *_ in cases})
    names = list(dict.fromkeys(each.name for each in candidates("growth")))
    panels = []
    for axis in ("seconds", "MB"):
        for what, words in GROWTH.items():
            at = [f"growth/{size}/{GROWING}/{what}" for size in shards]
            series = {name: [_grown(results, case, name, axis) for case in at] for name in names}
            drawn = {name: values for name, values in series.items() if any(values)}
            if drawn:
                panels.append({"title": words, "kind": "lines", "x": shards, "series": drawn, "axis": axis,
                               "below": "shards of 1,000 rows"})  # fmt: skip
    return {"name": "growth", "columns": len(GROWTH), "panels": panels}


def _grown(results: Results, case: str, name: str, axis: str) -> float | None:
    if axis == "seconds":
        found = results.find(case, name)
        return found.median if found else None
    peak = results.peak(case, name)
    return peak / 1e6 if peak else None
