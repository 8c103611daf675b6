"""One name for one thing: classes and modules are found by name, and the architecture page lists every module."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "atdata"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def repeated(places_by_name: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: places for name, places in places_by_name.items() if len(places) > 1}


def defined_types(source: str) -> list[str]:
    """Return the classes and type aliases of a module, without leading underscores."""
    nodes = ast.parse(source).body
    classes = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
    aliases = [
        node.target.id
        for node in nodes
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and ast.unparse(node.annotation).endswith("TypeAlias")
    ]
    return [name.lstrip("_") for name in (*classes, *aliases)]


def test_no_class_or_type_alias_has_a_name_that_another_has() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for name in defined_types((PACKAGE / path).read_text()):
            places[name].append(str(path))
    assert repeated(places) == {}


def test_types_that_differ_in_an_underscore_are_found() -> None:
    assert defined_types("class Run: ...\nclass _Run: ...\n_Run: TypeAlias = int\nx: int = 1\n") == ["Run"] * 3


def test_no_module_has_a_name_that_one_of_another_room_has() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        places[path.name].append(str(path))
    assert repeated(places) == {}


def test_the_architecture_page_lists_every_module_once() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.partition("## The modules")[2].partition("## Four walks")[0]
    assert sorted(re.findall(r"^\| `([\w/]+\.py)` \|", table, flags=re.MULTILINE)) == sorted(map(str, MODULES))


def test_the_architecture_page_names_no_module_that_is_not_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`(_?\w+/_\w+\.py)`", page)) - {"tests/house"}
    assert named - set(map(str, MODULES)) == set()
