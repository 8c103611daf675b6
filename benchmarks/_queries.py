"""The comparisons: who answers a question, and whether all say the same."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import polars as pl

from atdata.manifest import QueryExecutor, SampleLocation
from atdata.manifest._pandas import to_pandas
from atdata.manifest._row_wise import check_row_wise

from ._data import Sidecars
from ._measure import Candidate
from ._questions import Question

__all__ = ["CANDIDATES", "Answers", "candidates"]

_SHARD = "__shard__"
_PLACE = ["__key__", "__offset__", "__size__", "__crc32__"]

#: What each candidate is, by its name.
CANDIDATES = {
    "plain": "pl.scan_parquet(tables).filter(expression).collect()",
    "plain_places": "the same with .select() of key, offset, size and CRC",
    "plain_shards": "the same, and the file's path beside each row (include_file_paths)",
    "rows": "executor.rows(expression, columns=())",
    "query": "executor.query(expression)",
    "query_cold": "QueryExecutor.from_directory(folder).query(expression)",
    "pandas": "executor.query(function)",
    "pandas_cold": "QueryExecutor.from_directory(folder).query(function)",
    "part_check": "the check that the expression decides row by row",
    "part_plan": "executor.scan(): the plan alone, nothing is read",
    "part_scan": "that plan, .filter(expression).select(shard and places).collect()",
    "part_locations": "SampleLocation objects from the collected rows",
    "part_read": "pandas path: each sample table read whole, one after the other",
    "part_convert": "pandas path: each table made a pandas frame",
    "part_function": "pandas path: the function called on each frame",
}


def candidates(question: Question, sidecars: Sidecars) -> list[Candidate]:
    """Return who is measured on a question, in the order of :data:`CANDIDATES`."""
    executor = QueryExecutor.from_directory(sidecars.folder)
    return [
        *_plain(question.expression, sidecars),
        *_library(executor, question, sidecars),
        *_parts(executor, question.expression),
        *_pandas_parts(question, sidecars),
    ]


def _plain(expression: pl.Expr, sidecars: Sidecars) -> list[Candidate]:
    tables = list(sidecars.tables)

    def with_path() -> pl.DataFrame:
        found = pl.scan_parquet(tables, include_file_paths="path").filter(expression)
        return found.select("path", *_PLACE).collect()

    return [
        Candidate("plain", lambda: pl.scan_parquet(tables).filter(expression).collect()),
        Candidate("plain_places", lambda: pl.scan_parquet(tables).filter(expression).select(_PLACE).collect()),
        Candidate("plain_shards", with_path),
    ]


def _library(executor: QueryExecutor, question: Question, sidecars: Sidecars) -> list[Candidate]:
    expression, function = question.expression, question.function

    def cold(where: Any) -> Callable[[], list[SampleLocation]]:
        return lambda: QueryExecutor.from_directory(sidecars.folder).query(where)

    return [
        Candidate("rows", lambda: executor.rows(expression, columns=())),
        Candidate("query", lambda: executor.query(expression)),
        Candidate("query_cold", cold(expression)),
        Candidate("pandas", lambda: executor.query(function), slow=True),
        Candidate("pandas_cold", cold(function), slow=True),
    ]


def _parts(executor: QueryExecutor, expression: pl.Expr) -> list[Candidate]:
    schema = executor.schema
    rows = executor.rows(expression, columns=())

    def scan() -> pl.DataFrame:
        return executor.scan().filter(expression).select(_SHARD, *_PLACE).collect()

    def locations() -> list[SampleLocation]:
        return list(map(SampleLocation, *(rows[name].to_list() for name in rows.columns)))

    return [
        Candidate("part_check", lambda: check_row_wise(expression, schema), answers=False),
        Candidate("part_plan", executor.scan, answers=False),
        Candidate("part_scan", scan),
        Candidate("part_locations", locations),
    ]


def _pandas_parts(question: Question, sidecars: Sidecars) -> list[Candidate]:
    def read() -> list[pl.DataFrame]:
        return [pl.read_parquet(table) for table in sidecars.tables]

    frames = read()
    tables = [to_pandas(frame) for frame in frames]

    def convert() -> None:
        for frame in frames:
            to_pandas(frame)  # one at a time, as the pandas path does

    return [
        Candidate("part_read", read, answers=False, slow=True),
        Candidate("part_convert", convert, answers=False, slow=True),
        Candidate("part_function", lambda: [question.function(table) for table in tables], answers=False, slow=True),
    ]


class Answers:
    """Says whether answers to one question name the same samples.

    Args:
        sidecars: Where each key is; keys are unique over all shards.
    """

    def __init__(self, sidecars: Sidecars) -> None:
        keys = [pl.read_parquet(table, columns=["__key__"]) for table in sidecars.tables]
        ids = [table.name.removesuffix(".manifest.parquet") for table in sidecars.tables]
        self._shards = {key: shard for shard, frame in zip(ids, keys, strict=True) for key in frame["__key__"]}

    def digest(self, answer: pl.DataFrame | Sequence[SampleLocation]) -> tuple[int, str]:
        """Return how many samples an answer names, and a digest of their sorted shards and keys."""
        if isinstance(answer, pl.DataFrame):
            named: Iterable[tuple[str, str]] = zip(self._shards_of(answer), answer["__key__"], strict=True)
        else:
            named = ((each.shard, each.key) for each in answer)
        lines = sorted(f"{shard}\t{key}" for shard, key in named)
        return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _shards_of(self, answer: pl.DataFrame) -> Iterable[str]:
        if _SHARD in answer.columns:
            return answer[_SHARD]
        return (self._shards[key] for key in answer["__key__"])
