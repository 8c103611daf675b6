"""Jobs that compare two versions of the library: short programs on data that each version writes itself.

They use the public API alone, so that they run on versions whose files differ. Data is the same on each run.
"""

import concurrent.futures
import functools
import itertools
import multiprocessing
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import common
import numpy as np
import polars as pl
from common import Setup, Task
from numpy.typing import NDArray

import atdata
from atdata.manifest import QueryExecutor

_SURE = 0.995
#: Selects about one row of 2,000.
_SELECTIVE = (pl.col("confidence") > _SURE) & (pl.col("label") == "dog")
_NAMES = ("bird", "boat", "car", "cat", "deer", "dog", "frog", "horse", "plane", "truck")
_BATCH = 32
#: Steps of the loop that shows how much of the machine is free, and how often it and the writing take turns.
_STEPS, _ROUNDS = 2_000_000, 3


@atdata.packable
class Photo:
    """A sample of 12 KB."""

    image: NDArray
    label: str
    confidence: float


@atdata.packable
class Row:
    """A small sample."""

    label: str
    confidence: float
    position: int
    tags: list[str]


@atdata.packable
class Costly:
    """A sample of 12 KB with a column that is expensive to compute."""

    image: NDArray

    @atdata.manifest_column("numeric")
    def entropy(self) -> int:
        """Length of the image four times over, compressed, in bytes."""
        return len(zlib.compress(self.image.tobytes() * 4))


def _write(samples: Any, folder: Path, setup: Setup, **options: Any) -> None:
    size = common.per_shard(setup)
    atdata.write_samples(
        samples, folder / "set.tar", **{"maxcount": size, "manifest": True, "durable": False} | options
    )


def _rows(count: int) -> Iterator[Row]:
    random = np.random.default_rng(3)
    labels, confidences = random.integers(0, len(_NAMES), count).tolist(), random.random(count).tolist()
    for position, (label, confidence) in enumerate(zip(labels, confidences, strict=True)):
        yield Row(_NAMES[label], confidence, position, [_NAMES[label - 1], _NAMES[label - 2]][: position % 3])


def _photo_folder(setup: Setup) -> Path:
    return common.built(setup, "photos", lambda folder: _write(common.samples(setup.samples, Photo), folder, setup))


def _row_folder(setup: Setup, name: str = "rows") -> Path:
    return common.built(setup, name, lambda folder: _write(_rows(setup.samples), folder, setup))


def _photos(setup: Setup) -> atdata.Dataset[Photo]:
    return atdata.Dataset[Photo](_photo_folder(setup))


@functools.lru_cache(maxsize=1)
def _made(count: int) -> list[Photo]:
    return list(common.samples(count, Photo))


def _task(run: Callable[[], int], **options: Any) -> Task:
    """Return the task to run a function that returns a count."""
    return Task(run, lambda count: (count, None), **options)


def _fresh(folder: Path, base: Path | None = None) -> Callable[[], None]:
    """Return a function that makes a folder anew, empty or a copy of another."""

    def make() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if base is None:
            folder.mkdir(parents=True)
        else:
            shutil.copytree(base, folder)

    return make


def rows(setup: Setup) -> Task:
    """Write the rows that a program of its own reads."""
    _row_folder(setup)
    return _task(lambda: 0)


def open_many(setup: Setup) -> Task:
    """Open many small shards and count their samples."""
    folder = _row_folder(setup)
    return _task(lambda: len(atdata.Dataset[Row](folder)))


def query(setup: Setup) -> Task:
    """Count the rows that a selective predicate selects, in an opened dataset without an index."""
    ds = atdata.Dataset[Row](_row_folder(setup))
    return _task(lambda: len(ds.where(_SELECTIVE)))


def query_index(setup: Setup) -> Task:
    """Do the same with an index."""

    def build(folder: Path) -> None:
        _write(_rows(setup.samples), folder, setup)
        QueryExecutor.from_directory(folder).compact()

    ds = atdata.Dataset[Row](common.built(setup, "indexed", build))
    return _task(lambda: len(ds.where(_SELECTIVE)))


def getitem(setup: Setup) -> Task:
    """Read samples by their positions, one at a time."""
    ds, positions = _photos(setup), common.picks(setup)
    return common.read_task(lambda: (ds[position] for position in positions))


def iterate(setup: Setup) -> Task:
    """Read in order, sample by sample."""
    ds = _photos(setup)
    return common.read_task(lambda: iter(ds))


def batches(setup: Setup) -> Task:
    """Read in order, in batches."""
    ds = _photos(setup)
    return common.batches_task(lambda: ds.ordered(batch_size=_BATCH), Photo)


