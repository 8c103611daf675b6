"""webshart's tasks: it indexes our tars and hands out payloads, which the least code decodes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import webshart
from common import Sample, Setup, Task, built, per_shard, picks, read_task
from foreign import index_task
from minimal import decode
from ours import tars


def _open(setup: Setup) -> webshart.DiscoveredDataset:
    folder = tars(setup)

    def build(index: Path) -> None:
        webshart.MetadataExtractor().extract_metadata(str(folder), str(index))

    return webshart.discover_dataset(str(folder), metadata=str(built(setup, "webshart", build)))


def read(setup: Setup) -> Task:
    """Read our tars with TarDataLoader."""
    dataset = _open(setup)
    return read_task(lambda: (decode(each.data) for each in webshart.TarDataLoader(dataset)))


def fetch(setup: Setup) -> Task:
    """Fetch with one opened reader a shard."""
    dataset, size = _open(setup), per_shard(setup)
    readers = [dataset.open_shard(index) for index in range(setup.shards)]
    places = [divmod(index, size) for index in picks(setup)]

    def run() -> Iterator[Sample]:
        for shard, row in places:
            yield decode(readers[shard].read_file(row))

    return read_task(run)


def index(setup: Setup) -> Task:
    """Index the foreign tars."""
    folder = setup.scratch / "webshart"

    def run(paths: list[str]) -> int:
        source = str(Path(paths[0]).parent)
        shutil.rmtree(folder, ignore_errors=True)
        webshart.MetadataExtractor().extract_metadata(source, str(folder))
        dataset = webshart.discover_dataset(source, metadata=str(folder))
        return sum(dataset.open_shard(number).num_files for number in range(dataset.num_shards))

    def keys(paths: list[str]) -> Iterator[str]:
        dataset = webshart.discover_dataset(str(Path(paths[0]).parent), metadata=str(folder))
        for number in range(dataset.num_shards):
            yield from (name.partition(".")[0] for name in dataset.open_shard(number).filenames())

    return index_task(setup, run, keys)
