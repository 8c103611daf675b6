"""A seeded sample of mutants, as many from each stratum."""

import difflib
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from .mutations import Mutation, identity, mutated, mutations, read, worth_running
from .places import Places
from .strata import files_of

__all__ = ["Mutant", "drawn", "mutant_of", "sample", "shares"]


class Mutant(NamedTuple):
    """One change, and what it makes of its module."""

    id: str
    stratum: str
    mutation: Mutation
    function: str
    #: The lines that differ: before, and after.
    before: str
    after: str
    #: The whole module with the change.
    text: str


def shares(total: int, names: Iterable[str]) -> dict[str, int]:
    """Divide a number evenly; the first names get what is left over."""
    names = list(names)
    least, more = divmod(total, len(names))
    return {name: least + (place < more) for place, name in enumerate(names)}


def drawn(candidates: Iterable[Mutation], seed: str) -> Iterator[Mutation]:
    """Yield mutations in a random order that depends on the seed alone.

    One of each site comes first, so that an operator with eleven alternatives counts no more than one with a single
    one.
    A longer sample begins with a shorter one of the same seed.
    """
    rng = random.Random(seed)
    sites: dict[tuple[str, int, int, str], list[Mutation]] = {}
    for mutation in sorted(candidates):
        sites.setdefault(mutation.site, []).append(mutation)
    groups = list(sites.values())
    rng.shuffle(groups)
    for group in groups:
        rng.shuffle(group)
    for turn in range(max(map(len, groups), default=0)):
        yield from (group[turn] for group in groups if turn < len(group))


def sample(root: Path, strata: Mapping[str, tuple[str, ...]], total: int, seed: int) -> list[Mutant]:
    """Return so many mutants, those of a stratum together; fewer where a stratum has no more."""
    mutants: list[Mutant] = []
    for name, share in shares(total, strata).items():
        mutants += _of_stratum(root, name, strata[name], share, seed)
    return mutants


def _of_stratum(root: Path, name: str, globs: tuple[str, ...], share: int, seed: int) -> list[Mutant]:
    sources = {file: read(root, file) for file in files_of(root, globs)}
    candidates = [mutation for file, source in sources.items() for mutation in mutations(file, source)]
    mutants: dict[str, Mutant] = {}
    for mutation in drawn(candidates, f"{seed} {name}"):
        if len(mutants) == share:
            break
        mutant = mutant_of(sources[mutation.file], mutation, name)
        if mutant is not None:
            mutants.setdefault(mutant.id, mutant)
    return list(mutants.values())


def mutant_of(source: str, mutation: Mutation, stratum: str) -> Mutant | None:
    """Return the mutant of a mutation; None where running it would say nothing."""
    text = mutated(source, mutation)
    if text is None or not worth_running(source, text, mutation.file):
        return None
    before, after = _differing(source, text)
    function = Places(source).place(mutation.line).function
    return Mutant(identity(mutation, text), stratum, mutation, function, before, after, text)


def _differing(source: str, text: str) -> tuple[str, str]:
    lines = list(difflib.unified_diff(source.splitlines(), text.splitlines(), n=0, lineterm=""))[3:]
    before, after = ([line[1:].strip() for line in lines if line.startswith(sign)] for sign in "-+")
    return " ".join(before), " ".join(after)
