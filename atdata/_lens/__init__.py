"""Lenses: samples of one type seen as another."""

from ._lens import Lens, identity
from ._network import LensNetwork, lens, view_of
from ._structure import StructuralLens

__all__ = [
    "Lens",
    "LensNetwork",
    "StructuralLens",
    "identity",
    "lens",
    "view_of",
]
