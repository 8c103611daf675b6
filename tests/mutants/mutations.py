"""The changes that cosmic-ray makes to a module, without those that cannot matter.

Left out, each for one reason:

- operators in annotations, code below TYPE_CHECKING, decorators for type checkers: nothing runs them;
- the bare star and slash of a signature, which cosmic-ray takes for multiplication and division;
- `is` made `==` and `is not` made `!=`: alike for whatever does not redefine equality (None is left alone anyway);
- exceptions with dotted names in a tuple: cosmic-ray fails to replace them;
- mutants that do not compile, and mutants that compile to the same bytecode.
"""

import functools
import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from .places import Places

__all__ = ["Mutation", "identity", "mutated", "mutations", "read", "worth_running"]

_ALIKE = {"ReplaceComparisonOperator_Is_Eq", "ReplaceComparisonOperator_IsNot_NotEq"}


class Mutation(NamedTuple):
    """One change of one module."""

    file: str
    #: The operator's name, as cosmic-ray has it.
    operator: str
    #: The place among those where the operator applies.
    occurrence: int
    line: int
    column: int

    @property
    def site(self) -> tuple[str, int, int, str]:
        """The place, and the kind of change: alternatives of one site are equal in this."""
        kind = self.operator.rpartition("/")[2].partition("_")[0]
        return self.file, self.line, self.column, kind


@functools.cache
def _operators() -> dict[str, object]:
    from cosmic_ray.plugins import get_operator, operator_names  # noqa: PLC0415 -- all else here works without it

    classes = {name: get_operator(name) for name in operator_names()}
    return {name: cls() for name, cls in classes.items() if not cls.arguments()}


def mutations(file: str, source: str) -> Iterator[Mutation]:
    """Yield the changes of a module that could matter, in the order of cosmic-ray's operators."""
    from cosmic_ray.ast import ast_nodes, get_ast  # noqa: PLC0415 -- as above

    places, nodes = Places(source), list(ast_nodes(get_ast(source)))
    for name, operator in _operators().items():
        positions = ((node, start) for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (node, start) in enumerate(positions):
            if not _excluded(name, node, start, places):
                yield Mutation(file, name, occurrence, *start)


def _excluded(name: str, node: object, start: tuple[int, int], places: Places) -> bool:
    short = name.rpartition("/")[2]
    if short in _ALIKE or places.never_runs(start):
        return True
    binary = short.startswith("ReplaceBinaryOperator")
    return binary and (places.in_annotation(start) or node.parent.type == "parameters")


def mutated(source: str, mutation: Mutation) -> str | None:
    """Return the module's text with one change; None where cosmic-ray cannot make it."""
    from cosmic_ray.mutating import mutate_code  # noqa: PLC0415 -- as above

    try:
        text: str | None = mutate_code(source, _operators()[mutation.operator], mutation.occurrence)
    except AttributeError:  # of exceptions with dotted names, in a tuple
        return None
    return text


def worth_running(source: str, text: str, file: str) -> bool:
    """Return whether a changed module compiles, and to other bytecode than the unchanged one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of comparing identity with a literal
        try:
            code = compile(text, file, "exec")
        except (SyntaxError, ValueError):
            return False
    return _shape(code) != _shape(compile(source, file, "exec"))


def _shape(code: CodeType) -> tuple[object, ...]:
    """Return what a code object does, without its line numbers."""
    constants = tuple(
        _shape(item) if isinstance(item, CodeType) else (type(item), repr(item)) for item in code.co_consts
    )
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return code.co_code, counts, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable


def identity(mutation: Mutation, text: str) -> str:
    """Return a name for a mutant: the same for the same change of the same text."""
    return hashlib.sha256(f"{mutation.file}\0{text}".encode()).hexdigest()[:12]


def read(root: Path, file: str) -> str:
    """Return a module's text."""
    return (root / file).read_text(encoding="utf-8")
