"""The law, end to end: what is asked of sidecars, of an index and of memory is what Polars finds in all rows."""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from atdata import PredicateError
from atdata._manifest import aggregate_of, default_kind
from atdata._query._predicate import check_row_wise
from atdata._query._scans import by_codes
from atdata.manifest import ManifestWriter, QueryExecutor, ShardManifest
from tests.aging import age
from tests.pruning.strategies import cases, shard_name
from tests.tiers import SOAK, law

#: How many predicates are asked of the same shards.
QUESTIONS = 2


def kind_of(dtype, *, counted):
    """Return how a column is summed up: as its dtype suggests, or value by value."""
    return "categorical" if counted and not isinstance(dtype, pl.List) else default_kind(dtype)


def manifest_of(frame, number, *, counted):
    rows = len(frame)
    places = {
        "__offset__": pl.Series([1024 * row for row in range(rows)], dtype=pl.Int64),
        "__size__": pl.Series([1024] * rows, dtype=pl.Int64),
        "__crc32__": pl.Series(range(rows), dtype=pl.UInt32),
    }
    fields = [name for name in frame.columns if name != "__key__"]
    aggregates = {name: aggregate_of(kind_of(frame[name].dtype, counted=counted)).of(frame[name]) for name in fields}
    table = frame.select("__key__", *(value.alias(name) for name, value in places.items()), *fields)
    return ShardManifest(shard_name(number), "Row", "1.0.0", rows, 1024 * rows, "2026", aggregates, table)


def executors(folder, manifests):
    """Yield all that can answer questions about some manifests, by name."""
    for each in manifests:
        ManifestWriter(folder / each.shard_id).write(each)
    age(folder)
    yield "in memory", QueryExecutor(manifests)
    yield "sidecars", QueryExecutor.from_directory(folder)
    done = QueryExecutor.from_directory(folder).compact()
    assert (done.shards, done.failures, done.left_out) == (len(manifests), {}, {})
    yield "index", QueryExecutor.from_directory(folder)
    yield "loaded", QueryExecutor.from_directory(folder).load()


def answered(case, predicate, tally):
    """Yield a predicate with the rows that Polars finds, where it answers and the library does not refuse."""
    try:
        expected = case.rows.filter(predicate).select("__shard__", pl.exclude("__shard__"))
    except pl.exceptions.PolarsError:
        return
    try:
        check_row_wise(predicate, case.columns)
    except PredicateError:  # a Series among the operands, say
        tally["refused"] += 1
        return
    tally["cases"] += 1
    yield predicate, expected


@pytest.mark.soak
def test_every_executor_finds_what_polars_finds(monkeypatch, capsys):
    monkeypatch.setattr("atdata._query._stored._FEW", 0)  # headers of a few shards are read, too
    tally = Counter()

    @law(80, soaking=4_000, suppress_health_check=[HealthCheck.data_too_large])
    @given(cases(questions=QUESTIONS), st.booleans(), st.sampled_from([0, 8]))
    def holds(case, counted, repeated):
        monkeypatch.setattr(
            "atdata._index._statistics._REPEATED", repeated
        )  # 0: lists have codes, however few the rows
        asked = [question for predicate in case.predicates for question in answered(case, predicate, tally)]
        manifests = [manifest_of(frame, number, counted=counted) for number, frame in enumerate(case.frames)]
        with tempfile.TemporaryDirectory() as folder:
            for name, executor in executors(Path(folder), manifests):
                for predicate, expected in asked:
                    found = executor.rows(predicate).select(expected.columns)
                    assert found.equals(expected), f"{name}: {predicate}\n{case.rows}\n{found}"
                    if name in ("sidecars", "index"):
                        tally[f"ruled out, {name}"] += executor.explain(predicate).shards_ruled_out
                    if name == "index":
                        tally["by codes"] += bool(by_codes(predicate, executor._source.index.codes, case.columns)[1])

    holds()
    if SOAK:
        with capsys.disabled():
            sys.stdout.write(f"\n{dict(tally)}\n")
    assert tally["cases"] > 9 * tally["refused"]
    assert tally["by codes"] or not SOAK  # one question in fifty: the few of a check may all be others
    assert tally["ruled out, index"] >= tally["ruled out, sidecars"] > 40
