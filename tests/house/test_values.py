"""Values that rooms pass to each other cannot change on the way."""

import importlib
import pkgutil

import msgspec

import atdata


def structs() -> list[type[msgspec.Struct]]:
    names = [module.name for module in pkgutil.walk_packages(atdata.__path__, "atdata.")]
    modules = [importlib.import_module(name) for name in names if not name.startswith(("atdata._torch", "atdata.__"))]
    classes = {item for module in modules for item in vars(module).values() if isinstance(item, type)}
    return sorted(
        (item for item in classes if issubclass(item, msgspec.Struct) and item.__module__.startswith("atdata.")),
        key=lambda item: (item.__module__, item.__name__),
    )


def test_every_struct_is_frozen() -> None:
    assert [item for item in structs() if not item.__struct_config__.frozen] == []


def test_headers_are_among_them() -> None:
    assert "Header" in {item.__name__ for item in structs()}
