"""How far an epoch is: a small dict that JSON can hold, on whatever machine and however many workers it is taken up."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from atdata._errors import StateError, listed, near_misses

from ._order import ShuffleWindow

__all__ = ["EpochState", "ShareState"]

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
