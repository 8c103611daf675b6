"""The webdataset library's tasks: it writes and reads tars; payloads are packed and decoded by the least code."""

import functools
from collections.abc import Iterator
from pathlib import Path

import webdataset
from common import Sample, Setup, Task, pattern, payloads, per_shard, read_task, samples, write_task
from minimal import decode, encode
from ours import tars


@functools.lru_cache(maxsize=1)
def _samples(count: int) -> list[Sample]:
    return list(samples(count, Sample))


def write(setup: Setup) -> Task:
    """Write with ShardWriter."""
    given = _samples(setup.samples)

    def run(folder: Path) -> None:
        with webdataset.ShardWriter(f"{folder}/photos-%06d.tar", maxcount=per_shard(setup), verbose=0) as sink:
            for index, each in enumerate(given):
                sink.write({"__key__": f"{index:09d}", "msgpack": encode(each)})

    return write_task(setup, run, lambda folder: map(decode, payloads(folder)), count=len(given))


def read(setup: Setup) -> Task:
    """Read our tars."""
    source = pattern(tars(setup), setup.shards)

    def run() -> Iterator[Sample]:
        for each in webdataset.WebDataset(source, shardshuffle=False, empty_check=False):
            yield decode(each["msgpack"])

    return read_task(run)
