"""Keys: the caller's, or numbers."""

import pytest

from atdata import SampleValueError
from atdata._write._set_names import numbered_key


def test_a_numbered_key_has_six_digits_for_shard_and_row() -> None:
    assert numbered_key(7, 999_999) == "000007-999999"


@pytest.mark.parametrize(("shard", "row"), [(0, 1_000_000), (1_000_000, 0)])
def test_more_than_a_default_key_can_number_is_refused(shard: int, row: int) -> None:
    with pytest.raises(SampleValueError, match=f"found shard {shard}, row {row}. Write more shards"):
        numbered_key(shard, row)
