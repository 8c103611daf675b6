"""Asking shards with letters for names what is left of them."""

import polars as pl
import pytest

from atdata._polars import pushed_predicate
from atdata._pruning import survivors
from tests.pruning.strategies import Known


@pytest.fixture
def left():
    """Return a function: which shards a predicate leaves, as letters, of statistics with a column of letters."""

    def ask(predicate, statistics, **schema):
        schema = {"__shard__": pl.String(), **schema}
        kept = survivors(pushed_predicate(predicate, schema), schema, Known(statistics), len(statistics))
        letters = statistics["letter"]
        return "".join(letters if kept is None else letters.filter(kept))

    return ask
