"""The dataset that DataLoader iterates: an epoch's samples or batches, for this rank."""

import json
from collections.abc import Iterator
from typing import Any, Protocol, Self, TypeAlias

import torch
from torch.utils.data import IterableDataset, get_worker_info

from atdata._errors import StateError

from ._collate import Collate, to_tensors

__all__ = ["Board", "Crossing", "SampleStream"]

SavedState: TypeAlias = dict[str, Any]

#: Up to so many bytes a tensor goes through the pipe to the other process. Shared memory, which torch puts every tensor
#: into, takes a file, a connection and new pages for each, which only pays for more.
_PIPED = 1 << 20


class Crossing(dict[str, Any]):
    """A batch in a worker. It arrives as a plain dict, and sooner, because its small tensors are sent as they are."""

    def __copy__(self) -> Self:
        return type(self)(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, ({name: _sent(value) for name, value in self.items()},)


class _Piped:
    """A small tensor on its way."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.from_numpy, (self._tensor.numpy(),)


def _sent(value: Any) -> Any:
    if type(value) is list:  # of a field that may be None, whose arrays the loader made tensors
        return [_sent(each) for each in value]
    return _Piped(value) if isinstance(value, torch.Tensor) and value.nbytes <= _PIPED else value


def _arrived(batch: dict[str, Any]) -> dict[str, Any]:
    return batch


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

    def __init__(self, state: SavedState) -> None:
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

    def write(self, state: SavedState, *, in_worker: bool = False) -> None:
        """Say where the next iteration begins; a worker says it of the one that it is about to begin."""
        text = bytearray(json.dumps(state).encode().ljust(_TEXT, b"\0"))
        self._text.copy_(torch.frombuffer(text, dtype=torch.uint8))  # at once: another worker may be reading
        times = int(self._marks[_WRITTEN]) + (not in_worker)
        self._marks.zero_()
        self._marks[_WRITTEN] = times
        self._known, self._times = state, times

    def read(self) -> SavedState:
        """Return what was written."""
        state: SavedState = json.loads(bytes(self._text.numpy()).rstrip(b"\0"))
        return state

    def begin(self, worker: int, workers: int, *, elsewhere: bool) -> tuple[SavedState, bool]:
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


class WorkerWalk(Protocol):
    """One iteration over a worker's share."""

    def __iter__(self) -> Iterator[Any]:
        """Return itself."""

    def __next__(self) -> Any:
        """Return the next sample, or batch of them."""

    def state_dict(self) -> SavedState:
        """Return how far it is."""

    def name_of(self, index: int) -> str:
        """Return what a person would call a sample of the latest batch."""


class EpochPart(Protocol):
    """What one rank reads of an epoch; `_dataset` has it."""

    batched: bool

    def begin(self, given: SavedState, worker: int = 0, workers: int = 1) -> WorkerWalk:
        """Begin to read what a state leaves of an epoch, or a worker's share of it."""

    def fresh_like(self, given: SavedState, epoch: int | None = None) -> SavedState:
        """Return the state at the beginning of the same epoch, or of another one."""

    def checked(self, given: object, fresh: SavedState) -> SavedState:
        """Return a state that was saved, once it is one of these samples."""

    def after(self, given: SavedState, batches: int) -> SavedState:
        """Return the state after so many batches."""

    def length(self) -> int:
        """Return how many batches, or samples, this rank gets in a whole epoch."""


class SampleStream(IterableDataset):  # type: ignore[misc]  # torch's types are not looked at
    """An epoch for torch's ``DataLoader``, on any number of workers and ranks; what ``to_torch`` returns.

    With ``batch_size`` it yields batches and goes into ``DataLoader(stream, batch_size=None)``; without, single
    samples, which the loader batches. The order, and which rank gets what, do not depend on the number of workers.

    It has what ``torchdata``'s ``StatefulDataLoader`` asks for. With torch's own loader, ``state_dict(batches=...)``
    tells how far a rank is by the number of batches that it took.
    """

    def __init__(self, part: EpochPart, state: SavedState, collate: Collate | None) -> None:
        super().__init__()
        self._part = part
        self._collate = collate
        self._board = Board(state)
        #: A worker's own state, which its next iteration takes up.
        self._own: SavedState | None = None
        self._walk: WorkerWalk | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_walk": None}  # an iteration stays where it is

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        state, first = self._board.begin(worker, workers, elsewhere=info is not None)
        if self._own is not None:
            state, self._own = self._own, None
        elif not first:
            state = self._part.fresh_like(state)
        self._walk = self._part.begin(state, worker, workers)
        return self._made(self._walk)

    def _made(self, walk: WorkerWalk) -> Iterator[Any]:
        if not self._part.batched:
            return iter(walk)
        if self._collate is not None:
            return map(self._collate, walk)
        batches = (to_tensors(batch, walk.name_of) for batch in walk)
        return batches if get_worker_info() is None else map(_crossing, batches)

    def __len__(self) -> int:
        """Return how many batches, or samples, this rank gets in a whole epoch.

        Raises:
            TypeError: A filter step decides that.
        """
        return self._part.length()

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, which has an order of its own; the epoch that was taken up from a state is left as it is.

        Workers that a loader keeps (``persistent_workers=True``) follow with their next iteration.

        Raises:
            ValueError: ``epoch`` is below 0.
        """
        state = self._board.read()
        if epoch != state["epoch"]:
            self._write(self._part.fresh_like(state, epoch))

    def state_dict(self, batches: int | None = None) -> SavedState:
        """Return how far the epoch is, as a dict of less than 1 KB for JSON, for any number of ranks and workers.

        Args:
            batches: How many batches this rank took from its loader since the iteration began; every rank takes as
                many. None where nobody else counts: without workers, and inside them.

        Raises:
            StateError: Workers read, and the number of batches is not given.
            ValueError: There are not so many batches, or their lengths are up to a filter.
        """
        state = self._board.read()
        if batches is not None:
            return self._part.after(state if self._board.is_first else self._part.fresh_like(state), batches)
        if get_worker_info() is None and self._board.is_elsewhere:
            raise StateError(
                "the samples are read by worker processes, so this one does not know how many were taken: say how many "
                "batches the loader gave, state_dict(batches=...), or use torchdata's StatefulDataLoader"
            )
        return self._walk.state_dict() if self._walk is not None else self._own or state

    def load_state_dict(self, state: SavedState) -> None:
        """Go on where a state was saved: the next iteration gives what was missing then, to all ranks together.

        The state's seed, epoch and window take the place of this dataset's. Each rank loads the same state.

        Raises:
            StateError: The state is of other samples, of another version, or no state; nothing has changed then.
        """
        checked = self._part.checked(state, self._board.read())
        if get_worker_info() is None:
            self._write(checked)
        else:
            self._own, self._walk = checked, None

    def _write(self, state: SavedState) -> None:
        self._board.write(state, in_worker=get_worker_info() is not None)
        self._own = self._walk = None


def _crossing(batch: Any) -> Any:
    return Crossing(batch) if type(batch) is dict else batch
