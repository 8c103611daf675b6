"""A store that counts what is read."""

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atdata import Dataset, DictSample
from atdata._manifest import read_listing
from atdata._shards import OpenShards
from atdata._storage import MemoryStore


class ReadsStore(MemoryStore):
    """Memory that counts what is read of which kind of file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder.name)
        for path in folder.iterdir():
            self.replace(path.name, path.read_bytes())
        self.reads: collections.Counter[str] = collections.Counter()

    def _count(self, name: str) -> None:
        self.reads[name.partition(".")[2]] += 1

    def read(self, name: str, limit: int | None = None) -> bytes:
        self._count(name)
        return super().read(name, limit)

    def open(self, name: str) -> Any:
        self._count(name)
        return super().open(name)

    def tables(self, names: Sequence[str]) -> Any:
        for name in names:
            self._count(name)
        return super().tables(names)

    def opened(self, shards: slice = slice(None)) -> Dataset[Any]:
        listing = read_listing(self.names())
        return Dataset[DictSample](OpenShards(self, listing._replace(committed=listing.committed[shards])))
