"""Plain Polars over our sidecars, over one file of the same rows, and over these rows in memory."""

import functools
from pathlib import Path

import polars as pl
from answers import ask, asked_task
from common import Setup, Task, built
from sidecars import tables

_ONE = "rows.parquet"
#: Rows a group of the one file: what DuckDB writes by default.
_ROW_GROUP = 122_880


def one_file(setup: Setup) -> Path:
    """Return the one Parquet file of all rows, in shard order, each with its shard's id: LZ4, as the sidecars are."""

    def build(folder: Path) -> None:
        rows = pl.scan_parquet(tables(setup), include_file_paths="path")
        shard = pl.col("path").str.extract(r"([^/\\]+)\.manifest\.parquet$").alias("__shard__")
        rows.select(shard, pl.exclude("path")).sink_parquet(folder / _ONE, compression="lz4", row_group_size=_ROW_GROUP)

    return built(setup, f"one-{setup.kind}", build) / _ONE


def query(setup: Setup) -> Task:
    """Scan the sidecars anew and ask."""
    pattern = tables(setup)
    return asked_task(setup, lambda: ask(pl.scan_parquet(pattern), setup))


def query_kept(setup: Setup) -> Task:
    """Ask a plan that is kept."""
    rows = pl.scan_parquet(tables(setup))
    rows.collect_schema()
    return asked_task(setup, lambda: ask(rows, setup))


def query_paths(setup: Setup) -> Task:
    """Scan the sidecars anew and ask, for the path of each row's file as well."""
    pattern = tables(setup)

    def run() -> object:
        return ask(pl.scan_parquet(pattern, include_file_paths="path"), setup, "path")

    task = asked_task(setup, run)
    if setup.question != "list":
        return task
    return Task(run, task.answer, lambda found: task.prove([(Path(path).name.partition(".")[0], *place)
                                                            for path, *place in found]))  # fmt: skip


def query_one(setup: Setup) -> Task:
    """Scan the one file anew and ask."""
    path = one_file(setup)
    return asked_task(setup, lambda: ask(pl.scan_parquet(path), setup, "__shard__"))


def query_memory(setup: Setup) -> Task:
    """Ask all rows in memory."""
    path = one_file(setup)
    return asked_task(setup, lambda: ask(_in_memory(path).lazy(), setup, "__shard__"))


@functools.lru_cache(maxsize=1)
def _in_memory(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path)


def open_(setup: Setup) -> Task:
    """Scan the sidecars, until the columns are known."""
    pattern = tables(setup)
    return Task(lambda: pl.scan_parquet(pattern).collect_schema(), lambda _: (setup.shards, None))


def gather(setup: Setup) -> Task:
    """Make one file of the sidecars."""
    pattern, path = tables(setup), setup.scratch / "gathered.parquet"

    def run() -> None:
        pl.scan_parquet(pattern).sink_parquet(path, compression="lz4", row_group_size=_ROW_GROUP)

    return gathering(setup, run, path)


def gathering(setup: Setup, run: object, path: Path) -> Task:
    """Return the task to make one file of the sidecars; its proof counts the file's rows."""

    def prove(_: object) -> tuple[int, None]:
        return pl.scan_parquet(path).select(pl.len()).collect().item(), None

    def clear() -> None:
        path.unlink(missing_ok=True)

    return Task(run, lambda _: (setup.samples, None), prove, clear, clear)


def describe(setup: Setup) -> Task:
    """Sum up what the sidecars hold."""
    pattern = tables(setup)
    return described_task(lambda: summed(pl.scan_parquet(pattern)))


def describe_one(setup: Setup) -> Task:
    """Sum up what the one file holds."""
    path = one_file(setup)
    return described_task(lambda: summed(pl.scan_parquet(path)))


def summed(rows: pl.LazyFrame) -> dict[str, tuple[float, ...]]:
    """Return counts per label, and bounds and mean of the numbers."""
    numbers = [getattr(pl.col(name), what)().alias(f"{name} {what}")
               for name in ("confidence", "ts") for what in ("min", "max", "mean")]  # fmt: skip
    labels, row = pl.collect_all([rows.group_by("label").len(), rows.select(numbers)])
    return facts_of(dict(labels.rows()), row.row(0))


def facts_of(labels: dict[str, int], numbers: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    """Return what a summary says: of labels how many there are and how often the most frequent one occurs."""
    first, second = numbers[:3], numbers[3:]
    return {"label": (len(labels), max(labels.values())), "confidence": tuple(first), "ts": tuple(second)}


def described_task(run: object) -> Task:
    """Return the task to sum up; means are compared as far as sums in another order agree."""

    def answer(found: dict[str, tuple[float, ...]]) -> tuple[int, str]:
        said = {name: [round(float(value), 6) for value in values] for name, values in found.items()}
        return len(said), str(sorted(said.items()))

    return Task(run, answer)
