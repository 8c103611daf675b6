"""What a run says: JSON lines for machines, Markdown tables for people."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ._run import Run

__all__ = ["FEWEST", "FRACTION", "PER_LOCATION", "allowed", "append_lines", "tables"]

#: The target: this share on top of plain Polars, and this many seconds for each location returned.
FRACTION, PER_LOCATION = 0.10, 0.6e-6
#: With fewer locations, a figure for each says nothing.
FEWEST = 1000


def append_lines(run: Run, file: Path) -> None:
    """Append a run to a file, one line for each question and candidate."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.writelines(json.dumps(line) + "\n" for line in _lines(run))


def _lines(run: Run) -> Iterator[dict[str, Any]]:
    machine, recipe = dataclasses.asdict(run.machine), dataclasses.asdict(run.recipe)
    for each in run.results:
        yield {
            "question": each.question,
            "candidate": each.candidate,
            "median_seconds": each.timing.median,
            "seconds": each.timing.seconds,
            "locations": each.locations,
            "digest": each.digest,
            "recipe": recipe,
            "machine": machine,
            "load_after": run.load_after,
        }


def allowed(run: Run, question: str, base: str) -> float:
    """Return how long ``query`` may take for the target beside a base, in seconds."""
    return run.seconds(question, base) * (1 + FRACTION) + PER_LOCATION * run.locations(question)


def tables(run: Run) -> dict[str, str]:
    """Return the Markdown tables of a run by their titles; times in milliseconds, ratios in brackets."""
    return {
        "Expression and function": _paths(run),
        "Beside plain Polars": _plain(run),
        "Where the time of `query` goes": _parts(run),
        "Where the time of the pandas path goes": _pandas_parts(run),
    }


def _paths(run: Run) -> str:
    head = ["question", "locations", "expression", "function", "expression, cold", "function, cold"]
    body = []
    for each in run.questions:
        times = [
            _against(run, each.name, name, base)
            for name, base in (("query", ""), ("pandas", "query"), ("query_cold", ""), ("pandas_cold", "query_cold"))
        ]
        body.append([each.name, f"{run.locations(each.name):,}", *times])
    return _markdown(head, body)


def _plain(run: Run) -> str:
    names = ["plain", "plain_places", "plain_shards", "rows", "query", "query_cold"]
    head = ["question", *(f"`{name}`" for name in names), "allowed", "allowed, places"]
    body = []
    for each in run.questions:
        times = [_against(run, each.name, name, "plain" if name != "plain" else "") for name in names]
        limits = [_limit(run, each.name, base) for base in ("plain", "plain_places")]
        body.append([each.name, *times, *limits])
    return _markdown(head, body)


def _limit(run: Run, question: str, base: str) -> str:
    limit = allowed(run, question, base)
    return f"{_ms(limit)} {'met' if run.seconds(question, 'query') <= limit else '**missed**'}"


def _parts(run: Run) -> str:
    head = ["question", "`query`", "check", "plan", "plan and scan", "objects", "us a location"]
    body = []
    for each in run.questions:
        names = ["query", "part_check", "part_plan", "part_scan", "part_locations"]
        times = [run.seconds(each.name, name) for name in names]
        body.append([each.name, *map(_ms, times), _per_location(run, each.name)])
    return _markdown(head, body)


def _per_location(run: Run, question: str) -> str:
    count = run.locations(question)
    if count < FEWEST:
        return "-"
    return f"{run.difference(question, 'query', 'rows') / count * 1e6:.2f}"


def _pandas_parts(run: Run) -> str:
    head = ["question", "`pandas`", "read", "convert", "function", "the rest"]
    body = []
    for each in run.questions:
        whole, *parts = [
            run.seconds(each.name, name) for name in ("pandas", "part_read", "part_convert", "part_function")
        ]
        body.append([each.name, *map(_ms, [whole, *parts, whole - sum(parts)])])
    return _markdown(head, body)


def _against(run: Run, question: str, candidate: str, base: str) -> str:
    time = run.seconds(question, candidate)
    return f"{_ms(time)} ({time / run.seconds(question, base):.2f})" if base else _ms(time)


def _ms(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"  # noqa: PLR2004 -- three digits are enough


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *body])
