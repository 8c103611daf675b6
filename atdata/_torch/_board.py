"""A small board in shared memory: where the next iteration begins, for this process and for all workers."""

import json
from typing import Any, TypeAlias

import torch

__all__ = ["Board"]

State: TypeAlias = dict[str, Any]

#: A state takes less than 1 KB.
_TEXT = 1024
#: Marks before those of the workers: how many workers began the first iteration, whether the latest one is read by
#: processes of their own, and how often was written.
_WORKERS, _ELSEWHERE, _WRITTEN, _FIRST = 0, 1, 2, 3
#: How many workers there can be; each has a mark.
_MAX_WORKERS = 1024


class Board:
    """Where the next iteration begins. Workers that stay alive from one epoch to the next see what is written here.

    The one who asks for batches writes, between iterations; a worker reads when it begins one, and marks that it did,
    because what was taken up in the middle is begun there once and from the start ever after.

    A worker may come to its first iteration late, when that was broken off and something else is written already. So it
    takes along what was written when it was started, and leaves no mark on what came after.
    """

    def __init__(self, state: State) -> None:
        self._text = torch.zeros(_TEXT, dtype=torch.uint8).share_memory_()
        self._marks = torch.zeros(_FIRST + _MAX_WORKERS, dtype=torch.int64).share_memory_()
        #: What this process knows to be written, and how often something was by then.
        self._known, self._times = state, 0
        self._has_begun = False
        self.write(state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._text.share_memory_()  # a copy, unless a loader handed it to a worker
        self._marks.share_memory_()

    def write(self, state: State, *, in_worker: bool = False) -> None:
        """Say where the next iteration begins; a worker says it of the one that it is about to begin."""
        text = json.dumps(state).encode()
        self._text.zero_()
        self._text[: len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        times = int(self._marks[_WRITTEN]) + (not in_worker)
        self._marks.zero_()
        self._marks[_WRITTEN] = times
        self._known, self._times = state, times

    def read(self) -> State:
        """Return what was written."""
        state: State = json.loads(bytes(self._text.numpy()).rstrip(b"\0"))
        return state

    def begin(self, worker: int, workers: int, *, elsewhere: bool) -> tuple[State, bool]:
        """Mark that a worker begins an iteration.

        Returns:
            What says where, and whether the worker begins there for the first time since it was written.
        """
        if worker >= _MAX_WORKERS:
            raise ValueError(f"at most {_MAX_WORKERS} workers can read one dataset; this one is number {worker}")
        marks = self._marks.numpy()
        is_late = elsewhere and not self._has_begun and marks[_WRITTEN] != self._times
        self._has_begun = self._has_begun or elsewhere
        if is_late:
            return self._known, True
        first = not marks[_FIRST + worker] and marks[_WORKERS] in (0, workers)
        marks[_FIRST + worker] += 1
        marks[_WORKERS] = marks[_WORKERS] or workers
        marks[_ELSEWHERE] = elsewhere
        return self.read(), bool(first)

    @property
    def is_first(self) -> bool:
        """Whether the latest iteration is the first one since something was written, or none has begun."""
        return bool(self._marks[_FIRST] <= 1)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the latest iteration was begun by workers in processes of their own."""
        return bool(self._marks[_ELSEWHERE])
