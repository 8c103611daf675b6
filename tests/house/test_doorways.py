"""What is public. What importing it costs: test_import.py."""

import importlib
import pkgutil
from types import ModuleType

import atdata
import atdata.manifest
from tests.extras import installed

#: Rooms that cannot be entered here, because what they bridge to is not installed.
CLOSED = set() if installed("torch") else {"atdata._torch"}


def doorways() -> list[str]:
    packages = [module.name for module in pkgutil.walk_packages(atdata.__path__, "atdata.") if module.ispkg]
    return ["atdata", *(name for name in packages if name not in CLOSED)]


def public_names(module: ModuleType) -> list[str]:
    """Return what a doorway offers besides its own modules."""
    names = [name for name in dir(module) if not name.startswith("_")]
    return sorted(name for name in names if not isinstance(getattr(module, name), ModuleType))


def test_all_lists_exactly_the_public_names_sorted() -> None:
    for name in doorways():
        module = importlib.import_module(name)
        assert sorted(module.__all__) == public_names(module), name
        assert module.__all__ == sorted(
            module.__all__, key=lambda each: (not (each.isupper() and len(each) > 1), each.islower(), each)
        ), name


def test_every_module_says_what_it_offers() -> None:
    lacking = []
    for name in doorways():
        package = importlib.import_module(name)
        for info in pkgutil.iter_modules(package.__path__, f"{name}."):
            if info.name not in {"atdata.__main__", *CLOSED}:
                module = importlib.import_module(info.name)
                lacking += [f"{info.name}: {each}" for each in module.__all__ if not hasattr(module, each)]
    assert lacking == []


def test_the_names_that_programs_import_from_both_doorways_are_the_same_objects() -> None:
    shared = set(atdata.__all__) & set(atdata.manifest.__all__)
    assert shared == {
        "F",
        "ManifestBuilder",
        "ManifestField",
        "ManifestWriter",
        "QueryExecutor",
        "SampleLocation",
        "ShardManifest",
        "manifest_column",
        "query_fields",
    }
    assert all(getattr(atdata, name) is getattr(atdata.manifest, name) for name in shared)
