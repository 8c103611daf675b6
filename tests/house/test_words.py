"""Rules that are held by reading the source."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "atdata").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_path_leads_from_bytes_to_code(path: Path) -> None:
    calls = re.compile(
        r"\b(pickle|marshal|shelve|dill|cloudpickle)\b|\beval\(|\bexec\(|shell=True|LazyFrame\.deserialize"
    )
    code = "\n".join(line for line in path.read_text().splitlines() if "allow_pickle=False" not in line)
    assert not calls.search(code)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_exception_is_caught_broadly(path: Path) -> None:
    handlers = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ExceptHandler)]
    broad = [
        node.lineno
        for node in handlers
        if node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
    ]
    assert broad == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_the_package_ships_its_type_marker() -> None:
    assert (ROOT / "atdata" / "py.typed").is_file()
