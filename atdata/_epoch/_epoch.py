"""An epoch as one process reads it: one rank's part of a shuffled order, and a state to resume from."""

import dataclasses
import functools
import operator
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from atdata._errors import StateError, listed, near_misses
from atdata._options import whole
from atdata._read import Steps, batched, through
from atdata._sample import SampleBatch
from atdata._shards import Locations, to_position
from atdata._tar import key_in

from ._order import Order, ShuffleUnits, ShuffleWindow, Split, WindowLike

__all__ = ["Epoch", "EpochState", "EpochWalk", "RankPart", "Reads", "ShareState", "StateDict"]

_VERSION = 1
_MEMBERS = ("version", "digest", "samples", "seed", "epoch", "window", "position")


@dataclasses.dataclass(frozen=True, slots=True)
class ShareState:
    """How far one worker of one rank is, which only such a worker can take up."""

    rank: int
    world_size: int
    batch_size: int
    worker: int
    workers: int
    drop: bool
    #: Samples that it has read.
    read: int

    @classmethod
    def from_dict(cls, given: object) -> Self:
        """Make it of what a state holds.

        Raises:
            StateError: It is something else.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(given, Mapping) or set(given) != set(names):
            raise StateError.corrupt("share", f"a mapping of {listed(names)}", given)
        for name in names:
            _check_count(given, name) if name != "drop" else _check_bool(given, name)
        return cls(**{name: given[name] for name in names})


@dataclasses.dataclass(frozen=True, slots=True)
class EpochState:
    """Which epoch of which dataset it is, and how many samples of its one sequence are done with."""

    digest: str
    #: How many samples an epoch has.
    samples: int
    #: None for the order of the dataset.
    seed: int | None
    epoch: int
    window: ShuffleWindow
    #: Samples of the epoch that are done with.
    position: int = 0
    #: Where more is done than a position says: how far one worker is.
    share: ShareState | None = None

    @property
    def key(self) -> str | None:
        """What the epoch's order is a function of; None for the order of the dataset."""
        if self.seed is None:
            return None
        return f"atdata order 1\n{self.digest}\n{self.samples}\n{self.seed}\n{self.epoch}\n{self.window.value}"

    @property
    def left(self) -> int:
        """How many samples the epoch still has."""
        return self.samples - self.position

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON can hold it, in less than 1 KB."""
        values = {**dataclasses.asdict(self), "version": _VERSION, "window": self.window.value}
        state = {name: values[name] for name in _MEMBERS}
        return state if self.share is None else state | {"share": dataclasses.asdict(self.share)}

    @classmethod
    def from_dict(cls, given: object) -> Self:
        """Make it of what :meth:`to_dict` returned.

        Raises:
            StateError: It is no state, or one of another version; the error says what is wrong with it.
        """
        if not isinstance(given, Mapping):
            raise StateError.corrupt("it", "a dict, as state_dict() returns it", given)
        if missing := [name for name in _MEMBERS if name not in given]:
            raise StateError(f"the state lacks {listed(missing)}{_hint(given)}; it was not made by state_dict()")
        if given["version"] != _VERSION:
            raise StateError(
                f"the state is of version {given['version']!r}, and this library reads version {_VERSION}. Finish that "
                "epoch with the version of atdata that began it, or begin anew"
            )
        if not isinstance(given["digest"], str):
            raise StateError.corrupt("digest", "text", given["digest"])
        if given["seed"] is not None:
            _check_count(given, "seed")
        for name in ("samples", "epoch", "position"):
            _check_count(given, name)
        if given["position"] > given["samples"]:
            raise StateError.corrupt("position", f"at most the epoch's {given['samples']} samples", given["position"])
        share = ShareState.from_dict(given["share"]) if "share" in given else None
        values = {name: given[name] for name in _MEMBERS if name not in {"version", "window"}}
        return cls(**values, window=_window(given["window"]), share=share)

    def check_fits(self, other: Self) -> None:
        """Check that this state, which was saved, is of the dataset and kind of order that another one is of.

        Raises:
            StateError: It is not.
        """
        if (self.digest, self.samples) != (other.digest, other.samples):
            raise StateError.of_another_dataset(
                expected=f"{other.digest[:16]} with {other.samples} samples",
                found=f"{self.digest[:16]} with {self.samples}",
            )
        if (self.seed is None) is not (other.seed is None):
            kinds = ("in the order of the dataset", "shuffled")
            raise StateError(
                f"the state is of an epoch {kinds[self.seed is not None]}, and this one is read "
                f"{kinds[other.seed is not None]}; read it as it was begun, or begin anew"
            )


def _check_count(given: Mapping[str, Any], name: str) -> None:
    value = given[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise StateError.corrupt(name, "a whole number from 0 to 2**64 - 1", value)


def _check_bool(given: Mapping[str, Any], name: str) -> None:
    if not isinstance(given[name], bool):
        raise StateError.corrupt(name, "true or false", given[name])


def _hint(given: Mapping[str, Any]) -> str:
    """Tell what somebody may have handed over instead: a whole checkpoint, or a StatefulDataLoader's state."""
    inside = [name for name, value in given.items() if isinstance(value, Mapping) and "digest" in value]
    return f" (its member {inside[0]!r} looks like a state)" if inside else near_misses("digest", map(str, given))


