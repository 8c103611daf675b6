"""Our library's tasks in training: a shuffled slice, batches through PyTorch's DataLoader, taking up an epoch."""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from common import (
    BATCH,
    SLICE,
    WORKERS,
    Setup,
    Task,
    any_order,
    consume_batches,
    loader_task,
    pattern,
    singles,
    unordered,
)
from ours import Photo, tars

import atdata
from atdata import SampleBatch
from atdata._epoch._epoch import Epoch, RankPart
from atdata._epoch._order import Split
from atdata._shards import Locations


def slice_(setup: Setup) -> Task:
    """Open, take every tenth sample, read them shuffled."""
    source = pattern(tars(setup), setup.shards)
    return any_order(lambda: atdata.Dataset[Photo](source)[::SLICE].shuffled(seed=0))


def slice_batches(setup: Setup) -> Task:
    """Open, take every tenth sample, read them shuffled in batches whose images are one array."""
    source = pattern(tars(setup), setup.shards)

    def batches() -> Epoch[SampleBatch[Photo]]:
        return atdata.Dataset[Photo](source)[::SLICE].shuffled(seed=0, batch_size=BATCH)

    def proof(_: Any) -> tuple[int, str]:
        return unordered(sample for batch in batches() for sample in singles(vars_of(batch)))

    return Task(lambda: consume_batches(map(vars_of, batches())), lambda found: (found[0], str(found[1])), proof)


def vars_of(batch: SampleBatch[Photo]) -> dict[str, Any]:
    """Return a batch's fields by name."""
    return {"image": batch.image, "label": batch.label, "confidence": batch.confidence}


def keys_of_slice(setup: Setup) -> frozenset[str]:
    """Return the keys of the samples in the slice."""
    dataset = atdata.Dataset[Photo](pattern(tars(setup), setup.shards))
    return frozenset(dataset.scan().select("__key__").collect()["__key__"][::SLICE])


def loader(setup: Setup) -> Task:
    """Read all in order through a DataLoader."""
    return _loader(setup, shuffle=False)


def loader_shuffled(setup: Setup) -> Task:
    """Read all in shuffled order through a DataLoader."""
    return _loader(setup, shuffle=True)


def _loader(setup: Setup, *, shuffle: bool) -> Task:
    from torch.utils.data import DataLoader  # noqa: PLC0415 -- not in every environment

    source = pattern(tars(setup), setup.shards)

    def batches() -> Iterable[dict[str, Any]]:
        stream = atdata.Dataset[Photo](source).to_torch(batch_size=BATCH, shuffle=shuffle)
        return DataLoader(stream, batch_size=None, num_workers=WORKERS)

    return loader_task(batches)


@dataclasses.dataclass
class _First:
    """Stands for a reader: what it is asked for first is all that is wanted."""

    def read_batches(self, picks: Locations, batch_size: int) -> Iterator[SampleBatch[int]]:
        yield SampleBatch(picks.offsets[:batch_size].tolist())


def resume(setup: Setup) -> Task:
    """Take up an epoch in the middle, until it is known which samples come next."""
    return _resume(setup, None)


def resume_shards(setup: Setup) -> Task:
    """The same where ten shards are shuffled together."""
    return _resume(setup, 10)


def resume_bytes(setup: Setup) -> Task:
    """The same where an amount of bytes is shuffled together."""
    return _resume(setup, "256 MB")


def _resume(setup: Setup, window: int | str | None) -> Task:
    count = setup.samples
    random = np.random.default_rng(11)
    shards = (np.arange(count) // max(1, count // 1000)).astype(np.uint32)
    sizes = random.integers(500, 24_000, count)
    picks = Locations(
        [f"{number:06d}" for number in range(1002)], shards, np.arange(count), sizes, np.arange(count), None
    )

    def epoch() -> Epoch[SampleBatch[int]]:
        part = RankPart(picks, _First(), "0" * 64, split=Split(batch_size=BATCH), batched=True)  # type: ignore[arg-type]
        return Epoch(lambda: part, seed=0, epoch=0, window=window)

    begun = epoch()
    state = json.loads(json.dumps(begun.state_dict() | {"position": count // 2}))

    def run() -> list[int]:
        again = epoch()
        again.load_state_dict(state)
        return next(iter(again)).samples

    return Task(run, lambda _: (count, None))
