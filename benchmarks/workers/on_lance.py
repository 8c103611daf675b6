"""Lance's tasks."""

from collections.abc import Iterable
from pathlib import Path

import lance
import pyarrow as pa
from common import BATCH as SMALL_BATCH
from common import Sample, Setup, Task, any_order, batches_task, built, picks, read_task, samples, write_task
from on_arrow import BATCH, SCHEMA, batches, given, objects, row_batches, shuffled, stacked, writable

_NAME = "photos.lance"


def _write(some: Iterable[Sample], folder: Path) -> None:
    lance.write_dataset(pa.RecordBatchReader.from_batches(SCHEMA, batches(some)), folder / _NAME)


def _open(setup: Setup) -> Path:
    return built(setup, "lance", lambda folder: _write(samples(setup.samples, Sample), folder)) / _NAME


def _read(path: Path) -> Iterable[Sample]:
    return objects(lance.dataset(path).to_batches(batch_size=BATCH))


def write(setup: Setup) -> Task:
    """Write with write_dataset."""
    some = given(setup.samples)
    return write_task(setup, lambda folder: _write(some, folder), lambda at: _read(at / _NAME), count=len(some))


def write_rows(setup: Setup) -> Task:
    """Write with write_dataset, from batches made row by row."""
    some = given(setup.samples)

    def write(folder: Path) -> None:
        lance.write_dataset(pa.RecordBatchReader.from_batches(SCHEMA, row_batches(some)), folder / _NAME)

    return write_task(setup, write, lambda at: _read(at / _NAME), count=len(some))


def read(setup: Setup) -> Task:
    """Read with to_batches."""
    path = _open(setup)
    return read_task(lambda: _read(path))


def read_writable(setup: Setup) -> Task:
    """Read the same, and copy each image."""
    path = _open(setup)
    return read_task(lambda: writable(_read(path)))


def fetch(setup: Setup) -> Task:
    """Fetch with one take."""
    dataset, indices = lance.dataset(_open(setup)), picks(setup)
    return read_task(lambda: objects(dataset.take(indices).to_batches()))


def fetch_writable(setup: Setup) -> Task:
    """Fetch the same, and copy each image."""
    dataset, indices = lance.dataset(_open(setup)), picks(setup)
    return read_task(lambda: writable(objects(dataset.take(indices).to_batches())))


def read_batches(setup: Setup) -> Task:
    """Read in batches with to_batches."""
    path = _open(setup)
    return batches_task(lambda: stacked(lance.dataset(path).to_batches(batch_size=SMALL_BATCH)), Sample)


def slice_(setup: Setup) -> Task:
    """Open, and take a tenth in shuffled order, at once."""
    path, indices = _open(setup), shuffled(setup.samples)
    return any_order(lambda: objects(lance.dataset(path).take(indices).to_batches()))
