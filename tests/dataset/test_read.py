"""Planning what to read, without reading."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from atdata._dataset._read import spans, windows

GAPS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 50)), max_size=40)


def places(gaps: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    offsets, sizes, at = [], [], 0
    for gap, size in gaps:
        offsets.append(at + gap)
        sizes.append(size)
        at += gap + size
    return offsets, sizes


@settings(derandomize=True, deadline=None)
@given(GAPS, st.integers(1, 120))
def test_spans_hold_every_place_once_and_in_order(gaps: list[tuple[int, int]], limit: int) -> None:
    planned = list(spans(*places(gaps), limit))
    assert [index for span in planned for index in range(span.first, span.end)] == list(range(len(gaps)))


@settings(derandomize=True, deadline=None)
@given(GAPS, st.integers(1, 120))
def test_a_span_reads_exactly_its_places(gaps: list[tuple[int, int]], limit: int) -> None:
    offsets, sizes = places(gaps)
    for span in spans(offsets, sizes, limit):
        assert span.offset == offsets[span.first]
        assert span.offset + span.length == offsets[span.end - 1] + sizes[span.end - 1]
        assert span.length == sum(sizes[span.first : span.end])
        assert span.length <= limit or span.end - span.first == 1


@settings(derandomize=True, deadline=None)
@given(GAPS, st.integers(1, 120))
def test_no_two_neighbouring_spans_could_be_one(gaps: list[tuple[int, int]], limit: int) -> None:
    offsets, sizes = places(gaps)
    planned = list(spans(offsets, sizes, limit))
    for one, next_ in itertools.pairwise(planned):
        apart = one.offset + one.length != next_.offset
        assert apart or one.length + sizes[next_.first] > limit


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 100)), st.integers(1, 100), st.integers(100, 400))
def test_windows_take_everything_within_their_budget(sizes: list[int], first: int, last: int) -> None:
    budget, at = first, 0
    for count in windows(sizes, first, last):
        taken = sizes[at : at + count]
        assert sum(taken) <= budget or count == 1
        budget, at = min(2 * budget, last), at + count
    assert at == len(sizes)


def test_windows_double_from_the_first_to_the_last() -> None:
    assert list(windows([10] * 31, 20, 80)) == [2, 4, 8, 8, 8, 1]
