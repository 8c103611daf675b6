"""Queries over our sidecars: by our library, by plain Polars, by DuckDB."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
from common import Setup, Task, built, named
from questions import BROAD, FUNCTIONS, SURE, UNSURE, key_of
from rows import shards

import atdata
from atdata.manifest import MANIFEST_FORMAT_VERSION, ManifestBuilder, ManifestWriter, QueryExecutor

_PLACE = ["__key__", "__offset__", "__size__", "__crc32__"]
_TABLES = "*.manifest.parquet"
_SUFFIX = ".manifest.parquet"


@atdata.packable
class Row:
    """What a sample shows to queries."""

    label: str
    confidence: float
    tags: list[str]


def sidecars(setup: Setup) -> Path:
    """Return the folder of the sidecars, made as the library makes them today."""

    def build(folder: Path) -> None:
        for shard_id, rows in shards(setup):
            builder = ManifestBuilder(Row, shard_id)
            for key, offset, size, crc32, row in rows:
                builder.add_sample(key=key, offset=offset, size=size, sample=Row(**row), crc32=crc32)
            ManifestWriter(folder / shard_id).write(builder.build())

    return built(setup, f"ours-rows-{MANIFEST_FORMAT_VERSION}", build)


def expression(setup: Setup) -> pl.Expr:
    """Return the question as an expression."""
    confidence = pl.col("confidence")
    return {
        "selective": (confidence > SURE) & (pl.col("label") == "dog"),
        "tags": pl.col("tags").list.contains("outdoor") & (confidence < UNSURE),
        "key": pl.col("__key__") == key_of(setup.samples),
        "broad": confidence < BROAD,
    }[setup.question]


def _stem(path: str) -> str:
    return Path(path).name.removesuffix(_SUFFIX)


def _of_locations(found: Iterable[Any]) -> tuple[int, str]:
    return named((each.shard, each.key) for each in found)


def _of_tuples(found: Iterable[Any]) -> tuple[int, str]:
    return named((_stem(path), key) for path, key, *_ in found)


def _library(setup: Setup, ask: Callable[[QueryExecutor], Any], *, cold: bool, rows: bool = False) -> Task:
    folder = sidecars(setup)
    opened = QueryExecutor.from_directory(folder)
    run = (lambda: ask(QueryExecutor.from_directory(folder))) if cold else (lambda: ask(opened))
    return Task(
        run, (lambda found: named(zip(found["__shard__"], found["__key__"], strict=True))) if rows else _of_locations
    )


def query(setup: Setup) -> Task:
    """Ask an opened executor by an expression, for a list of locations."""
    where = expression(setup)
    return _library(setup, lambda executor: executor.query(where), cold=False)


def query_cold(setup: Setup) -> Task:
    """Open and ask by an expression, for a list of locations."""
    where = expression(setup)
    return _library(setup, lambda executor: executor.query(where), cold=True)


def rows(setup: Setup) -> Task:
    """Ask an opened executor by an expression, for a frame of shards and places."""
    where = expression(setup)
    return _library(setup, lambda executor: executor.rows(where, columns=()), cold=False, rows=True)


def rows_cold(setup: Setup) -> Task:
    """Open and ask by an expression, for a frame of shards and places."""
    where = expression(setup)
    return _library(setup, lambda executor: executor.rows(where, columns=()), cold=True, rows=True)


def function(setup: Setup) -> Task:
    """Ask an opened executor by a function of a pandas frame."""
    where = FUNCTIONS[setup.question](setup.samples)
    return _library(setup, lambda executor: executor.query(where), cold=False)


def function_cold(setup: Setup) -> Task:
    """Open and ask by a function of a pandas frame."""
    where = FUNCTIONS[setup.question](setup.samples)
    return _library(setup, lambda executor: executor.query(where), cold=True)


def _shard_of(setup: Setup) -> Callable[[pl.DataFrame], tuple[int, str]]:
    """Return what looks up the shards of keys, which are unique, for answers that lack them."""
    everywhere = pl.scan_parquet(sidecars(setup) / _TABLES, include_file_paths="path").select("path", "__key__")

    def answer(found: pl.DataFrame) -> tuple[int, str]:
        return _of_tuples(
            found.lazy().select("__key__").join(everywhere, on="__key__").select("path", "__key__").collect().rows()
        )

    return answer


def plain(setup: Setup) -> Task:
    """Scan with plain Polars, for all columns."""
    where, tables = expression(setup), sidecars(setup) / _TABLES
    return Task(lambda: pl.scan_parquet(tables).filter(where).collect(), _shard_of(setup))


def plain_places(setup: Setup) -> Task:
    """Scan with plain Polars, for the places without their shards."""
    where, tables = expression(setup), sidecars(setup) / _TABLES
    return Task(lambda: pl.scan_parquet(tables).filter(where).select(_PLACE).collect(), _shard_of(setup))


def _with_paths(setup: Setup) -> Callable[[], pl.DataFrame]:
    where, tables = expression(setup), sidecars(setup) / _TABLES
    return lambda: pl.scan_parquet(tables, include_file_paths="path").filter(where).select("path", *_PLACE).collect()


def plain_shards(setup: Setup) -> Task:
    """Scan with plain Polars, for places and the path of each row's file."""
    return Task(_with_paths(setup), lambda found: _of_tuples(found.rows()))


def plain_list(setup: Setup) -> Task:
    """Scan with plain Polars, for a list of tuples: path and place."""
    ask = _with_paths(setup)
    return Task(lambda: ask().rows(), _of_tuples)
