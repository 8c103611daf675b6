"""The law: a pruned shard holds no row that the predicate selects."""

import sys
from collections import Counter

import polars as pl
import pytest
from hypothesis import HealthCheck, given

from atdata._polars import pushed_predicate
from atdata._pruning import survivors
from tests.pruning.strategies import Known, cases, shard_name
from tests.tiers import SOAK, law

#: Of the shards with rows of which none is selected, the least part that has to be pruned: all known, bounds alone.
LEAST = {"exact": 0.85, "bounds": 0.6, "known": 0.5}


def matching(case, predicate):
    """Return how many rows of each shard a predicate selects, by Polars alone."""
    found = case.rows.filter(predicate).group_by("__shard__").len()
    counts = dict(found.iter_rows())
    return [counts.get(shard_name(number), 0) for number in range(len(case.frames))]


def pruned(case, statistics, pushed):
    """Return which shards are pruned."""
    kept = survivors(pushed, case.columns, Known(statistics), len(case.frames))
    return [False] * len(case.frames) if kept is None else (~kept).to_list()


def tried(case, predicate):
    """Check that one predicate prunes nothing that it selects, and return what was seen."""
    try:
        pushed = pushed_predicate(predicate, case.columns)
        counts = matching(case, predicate)
    except pl.exceptions.PolarsError:
        return {"refused by Polars": 1}
    prunable = [not count and len(frame) > 0 for count, frame in zip(counts, case.frames, strict=True)]
    seen = {"cases": 1, "held back": int(any(each is None for each in pushed)), "prunable": sum(prunable)}
    for what, statistics in {"known": case.known, "exact": case.exact, "bounds": case.bounds}.items():
        gone = pruned(case, statistics, pushed)
        unsound = [number for number, is_gone in enumerate(gone) if is_gone and counts[number]]
        assert unsound == [], f"{predicate}\npushed as {pushed}\n{statistics}\n{case.rows}"
        seen[what] = sum(is_gone and could for is_gone, could in zip(gone, prunable, strict=True))
    return seen


@pytest.mark.soak
def test_a_pruned_shard_holds_nothing_that_is_selected(capsys):
    tally = Counter()

    @law(200, soaking=7_000, suppress_health_check=[HealthCheck.data_too_large])  # of four predicates
    @given(cases(questions=4))
    def holds(case):
        for predicate in case.predicates:
            tally.update(tried(case, predicate))

    holds()
    shares = {what: tally[what] / tally["prunable"] for what in LEAST}
    if SOAK:
        with capsys.disabled():
            sys.stdout.write(f"\n{dict(tally)}, unsound: 0; pruned of the prunable: {shares}\n")
    assert all(shares[what] >= least for what, least in LEAST.items()), shares
