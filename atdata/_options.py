"""Checks of options that callers of several rooms give."""

import operator
from typing import SupportsIndex

__all__ = ["check_limit", "whole"]


def check_limit(name: str, value: int | None) -> None:
    """Check that an option is a whole number from 1, or None.

    Raises:
        ValueError: It is not.
    """
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"{name} is a whole number from 1, or None; found {value!r}")


def whole(name: str, value: object) -> int:
    """Return an option as a whole number from 0, of 64 bits.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or not 0 <= operator.index(value) < 1 << 64:
        raise ValueError(f"{name} is a whole number from 0 to 2**64 - 1; found {value!r}")
    return operator.index(value)
