"""Verdicts on disk, one a line, so that a run that was stopped goes on."""

import json
from collections.abc import Iterable
from pathlib import Path

from .running import Verdict

__all__ = ["Results"]


class Results:
    """The verdicts in a file.

    Args:
        path: The file, made when the first verdict comes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.verdicts: dict[str, Verdict] = {}
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
        for line in lines[:-1]:
            verdict = Verdict(**json.loads(line))
            self.verdicts[verdict.id] = verdict
        if lines[-1]:  # cut off when a run was stopped
            path.write_text("".join(f"{line}\n" for line in lines[:-1]), encoding="utf-8")

    def add(self, verdict: Verdict) -> None:
        """Store a verdict; it is on disk when this returns."""
        self.verdicts[verdict.id] = verdict
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(verdict._asdict()) + "\n")

    def missing(self, ids: Iterable[str], *, again: bool = False) -> set[str]:
        """Return the mutants without a verdict, and those whose tests did not run.

        Args:
            ids: The mutants.
            again: Whether those that were not killed are to be run again.
        """
        final = {"killed"} if again else {"killed", "survived", "timeout"}
        return {name for name in ids if name not in self.verdicts or self.verdicts[name].status not in final}
