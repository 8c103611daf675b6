"""Folders of sidecars, old enough for an index to count on their stamps."""

import os
import time
from typing import NamedTuple

import polars as pl
import pytest

from atdata._index import Headers, compact, open_index
from atdata._manifest import ShardManifest, aggregate_of, without_nan
from atdata._manifest._manifest_header import FileFacts
from atdata._manifest._publish import publish_manifest
from atdata._manifest._shard_names import HEADER_SUFFIX, TABLE_SUFFIX, read_listing
from atdata._manifest._table import LOCATION
from atdata._storage import LocalStore

#: Three fields of the three kinds.
KINDS = {"label": "categorical", "score": "numeric", "tags": "set"}
DTYPES = {"label": pl.String(), "score": pl.Float64(), "tags": pl.List(pl.String())}


class Folder(NamedTuple):
    """A store, and what there is to do with it in tests."""

    store: LocalStore

    def write(self, shard_id, columns, kinds=KINDS, dtypes=DTYPES, *, first=0, tar=True, **changes):
        """Write the sidecars of a shard whose fields have these values; ``changes`` are location columns."""
        fields = {name: pl.Series(name, values, dtypes[name]) for name, values in columns.items()}
        count = len(next(iter(fields.values()), ()))
        places = {
            "__key__": [f"{first + row:06d}" for row in range(count)],
            "__offset__": [1024 * row for row in range(count)],
            "__size__": [1024] * count,
            "__crc32__": [row * 7 for row in range(count)],
            **changes,
        }
        frame = pl.DataFrame(
            [pl.Series(name, values, LOCATION[name]) for name, values in places.items()]
            + [without_nan(values) for values in fields.values()]
        )
        aggregates = {name: aggregate_of(kind).of(fields[name]) for name, kind in kinds.items() if name in fields}
        length = 1024 * (count + 1)
        shard = FileFacts(f"{shard_id.rpartition('/')[2]}.tar", length, f"{hash(shard_id) % (1 << 60):064x}")
        manifest = ShardManifest(
            shard_id, "Photo", "1.0.0", count, length, "2026-01-01", aggregates, frame, shard=shard if tar else None
        )
        self.remove(shard_id)
        publish_manifest(self.store, shard_id, manifest)
        self.age(shard_id)
        return frame

    def fill(self, shards, rows=5, start=0):
        """Write shards with values that differ."""
        for shard in range(start, start + shards):
            numbers = range(shard * rows, shard * rows + rows)
            columns = {
                "label": [["cat", "dog", "bird"][(number + shard) % 3] for number in numbers],
                "score": [None if number % 7 == 3 else number / 2 for number in numbers],
                "tags": [["sharp", "wide"][: number % 3] for number in numbers],
            }
            self.write(f"s-{shard:03d}", columns, first=shard * rows)

    def age(self, shard_id, seconds=100):
        """Make a shard's header older."""
        path = self.store.path(shard_id + HEADER_SUFFIX)
        then = time.time_ns() - seconds * 10**9
        os.utime(path, ns=(then, then))

    def remove(self, shard_id):
        """Remove a shard's sidecars, if there are any."""
        for suffix in (HEADER_SUFFIX, TABLE_SUFFIX):
            self.store.path(shard_id + suffix).unlink(missing_ok=True)

    def sidecars(self):
        """Return the shards that are listed."""
        return read_listing(self.store.names(recursive=True)).committed

    def headers(self):
        """Return what a listing says of headers."""
        stamps = [self.store.stamp(each.header) for each in self.sidecars()]
        return Headers([each.shard_id for each in self.sidecars()], stamps)

    def compact(self, **options):
        """Make the index."""
        return compact(self.store, self.sidecars(), **options)

    def open(self):
        """Open the index."""
        return open_index(self.store, self.headers())

    def files(self, prefix=""):
        """Return the names of the index's files."""
        names = [path.name for path in self.store.path("_manifest_index").iterdir()]
        return sorted(name for name in names if name.startswith(prefix))

    def parts(self):
        """Return the bytes of the parts, by name."""
        return {name: self.store.path(f"_manifest_index/{name}").read_bytes() for name in self.files("part")}

    def tables(self):
        """Return each shard's sample table, as its sidecar holds it."""
        return {each.shard_id: pl.read_parquet(self.store.path(each.tables[0])) for each in self.sidecars()}

    def check(self, index=None, *, covered=None):
        """Hold every row of an index against the sidecars."""
        index = index or self.open()
        tables = self.tables()
        names = list(tables)
        seen = {}
        for place, part in enumerate(index.parts):
            rows = pl.read_parquet(self.store.path(part.name))
            codes = {f"__code__:{name}": pl.UInt32() for name in part.codes}
            assert rows.schema == {"__shard__": pl.String(), **part.columns, **codes}
            rows = rows.drop(codes)
            assert rows["__shard__"].is_sorted()
            assert len(rows) == part.rows
            for number, position in enumerate(part.positions.tolist()):
                if position >= 0:
                    assert part.shard_ids[number] == names[position]
                    assert (index.part_of[position], index.number_of[position]) == (place, number)
                    seen[names[position]] = rows.filter(pl.col("__shard__") == names[position]).drop("__shard__")
        assert {name for name, place in zip(names, index.part_of, strict=True) if place >= 0} == set(seen)
        assert covered is None or sorted(seen) == sorted(covered)
        for name, rows in seen.items():
            assert rows.select(tables[name].columns).equals(tables[name])
            others = rows.drop(tables[name].columns)
            assert all(others[column].null_count() == len(rows) for column in others.columns)
        return index


@pytest.fixture
def folder(tmp_path):
    """A folder without shards."""
    return Folder(LocalStore(tmp_path / "data", durable=False))
