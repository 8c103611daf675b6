"""Our library's tasks: write, read, fetch."""

import functools
from pathlib import Path

import polars as pl
from common import Setup, Task, batches_task, built, pattern, payloads, per_shard, picks, read_task, samples, write_task
from foreign import index_task
from minimal import decode
from numpy.typing import NDArray

import atdata
from atdata.manifest import MANIFEST_FORMAT_VERSION


@atdata.packable
class Photo:
    """A sample."""

    image: NDArray
    label: str
    confidence: float


def tars(setup: Setup) -> Path:
    """Return the folder of the tars that reading and fetching are measured on."""

    def build(folder: Path) -> None:
        _write(samples(setup.samples, Photo), folder, setup, manifest=True, durable=False)

    return built(setup, f"ours-{MANIFEST_FORMAT_VERSION}", build)


def _write(given: object, folder: Path, setup: Setup, *, manifest: bool, durable: bool) -> None:
    path = folder / "photos.tar"
    atdata.write_samples(given, path, maxcount=per_shard(setup), manifest=manifest, durable=durable)


@functools.lru_cache(maxsize=1)
def _photos(count: int) -> list[Photo]:
    return list(samples(count, Photo))


def _write_task(setup: Setup, *, manifest: bool, durable: bool) -> Task:
    given = _photos(setup.samples)

    def write(folder: Path) -> None:
        _write(given, folder, setup, manifest=manifest, durable=durable)

    return write_task(setup, write, lambda folder: map(decode, payloads(folder)), count=len(given))


def write(setup: Setup) -> Task:
    """Write with manifests, without fsync."""
    return _write_task(setup, manifest=True, durable=False)


def write_durable(setup: Setup) -> Task:
    """Write with manifests and fsync."""
    return _write_task(setup, manifest=True, durable=True)


def write_bare(setup: Setup) -> Task:
    """Write tars alone, without fsync."""
    return _write_task(setup, manifest=False, durable=False)


def read(setup: Setup) -> Task:
    """Read in order, sample by sample."""
    source = pattern(tars(setup), setup.shards)
    return read_task(lambda: atdata.Dataset[Photo](source).ordered())


def read_batches(setup: Setup) -> Task:
    """Read in order, in batches of 32 whose images are one array."""
    source = pattern(tars(setup), setup.shards)

    return batches_task(lambda: atdata.Dataset[Photo](source).ordered(batch_size=32), Photo)


def places(setup: Setup) -> tuple[atdata.Dataset[Photo], list[atdata.SampleLocation]]:
    """Return an opened dataset, and where the samples to be fetched are."""
    dataset = atdata.Dataset[Photo](pattern(tars(setup), setup.shards))
    everything = dataset.query(pl.col("confidence") >= 0)
    return dataset, [everything[index] for index in picks(setup)]


def fetch(setup: Setup) -> Task:
    """Fetch samples by their locations."""
    dataset, locations = places(setup)
    return read_task(lambda: dataset.fetch(locations))


def take(setup: Setup) -> Task:
    """Select by a predicate, take the rows of a frame, read them."""
    dataset, _ = places(setup)
    rows = dataset.scan().collect()[picks(setup)]
    return read_task(lambda: dataset.where(pl.col("confidence") >= 0).take(rows))


def one_by_one(setup: Setup) -> Task:
    """Read samples by their positions, one at a time."""
    dataset, _ = places(setup)
    return read_task(lambda: map(dataset.__getitem__, picks(setup)))


def index(setup: Setup) -> Task:
    """Open a folder of tars without manifests, and find all samples."""

    def run(paths: list[str]) -> int:
        return len(atdata.Dataset[Photo](str(Path(paths[0]).parent)))

    def keys(paths: list[str]) -> list[str]:
        dataset = atdata.Dataset[Photo](str(Path(paths[0]).parent))
        names = dataset._sequence.selection.locations.keys  # noqa: SLF001 -- the proof alone
        return [] if names is None else names.to_list()

    return index_task(setup, run, keys)
