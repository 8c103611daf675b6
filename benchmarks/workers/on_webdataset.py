"""The webdataset library's tasks: it writes and reads tars; payloads are packed and decoded by the least code."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import training
import webdataset
from common import (
    BATCH,
    WORKERS,
    Sample,
    Setup,
    Task,
    any_order,
    batches_task,
    loader_task,
    pattern,
    payloads,
    per_shard,
    read_task,
    samples,
    write_task,
)
from minimal import decode, encode
from ours import Photo, tars

#: Samples in the buffer that its shuffling draws from.
_SHUFFLED = 1000


@functools.lru_cache(maxsize=1)
def _samples(count: int) -> list[Sample]:
    return list(samples(count, Sample))


def write(setup: Setup) -> Task:
    """Write with ShardWriter."""
    given = _samples(setup.samples)

    def run(folder: Path) -> None:
        with webdataset.ShardWriter(f"{folder}/photos-%06d.tar", maxcount=per_shard(setup), verbose=0) as sink:
            for index, each in enumerate(given):
                sink.write({"__key__": f"{index:09d}", "msgpack": encode(each)})

    return write_task(setup, run, lambda folder: map(decode, payloads(folder)), count=len(given))


def read(setup: Setup) -> Task:
    """Read our tars."""
    source = pattern(tars(setup), setup.shards)

    def run() -> Iterator[Sample]:
        for each in webdataset.WebDataset(source, shardshuffle=False, empty_check=False):
            yield decode(each["msgpack"])

    return read_task(run)


def read_batches(setup: Setup) -> Task:
    """Read our tars in batches, images stacked."""
    source = pattern(tars(setup), setup.shards)

    def stacked(batch: list[dict[str, Any]]) -> Sample:
        found = [decode(each["msgpack"]) for each in batch]
        images = np.stack([each.image for each in found])
        return Sample(images, [each.label for each in found], [each.confidence for each in found])

    def run() -> Iterator[Sample]:
        everything = webdataset.WebDataset(source, shardshuffle=False, empty_check=False)
        return iter(everything.batched(BATCH, collation_fn=None).map(stacked))

    return batches_task(run, Sample)


def slice_(setup: Setup) -> Task:
    """Read all of our tars, drop what is not in the slice before it is decoded, shuffle the rest."""
    source, keys = pattern(tars(setup), setup.shards), training.keys_of_slice(setup)

    def run() -> Iterator[Sample]:
        everything = webdataset.WebDataset(source, shardshuffle=setup.shards, empty_check=False)
        for each in everything.select(lambda sample: sample["__key__"] in keys).shuffle(_SHUFFLED):
            yield decode(each["msgpack"])

    return any_order(run)


def loader(setup: Setup) -> Task:
    """Read our tars through a DataLoader, payloads decoded by the least code."""
    return _loader(setup, decode)


def loader_packable(setup: Setup) -> Task:
    """The same, payloads decoded by our library."""
    return _loader(setup, Photo.from_bytes)


def _loader(setup: Setup, decode_one: Callable[[bytes], Any]) -> Task:
    import torch  # noqa: PLC0415 -- not in every environment
    from torch.utils.data import DataLoader  # noqa: PLC0415 -- as above

    source = pattern(tars(setup), setup.shards)

    def collate(samples: list[Any]) -> dict[str, Any]:
        return {
            "image": torch.from_numpy(np.stack([each.image for each in samples])),
            "label": [each.label for each in samples],
            "confidence": torch.tensor([each.confidence for each in samples], dtype=torch.float64),
        }

    def batches() -> DataLoader:
        everything = webdataset.WebDataset(source, shardshuffle=False, empty_check=False)
        batched = everything.map(lambda each: decode_one(each["msgpack"])).batched(BATCH, collation_fn=collate)
        return DataLoader(batched, batch_size=None, num_workers=WORKERS)

    return loader_task(batches)
