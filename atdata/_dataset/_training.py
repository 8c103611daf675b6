"""Epochs of a sequence: shuffled, split among ranks and workers, and read by PyTorch."""

import functools
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

import atdata._epoch as epochs
from atdata._options import check_limit, whole

from ._sequence import SampleSequence

if TYPE_CHECKING:
    from atdata._torch import Collate, SampleMap, SampleStream

__all__ = ["TorchOptions", "Uneven", "epoch_of", "torch_source"]

#: What becomes of a last step that does not come out even among the ranks: see :meth:`Dataset.to_torch`.
Uneven: TypeAlias = Literal["pad", "drop"]


class TorchOptions(NamedTuple):
    """Options of reading by PyTorch; :meth:`Dataset.to_torch` says what each means."""

    batch_size: int | None = None
    shuffle: bool = False
    seed: int = 0
    epoch: int = 0
    window: int | str | None = None
    rank: int | None = None
    world_size: int | None = None
    uneven: Uneven = "pad"
    collate: "Collate | None" = None


def epoch_of(
    sequence: SampleSequence, batch_size: int | None, *, seed: int | None, epoch: int, window: int | str | None
) -> "epochs.Epoch[Any]":
    """Return all samples in a shuffled order, as :meth:`Dataset.shuffled` does.

    Raises:
        ValueError: An option has no such value.
    """
    check_limit("batch_size", batch_size)
    split = epochs.Split(batch_size=batch_size or 1)
    part = functools.partial(_part, sequence, split, batched=batch_size is not None)
    return epochs.Epoch(part, seed=seed, epoch=epoch, window=window)


def torch_source(
    sequence: SampleSequence, options: TorchOptions, style: Literal["iterable", "map"]
) -> "SampleStream | SampleMap":
    """Return a sequence as PyTorch's ``DataLoader`` takes it, as :meth:`Dataset.to_torch` does.

    Raises:
        MissingPackageError: PyTorch is not installed.
        ValueError: An option has no such value.
    """
    from atdata._torch import SampleMap, SampleStream, rank_here  # noqa: PLC0415 -- only who trains needs PyTorch

    batch_size = options.batch_size
    check_limit("batch_size", batch_size)
    for name, value, choices in (
        ("uneven", options.uneven, get_args(Uneven)),
        ("style", style, ("iterable", "map")),
    ):
        if value not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}; found {value!r}")
    if style == "map":
        return SampleMap(_by_position(sequence, plain=options == TorchOptions()))
    if options.collate is not None and batch_size is None:
        raise ValueError("collate makes something of a batch: give batch_size too, or the DataLoader a collate_fn")
    seed = whole("seed", options.seed)  # None would be another order on each rank
    rank, world_size = rank_here(options.rank, options.world_size)
    split = epochs.Split(rank, world_size, batch_size or 1, options.uneven == "drop")
    part = _part(sequence, split, batched=batch_size is not None)
    state = part.fresh(seed=seed if options.shuffle else None, epoch=options.epoch, window=options.window)
    return SampleStream(part, state, options.collate)


def _by_position(sequence: SampleSequence, *, plain: bool) -> "epochs.RankPart":
    if not plain:
        raise ValueError(
            'style="map" takes no other option: batches, order, ranks and collate_fn are for the DataLoader '
            "and its sampler to choose"
        )
    if sequence.filters:
        raise ValueError("positions among filtered samples are known once they are read: where() selects before")
    return _part(sequence, epochs.Split(), batched=False)


def _part(sequence: SampleSequence, split: "epochs.Split", *, batched: bool) -> "epochs.RankPart":
    selection = sequence.selection
    return epochs.RankPart(
        selection.locations, sequence.reader, selection.digest, steps=sequence.steps, split=split, batched=batched
    )
