"""What the layout of the manifest index rests on: codec, row groups, pages, statistics, and how large parts are.

``python -m benchmarks.index_layout [--rows ROWS] [--folder FOLDER]`` writes the rows of many shards as parts, once for
each layout, and prints their size, the time that it takes to write them, and that of five questions asked of them by
``pl.scan_parquet(parts).filter(...)``: one table a kind of data, the layout in use first, in milliseconds, the others
as ratios to it; medians of rounds in which all layouts take their turns, in another order each time. "random" is
unordered in every column; "clustered" has each label in a run of shards, and keys and times that ascend.
"""

import argparse
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

_PER_SHARD = 1_000
#: Rows that are made at once, and how many rounds there are.
_BLOCK, _ROUNDS = 250_000, 3
_LABELS = ["bear", "bird", "cat", "cow", "dog", "fish", "giraffe", "horse", "sheep", "zebra"]
_TAGS = {"outdoor": 0.11, "indoor": 0.3, "closeup": 0.3, "wide": 0.3, "blurry": 0.3, "sharp": 0.3}
#: What is asked for.
_SURE, _LIKELY, _FEW = 0.999, 0.7, 0.2
_LOCATION = ["__shard__", "__key__", "__offset__", "__size__", "__crc32__"]
_BEGIN = dt.datetime(2026, 1, 1)  # noqa: DTZ001 -- columns of times have no zone


class Layout(NamedTuple):
    """How parts are written."""

    part: int = 500_000
    row_group: int = 125_000
    compression: str = "lz4"
    level: int | None = None
    page: int | None = None
    statistics: Any = True
    #: Without the columns that say where samples are.
    fields_only: bool = False


_LAYOUTS = {
    "in use": Layout(),
    "zstd 1": Layout(compression="zstd", level=1),
    "zstd 3": Layout(compression="zstd", level=3),
    "zstd 6": Layout(compression="zstd", level=6),
    "snappy": Layout(compression="snappy"),
    "uncompressed": Layout(compression="uncompressed"),
    "row groups of 20,000": Layout(row_group=20_000),
    "row groups of 50,000": Layout(row_group=50_000),
    "row groups of 250,000": Layout(row_group=250_000),
    "row groups of 1,000,000": Layout(part=1_000_000, row_group=1_000_000),
    "pages of 64 KiB": Layout(page=64 << 10),
    "pages of 256 KiB": Layout(page=256 << 10),
    "no statistics": Layout(statistics=False),
    "full statistics": Layout(statistics="full"),
    "parts of 250,000": Layout(part=250_000),
    "parts of 1,000,000": Layout(part=1_000_000),
    "parts of 2,000,000": Layout(part=2_000_000),
    "the fields alone": Layout(fields_only=True),
}


