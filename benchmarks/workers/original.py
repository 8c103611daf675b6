"""The original library's tasks, in its own environment."""

import collections
import functools
from collections.abc import Callable
from pathlib import Path

from common import (
    Setup,
    Task,
    batches_task,
    built,
    digest_of,
    named,
    our_tars,
    pattern,
    payloads,
    per_shard,
    read_task,
    samples,
    write_task,
)
from numpy.typing import NDArray
from questions import function
from rows import dicts, shard_rows

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
    ts: int


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
    """Read our tars in order."""
    source = pattern(our_tars(setup), setup.shards)
    return read_task(lambda: atdata.Dataset[Photo](source).ordered())


def _sidecars(setup: Setup) -> Path:
    def build(folder: Path) -> None:
        for index in range(setup.shards):
            rows = shard_rows(setup, index)
            builder = ManifestBuilder(Row, rows.shard_id)
            for row in dicts(rows):
                place = {name: row.pop(f"__{name}__") for name in ("key", "offset", "size", "crc32")}
                del place["crc32"]
                builder.add_sample(**place, sample=Row(**row))
            ManifestWriter(folder / rows.shard_id).write(builder.build())

    return built(setup, f"original-{setup.kind}-{MANIFEST_FORMAT_VERSION}", build)


@functools.lru_cache(maxsize=1)
def _opened(folder: Path) -> QueryExecutor:
    return QueryExecutor.from_directory(folder)


def _query_task(setup: Setup, opening: Callable[[Path], QueryExecutor]) -> Task:
    folder = _sidecars(setup)
    if setup.question == "count":
        return Task(lambda: _counts(opening(folder)), lambda found: (len(found), digest_of(found)))
    where = function(setup)
    return Task(
        lambda: opening(folder).query(where),
        lambda found: (len(found), str(sum(each.offset for each in found))),
        lambda found: named((each.shard, each.key) for each in found),
    )


def _counts(executor: QueryExecutor) -> list[str]:
    """Return counts per label as its headers have them."""
    counts: collections.Counter[str] = collections.Counter()
    for manifest in executor._manifests:  # noqa: SLF001 -- it has no other way in
        counts.update(manifest.aggregates["label"]["value_counts"])
    return [f"{label}: {count}" for label, count in counts.items()]


def query(setup: Setup) -> Task:
    """Ask an opened executor."""
    return _query_task(setup, _opened)


def query_cold(setup: Setup) -> Task:
    """Open and ask."""
    return _query_task(setup, QueryExecutor.from_directory)


def open_(setup: Setup) -> Task:
    """Open, which reads all rows."""
    folder = _sidecars(setup)
    return Task(lambda: QueryExecutor.from_directory(folder), lambda _: (setup.shards, None))
