"""Positions in a module: the statement around one, its function, and code that never runs."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Place", "Places"]

#: Decorators that only type checkers read.
_TYPING = {"final", "overload", "override"}

_Position = tuple[int, int]
_Span = tuple[_Position, _Position]


class Place(NamedTuple):
    """The surroundings of a position."""

    #: The function or class around it, with dots; empty at the top of the module.
    function: str
    #: The first and last line of the statement; of a compound one those of its head.
    lines: tuple[int, int]
    #: Whether it runs when the module is imported, and not when a function is called.
    at_import: bool


class Places:
    """A module's positions.

    Args:
        source: The module's text.
    """

    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        self._annotations = [_span(node) for node in _annotations(self._tree)]
        self._dead = [_span(node) for node in _dead(self._tree)]

    def never_runs(self, position: _Position) -> bool:
        """Return whether a position is in code for type checkers: below TYPE_CHECKING, or a decorator of theirs."""
        return _within(position, self._dead)

    def in_annotation(self, position: _Position) -> bool:
        """Return whether a position is in the annotation of a parameter, a result or a variable."""
        return _within(position, self._annotations)

    def place(self, line: int) -> Place:
        """Return the surroundings of a line."""
        names: list[str] = []
        at_import = True
        node: ast.AST = self._tree
        lines = (line, line)
        while (inner := _statement_at(node, line)) is not None:
            lines = _head(inner)
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.append(inner.name)
                at_import &= isinstance(inner, ast.ClassDef) or line <= lines[1]
            node = inner
        return Place(".".join(names), lines, at_import)


def _statement_at(node: ast.AST, line: int) -> ast.stmt | None:
    for child in _statements(node):
        if _first_line(child) <= line <= (child.end_lineno or child.lineno):
            return child
    return None


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements directly in a node; handlers and cases are passed through."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from _statements(child)


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _head(node: ast.stmt) -> tuple[int, int]:
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if not body:
        return node.lineno, node.end_lineno or node.lineno
    first = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
    return _first_line(node), max(node.lineno, getattr(first, "lineno", node.lineno) - 1)


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield node.returns


def _dead(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield node
        for decorator in getattr(node, "decorator_list", []):
            if ast.unparse(decorator).rpartition(".")[2] in _TYPING:
                yield decorator


def _span(node: ast.AST) -> _Span:
    start = (node.lineno, node.col_offset)  # type: ignore[attr-defined]
    end = (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
    return start, end


def _within(position: _Position, spans: list[_Span]) -> bool:
    return any(start <= position < end for start, end in spans)
