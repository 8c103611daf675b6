"""Facts as HTML: whatever they hold is text in it."""

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atdata
from atdata._view import html_of
from atdata._view._html import Box, Picture, box_html
from tests.tiers import law


class Read(HTMLParser):
    """What a browser makes of HTML: the tags that it opens, and the text of each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        assert {name for name, _ in attrs} <= {"class", "src", "alt", "title"}
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and data.strip():
            self.texts.append(data)


ALLOWED = {"style", "div", "code", "table", "thead", "tbody", "tr", "th", "td", "figure", "img", "figcaption"}
text = st.text(st.sampled_from("<>&\"'/ab script=") | st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


@law(100)
@given(text, st.lists(text, max_size=2), st.lists(st.lists(text, min_size=2, max_size=2), max_size=3), text)
def test_whatever_facts_hold_is_text(title: str, notes: list[str], rows: list[list[str]], caption: str) -> None:
    facts = Box(title, notes, notes, ["a", "b"], rows, [Picture("data:image/png;base64,", caption)])
    found = Read(box_html(facts))
    assert set(found.tags) <= ALLOWED
    assert found.open == []
    said = "".join(found.texts)
    assert all(each.strip() in said for each in (title, *notes, caption) if each.strip())


def test_a_label_runs_no_script() -> None:
    found = box_html(Box("<script>alert(1)</script>", rows=[["<img src=x onerror=alert(1)>", '"><script>']]))
    assert "<script" not in found
    assert "<img" not in found


def test_numbers_are_grouped_and_none_is_empty() -> None:
    found = Read(box_html(Box("t", head=["a", "b", "c", "d"], rows=[[1234567, 0.123456, None, True]])))
    assert found.texts[-3:] == ["1,234,567", "0.1235", "True"]


def test_long_text_is_cut() -> None:
    found = box_html(Box("t" * 10_000, ["n" * 10_000], rows=[["x" * 10_000]] * 100))
    assert len(found) < 20_000
    assert "x" * 39 + "…" in found


def test_pictures_are_shown_up_to_a_size() -> None:
    pictures = [Picture("data:" + "x" * 30_000, str(number)) for number in range(6)]
    assert Read(box_html(Box("t", pictures=pictures))).tags.count("img") == 2
    assert len(box_html(Box("t", pictures=pictures))) < 100_000


def test_nothing_is_fetched_from_elsewhere() -> None:
    found = box_html(Box("t", ["n"], ["c"], ["a"], [["b"]], [Picture("data:image/png;base64,", "p")]))
    assert "http" not in found
    assert "url(" not in found


class Broken(atdata.SampleBatch[object]):
    def __init__(self, error: BaseException) -> None:
        super().__init__([])
        self._error = error

    def __len__(self) -> int:
        raise self._error

    def __repr__(self) -> str:
        return "<broken>"


def test_a_thing_that_cannot_be_shown_is_a_line_and_the_error() -> None:
    assert Read(html_of(Broken(LookupError("<gone>")))).texts == ["<broken>", "LookupError: <gone>"]
    assert Read(html_of(3)).texts[0] == "3"


def test_an_interrupt_goes_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        html_of(Broken(KeyboardInterrupt()))