def _window(value: Any) -> ShuffleWindow:
    try:
        return ShuffleWindow.parse(value)
    except ValueError as error:
        raise StateError.corrupt("window", "None, a number of shards, or an amount", value) from error


#: A state as a caller keeps it: what JSON can hold.
StateDict: TypeAlias = dict[str, Any]

#: How many samples' places are put in order at once: few at first, so that the first sample comes soon.
_FIRST_ROWS, _LAST_ROWS = 1 << 10, 1 << 16


class Reads(Protocol):
    """What reads samples by their places."""

    def read(self, locations: Locations) -> Iterator[Any]:
        """Yield the samples, in the order of the places."""

    def read_batches(self, locations: Locations, batch_size: int) -> Iterator[SampleBatch[Any]]:
        """Yield the samples in batches; the last may be shorter."""

    def runs(self, locations: Locations) -> Iterator[memoryview]:
        """Yield each sample's bytes."""


class RankPart:
    """What one rank reads of an epoch. It never changes: where an iteration begins is a state, given and returned.

    Args:
        locations: The samples' places.
        reader: What reads them.
        digest: What stands for the samples and their order.
        steps: What each sample passes through.
        split: Which part it is.
        batched: Whether it yields batches, of the split's size, or single samples.
    """

    def __init__(
        self, locations: Locations, reader: Reads, digest: str, *, steps: Steps = (), split: Split, batched: bool
    ) -> None:
        self.locations = locations
        self.reader = reader
        self.steps = steps
        self.split = split
        self.batched = batched
        self._digest = digest
        self._layout: tuple[ShuffleWindow, ShuffleUnits] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"locations": self.locations.plain(), "_layout": None}  # workers make their own

    @property
    def filters(self) -> bool:
        """Whether a step leaves samples out, so that nobody knows how many there are."""
        return any(step.kind == "filter" for step in self.steps)

    def fresh(self, *, seed: int | None, epoch: int, window: WindowLike) -> StateDict:
        """Return the state at the beginning of an epoch; without a seed, in the order of the dataset.

        Raises:
            ValueError: There is no such seed, epoch or window.
        """
        seed = None if seed is None else whole("seed", seed)
        return EpochState(
            self._digest, len(self.locations), seed, whole("epoch", epoch), ShuffleWindow.parse(window)
        ).to_dict()

    def fresh_like(self, given: StateDict, epoch: int | None = None) -> StateDict:
        """Return the state at the beginning of the same epoch, or of another one of the same seed and window.

        Raises:
            ValueError: There is no such epoch.
        """
        return self.fresh(seed=given["seed"], epoch=given["epoch"] if epoch is None else epoch, window=given["window"])

    def checked(self, given: object, fresh: Mapping[str, Any]) -> StateDict:
        """Return a state that was saved, once it is one of these samples, in the kind of order that ``fresh`` has.

        Raises:
            StateError: It is not.
        """
        state = EpochState.from_dict(given)
        state.check_fits(EpochState.from_dict(fresh))
        if state.share is not None and state.share != self._share(
            state.share.worker, state.share.workers, state.share.read
        ):
            raise StateError(
                f"the state is of {_described(state.share)}, and this is rank {self.split.rank} of "
                f"{self.split.world_size} with batches of {self.split.batch_size}. A worker's own state goes back to "
                "such a worker; to go on with others, save state_dict(batches=...) where the batches are taken"
            )
        return state.to_dict()

    def begin(self, given: StateDict, worker: int = 0, workers: int = 1) -> "EpochWalk":
        """Begin to read what a state leaves of an epoch, or a worker's share of it.

        Raises:
            StateError: The state is that of another worker.
        """
        state = EpochState.from_dict(given)
        share = state.share
        if share is not None and (share.worker, share.workers) != (worker, workers):
            raise StateError(
                f"the state is of {_described(share)}, and this is worker {worker} of {workers}. Use as many workers "
                "as when it was saved, or save state_dict(batches=...) where the batches are taken"
            )
        return EpochWalk(self, dataclasses.replace(state, share=None), worker, workers, share.read if share else 0)

    def after(self, given: StateDict, batches: int) -> StateDict:
        """Return the state after this rank, and with it every other, was given so many batches.

        Raises:
            ValueError: There are not so many batches, or none at all.
        """
        state = EpochState.from_dict(given)
        if not self.batched or self.filters:
            why = "a filter decides how long they are" if self.filters else "samples come one by one"
            raise ValueError(f"batches cannot be counted here, because {why}: call state_dict() without a number")
        steps = self.split.steps(state.left)
        if isinstance(batches, bool | float) or not 0 <= batches <= steps:
            raise ValueError(f"batches is a number from 0 to the {steps} that the epoch still had; found {batches!r}")
        done = self.split.consumed(state.left, operator.index(batches))
        return dataclasses.replace(state, position=state.position + done, share=None).to_dict()

    def length(self) -> int:
        """Return how many batches, or samples, this rank gets in a whole epoch.

        Raises:
            TypeError: A filter decides that.
        """
        if self.filters:
            raise TypeError("how many samples pass a filter is known once they are read")
        steps = self.split.steps(len(self))
        return steps if self.batched else self.split.samples(len(self), steps)

    def take(self, positions: Iterable[int]) -> list[Any]:
        """Return the samples at some positions of the dataset, in that order.

        Raises:
            SampleIndexError: A position is beyond the samples.
        """
        rows = [to_position(operator.index(each), len(self)) for each in positions]
        return list(through(self.reader.read(self.locations[np.array(rows, np.int64)]), self.steps))

    def __len__(self) -> int:
        return len(self.locations)

    def order(self, state: EpochState) -> Order:
        """Return the order of a state's epoch."""
        window = state.window
        if state.seed is None or window == ShuffleWindow():
            return Order(len(self.locations), None, window, state.key)
        if self._layout is None or self._layout[0] != window:
            self._layout = window, ShuffleUnits.of(self.locations.shards, self.locations.sizes, window)
        return Order(len(self.locations), self._layout[1], window, state.key)

    def _share(self, worker: int, workers: int, read: int) -> ShareState:
        split = self.split
        return ShareState(split.rank, split.world_size, split.batch_size, worker, workers, split.drop, read)


