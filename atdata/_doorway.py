"""Lazy doorways: packages that import the module of a public name when the name is first used (PEP 562)."""

import contextlib
import gc
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["doorway"]


def doorway(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package that imports its public names on first use.

    A name that was used once is a global of the package like any other.

    Args:
        package: The package's ``__name__``.
        modules: The full name of the module that defines each name; for a submodule, its own.

    Examples:
        >>> get, _ = doorway("json", {"JSONDecoder": "json.decoder", "decoder": "json.decoder"})
        >>> get("JSONDecoder"), get("decoder").__name__
        (<class 'json.decoder.JSONDecoder'>, 'json.decoder')
    """

    def __getattr__(name: str) -> Any:  # noqa: N807 -- its name in the package
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with _without_collections():
            module = importlib.import_module(modules[name])
        value = module if modules[name] == f"{package}.{name}" else getattr(module, name)
        return vars(sys.modules[package]).setdefault(name, value)

    def __dir__() -> list[str]:  # noqa: N807 -- as above
        own = vars(sys.modules[package])
        return sorted({*modules, *own["__all__"], *(name for name in own if name.startswith("_"))})

    return __getattr__, __dir__


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Pause garbage collection: an import makes much that stays, and a full collection would walk all objects."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
