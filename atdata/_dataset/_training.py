"""Reading samples to train on: shuffled, split among ranks and workers, taken up again where it was left."""

import functools
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args, overload

import atdata._epoch as epochs
from atdata._options import check_limit, whole

from ._base import DatasetBase

if TYPE_CHECKING:
    from atdata._sample import SampleBatch
    from atdata._torch import Collate, SampleMap, SampleStream

__all__ = ["Training"]

S = TypeVar("S")

#: What becomes of a last step that does not come out even among the ranks: see :meth:`Dataset.to_torch`.
Uneven: TypeAlias = Literal["pad", "drop"]


class Training(DatasetBase[S]):
    """What reads a dataset's samples to train on them."""

    @overload
    def shuffled(
        self,
        buffer_shards: int = 100,
        buffer_samples: int = 10000,
        batch_size: None = None,
        seed: int | None = None,
        epoch: int = 0,
        window: int | str | None = None,
    ) -> "epochs.Epoch[S]": ...

    @overload
    def shuffled(
        self,
        buffer_shards: int = 100,
        buffer_samples: int = 10000,
        *,
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
        window: int | str | None = None,
    ) -> "epochs.Epoch[SampleBatch[S]]": ...

    @overload
    def shuffled(
        self,
        buffer_shards: int,
        buffer_samples: int,
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
        window: int | str | None = None,
    ) -> "epochs.Epoch[SampleBatch[S]]": ...

    def shuffled(
        self,
        buffer_shards: int = 100,
        buffer_samples: int = 10000,
        batch_size: int | None = None,
        seed: int | None = None,
        epoch: int = 0,
        window: int | str | None = None,
    ) -> "epochs.Epoch[Any]":
        """Return all samples in a shuffled order, each once: an :class:`Epoch`, which can be left and taken up again.

        The order is a function of :attr:`digest`, seed, epoch and window alone.

        Args:
            buffer_shards: Does nothing: where every sample's place is known, no buffer is needed to shuffle.
            buffer_samples: Does nothing, as ``buffer_shards``.
            batch_size: Samples a batch; the last batch may be shorter. None gives the samples one by one.
            seed: What the order depends on; None draws one.
            epoch: Which epoch it is; each has an order of its own.
            window: How much is shuffled together: None for everything, a number of shards, or an amount such as
                ``"256 MB"``. What is shuffled together is read together, in few long reads.

        Raises:
            ValueError: An option is none of these.
            ManifestError: While iterating: a manifest is damaged or gone.
            ShardChangedError: While iterating: the bytes at a place are not the sample that should be there.
            DecodeError: While iterating: a payload is no sample of the type.
        """
        whole("buffer_shards", buffer_shards)
        whole("buffer_samples", buffer_samples)
        check_limit("batch_size", batch_size)
        part = functools.partial(self._part, epochs.Split(batch_size=batch_size or 1), batched=batch_size is not None)
        return epochs.Epoch(part, seed=seed, epoch=epoch, window=window)

    @overload
    def to_torch(
        self,
        *,
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 0,
        window: int | str | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        uneven: Uneven = "pad",
        collate: "Collate | None" = None,
        style: Literal["iterable"] = "iterable",
    ) -> "SampleStream": ...

    @overload
    def to_torch(self, *, style: Literal["map"]) -> "SampleMap": ...

    def to_torch(
        self,
        *,
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 0,
        window: int | str | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        uneven: Uneven = "pad",
        collate: "Collate | None" = None,
        style: Literal["iterable", "map"] = "iterable",
    ) -> "SampleStream | SampleMap":
        """Return the dataset as PyTorch's ``DataLoader`` takes it; its workers read samples without Polars.

        With ``batch_size`` it yields batches: ``DataLoader(ds.to_torch(batch_size=32), batch_size=None)``. Without, it
        yields the samples themselves.

        Args:
            batch_size: Samples a batch, on each rank.
            shuffle: Whether the order is that of :meth:`shuffled`, by seed, epoch and window, or the dataset's.
            seed: What the order depends on.
            epoch: Which epoch it is; each has an order of its own.
            window: How much is shuffled together, as for :meth:`shuffled`.
            rank: Which of the processes that train together this is, and ``world_size`` how many they are; None asks
                ``torch.distributed``, then the environment variables ``RANK`` and ``WORLD_SIZE``, and else is alone.
            world_size: See ``rank``.
            uneven: What becomes of a last step that has not a full batch for every rank. ``"pad"`` shares it evenly and
                fills it up from the start; a rank alone gets a shorter batch. ``"drop"`` leaves it out.
            collate: Makes of a :class:`SampleBatch` what the loader yields; None makes a dict of tensors and lists.
                Where workers are spawned it crosses to them by name: a function of a module.
            style: ``"map"`` gives samples by position, for the loader's samplers, and takes no other option.

        Raises:
            MissingPackageError: PyTorch is not installed.
            ValueError: An option is none of these.
            ManifestError: A manifest is damaged or gone.
        """
        from atdata._torch import SampleMap, SampleStream, rank_here  # noqa: PLC0415 -- only who trains needs PyTorch

        check_limit("batch_size", batch_size)
        for name, value, choices in (
            ("uneven", uneven, get_args(Uneven)),
            ("style", style, ("iterable", "map")),
        ):
            if value not in choices:
                raise ValueError(f"{name} is one of {', '.join(choices)}; found {value!r}")
        if style == "map":
            given = (batch_size, shuffle, seed, epoch, window, rank, world_size, uneven, collate)
            return SampleMap(self._by_position(plain=given == (None, False, 0, 0, None, None, None, "pad", None)))
        if collate is not None and batch_size is None:
            raise ValueError("collate makes something of a batch: give batch_size too, or the DataLoader a collate_fn")
        whole("seed", seed)  # None would be another order on each rank
        rank, world_size = rank_here(rank, world_size)
        split = epochs.Split(rank, world_size, batch_size or 1, uneven == "drop")
        part = self._part(split, batched=batch_size is not None)
        return SampleStream(part, part.fresh(seed=seed if shuffle else None, epoch=epoch, window=window), collate)

    def _by_position(self, *, plain: bool) -> "epochs.RankPart":
        if not plain:
            raise ValueError(
                'style="map" takes no other option: batches, order, ranks and collate_fn are for the DataLoader '
                "and its sampler to choose"
            )
        if self._filters:
            raise ValueError("positions among filtered samples are known once they are read: where() selects before")
        return self._part(epochs.Split(), batched=False)

    def _part(self, split: "epochs.Split", *, batched: bool) -> "epochs.RankPart":
        return epochs.RankPart(
            self._locations(), self._reader, self.digest, steps=self._steps, split=split, batched=batched
        )
