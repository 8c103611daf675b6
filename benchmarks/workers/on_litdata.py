"""LitData's tasks."""

import functools
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import litdata
from common import (
    BATCH,
    WORKERS,
    Sample,
    Setup,
    Task,
    batches_task,
    built,
    check_against_given,
    loader_task,
    picks,
    read_task,
    samples,
    write_task,
)  # fmt: skip
from litdata.streaming.cache import Cache

#: What its documentation recommends.
_CHUNK = "64MB"
#: One of so many picks is fetched: a chunk is loaded for nearly each.
_FEWER = 50


@functools.lru_cache(maxsize=1)
def _given(count: int) -> list[Sample]:
    return list(samples(count, Sample))


def _write(some: Iterable[Sample], folder: Path) -> None:
    cache = Cache(str(folder), chunk_bytes=_CHUNK)
    for index, each in enumerate(some):
        cache[index] = {"image": each.image, "label": each.label, "confidence": each.confidence}
    cache.done()
    cache.merge()


def _open(setup: Setup) -> str:
    return str(built(setup, "litdata", lambda folder: _write(samples(setup.samples, Sample), folder)))


def _objects(found: Iterable[dict[str, Any]]) -> Iterator[Sample]:
    return (Sample(each["image"], each["label"], each["confidence"]) for each in found)


def write(setup: Setup) -> Task:
    """Write with the writer that `optimize` uses, in this process."""
    some = _given(setup.samples)

    def run(folder: Path) -> None:
        shutil.rmtree(folder)
        _write(some, folder)

    return write_task(setup, run, lambda at: _objects(litdata.StreamingDataset(str(at))), count=len(some))


def read(setup: Setup) -> Task:
    """Iterate over samples."""
    folder = _open(setup)
    return read_task(lambda: _objects(litdata.StreamingDataset(folder)))


def _batches(folder: str, workers: int) -> litdata.StreamingDataLoader:
    return litdata.StreamingDataLoader(litdata.StreamingDataset(folder), batch_size=BATCH, num_workers=workers)


def read_batches(setup: Setup) -> Task:
    """Iterate over batches of its loader, in this process."""
    folder = _open(setup)
    return batches_task(lambda: _objects(_batches(folder, 0)), Sample)


def fetch(setup: Setup) -> Task:
    """Fetch some of the samples one by one; what they hold is checked here, since others fetch more."""
    dataset, indices = litdata.StreamingDataset(_open(setup)), picks(setup)
    few = indices[: max(1, len(indices) // _FEWER)]
    task = read_task(lambda: _objects(dataset[index] for index in few))

    def prove(found: Any) -> tuple[int, None]:
        check_against_given(_objects(dataset[index] for index in few), setup, few)
        return found[0], None

    return Task(task.run, lambda found: (found[0], None), prove)


def loader(setup: Setup) -> Task:
    """Read all in order through its loader."""
    folder = _open(setup)
    return loader_task(lambda: _batches(folder, WORKERS))
