"""Lenses: samples of one type seen as another."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._lens import Lens, LensNetwork, StructuralLens, identity, lens, view_of
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Lens": "atdata._lens._lens",
            "LensNetwork": "atdata._lens._lens",
            "StructuralLens": "atdata._lens._lens",
            "identity": "atdata._lens._lens",
            "lens": "atdata._lens._lens",
            "view_of": "atdata._lens._lens",
        },
    )

__all__ = [
    "Lens",
    "LensNetwork",
    "StructuralLens",
    "identity",
    "lens",
    "view_of",
]
