"""Showing a thing must not fail because the thing is broken."""

from collections.abc import Callable
from typing import Any

from atdata._suppress import Caught

from ._html import Facts, html_of

__all__ = ["shown"]


def shown(thing: Any, facts_of: Callable[[], Facts]) -> str:
    """Return a thing as HTML; where its facts cannot be had, its short text and why not."""
    block = Caught()
    with block:
        return html_of(facts_of())
    error = block.error
    return html_of(Facts(repr(thing), notes=[f"{type(error).__name__}: {error}"]))