class EpochWalk(Iterator[Any]):
    """One iteration over a worker's share of what a state leaves of an epoch."""

    def __init__(self, part: RankPart, state: EpochState, worker: int, workers: int, read: int) -> None:
        self._part = part
        self._state = state
        self._worker = worker
        self._workers = workers
        self._read = read
        self._rows: NDArray[np.int64] | None = None
        self._items = self._batches() if part.batched and not part.steps else self._stepped()

    def __next__(self) -> Any:
        return next(self._items)

    def state_dict(self) -> StateDict:
        """Return how far it is: what was handed out, and what a filter left out before that, is done with."""
        part, state, split = self._part, self._state, self._part.split
        if self._workers > 1 or (split.world_size > 1 and part.filters):
            share = part._share(self._worker, self._workers, self._read)  # noqa: SLF001 -- of the same module
            return dataclasses.replace(state, share=share).to_dict()
        one = split.world_size == 1
        done = self._read if one else split.consumed(state.left, -(-self._read // split.batch_size))
        return dataclasses.replace(state, position=state.position + done).to_dict()

    def name_of(self, index: int) -> str:
        """Return what a person would call a sample of the batch that was handed out last."""
        if self._rows is None:
            return f"sample {index} of the batch"
        locations = self._part.locations[self._rows[index : index + 1]]
        key = next(key_in(run) for run in self._part.reader.runs(locations))
        return f"the sample {key!r} in shard {locations.shard_ids[locations.shards[0]]!r}"

    def _batches(self) -> Iterator[SampleBatch[Any]]:
        size = self._part.split.batch_size
        for rows in self._chunks():
            at = 0
            for batch in self._part.reader.read_batches(self._part.locations[rows], size):
                self._rows = rows[at : at + len(batch)]
                at += len(batch)
                self._read += len(batch)
                yield batch

    def _stepped(self) -> Iterator[Any]:
        samples = through(self._samples(), self._part.steps)
        return batched(samples, self._part.split.batch_size) if self._part.batched else samples

    def _samples(self) -> Iterator[Any]:
        for rows in self._chunks():
            for sample in self._part.reader.read(self._part.locations[rows]):
                self._read += 1
                yield sample

    def _chunks(self) -> Iterator[NDArray[np.int64]]:
        """Yield the rows to read, in order, in runs of bounded length that end with a step."""
        state, split = self._state, self._part.split
        done, inside = divmod(self._read, split.batch_size)  # a filter may end a batch inside a step
        steps = range(self._worker + done * self._workers, split.steps(state.left), self._workers)
        order, limit = self._part.order(state), _FIRST_ROWS
        while steps:
            some, steps = _cut(steps, max(1, limit // split.batch_size))
            positions = split.positions(state.left, np.arange(some.start, some.stop, some.step))[inside:]
            yield order.rows(state.position + positions)
            inside, limit = 0, min(2 * limit, _LAST_ROWS)


def _cut(steps: range, count: int) -> tuple[range, range]:
    return steps[:count], steps[count:]


def _described(share: ShareState) -> str:
    return (
        f"worker {share.worker} of {share.workers}, rank {share.rank} of {share.world_size}, with batches of "
        f"{share.batch_size}"
    )


T = TypeVar("T")

#: So many bits has a seed that nobody chose: what every JSON reader holds as a whole number.
_SEED_BITS = 53


class Epoch(Generic[T]):
    """All samples in a shuffled order, each once; what :meth:`Dataset.shuffled` returns.

    Iterating it again begins again, in the same order; ``set_epoch`` gives another one. ``state_dict`` says how far the
    latest iteration came, and after ``load_state_dict`` the next iteration goes on there: on any machine, and also as
    :meth:`Dataset.to_torch` on any number of ranks and workers.

    Args:
        part: Makes what reads the samples, when something is asked for.
        seed: What the order depends on; None draws one, which the state keeps.
        epoch: Which epoch it is.
        window: How much is shuffled together.

    Raises:
        ValueError: There is no such seed, epoch or window.
    """

    def __init__(self, part: Callable[[], RankPart], *, seed: int | None, epoch: int, window: WindowLike) -> None:
        self._make = part
        self._seed = secrets.randbits(_SEED_BITS) if seed is None else whole("seed", seed)
        self._epoch = whole("epoch", epoch)
        self._window = ShuffleWindow.parse(window).value
        self._walk: EpochWalk | None = None

    def __iter__(self) -> Iterator[T]:
        begin = self._next
        self._walk = self._part.begin(begin)
        self._next = self._part.fresh_like(begin)
        return self._walk

    def __len__(self) -> int:
        """Return how many samples, or batches, a whole epoch has.

        Raises:
            TypeError: A filter step decides that.
        """
        return self._part.length()

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, which has an order of its own; the epoch that was taken up from a state is left as it is.

        Raises:
            ValueError: ``epoch`` is below 0.
        """
        if epoch != self._next["epoch"]:
            self._next = self._part.fresh_like(self._next, epoch=epoch)
            self._walk = None

    def state_dict(self) -> StateDict:
        """Return how far the latest iteration came, by what it handed out, as a dict of less than 1 KB for JSON."""
        return dict(self._next) if self._walk is None else self._walk.state_dict()

    def load_state_dict(self, state: StateDict) -> None:
        """Go on where a state was saved: the next iteration gives what was missing then.

        The state's seed, epoch and window take the place of this epoch's, for what is left and for the epochs after it.

        Raises:
            StateError: The state is of other samples, of another version, or no state; nothing has changed then.
        """
        self._next = self._part.checked(state, self._next)
        self._walk = None

    @functools.cached_property
    def _part(self) -> RankPart:
        return self._make()

    @functools.cached_property
    def _next(self) -> StateDict:
        """Where the next iteration begins."""
        return self._part.fresh(seed=self._seed, epoch=self._epoch, window=self._window)

    def __repr__(self) -> str:
        state: dict[str, Any] = self.state_dict()
        return f"Epoch(seed={state['seed']}, epoch={state['epoch']}, {state['position']} of {state['samples']} samples)"
