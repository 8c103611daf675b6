"""The dataset that DataLoader's samplers choose from, and this process's rank."""

import os
from collections.abc import Sequence
from typing import Any, Protocol

import torch.distributed
from torch.utils.data import Dataset

__all__ = ["SampleMap", "rank_here"]


def rank_here(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Return the rank and the number of ranks: as given, as ``torch.distributed`` or the environment says, or 0 of 1.

    Raises:
        ValueError: One of the two is lacking, or there is no such rank.
    """
    where = "to_torch()"
    if rank is None and world_size is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        where = "the environment variables RANK and WORLD_SIZE"
        rank, world_size = _variable("RANK"), _variable("WORLD_SIZE")
        if rank is None and world_size is None:
            return 0, 1
    if rank is None or world_size is None:
        raise ValueError(f"{where}: rank and world_size go together; found rank {rank} and world_size {world_size}")
    if any(isinstance(each, bool) or not isinstance(each, int) for each in (rank, world_size)) or not (
        0 <= rank < world_size
    ):
        raise ValueError(f"{where}: rank is from 0 to world_size - 1; found rank {rank!r} of {world_size!r}")
    return rank, world_size


def _variable(name: str) -> int | None:
    value = os.environ.get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise ValueError(f"the environment variable {name} is a whole number; found {value!r}")
    return int(value)


class PositionPart(Protocol):
    """What gives samples by their positions; `_dataset` has it."""

    def __len__(self) -> int:
        """Return how many samples there are."""

    def take(self, positions: Sequence[int]) -> list[Any]:
        """Return the samples at some positions, in that order."""


class SampleMap(Dataset):  # type: ignore[misc]  # torch's types are not looked at
    """Samples by position, for torch's ``DataLoader`` and its samplers; what ``to_torch(style="map")`` returns.

    A loader that batches asks for the samples of a batch at once, which reads them together.
    """

    def __init__(self, part: PositionPart) -> None:
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
