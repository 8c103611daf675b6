"""wids' tasks: it indexes plain tars in memory and hands out payloads, which the least code decodes."""

from collections.abc import Iterator
from pathlib import Path

from common import Sample, Setup, Task, our_tars, per_shard, picks, read_task
from foreign import index_task
from minimal import decode
from wids.wids import IndexedTarSamples


def _opened(paths: list[Path]) -> list[IndexedTarSamples]:
    return [IndexedTarSamples(path=str(path)) for path in paths]


def fetch(setup: Setup) -> Task:
    """Fetch from indexed tars."""
    tars, size = _opened(sorted(our_tars(setup).glob("*.tar"))), per_shard(setup)
    places = [divmod(index, size) for index in picks(setup)]

    def run() -> Iterator[Sample]:
        for shard, row in places:
            yield decode(tars[shard][row][".msgpack"].read())

    return read_task(run)


def index(setup: Setup) -> Task:
    """Find all samples of the foreign tars."""

    def run(paths: list[str]) -> int:
        tars = _opened([Path(path) for path in paths])
        count = sum(map(len, tars))
        for tar in tars:
            tar.close()
        return count

    def keys(paths: list[str]) -> Iterator[str]:
        for path in paths:
            yield from (name.partition(".")[0] for name in IndexedTarSamples(path=path).reader.names())

    return index_task(setup, run, keys)
