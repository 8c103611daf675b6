"""The order of an epoch: shuffled, split among ranks and workers, left and taken up again. Arithmetic, then reading."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._epoch import Epoch, RankPart
    from ._order import Split
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Epoch": "atdata._epoch._epoch",
            "RankPart": "atdata._epoch._epoch",
            "Split": "atdata._epoch._order",
        },
    )

__all__ = [
    "Epoch",
    "RankPart",
    "Split",
]
