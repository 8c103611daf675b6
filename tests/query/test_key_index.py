"""Finding one key: what a look through all of them finds."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from atdata._query._key_index import KeyIndex
from tests.tiers import law

KEYS = st.text("abé漢😀\uffff0", max_size=3)


@law(100)
@given(st.lists(KEYS), KEYS, st.booleans())
def test_the_rows_are_those_of_a_list(keys: list[str], sought: str, in_order: bool) -> None:  # noqa: FBT001 -- drawn
    keys = sorted(keys) if in_order else keys
    index = KeyIndex(pl.Series(keys, dtype=pl.String))
    for key in {sought, *keys}:
        assert index.rows(key) == [row for row, each in enumerate(keys) if each == key]
