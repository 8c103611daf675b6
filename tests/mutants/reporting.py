"""The figures: a table by stratum, and the mutants that were not killed."""

import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .running import Verdict
from .sampling import Mutant

__all__ = ["Reasons", "report", "wilson"]

#: Of the normal distribution, for 95 %.
_Z = 1.959963984540054


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, after Wilson."""
    if total == 0:
        return 0.0, 1.0
    share, z2 = hits / total, _Z * _Z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


class Reasons:
    """Why mutants may survive.

    Args:
        path: A TOML file of tables ``[[reason]]`` with ``file``, ``function``, ``before``, ``after`` and ``reason``;
            one without ``after`` holds for any change of the line.
    """

    def __init__(self, path: Path) -> None:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("reason", []) if path.exists() else []
        self._reasons = {
            (entry["file"], entry["function"], _solid(entry["before"]), _solid(entry.get("after"))): entry["reason"]
            for entry in entries
        }

    def of(self, mutant: Mutant) -> str | None:
        """Return why a mutant may survive; None where there is no reason."""
        key = (mutant.mutation.file, mutant.function, _solid(mutant.before))
        return self._reasons.get((*key, _solid(mutant.after))) or self._reasons.get((*key, None))


def _solid(text: str | None) -> str | None:
    """Return text without spaces: cosmic-ray writes some where nobody would."""
    return None if text is None else "".join(text.split())


def report(mutants: Sequence[Mutant], verdicts: Mapping[str, Verdict], reasons: Reasons) -> str:
    """Return the table, and a paragraph for each mutant that was not killed."""
    judged = [mutant for mutant in mutants if mutant.id in verdicts]
    names = list(dict.fromkeys(mutant.stratum for mutant in judged))
    rows = [_row(name, [verdicts[m.id] for m in judged if m.stratum == name]) for name in names]
    rows.append(_row("all", [verdicts[mutant.id] for mutant in judged]))
    header = (
        "stratum",
        "mutants",
        "killed",
        "at import",
        "survived",
        "timed out",
        "error",
        "killed %",
        "95 % interval",
    )
    left = [mutant for mutant in judged if verdicts[mutant.id].status != "killed"]
    text = _table([header, *rows])
    if len(judged) < len(mutants):
        text += f"\n{len(mutants) - len(judged)} of {len(mutants)} mutants have not been run"
    return "\n".join([text, *(_paragraph(mutant, verdicts[mutant.id], reasons.of(mutant)) for mutant in left)])


def _row(name: str, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    count = Counter(verdict.status for verdict in verdicts)
    at_import = sum(verdict.how == "import" for verdict in verdicts)
    total, killed = len(verdicts), count["killed"]
    low, high = wilson(killed, total)
    share = f"{100 * killed / total:.1f}" if total else "-"
    numbers = (total, killed, at_import, count["survived"], count["timeout"], count["error"])
    return (name, *map(str, numbers), share, f"{100 * low:.1f} to {100 * high:.1f}")


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _paragraph(mutant: Mutant, verdict: Verdict, reason: str | None) -> str:
    mutation = mutant.mutation
    operator = mutation.operator.rpartition("/")[2]
    tests = f"{verdict.ran} tests" + (f", {verdict.left_out} more not run" if verdict.left_out else "")
    hung = f"; {verdict.test} did not end" if verdict.test else ""
    where = f"{mutation.file}:{mutation.line} {mutant.function}"
    return (
        f"\n{verdict.status} {mutant.id} {where} ({operator}; {tests}{hung})\n"
        f"  - {mutant.before}\n  + {mutant.after}" + (f"\n  reason: {reason}" if reason else "")
    )
