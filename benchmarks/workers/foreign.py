"""Tars that come without manifests: plain ustar, written by Python's own tarfile; and finding what is in them."""

import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from common import Sample, Setup, Task, built, digest_of, per_shard, samples
from minimal import encode


def foreign(setup: Setup) -> Path:
    """Return the folder of the tars."""

    def build(folder: Path) -> None:
        size = per_shard(setup)
        given = enumerate(samples(setup.samples, Sample))
        for shard in range(setup.shards):
            count = min(size, setup.samples - shard * size)
            with tarfile.open(folder / f"photos-{shard:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
                for _, (index, each) in zip(range(count), given, strict=False):
                    payload = encode(each)
                    member = tarfile.TarInfo(f"{index:09d}.msgpack")
                    member.size = len(payload)
                    tar.addfile(member, io.BytesIO(payload))

    return built(setup, "foreign", build)


def index_task(setup: Setup, run: Callable[[list[str]], int], keys: Callable[[list[str]], Iterable[str]]) -> Task:
    """Return the task to find all samples: `run` counts them, and `keys` names them, which is compared."""
    paths = [str(path) for path in sorted(foreign(setup).glob("*.tar"))]

    def prove(count: int) -> tuple[int, str]:
        return count, digest_of(keys(paths))

    return Task(lambda: run(paths), lambda count: (count, ""), prove)


def index(setup: Setup) -> Task:
    """Find all samples by Python's own tarfile."""

    def names(paths: list[str]) -> list[str]:
        found: list[str] = []
        for path in paths:
            with tarfile.open(path, "r:") as tar:
                found += [member.name.partition(".")[0] for member in tar]
        return found

    return index_task(setup, lambda paths: len(names(paths)), names)
