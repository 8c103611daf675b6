"""Lance and HuggingFace datasets: both take and give Arrow, so they share how samples become columns and come back."""

import functools
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from common import SHAPE, SLICE, Sample, samples

SCHEMA = pa.schema({"image": pa.binary(), "label": pa.string(), "confidence": pa.float64()})
#: Rows a batch: the fastest of those tried, for writing and reading.
BATCH = 1000
_SIZE = SHAPE[0] * SHAPE[1] * SHAPE[2]


@functools.lru_cache(maxsize=1)
def given(count: int) -> list[Sample]:
    """Return the samples to write."""
    return list(samples(count, Sample))


def batches(some: Iterable[Sample]) -> Iterator[pa.RecordBatch]:
    """Yield record batches; images are joined once, the cheapest way to make the column."""
    batch: list[Sample] = []
    for each in some:
        batch.append(each)
        if len(batch) == BATCH:
            yield _batch(batch)
            batch = []
    if batch:
        yield _batch(batch)


def _batch(some: list[Sample]) -> pa.RecordBatch:
    offsets = np.arange(len(some) + 1, dtype=np.int32) * _SIZE
    joined = b"".join([each.image for each in some])
    images = pa.Array.from_buffers(pa.binary(), len(some), [None, pa.py_buffer(offsets), pa.py_buffer(joined)])
    columns = [images, pa.array([each.label for each in some]), pa.array([each.confidence for each in some])]
    return pa.record_batch(columns, schema=SCHEMA)


def row_batches(some: Iterable[Sample]) -> Iterator[pa.RecordBatch]:
    """Yield record batches made as their documentation shows: of a list of each row's bytes."""
    rows = iter(some)
    while batch := list(itertools.islice(rows, BATCH)):
        columns = [
            pa.array([each.image.tobytes() for each in batch], pa.binary()),
            pa.array([each.label for each in batch]),
            pa.array([each.confidence for each in batch]),
        ]
        yield pa.record_batch(columns, schema=SCHEMA)


def objects(found: Iterable[pa.RecordBatch]) -> Iterator[Sample]:
    """Yield samples whose images are views of the batch: the cheapest way to make arrays of the column."""
    for batch in found:
        image = batch.column("image")
        wide = pa.types.is_large_binary(image.type)
        _, offsets, data = image.buffers()
        starts = np.frombuffer(offsets, np.int64 if wide else np.int32)[image.offset : image.offset + len(image)]
        labels, confidences = batch.column("label").to_pylist(), batch.column("confidence").to_pylist()
        for start, label, confidence in zip(starts.tolist(), labels, confidences, strict=True):
            yield Sample(np.ndarray(SHAPE, np.uint8, data, start), label, confidence)


def writable(found: Iterable[Sample]) -> Iterator[Sample]:
    """Yield the samples with images of their own, which may be written to and keep no batch alive."""
    return (Sample(each.image.copy(), each.label, each.confidence) for each in found)


def stacked(found: Iterable[pa.RecordBatch]) -> Iterator[Sample]:
    """Yield batches whose images are one array, a view: they are of one size, and lie one after the other."""
    for batch in found:
        image = batch.column("image")
        wide = pa.types.is_large_binary(image.type)
        _, offsets, data = image.buffers()
        start = int(np.frombuffer(offsets, np.int64 if wide else np.int32)[image.offset])
        images = np.ndarray((len(batch), *SHAPE), np.uint8, data, start)
        yield Sample(images, batch.column("label").to_pylist(), batch.column("confidence").to_pylist())


def shuffled(count: int) -> list[int]:
    """Return the positions of the slice in shuffled order."""
    return (np.random.default_rng(5).permutation(-(-count // SLICE)) * SLICE).tolist()
