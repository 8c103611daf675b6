"""What runs found, in memory and as JSON lines: one run's line first, then its records as they come."""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from ._run import Machine, Peak, Record, Run, Sizes

__all__ = ["Results", "Writer", "read_results"]


class Results:
    """What one or several runs found: of each case what the last run found that measured it.

    So figures that are compared were measured in one run.
    """

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self._records: dict[str, tuple[str, dict[str, Record]]] = {}
        self._peaks: dict[str, tuple[str, dict[str, int]]] = {}

    def add(self, run: Run, found: Iterable[Record | Peak]) -> None:
        """Take what a run found; what earlier runs found of the same cases is forgotten."""
        self.runs[run.name] = run
        for each in found:
            if isinstance(each, Peak):
                _of_run(self._peaks, each.group, run.name)[each.candidate] = each.peak
            else:
                _of_run(self._records, each.case, run.name)[each.candidate] = each

    @property
    def used(self) -> list[Run]:
        """The runs that something is left of."""
        names = {name for name, _ in [*self._records.values(), *self._peaks.values()]}
        return [run for name, run in self.runs.items() if name in names]

    @property
    def cases(self) -> list[str]:
        """The names of the cases, in the order in which they were first measured."""
        return list(self._records)

    def records(self, case: str) -> list[Record]:
        """Return what was measured of a case."""
        return list(self._records[case][1].values()) if case in self._records else []

    def loads(self, run: Run) -> list[float]:
        """Return the loads before the cases of a run."""
        found = (records for name, records in self._records.values() if name == run.name)
        return [record.load for records in found for record in records.values()]

    def find(self, case: str, candidate: str) -> Record | None:
        """Return what was measured of a candidate, or None."""
        return self._records[case][1].get(candidate) if case in self._records else None

    def peak(self, group: str, candidate: str) -> int | None:
        """Return by how many bytes the peak of a candidate's memory rose, or None."""
        return self._peaks[group][1].get(candidate) if group in self._peaks else None

    def ratio(self, case: str, over: str, under: str) -> float | None:
        """Return one candidate's median over another's, or None where one was not measured, or the other is nothing.

        Of samples that are fetched, the time is that of a sample: not all fetch as many.
        """
        first, second = self.find(case, over), self.find(case, under)
        if not first or not second or not second.median:
            return None
        shares = second.count / first.count if case == "fetch" and first.count else 1
        return first.median / second.median * shares

    def difference(self, case: str, candidate: str, other: str) -> float | None:
        """Return how much longer a candidate took than another, in seconds: the median over the rounds, or None."""
        first, second = self.find(case, candidate), self.find(case, other)
        if first is None or second is None:
            return None
        return statistics.median([one - two for one, two in zip(first.values, second.values, strict=False)])


def _of_run(kept: dict[str, tuple[str, dict[str, Any]]], key: str, run: str) -> dict[str, Any]:
    name, found = kept.get(key, ("", {}))
    if name != run:
        kept[key] = (run, found := {})
    return found


class Writer:
    """Appends a run to a file, line by line, so that what was found is there even if the run is cut off."""

    def __init__(self, file: Path, run: Run) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lines: TextIO = file.open("a", encoding="utf-8")
        self._name = run.name
        self._write({"run": run.name, **dataclasses.asdict(run)})

    def add(self, found: Iterable[Record | Peak]) -> None:
        """Write what was found."""
        for each in found:
            more = {"median": each.median} if isinstance(each, Record) else {}
            self._write({"run": self._name, **dataclasses.asdict(each), **more})

    def _write(self, line: dict[str, Any]) -> None:
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def read_results(files: Sequence[Path]) -> Results:
    """Return what the runs in some files found.

    Raises:
        OSError: A file cannot be read.
        ValueError: A line is none that a run wrote.
    """
    results = Results()
    runs: dict[str, Run] = {}
    for file in files:
        for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            line = json.loads(text)
            name = line.pop("run", None)
            if "machine" in line:
                runs[name] = _run(line)
            elif name not in runs:
                raise ValueError(f"{file}, line {number}: of no run that the file tells of")
            elif not runs[name].small:
                results.add(runs[name], [_found(line)])
    return results


def _run(line: dict[str, Any]) -> Run:
    sizes = line["sizes"]
    rows = {name: tuple(both) for name, both in sizes["rows"].items()}
    sizes |= {"rows": rows, "growth": tuple(sizes["growth"])}
    return Run(**{**line, "machine": Machine(**line["machine"]), "sizes": Sizes(**sizes)})


def _found(line: dict[str, Any]) -> Record | Peak:
    if "peak" in line:
        return Peak(**line)
    del line["median"]
    return Record(**{**line, "values": tuple(line["values"])})
