"""The law: what is pruned holds no row that the predicate selects."""

import os
from collections import Counter

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings

from atdata._prune import survivors
from atdata._unstable import pushed_predicate
from tests.prune.strategies import cases, shard_name

#: How many cases; `make soak` takes 20,000.
EXAMPLES = int(os.environ.get("ATDATA_PRUNING_EXAMPLES", "300"))
LAW = settings(
    derandomize=EXAMPLES == 300,
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class Known:
    """Statistics at hand; only what is asked for is given."""

    def __init__(self, frame):
        self.given = frame
        self.asked = []

    def frame(self, fields):
        self.asked.append(fields)
        return self.given.select(
            name for name in self.given.columns if name == "rows" or name.partition(":")[2] in fields or name in fields
        )


def matching(case):
    """Return how many rows of each shard a predicate selects, by Polars alone."""
    found = case.rows.filter(case.predicate).group_by("__shard__").len()
    counts = dict(found.iter_rows())
    return [counts.get(shard_name(number), 0) for number in range(len(case.frames))]


def pruned(case, statistics, pushed):
    """Return which shards are pruned."""
    kept = survivors(pushed, case.columns, Known(statistics), len(case.frames))
    return [False] * len(case.frames) if kept is None else (~kept).to_list()


def tell(tally, share):
    print(f"\n{dict(tally)}; of the shards without a match {share:.0%} were pruned")


def test_a_pruned_shard_holds_nothing_that_is_selected():
    tally = Counter()

    @LAW
    @given(cases())
    def law(case):
        try:
            pushed = pushed_predicate(case.predicate, case.columns)
            counts = matching(case)
        except pl.exceptions.PolarsError:
            tally["refused"] += 1
            assume(False)
        tally["cases"] += 1
        for statistics in ("known", "exact"):
            gone = pruned(case, getattr(case, statistics), pushed)
            unsound = [number for number, is_gone in enumerate(gone) if is_gone and counts[number]]
            tally["unsound"] += len(unsound)
            assert not unsound, (str(case.predicate), str(pushed), getattr(case, statistics), case.rows)
        tally["shards with rows and no match"] += sum(not count and len(frame) > 0 for count, frame in zip(counts, case.frames, strict=True))
        tally["of these pruned"] += sum(is_gone and len(frame) > 0 for is_gone, frame in zip(gone, case.frames, strict=True))
        tally["held back"] += any(each is None for each in pushed)

    law()
    share = tally["of these pruned"] / tally["shards with rows and no match"]
    tell(tally, share)
    assert share > 0.5
