"""The questions, in the forms that engines of all environments take."""

from collections.abc import Callable
from typing import Any

from common import Setup
from rows import key

SURE, UNSURE, BROAD = 0.999, 0.7, 0.2
#: What an answer tells of a sample beside its shard.
PLACE = ("__key__", "__offset__", "__size__", "__crc32__")
#: A range is one time in so many.
_RANGE = 100


def key_of(setup: Setup) -> str:
    """Return the key that is asked for."""
    return key(setup.samples // 2)


def range_of(setup: Setup) -> tuple[int, int]:
    """Return the first time that is asked for, and the first one after."""
    first = setup.samples // 2
    return first, first + max(1, setup.samples // _RANGE)


def condition(setup: Setup, contains: str = "list_contains(tags, 'outdoor')") -> str:
    """Return a question as SQL; `contains` is how the engine asks for a tag."""
    first, end = range_of(setup)
    return {
        "selective": f"confidence > {SURE} AND label = 'dog'",
        "tags": f"{contains} AND confidence < {UNSURE}",
        "key": f"__key__ = '{key_of(setup)}'",
        "range": f"ts >= {first} AND ts < {end}",
        "broad": f"confidence < {BROAD}",
        "list": f"confidence < {BROAD}",
    }[setup.question]


def function(setup: Setup) -> Callable[[Any], Any]:
    """Return a question as a function of a pandas frame, which both libraries take."""
    wanted = key_of(setup)
    first, end = range_of(setup)
    functions: dict[str, Callable[[Any], Any]] = {
        "selective": lambda df: (df["confidence"] > SURE) & (df["label"] == "dog"),
        "tags": lambda df: df["tags"].apply(lambda given: "outdoor" in given) & (df["confidence"] < UNSURE),
        "key": lambda df: df["__key__"] == wanted,
        "range": lambda df: (df["ts"] >= first) & (df["ts"] < end),
        "broad": lambda df: df["confidence"] < BROAD,
    }
    functions["list"] = functions["broad"]
    return functions[setup.question]
