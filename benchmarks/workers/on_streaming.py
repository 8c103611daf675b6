"""MosaicML Streaming's tasks.

It imports torchvision and transformers, which nothing measured here uses; modules that hold nothing stand in for them.
"""

import functools
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from common import (
    BATCH,
    WORKERS,
    Sample,
    Setup,
    Task,
    batches_task,
    built,
    loader_task,
    picks,
    read_task,
    samples,
    write_task,
)  # fmt: skip
from torch.utils.data import DataLoader


class _Nothing(types.ModuleType):
    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for _name in (
    "torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional",
    "transformers", "transformers.feature_extraction_utils", "transformers.tokenization_utils_base",
    "transformers.models", "transformers.models.auto", "transformers.models.auto.tokenization_auto",
):  # fmt: skip
    sys.modules.setdefault(_name, _Nothing(_name))

from streaming import MDSWriter, StreamingDataset  # noqa: E402 -- after its stand-ins
from streaming.base.util import clean_stale_shared_memory  # noqa: E402 -- as above

_COLUMNS = {"image": "ndarray:uint8:64,64,3", "label": "str", "confidence": "float64"}


@functools.lru_cache(maxsize=1)
def _given(count: int) -> list[Sample]:
    return list(samples(count, Sample))


def _write(some: Iterable[Sample], folder: Path) -> None:
    with MDSWriter(out=str(folder / "mds"), columns=_COLUMNS) as writer:
        for each in some:
            writer.write({"image": each.image, "label": each.label, "confidence": each.confidence})


@functools.lru_cache(maxsize=1)
def _dataset(folder: Path) -> StreamingDataset:
    clean_stale_shared_memory()
    return StreamingDataset(local=str(folder / "mds"), shuffle=False, batch_size=BATCH)


def _open(setup: Setup) -> StreamingDataset:
    return _dataset(built(setup, "mosaicml", lambda folder: _write(samples(setup.samples, Sample), folder)))


def _objects(found: Iterable[dict[str, Any]]) -> Iterator[Sample]:
    return (Sample(each["image"], each["label"], each["confidence"]) for each in found)


def write(setup: Setup) -> Task:
    """Write with MDSWriter."""
    some = _given(setup.samples)
    return write_task(
        setup, lambda folder: _write(some, folder), lambda folder: _objects(_dataset(folder)), count=len(some)
    )


def read(setup: Setup) -> Task:
    """Iterate over samples."""
    dataset = _open(setup)
    return read_task(lambda: _objects(dataset))


def read_batches(setup: Setup) -> Task:
    """Iterate over batches of PyTorch's loader, in this process."""
    dataset = _open(setup)
    return batches_task(lambda: _objects(DataLoader(dataset, batch_size=BATCH)), Sample)


def fetch(setup: Setup) -> Task:
    """Fetch samples one by one."""
    dataset, indices = _open(setup), picks(setup)
    return read_task(lambda: _objects(dataset[index] for index in indices))


def loader(setup: Setup) -> Task:
    """Read all in order through PyTorch's loader."""
    dataset = _open(setup)
    return loader_task(lambda: DataLoader(dataset, batch_size=BATCH, num_workers=WORKERS))
