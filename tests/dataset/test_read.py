"""Planning what to read, without reading."""

from hypothesis import given, settings
from hypothesis import strategies as st

from atdata._dataset._places import Place
from atdata._dataset._read import spans, windows

GAPS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 50)), max_size=40)


def places(gaps: list[tuple[int, int]]) -> list[Place]:
    made, at = [], 0
    for index, (gap, size) in enumerate(gaps):
        made.append(Place(str(index), at + gap, size, None))
        at += gap + size
    return made


@settings(derandomize=True, deadline=None)
@given(GAPS, st.integers(1, 120))
def test_spans_hold_every_place_once_and_in_order(gaps: list[tuple[int, int]], limit: int) -> None:
    planned = list(spans(places(gaps), limit))
    assert [place for span in planned for place in span.places] == places(gaps)


@settings(derandomize=True, deadline=None)
@given(GAPS, st.integers(1, 120))
def test_a_span_reads_exactly_its_places(gaps: list[tuple[int, int]], limit: int) -> None:
    for span in spans(places(gaps), limit):
        assert span.length == sum(place.size for place in span.places)
        assert span.offset == span.places[0].offset
        assert span.length <= limit or len(span.places) == 1


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
