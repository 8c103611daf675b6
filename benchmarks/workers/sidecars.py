"""The sidecars that queries are asked about, as the library writes them, by two processes: ``python sidecars.py ...``.

A manifest built sample by sample takes 5 us a row; here whole columns become one, and the library makes its files.
"""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from common import LABELS, Setup, built
from rows import TAGS, ShardRows, shard_rows

import atdata
from atdata._manifest._columns import value_reader
from atdata._manifest._kinds import aggregate_of
from atdata._manifest._publish import publish_manifest
from atdata._manifest._table import CRC32, KEY, OFFSET, SIZE
from atdata._storage import LocalStore
from atdata.manifest import MANIFEST_FORMAT_VERSION, ShardManifest

_PROCESSES = 2
#: Seconds after which an index believes a file's time of change (docs/format.md).
_SETTLED = 2.1


@atdata.packable
class Row:
    """What a sample shows to queries."""

    label: str
    confidence: float
    tags: list[str]
    ts: int


def sidecars(setup: Setup) -> Path:
    """Return the folder of the sidecars; make it first if it is not there."""

    def build(folder: Path) -> None:
        edges = [setup.shards * part // _PROCESSES for part in range(_PROCESSES + 1)]
        environment = os.environ | {"POLARS_MAX_THREADS": "1"}
        running = [
            subprocess.Popen(
                [sys.executable, __file__, folder, str(setup.samples), str(setup.shards), setup.kind, *map(str, part)],
                env=environment,
            )
            for part in itertools.pairwise(edges)
        ]
        statuses = [process.wait() for process in running]
        if any(statuses):
            raise RuntimeError("a process that makes sidecars failed")
        time.sleep(_SETTLED)

    return built(setup, f"rows-{setup.kind}-{MANIFEST_FORMAT_VERSION}", build)


def tables(setup: Setup) -> str:
    """Return the pattern of the sample tables."""
    return str(sidecars(setup) / "*.manifest.parquet")


def frame_of(rows: ShardRows) -> pl.DataFrame:
    """Return a shard's sample table."""
    tags = pl.Series(list(TAGS)).gather(rows.tags).to_arrow()
    return pl.DataFrame(
        {
            KEY: pl.Series(rows.numbers).cast(pl.String).str.zfill(9),
            OFFSET: rows.offsets,
            SIZE: rows.sizes,
            CRC32: rows.crcs.astype(np.uint32),
            "label": pl.Series(list(LABELS)).gather(rows.labels),
            "confidence": rows.confidences,
            "tags": pl.Series(pa.LargeListArray.from_arrays(pa.array(rows.tag_ends), tags)),
            "ts": rows.times,
        }
    )


def manifest_of(rows: ShardRows) -> ShardManifest:
    """Return a shard's manifest."""
    frame = frame_of(rows)
    return ShardManifest(
        shard_id=rows.shard_id,
        schema_type=Row.__name__,
        schema_version="1.0.0",
        num_samples=len(frame),
        size_bytes=int(rows.sizes.sum()),
        created_at="2026-01-01T00:00:00+00:00",
        aggregates={each.name: aggregate_of(each.aggregate).of(frame[each.name]) for each in value_reader(Row).columns},
        samples=frame,
    )


def main() -> None:
    """Write some of the shards' manifests."""
    folder, samples, shards, kind, first, end = sys.argv[1:]
    setup = Setup(Path(), Path(), int(samples), int(shards), kind=kind)
    store = LocalStore(folder, durable=False)
    for index in range(int(first), int(end)):
        rows = shard_rows(setup, index)
        publish_manifest(store, rows.shard_id, manifest_of(rows))


if __name__ == "__main__":
    main()