def shuffled(setup: Setup) -> Task:
    """Read in a shuffled order, sample by sample."""
    ds = _photos(setup)
    return common.read_task(lambda: ds.shuffled(seed=1))


def fetch(setup: Setup) -> Task:
    """Read samples by their locations."""
    ds = _photos(setup)
    locations = ds.query(pl.col("confidence") >= 0)
    chosen = [locations[position] for position in common.picks(setup)]
    return common.read_task(lambda: ds.fetch(chosen))


def _writing(setup: Setup, *, durable: bool) -> Task:
    samples, folder = _made(setup.samples), setup.scratch / "written"

    def run() -> int:
        _write(samples, folder, setup, durable=durable)
        return len(samples)

    return _task(run, before=_fresh(folder), after=lambda: shutil.rmtree(folder))


def write(setup: Setup) -> Task:
    """Write with manifests, without fsync."""
    return _writing(setup, durable=False)


def write_durable(setup: Setup) -> Task:
    """Write with manifests and fsync."""
    return _writing(setup, durable=True)


def append(setup: Setup) -> Task:
    """Add shards to a set of as many."""
    base, folder, samples = _row_folder(setup), setup.scratch / "appended", list(_rows(setup.samples))

    def run() -> int:
        _write(samples, folder, setup, append=True)
        return len(samples)

    return _task(run, before=_fresh(folder, base), after=lambda: shutil.rmtree(folder))


def annotate(setup: Setup) -> Task:
    """Add a column to the manifests from a frame with a row for each sample."""
    base, folder = _row_folder(setup), setup.scratch / "annotated"
    keys = atdata.Dataset[Row](base).scan().select("__key__").collect()
    frame = keys.with_columns(score=pl.arange(len(keys)) / len(keys))
    return _task(
        lambda: len(atdata.Dataset[Row](folder).annotate(frame)),
        before=_fresh(folder, base),
        after=lambda: shutil.rmtree(folder),
    )


def compact(setup: Setup) -> Task:
    """Build an index where there is none."""
    folder = _row_folder(setup, "to-compact")

    def remove() -> None:
        shutil.rmtree(folder / "_manifest_index", ignore_errors=True)

    return _task(lambda: QueryExecutor.from_directory(folder).compact().shards, before=remove)


def slices(setup: Setup) -> Task:
    """Save a selection as a slice, load it, and count its samples."""
    ds, path = atdata.Dataset[Row](_row_folder(setup)), setup.scratch / "half.slice.parquet"
    half = pl.col("confidence") < 1 / 2

    def run() -> int:
        ds.where(half).save_slice(path, overwrite=True)
        return len(atdata.Dataset[Row](path))

    return _task(run, after=path.unlink)


def describe(setup: Setup) -> Task:
    """Open a dataset and summarize its columns."""
    folder = _row_folder(setup)
    return _task(lambda: len(atdata.Dataset[Row](folder).describe()))


def parallel(setup: Setup) -> Task:
    """Write by an executor of one process and of several, in turn with a loop that they run; in wall seconds.

    Its facts are how many times faster several processes were than one, and what the machine gave at that moment: how
    many times the work of one process several did in the same time.
    """
    context = multiprocessing.get_context("spawn")
    pools = {count: concurrent.futures.ProcessPoolExecutor(count, context) for count in (1, setup.picks)}
    samples = [Costly(photo.image) for photo in _made(setup.samples)]
    folder, facts = setup.scratch / "parallel", {}
    for count, pool in pools.items():
        _spin_all(pool, count, steps=1)

    def write_by(pool: concurrent.futures.Executor) -> None:
        _write(samples, folder / "set", setup, executor=pool, overwrite=True)

    def one_round() -> list[float]:
        """Return the seconds of the loop in one process and in several, then those of writing."""
        spinning = [_wall(functools.partial(_spin_all, pool, count)) for count, pool in pools.items()]
        return spinning + [_wall(functools.partial(write_by, pool)) for pool in pools.values()]

    def run() -> int:
        alone, together, one, several = map(sum, zip(*(one_round() for _ in range(_ROUNDS)), strict=True))
        facts.update(speedup=one / several, capacity=setup.picks * alone / together)
        return len(samples)

    return _task(run, before=_fresh(folder), after=lambda: shutil.rmtree(folder), facts=lambda: facts)


def _wall(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def _spin(steps: int) -> int:
    return sum(itertools.islice(itertools.count(), steps))


def _spin_all(pool: concurrent.futures.Executor, processes: int, steps: int = _STEPS) -> None:
    list(pool.map(_spin, [steps] * processes))
