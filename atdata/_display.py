"""Rich display in notebooks: any class may ask for its HTML; the module that makes it is registered from above."""

import importlib
from typing import Any

__all__ = ["display_html", "register_view"]

_registered: list[str] = []


def register_view(module: str) -> None:
    """Register the module whose ``html_of`` makes HTML; it is imported when something is displayed first."""
    _registered[:] = [module]


def display_html(thing: Any) -> str:
    """Return a thing as HTML, for its ``_repr_html_``."""
    html: str = importlib.import_module(_registered[0]).html_of(thing)
    return html
