"""Lenses: samples of one type seen as another."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._lens import Lens, StructuralLens, identity
    from ._network import LensNetwork, lens, view_of
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Lens": "atdata._lens._lens",
            "LensNetwork": "atdata._lens._network",
            "StructuralLens": "atdata._lens._lens",
            "identity": "atdata._lens._lens",
            "lens": "atdata._lens._network",
            "view_of": "atdata._lens._network",
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