def rows(count: int, *, clustered: bool) -> Iterator[pl.DataFrame]:
    """Yield rows of shards, some at a time."""
    random = np.random.default_rng(0)
    numbers = np.arange(count) if clustered else random.permutation(count)
    for start in range(0, count, _BLOCK):
        number = numbers[start : start + _BLOCK]
        place = np.arange(start, start + len(number))
        sizes = random.integers(4, 64, len(number)) * 512
        ends = np.cumsum(sizes)
        first = place // _PER_SHARD * _PER_SHARD - start
        offsets = ends - sizes - (ends - sizes)[np.maximum(first, 0)]
        labels = place * len(_LABELS) // count if clustered else random.integers(0, len(_LABELS), len(number))
        has = random.random((len(number), len(_TAGS))) < np.array(list(_TAGS.values()))
        tags = [pl.when(pl.Series(has[:, each])).then(pl.lit(tag)) for each, tag in enumerate(_TAGS)]
        yield pl.DataFrame({"number": number, "label": labels}).select(
            pl.Series("__shard__", place // _PER_SHARD, pl.UInt32),
            pl.col("number").cast(pl.String).str.zfill(9).alias("__key__"),
            pl.Series("__offset__", offsets, pl.Int64),
            pl.Series("__size__", sizes, pl.Int64),
            pl.Series("__crc32__", random.integers(0, 1 << 32, len(number)), pl.UInt32),
            pl.col("label").replace_strict(dict(enumerate(_LABELS)), return_dtype=pl.String),
            pl.Series("confidence", random.random(len(number))),
            pl.concat_list(tags).list.drop_nulls().alias("tags"),
            (pl.lit(_BEGIN) + pl.duration(seconds=pl.col("number"))).cast(pl.Datetime("us")).alias("ts"),
        )


def questions(count: int) -> dict[str, pl.Expr]:
    """Return what is asked, by name."""
    middle = _BEGIN + dt.timedelta(seconds=count // 2)
    confidence = pl.col("confidence")
    return {
        "selective": (confidence > _SURE) & (pl.col("label") == "dog"),
        "tags": pl.col("tags").list.contains("outdoor") & (confidence < _LIKELY),
        "key": pl.col("__key__") == f"{count // 3:09d}",
        "1 % range": pl.col("ts").is_between(middle, middle + dt.timedelta(seconds=count // 100)),
        "20 % broad": confidence < _FEW,
    }


def write(folder: Path, layout: Layout, count: int, *, clustered: bool) -> float:
    """Write parts; return the seconds that it takes, without making the rows."""
    folder.mkdir(parents=True)
    blocks, took, part = rows(count, clustered=clustered), 0.0, 0
    while some := [block for _, block in zip(range(max(1, layout.part // _BLOCK)), blocks, strict=False)]:
        frame = pl.concat(some, rechunk=True)
        frame = frame.drop(_LOCATION) if layout.fields_only else frame
        begun = time.perf_counter()
        frame.write_parquet(
            folder / f"part-{part:05d}.parquet",
            compression=layout.compression,  # type: ignore[arg-type]  # one of those that Polars knows
            compression_level=layout.level,
            row_group_size=layout.row_group,
            data_page_size=layout.page,
            statistics=layout.statistics,
        )
        took += time.perf_counter() - begun
        part += 1
    return took


def ask(folder: Path, question: pl.Expr) -> float:
    """Return the seconds that a question takes."""
    begun = time.perf_counter()
    pl.scan_parquet(sorted(folder.glob("*.parquet"))).filter(question).select(_LOCATION).collect()
    return time.perf_counter() - begun


def measure(folder: Path, count: int, *, clustered: bool) -> None:
    """Print the table of one kind of data."""
    written = {name: write(folder / name, layout, count, clustered=clustered) for name, layout in _LAYOUTS.items()}
    asked = {name: layout for name, layout in _LAYOUTS.items() if not layout.fields_only}
    took: dict[tuple[str, str], list[float]] = {}
    order = np.random.default_rng(0)
    for _ in range(_ROUNDS):
        for what, question in questions(count).items():
            for name in order.permutation(list(asked)):
                took.setdefault((name, what), []).append(ask(folder / name, question))
    names = list(questions(count))
    kind = "clustered" if clustered else "random"
    print(f"\n{count:,} rows, {kind}\n\n| layout | bytes a row | s to write | {' | '.join(names)} |")
    print("|---|--:|--:|" + "--:|" * len(names))
    for name in _LAYOUTS:
        size = sum(path.stat().st_size for path in (folder / name).iterdir()) / count
        cells = [f"{size:.2f}", f"{written[name]:.1f}"]
        if name in asked:
            medians = [(statistics.median(took[name, each]), statistics.median(took["in use", each])) for each in names]
            cells += [f"{1000 * own:.0f} ms" if name == "in use" else f"{own / first:.2f}" for own, first in medians]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def columns(folder: Path, count: int) -> None:
    """Print what each column takes by itself in the layout in use, in bytes a row."""
    print("\n| column | random | clustered |\n|---|--:|--:|")
    layout = Layout()
    sizes: dict[str, list[float]] = {}
    for clustered in (False, True):
        frame = pl.concat(list(rows(min(count, layout.part), clustered=clustered)), rechunk=True)
        for name in frame.columns:
            path = folder / "column.parquet"
            frame.select(name).write_parquet(
                path,
                compression=layout.compression,  # type: ignore[arg-type]  # as above
                compression_level=layout.level,
                row_group_size=layout.row_group,
            )
            sizes.setdefault(name, []).append(path.stat().st_size / len(frame))
    for name, (random, clustered_size) in sizes.items():
        print(f"| `{name}` | {random:.2f} | {clustered_size:.2f} |")


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index_layout")
    parser.add_argument("--rows", type=int, default=10_000_000, help="how many samples the shards have together")
    parser.add_argument("--folder", type=Path, help="where to write the parts; a temporary folder, unless named")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for clustered in (False, True):
            measure(Path(folder) / ("clustered" if clustered else "random"), options.rows, clustered=clustered)
        columns(Path(folder), options.rows)


if __name__ == "__main__":
    main()
