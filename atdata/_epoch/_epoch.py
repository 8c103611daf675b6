"""An epoch as one process reads it: a shuffled order that can be left and taken up again."""

import functools
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from atdata._options import whole

from ._part import EpochWalk, RankPart, StateDict
from ._split import ShuffleWindow, WindowLike

__all__ = ["Epoch"]

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
