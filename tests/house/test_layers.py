"""The layers are law: docs/architecture.md says which room may import which, and the code keeps to it."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "atdata"
#: The doorway of the whole, and `python -m atdata`, which may import anything.
DOORWAYS = {"__init__", "__main__"}


def layer_table() -> dict[str, set[str]]:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*)\|", text, flags=re.MULTILINE)
    table: dict[str, set[str]] = {}
    for room, allowed in rows:
        table[room] = set(table) if allowed.strip() == "all of the above" else set(re.findall(r"`(\w+)`", allowed))
    return table


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_names(source: str, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield the lines on which a module's source imports something inside the package, and the dotted names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join((*base, *filter(None, [node.module])))
            names = [name] if node.module else [f"{name}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "atdata")


def is_forbidden(room: str, name: str, table: dict[str, set[str]]) -> bool:
    """Tell whether a room may not import a dotted name: another room's, or not by its doorway."""
    target, inside = [*name.split(".")[1:], "", ""][:2]
    if target == room or room in DOORWAYS:
        return False
    if target in ("", "manifest") and "atdata" in table[room]:  # the public doorways
        return bool(inside)
    if target not in table[room]:
        return True
    return bool(inside)


def test_every_room_has_a_row_in_the_table() -> None:
    assert {room_of(path) for path in modules()} - DOORWAYS == layer_table().keys()


def test_the_table_goes_in_one_direction() -> None:
    table = layer_table()
    rooms = list(table)
    upward = [(room, other) for index, room in enumerate(rooms) for other in table[room] & set(rooms[index:])]
    assert upward == []


def test_modules_import_only_what_their_rooms_may() -> None:
    table = layer_table()
    forbidden = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules()
        for line, name in imported_names(path.read_text(), path.relative_to(ROOT).parts[:-1])
        if is_forbidden(room_of(path), name, table)
    ]
    assert forbidden == []


class WithoutTypes(ast.NodeTransformer):
    """Leaves out the imports that only type checkers see."""

    def visit_If(self, node: ast.If) -> ast.AST:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
        return node


def import_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return which modules of the package each module imports when it runs, in its functions too."""
    graph = {}
    for name, source in sources.items():
        text = ast.unparse(WithoutTypes().visit(ast.parse(source)))
        names = {imported for _, imported in imported_names(text, tuple(name.split(".")[:-1]))}
        graph[name] = names & sources.keys()
    return graph


def test_no_modules_import_each_other() -> None:
    sources = {".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text() for path in modules()}
    graphlib.TopologicalSorter(import_graph(sources)).prepare()  # a CycleError names the circle


def test_a_circle_of_imports_is_found_in_functions_and_not_in_types() -> None:
    one, two = "def f():\n    from ._two import b", "from ._one import a"
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(import_graph({"atdata._x._one": one, "atdata._x._two": two})).prepare()
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ._two import b\nelse:\n    b = None"
    assert import_graph({"atdata._x._one": typed, "atdata._x._two": two})["atdata._x._one"] == set()


@pytest.mark.parametrize(
    ("source", "forbidden"),
    [
        ("from atdata.manifest import QueryExecutor", True),  # upward
        ("from .._manifest import parse_header", True),  # upward, relative
        ("import atdata", True),  # the whole, from inside
        ("from atdata._errors import ShardError", False),
        ("from ._header import BLOCK", False),
        ("import polars", False),
    ],
)
def test_the_law_finds_what_breaks_it(source: str, *, forbidden: bool) -> None:
    names = list(imported_names(source, ("atdata", "_tar")))
    assert any(is_forbidden("_tar", name, layer_table()) for _, name in names) is forbidden


def test_a_room_is_entered_by_its_doorway_alone() -> None:
    table = layer_table()
    assert is_forbidden("_query", "atdata._sample._codec", table)
    assert not is_forbidden("_query", "atdata._sample", table)
    assert is_forbidden("cli", "atdata._dataset", table)
