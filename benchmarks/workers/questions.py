"""The questions as functions of a pandas frame, which both libraries take."""

from collections.abc import Callable
from typing import Any

SURE, UNSURE, BROAD = 0.999, 0.7, 0.2


def key_of(rows: int) -> str:
    """Return the key that is asked for."""
    return f"{rows // 2:09d}"


#: For each question, from the number of rows to the function.
FUNCTIONS: dict[str, Callable[[int], Callable[[Any], Any]]] = {
    "selective": lambda _: lambda df: (df["confidence"] > SURE) & (df["label"] == "dog"),
    "tags": lambda _: lambda df: df["tags"].apply(lambda given: "outdoor" in given) & (df["confidence"] < UNSURE),
    "key": lambda rows: lambda df: df["__key__"] == key_of(rows),
    "broad": lambda _: lambda df: df["confidence"] < BROAD,
}
