"""Lazy doorways: one list of names, whoever reads it, and modules that are imported when a name is used."""

import ast
import importlib
import importlib.util
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import atdata
import atdata.manifest

PACKAGE = Path(atdata.__file__).parent


def run(program: str) -> None:
    """Run a program in a fresh interpreter."""
    subprocess.run([sys.executable, "-c", program], check=True)


def lazy_doorways() -> dict[str, ast.Module]:
    """Return the source of the packages that have a lazy doorway, by name."""
    files = {".".join(path.parent.relative_to(PACKAGE.parent).parts): path for path in PACKAGE.rglob("__init__.py")}
    return {name: ast.parse(text) for name, path in files.items() if "doorway(" in (text := path.read_text())}


def branch(tree: ast.Module) -> ast.If:
    """Return the statement that has the imports for type checkers, and else the map for the interpreter."""
    return next(node for node in tree.body if isinstance(node, ast.If))


def imported(nodes: list[ast.stmt], package: str) -> Iterator[tuple[str, str]]:
    """Yield the names that statements import, each with the full name of its module; a submodule with its own."""
    for node in nodes:
        assert isinstance(node, ast.ImportFrom)
        module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        for alias in node.names:
            yield alias.name, f"{package}.{alias.name}" if module == package else module


def mapped(tree: ast.Module) -> dict[str, str]:
    (assignment,) = branch(tree).orelse
    assert isinstance(assignment, ast.Assign)
    assert isinstance(assignment.value, ast.Call)
    return ast.literal_eval(assignment.value.args[1])


def submodules(package: str, modules: dict[str, str]) -> set[str]:
    return {name for name, module in modules.items() if module == f"{package}.{name}"}


def modules_behind_doorways() -> list[str]:
    return sorted({module for tree in lazy_doorways().values() for module in mapped(tree).values()})


def test_the_public_doorways_are_lazy() -> None:
    assert {"atdata", "atdata.manifest"} <= lazy_doorways().keys()


def test_the_interpreter_and_type_checkers_import_the_same_names_from_the_same_modules() -> None:
    for package, tree in lazy_doorways().items():
        assert mapped(tree) == dict(imported(branch(tree).body, package)), package


def test_a_lazy_doorway_maps_all_names_that_it_does_not_import() -> None:
    for package, tree in lazy_doorways().items():
        modules = mapped(tree)
        eager = [
            node
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module not in ("typing", "atdata._display", "atdata._doorway")
        ]
        names = {*modules, *dict(imported(eager, package))} - submodules(package, modules)
        assert names == set(importlib.import_module(package).__all__), package


def test_no_module_takes_the_place_of_a_public_name() -> None:
    for package in lazy_doorways():
        folder = PACKAGE.parent.joinpath(*package.split("."))
        assert {path.stem for path in folder.iterdir()} & set(importlib.import_module(package).__all__) == set()


def test_each_module_behind_a_doorway_can_be_imported_first() -> None:
    run(f"""
import importlib, sys
for module in {modules_behind_doorways()!r}:
    for name in [name for name in sys.modules if name.split(".")[0] == "atdata"]:
        del sys.modules[name]
    importlib.import_module(module)
""")


@pytest.mark.parametrize("package", ["atdata", "atdata.manifest"])
def test_a_star_import_gives_all_public_names(package: str) -> None:
    run(f"from {package} import *\nimport {package} as package\nassert set(package.__all__) <= set(globals())")


def test_the_manifest_package_is_an_attribute_without_being_imported() -> None:
    run("import atdata\nassert atdata.manifest.F is atdata.F")


def test_dir_lists_the_public_names_before_they_are_used() -> None:
    run("import atdata\nassert {'manifest', '__version__', '__doc__', *atdata.__all__} <= set(dir(atdata))")


def test_what_was_pickled_elsewhere_is_found_in_a_library_that_nobody_used_yet() -> None:
    things = [atdata.Dataset, atdata.write_samples, atdata.SchemaError, atdata.SampleLocation("a", "b", 0)]
    run(f"import pickle\nprint(pickle.loads({pickle.dumps(things)!r}))")


def test_a_misspelt_name_gets_the_suggestion_of_python() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import atdata\natdata.Datset"], capture_output=True, text=True, check=False
    )
    assert done.stderr.endswith("module 'atdata' has no attribute 'Datset'. Did you mean: 'Dataset'?\n")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package with a lazy doorway to a module that says when it is imported."""
    (tmp_path / "fair").mkdir()
    (tmp_path / "fair" / "__init__.py").write_text(
        "from atdata._doorway import doorway\n__all__ = ['ride']\nrides = []\n"
        "__getattr__, __dir__ = doorway(__name__, {'ride': 'fair._wheel', '_wheel': 'fair._wheel'})\n"
    )
    (tmp_path / "fair" / "_wheel.py").write_text("import fair\nfair.rides.append(1)\nride = object()\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("fair")
    for name in ("fair", "fair._wheel"):
        sys.modules.pop(name, None)


def test_a_name_that_was_used_is_a_global_of_the_package(package: ModuleType) -> None:
    assert "ride" not in vars(package)
    ride = package.ride
    assert vars(package)["ride"] is ride
    assert package.rides == [1]


def test_a_submodule_is_imported_when_it_is_named(package: ModuleType) -> None:
    assert package.rides == []
    assert package._wheel is sys.modules["fair._wheel"]


def test_threads_that_use_a_name_at_once_get_one_object(package: ModuleType) -> None:
    start, rides = threading.Barrier(8), []

    def use() -> None:
        start.wait()
        rides.append(package.ride)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rides) == 8
    assert set(map(id, rides)) == {id(package.ride)}
    assert package.rides == [1]


def test_dir_hides_what_a_doorway_itself_is_made_of(package: ModuleType) -> None:
    assert [name for name in dir(package) if not name.startswith("__")] == ["_wheel", "ride"]


@pytest.mark.parametrize("state", ["enable", "disable"])
def test_garbage_collection_is_as_it_was_after_a_name_was_imported(state: str) -> None:
    run(
        f"import gc; gc.{state}(); before = gc.isenabled(); import atdata; atdata.Dataset\n"
        "assert gc.isenabled() is before\n"
        "try:\n    atdata.nothing\nexcept AttributeError:\n    assert gc.isenabled() is before"
    )


def test_nothing_is_collected_while_a_name_is_imported() -> None:
    run(
        "import gc, polars, numpy, atdata; before = gc.get_stats()[0]['collections']; atdata.Dataset; "
        "assert gc.get_stats()[0]['collections'] <= before + 1"
    )
