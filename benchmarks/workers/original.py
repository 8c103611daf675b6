"""The original library's tasks, in its own environment."""

import functools
from pathlib import Path

from common import (
    Setup,
    Task,
    batches_task,
    built,
    named,
    pattern,
    payloads,
    per_shard,
    read_task,
    samples,
    write_task,
)
from numpy.typing import NDArray
from questions import FUNCTIONS
from rows import shards

import atdata
from atdata.manifest import MANIFEST_FORMAT_VERSION, ManifestBuilder, ManifestWriter, QueryExecutor


@atdata.packable
class Photo:
    """A sample."""

    image: NDArray
    label: str
    confidence: float


@atdata.packable
class Row:
    """What a sample shows to queries."""

    label: str
    confidence: float
    tags: list[str]


@functools.lru_cache(maxsize=1)
def _photos(count: int) -> list[Photo]:
    return list(samples(count, Photo))


def _write_task(setup: Setup, *, manifest: bool) -> Task:
    given = _photos(setup.samples)

    def write(folder: Path) -> None:
        _write(given, folder, setup, manifest=manifest)

    return write_task(setup, write, lambda folder: map(Photo.from_bytes, payloads(folder)), count=len(given))


def _write(given: object, folder: Path, setup: Setup, *, manifest: bool) -> None:
    atdata.write_samples(given, str(folder / "photos.tar"), maxcount=per_shard(setup), manifest=manifest)


def write(setup: Setup) -> Task:
    """Write with manifests."""
    return _write_task(setup, manifest=True)


def write_bare(setup: Setup) -> Task:
    """Write tars alone."""
    return _write_task(setup, manifest=False)


def read(setup: Setup) -> Task:
    """Read its own tars in order."""
    folder = built(setup, "original", lambda at: _write(samples(setup.samples, Photo), at, setup, manifest=True))
    source = pattern(folder, setup.shards)
    return read_task(lambda: atdata.Dataset[Photo](source).ordered())


def read_batches(setup: Setup) -> Task:
    """Read its own tars in order, in batches of 32 whose images are one array."""
    folder = built(setup, "original", lambda at: _write(samples(setup.samples, Photo), at, setup, manifest=True))
    source = pattern(folder, setup.shards)

    return batches_task(lambda: atdata.Dataset[Photo](source).ordered(batch_size=32), Photo)


def read_ours(setup: Setup) -> Task:
    """Read our tars in order.

    Raises:
        FileNotFoundError: Our library has not written them yet.
    """
    folders = sorted(setup.data.glob(f"ours-[0-9]*-{setup.samples}x{setup.shards}"))
    if not folders:
        raise FileNotFoundError("our tars are made by the task that reads them, which comes first")
    source = pattern(folders[-1], setup.shards)
    return read_task(lambda: atdata.Dataset[Photo](source).ordered())


def _sidecars(setup: Setup) -> Path:
    def build(folder: Path) -> None:
        for shard_id, rows in shards(setup):
            builder = ManifestBuilder(Row, shard_id)
            for key, offset, size, _, row in rows:
                builder.add_sample(key=key, offset=offset, size=size, sample=Row(**row))
            ManifestWriter(folder / shard_id).write(builder.build())

    return built(setup, f"original-rows-{MANIFEST_FORMAT_VERSION}", build)


def _query_task(setup: Setup, opened: QueryExecutor | None, folder: Path) -> Task:
    function = FUNCTIONS[setup.question](setup.samples)

    def run() -> list[atdata.manifest.SampleLocation]:
        return (opened or QueryExecutor.from_directory(folder)).query(function)

    return Task(run, lambda found: named((each.shard, each.key) for each in found))


def query(setup: Setup) -> Task:
    """Ask an opened executor."""
    folder = _sidecars(setup)
    return _query_task(setup, QueryExecutor.from_directory(folder), folder)


def query_cold(setup: Setup) -> Task:
    """Open and ask."""
    return _query_task(setup, None, _sidecars(setup))
