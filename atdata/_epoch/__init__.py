"""The order of an epoch: shuffled, split among ranks and workers, left and taken up again. Arithmetic, then reading."""

from ._epoch import Epoch
from ._part import Part, Uneven
from ._split import Split
from ._window import WindowLike

__all__ = [
    "Epoch",
    "Part",
    "Split",
    "Uneven",
    "WindowLike",
]
