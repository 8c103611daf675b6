"""How Polars opens sample tables: what mapping them would gain, and what it risks.

Run from the repository's root: ``python -m benchmarks.tables``. The findings: docs/design/tables-and-maps.md.
"""

import argparse
import functools
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import numpy as np
import polars as pl

from atdata._storage import LocalStore, scan_tables

#: Counts rows for ever; a first argument "map" lets Polars learn the columns from the file, which maps it.
READER = """
import sys
import polars as pl
from atdata._storage import TablePath, scan_tables

how, path = sys.argv[1:]
schema = {"number": pl.Int64(), "text": pl.String()}
print("reading", flush=True)
while True:
    try:
        rows = pl.scan_parquet(path) if how == "map" else scan_tables([TablePath(path)], schema)
        rows.filter(pl.col("number") % 7 == 0).select(pl.col("text").str.len_bytes().sum()).collect()
    except (pl.exceptions.PolarsError, OSError):
        pass
"""


def table(rows: int, seed: int = 0) -> pl.DataFrame:
    """Return a table of some rows."""
    numbers = np.random.default_rng(seed).integers(0, 1000, rows)
    return pl.DataFrame({"number": numbers, "text": [f"sample {number}" for number in numbers.tolist()]})


def fate(folder: Path, how: str, seconds: float) -> str:
    """Return what becomes of a process that reads a table while it is cut and written again in place."""
    path = folder / "cut.parquet"
    table(50_000).write_parquet(path)
    data = path.read_bytes()
    reader = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(READER), how, str(path)], stdout=subprocess.PIPE, text=True
    )
    stream = cast("IO[str]", reader.stdout)
    stream.readline()
    end = time.monotonic() + seconds
    with path.open("r+b") as file:
        while time.monotonic() < end and reader.poll() is None:
            os.truncate(path, 0)
            file.seek(0)
            file.write(data)
            file.flush()
    killed = reader.poll()
    reader.kill()
    reader.wait()
    stream.close()
    return "lives" if killed is None else f"killed by {signal.Signals(-killed).name}"


def best(call: Callable[[], object], rounds: int) -> float:
    """Return the best of some times in milliseconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def times(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Return how long counts take, in milliseconds, by tables and by how they are opened."""
    for number in range(1000):
        table(100, number).write_parquet(folder / f"{number}.parquet")
    table(1_000_000).write_parquet(folder / "large.parquet")
    store, schema = LocalStore(folder), dict(table(1).schema)
    found = {}
    for title, names in {
        "1,000 tables of 100 rows": [f"{number}.parquet" for number in range(1000)],
        "1 table of 1,000,000 rows": ["large.parquet"],
    }.items():
        paths = [store.url(name) for name in names]

        def count(rows: pl.LazyFrame) -> object:
            return rows.filter(pl.col("number") % 2 == 0).select(pl.len()).collect()

        def by_map(paths: list[str] = paths) -> object:
            return count(pl.scan_parquet(paths, glob=False, hive_partitioning=False))

        def by_schema(names: list[str] = names) -> object:
            return count(scan_tables(store.tables(names), schema))

        def by_bytes(names: list[str] = names) -> object:
            return count(scan_tables([store.read(name) for name in names], schema))

        ways = {"columns from the file (maps)": by_map, "columns known": by_schema, "bytes": by_bytes}
        found[title] = {way: best(functools.partial(call), rounds) for way, call in ways.items()}
    return found


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a table is cut beside its reader")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for how in ("map", "known"):
            print(f"a reader whose plan is made by {how}: {fate(Path(name), how, options.seconds)}")
        for title, found in times(Path(name), options.rounds).items():
            for way, milliseconds in found.items():
                print(f"{title}, {way}: {milliseconds:.1f} ms")


if __name__ == "__main__":
    main()
