"""A small board in shared memory: where the next iteration begins, for this process and for all workers."""

import json
from typing import Any, TypeAlias

import torch

__all__ = ["Board"]

State: TypeAlias = dict[str, Any]

#: A state takes less than 1 KB.
_TEXT = 1024
#: Marks before those of the workers: how many workers began the first iteration, and whether the latest one is read by
#: processes of their own.
_WORKERS, _ELSEWHERE, _FIRST = 0, 1, 2
#: How many workers there can be; each has a mark.
_MAX_WORKERS = 1024


class Board:
    """Where the next iteration begins. Workers that stay alive from one epoch to the next see what is written here.

    The one who asks for batches writes, between iterations; a worker reads when it begins one, and marks that it did,
    because what was taken up in the middle is begun there once and from the start ever after.
    """

    def __init__(self, state: State) -> None:
        self._text = torch.zeros(_TEXT, dtype=torch.uint8).share_memory_()
        self._marks = torch.zeros(_FIRST + _MAX_WORKERS, dtype=torch.int64).share_memory_()
        self.write(state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._text.share_memory_()  # a copy, unless a loader handed it to a worker
        self._marks.share_memory_()

    def write(self, state: State) -> None:
        """Say where the next iteration begins."""
        text = json.dumps(state).encode()
        self._text.zero_()
        self._text[: len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        self._marks.zero_()

    def read(self) -> State:
        """Return what was written."""
        state: State = json.loads(bytes(self._text.numpy()).rstrip(b"\0"))
        return state

    def begin(self, worker: int, workers: int, *, elsewhere: bool) -> bool:
        """Mark that a worker begins an iteration; return whether it is its first one since something was written."""
        if worker >= _MAX_WORKERS:
            raise ValueError(f"at most {_MAX_WORKERS} workers can read one dataset; this one is number {worker}")
        marks = self._marks.numpy()
        first = not marks[_FIRST + worker] and marks[_WORKERS] in (0, workers)
        marks[_FIRST + worker] += 1
        marks[_WORKERS] = marks[_WORKERS] or workers
        marks[_ELSEWHERE] = elsewhere
        return bool(first)

    @property
    def is_first(self) -> bool:
        """Whether the latest iteration is the first one since something was written, or none has begun."""
        return bool(self._marks[_FIRST] <= 1)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the latest iteration was begun by workers in processes of their own."""
        return bool(self._marks[_ELSEWHERE])
