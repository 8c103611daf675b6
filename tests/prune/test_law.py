"""The law: a pruned shard holds no row that the predicate selects."""

import os
import sys
from collections import Counter

import polars as pl
from hypothesis import HealthCheck, given, settings

from atdata._prune import survivors
from atdata._unstable import pushed_predicate
from tests.prune.strategies import Known, cases, shard_name

#: How many sets of shards, each with four predicates; `make soak` tries 20,000.
FEW = 300
EXAMPLES = int(os.environ.get("ATDATA_PRUNING_EXAMPLES", FEW))
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


def test_a_pruned_shard_holds_nothing_that_is_selected(capsys):
    tally = Counter()

    @settings(
        derandomize=EXAMPLES == FEW,
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(cases(questions=4))
    def law(case):
        for predicate in case.predicates:
            tally.update(tried(case, predicate))

    law()
    shares = {what: tally[what] / tally["prunable"] for what in LEAST}
    if EXAMPLES != FEW:
        with capsys.disabled():
            sys.stdout.write(f"\n{dict(tally)}, unsound: 0; pruned of the prunable: {shares}\n")
    assert all(shares[what] >= least for what, least in LEAST.items()), shares
