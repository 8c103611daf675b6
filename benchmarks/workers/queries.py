"""Our library's answers to the questions: over the sidecars, by the index, from memory."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from answers import ask, asked_task, expression
from common import Setup, Task
from on_polars import described_task
from questions import function
from sidecars import sidecars

from atdata.manifest import QueryExecutor

_PLACES = ("__shard__", "__key__", "__offset__", "__size__", "__crc32__")
_INDEX = "_manifest_index"


def _sidecars(folder: Path) -> QueryExecutor:
    return QueryExecutor.from_directory(folder, index="never")


@functools.lru_cache
def _indexed(folder: Path) -> Path:
    """Return the folder once its index is there and fits: made by another process, whose memory is not this one's."""
    program = f"from atdata.manifest import QueryExecutor; QueryExecutor.from_directory({str(folder)!r}).compact()"
    subprocess.run([sys.executable, "-P", "-c", program], check=True)
    return folder


def _ask(executor: QueryExecutor, setup: Setup) -> Any:
    if setup.question == "count":
        return ask(executor.scan(), setup)
    if setup.question == "list":
        return executor.query(expression(setup))
    return executor.rows(expression(setup), columns=())


def _task(setup: Setup, run: Callable[[], Any], before: Callable[[], None] = lambda: None) -> Task:
    task = asked_task(setup, run, before)
    if setup.question != "list":
        return task
    # What is found are locations.
    prove = task.prove
    return Task(
        run,
        lambda found: (len(found), str(sum(each.offset for each in found))),
        lambda found: prove([(each.shard, each.key, each.offset, each.size, each.crc32) for each in found]),
        before,
    )


def _cold(setup: Setup, opening: Callable[[], QueryExecutor]) -> Task:
    return _task(setup, lambda: _ask(opening(), setup))


def _opened(setup: Setup, opening: Callable[[], QueryExecutor]) -> Task:
    """Return the task to ask an executor that is opened before the clock starts and has not been asked before."""
    executors: list[QueryExecutor] = []

    def before() -> None:
        executors[:] = [opening()]

    return _task(setup, lambda: _ask(executors[0], setup), before)


def query(setup: Setup) -> Task:
    """Ask an executor that uses the index."""
    folder = _indexed(sidecars(setup))
    return _opened(setup, lambda: QueryExecutor.from_directory(folder))


def query_cold(setup: Setup) -> Task:
    """Open with the index and ask."""
    folder = _indexed(sidecars(setup))
    return _cold(setup, lambda: QueryExecutor.from_directory(folder))


def query_sidecars(setup: Setup) -> Task:
    """Ask an executor that uses the sidecars alone."""
    folder = sidecars(setup)
    return _opened(setup, lambda: _sidecars(folder))


def query_sidecars_cold(setup: Setup) -> Task:
    """Open the sidecars and ask."""
    folder = sidecars(setup)
    return _cold(setup, lambda: _sidecars(folder))


def query_hot(setup: Setup) -> Task:
    """Ask an executor that holds the rows in memory."""
    folder = _indexed(sidecars(setup))
    return _task(setup, lambda: _ask(_hot(folder), setup))


@functools.lru_cache(maxsize=1)
def _hot(folder: Path) -> QueryExecutor:
    return QueryExecutor.from_directory(folder).load()


def query_function(setup: Setup) -> Task:
    """Ask an opened executor by a function of a pandas frame."""
    folder, where = sidecars(setup), function(setup)
    return _task(setup, lambda: _sidecars(folder).query(where))


def describe(setup: Setup) -> Task:
    """Describe by the index."""
    folder = _indexed(sidecars(setup))
    return _describe(lambda: QueryExecutor.from_directory(folder))


def describe_sidecars(setup: Setup) -> Task:
    """Describe by the sidecars' headers."""
    folder = sidecars(setup)
    return _describe(lambda: _sidecars(folder))


def _describe(opening: Callable[[], QueryExecutor]) -> Task:
    executors: list[QueryExecutor] = []

    def before() -> None:
        executors[:] = [opening()]

    def said(frame: pl.DataFrame) -> dict[str, tuple[float, ...]]:
        rows = {row["field"]: row for row in frame.iter_rows(named=True)}
        return {"label": (rows["label"]["distinct"], rows["label"]["top_count"])} | {
            name: tuple(float(rows[name][what]) for what in ("min", "max", "mean")) for name in ("confidence", "ts")
        }

    def run() -> pl.DataFrame:
        return executors[0].describe()

    return Task(run, lambda frame: described_task(run).answer(said(frame)), before=before)


def open_(setup: Setup) -> Task:
    """Open with the index."""
    folder = _indexed(sidecars(setup))
    return _open(setup, lambda: QueryExecutor.from_directory(folder))


def open_sidecars(setup: Setup) -> Task:
    """Open the sidecars alone."""
    folder = sidecars(setup)
    return _open(setup, lambda: _sidecars(folder))


def _open(setup: Setup, opening: Callable[[], QueryExecutor]) -> Task:
    return Task(opening, lambda _: (setup.shards, None), lambda found: (len(found.manifests), None))


def build(setup: Setup) -> Task:
    """Build the index of a folder that has none."""
    folder, index = _copied(setup), _copied(setup) / _INDEX

    def clear() -> None:
        shutil.rmtree(index, ignore_errors=True)

    def run() -> None:
        QueryExecutor.from_directory(folder).compact()

    def prove(_: object) -> tuple[int, None]:
        return sum(file.stat().st_size > 0 for file in index.iterdir()) and setup.samples, None

    return Task(run, lambda _: (setup.samples, None), prove, clear, clear, lambda: _sizes(folder, index))


def _copied(setup: Setup) -> Path:
    """Return a folder with links to all sidecars and no index."""
    source = sidecars(setup)
    folder = setup.data / f"linked-{source.name}"
    if not folder.exists():
        unfinished = folder.with_name(f"unfinished-{os.getpid()}")
        unfinished.mkdir(parents=True)
        for entry in os.scandir(source):
            if entry.is_file():
                os.link(entry.path, unfinished / entry.name)
        unfinished.rename(folder)
    return folder


def _sizes(folder: Path, index: Path) -> dict[str, float]:
    """Return how long the index is, and the fields alone as a file of the same kind."""
    alone = folder.parent / "fields.parquet"
    fields = ["label", "confidence", "tags", "ts"]
    rows = pl.scan_parquet(folder / "*.manifest.parquet").select(fields)
    rows.sink_parquet(alone, compression="lz4", row_group_size=100_000)
    sizes = {"fields_bytes": alone.stat().st_size}
    alone.unlink()
    sizes["index_bytes"] = sum(file.stat().st_size for file in index.rglob("*") if file.is_file())
    return sizes
