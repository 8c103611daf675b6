"""Rules that are held by reading the source."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "atdata").rglob("*.py"))}
FROM_BYTES_TO_CODE = re.compile(
    r"\b(pickle|marshal|shelve|dill|cloudpickle)\b|\beval\(|\bexec\(|shell=True|LazyFrame\.deserialize"
)


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Tell whether an ``except`` names nothing, or what every error is."""
    return handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in {"Exception", "BaseException"}
    )


def test_there_are_sources_to_read() -> None:
    assert {"atdata/__init__.py", "atdata/_query/_predicate.py"} <= SOURCES.keys()


def test_no_path_leads_from_bytes_to_code() -> None:
    offences = [
        f"{name}:{number}: {line.strip()}"
        for name, source in SOURCES.items()
        for number, line in enumerate(source.splitlines(), 1)
        if FROM_BYTES_TO_CODE.search(line) and "allow_pickle=False" not in line
    ]
    assert offences == []


def test_no_exception_is_caught_broadly() -> None:
    offences = [
        f"{name}:{node.lineno}"
        for name, source in SOURCES.items()
        for node in ast.walk(ast.parse(source, name))
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    ]
    assert offences == []


def lines_of_code(source: str) -> int:
    """Count a module's lines without docstrings: the class that users hold is documented where it is defined."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, documented))
    docstrings = (node.body[0] for node in nodes if ast.get_docstring(node) is not None)
    return len(source.splitlines()) - sum((text.end_lineno or 0) - text.lineno + 1 for text in docstrings)


def test_modules_stay_small_enough_to_read() -> None:
    lengths = {name: lines_of_code(source) for name, source in SOURCES.items()}
    assert {name: length for name, length in lengths.items() if length > 600} == {}


def test_docstrings_are_no_lines_of_code() -> None:
    assert lines_of_code('"""Says\n\nmuch."""\n\n\ndef f() -> str:\n    """Say."""\n    return """a\nb"""\n') == 5


def test_the_package_ships_its_type_marker() -> None:
    assert (ROOT / "atdata" / "py.typed").is_file()
