"""CRC-32."""

import zlib

from hypothesis import given
from hypothesis import strategies as st

from atdata._tar import crc32
from tests.tiers import law


@law(100)
@given(st.binary(max_size=2000))
def test_the_value_is_that_of_zlib(data):
    assert crc32(data) == crc32(memoryview(data)) == zlib.crc32(data)


def test_the_value_of_the_check_string_is_the_published_one():
    assert crc32(b"123456789") == 0xCBF43926
