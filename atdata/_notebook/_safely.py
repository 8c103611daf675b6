"""Showing a thing must not fail because the thing is broken."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from ._html import Facts, html_of

__all__ = ["shown"]


def shown(thing: Any, facts_of: Callable[[], Facts]) -> str:
    """Return a thing as HTML; where its facts cannot be had, its short text and why not."""
    block = _Caught()
    with block:
        return html_of(facts_of())
    error = block.error
    return html_of(Facts(repr(thing), notes=[f"{type(error).__name__}: {error}"]))


class _Caught:
    """Keeps the error that ends its block, whatever it is; an interrupt goes on."""

    error: Exception | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None
