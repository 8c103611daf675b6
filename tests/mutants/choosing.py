"""The tests that a mutant has to pass, those that will tell soonest first."""

import bisect
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .places import Place, Places
from .processes import file_of
from .recording import Recording, Test
from .sampling import Mutant

__all__ = ["Chooser", "Plan"]


#: CPU seconds after which another stage begins: few test files are collected for the first.
_STAGES = (3.0, 20.0)
#: Tests that look at every module, and run few of their lines.
_WHOLE = ("tests/house/", "tests/surface/")


class Plan(NamedTuple):
    """The tests to run against a mutant."""

    #: In order, in stages; each is a process.
    stages: tuple[tuple[str, ...], ...]
    #: How many more there are, beyond the time for one mutant.
    left_out: int


class _Unit(NamedTuple):
    """Tests that run together: one, or all examples of a page, which build on one another."""

    file: str
    tests: tuple[str, ...]
    seconds: float
    unmeasured: bool


class Chooser:
    """Choose the tests that could notice a mutant.

    Args:
        recording: The tests.
        budget: CPU seconds for one mutant, as recorded.
        without: Tests that are not to be run.
    """

    def __init__(self, recording: Recording, *, budget: float, without: Iterable[str] = ()) -> None:
        self._recording = recording
        self._budget = budget
        self._units = _units(test for test in recording.tests.values() if test.id not in set(without))
        self._coverage: dict[str, dict[int, set[str]]] = {}

    def plan(self, source: str, mutant: Mutant) -> Plan:
        """Return the tests for a mutant.

        First those of the module's own folder that run the mutated statement, those of the package as a whole, and the
        others that run the statement; then those that use the module and start processes, and the rest of the folder.
        """
        file = mutant.mutation.file
        lines = self._covering(file)
        covering = _running(lines, Places(source).place(mutant.mutation.line))
        users = set().union(*lines.values())
        own = _own_folder(file)
        near = [unit for unit in self._units if unit.file.startswith(own) or unit.file == file]
        groups = (
            [unit for unit in near if not covering.isdisjoint(unit.tests)],
            [unit for unit in self._units if unit.file.startswith(_WHOLE)],
            [unit for unit in self._units if not covering.isdisjoint(unit.tests)],
            [unit for unit in self._units if unit.unmeasured and not users.isdisjoint(unit.tests)],
            near,
        )
        order = [unit for group in groups for unit in sorted(group, key=lambda unit: unit.seconds)]
        return self._staged(list(dict.fromkeys(order)))

    def _covering(self, file: str) -> dict[int, set[str]]:
        if file not in self._coverage:
            self._coverage[file] = self._recording.covering(file)
        return self._coverage[file]

    def _staged(self, units: list[_Unit]) -> Plan:
        stages: list[list[str]] = [[] for _ in (*_STAGES, self._budget)]
        left_out, total = 0, 0.0
        for unit in units:
            if total + unit.seconds > self._budget:
                left_out += len(unit.tests)
            else:
                total += unit.seconds
                stages[bisect.bisect_left(_STAGES, total)].extend(unit.tests)
        return Plan(tuple(tuple(stage) for stage in stages if stage), left_out)


def _running(lines: Mapping[int, set[str]], place: Place) -> set[str]:
    """Return the tests that run a place; of one that runs at import, those that use its module."""
    first, last = place.lines
    chosen = lines if place.at_import else range(first, last + 1)
    return {test for line in chosen for test in lines.get(line, ())}


def _units(tests: Iterable[Test]) -> list[_Unit]:
    grouped: dict[str, list[Test]] = {}
    for test in tests:
        page = file_of(test.id)
        grouped.setdefault(page if page.endswith(".md") else test.id, []).append(test)
    return [
        _Unit(
            file_of(group[0].id),
            tuple(test.id for test in group),
            sum(test.seconds for test in group),
            any(test.unmeasured for test in group),
        )
        for group in grouped.values()
    ]


def _own_folder(file: str) -> str:
    """Return the folder of a module's tests: they mirror the package."""
    room = file.split("/")[1].removeprefix("_").removesuffix(".py")
    return f"tests/{room}/"
