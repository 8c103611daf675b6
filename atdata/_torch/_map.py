"""The dataset that DataLoader's samplers choose from."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch.utils.data import Dataset

__all__ = ["SampleMap"]


class Part(Protocol):
    """What gives samples by their positions; `_dataset` has it."""

    def __len__(self) -> int:
        """Return how many samples there are."""

    def take(self, positions: Sequence[int]) -> list[Any]:
        """Return the samples at some positions, in that order."""


class SampleMap(Dataset):  # type: ignore[misc]  # torch's types are not looked at
    """Samples by position, for torch's ``DataLoader`` and its samplers; what ``to_torch(style="map")`` returns.

    A loader that batches asks for the samples of a batch at once, which reads them together.
    """

    def __init__(self, part: Part) -> None:
        super().__init__()
        self._part = part

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, index: int) -> Any:
        """Return the sample at a position.

        Raises:
            SampleIndexError: There is no such position.
        """
        return self._part.take([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return the samples at some positions, in that order.

        Raises:
            SampleIndexError: There is no such position.
        """
        return self._part.take(indices)
