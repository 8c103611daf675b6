"""The tasks of HuggingFace's datasets."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from common import BATCH as SMALL_BATCH
from common import (
    SHAPE,
    SLICE,
    Sample,
    Setup,
    Task,
    any_order,
    batches_task,
    built,
    picks,
    read_task,
    samples,
    write_task,
)
from datasets import Dataset
from datasets.arrow_writer import ArrowWriter
from on_arrow import BATCH, SCHEMA, batches, given, objects, stacked, writable

_NAME = "photos.arrow"


def _write(some: Iterable[Sample], folder: Path) -> None:
    writer = ArrowWriter(path=str(folder / _NAME), schema=SCHEMA, writer_batch_size=BATCH)
    for batch in batches(some):
        writer.write_table(pa.Table.from_batches([batch]))
    writer.finalize()


def _open(setup: Setup) -> Path:
    return built(setup, "datasets", lambda folder: _write(samples(setup.samples, Sample), folder)) / _NAME


def _read(path: Path) -> Iterator[Sample]:
    for table in Dataset.from_file(str(path)).with_format("arrow").iter(BATCH):
        yield from objects(table.to_batches())


def write(setup: Setup) -> Task:
    """Write with ArrowWriter."""
    some = given(setup.samples)
    return write_task(setup, lambda folder: _write(some, folder), lambda at: _read(at / _NAME), count=len(some))


def read(setup: Setup) -> Task:
    """Iterate over rows, as its documentation shows."""
    dataset = Dataset.from_file(str(_open(setup)))

    def run() -> Iterator[Sample]:
        for row in dataset:
            yield Sample(np.frombuffer(row["image"], np.uint8).reshape(SHAPE), row["label"], row["confidence"])

    return read_task(run)


def read_views(setup: Setup) -> Task:
    """Iterate in batches of Arrow, which are views of the mapped file."""
    path = _open(setup)
    return read_task(lambda: _read(path))


def read_writable(setup: Setup) -> Task:
    """Iterate in batches of Arrow, and copy each image."""
    path = _open(setup)
    return read_task(lambda: writable(_read(path)))


def fetch(setup: Setup) -> Task:
    """Fetch a list of rows."""
    dataset, indices = Dataset.from_file(str(_open(setup))).with_format("arrow"), picks(setup)
    return read_task(lambda: objects(dataset[indices].to_batches()))


def fetch_writable(setup: Setup) -> Task:
    """Fetch the same, and copy each image."""
    dataset, indices = Dataset.from_file(str(_open(setup))).with_format("arrow"), picks(setup)
    return read_task(lambda: writable(objects(dataset[indices].to_batches())))


def read_batches(setup: Setup) -> Task:
    """Iterate in batches of Arrow."""
    path = _open(setup)

    def run() -> Iterator[Sample]:
        for table in Dataset.from_file(str(path)).with_format("arrow").iter(SMALL_BATCH):
            yield from stacked(table.combine_chunks().to_batches())

    return batches_task(run, Sample)


def slice_(setup: Setup) -> Task:
    """Open, select a tenth, shuffle, and iterate in batches of Arrow."""
    path = str(_open(setup))

    def run() -> Iterator[Sample]:
        chosen = Dataset.from_file(path).select(range(0, setup.samples, SLICE))
        for table in chosen.shuffle(seed=0, keep_in_memory=True).with_format("arrow").iter(BATCH):
            yield from objects(table.to_batches())

    return any_order(run)
