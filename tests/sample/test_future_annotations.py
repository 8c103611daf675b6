"""Classes whose annotations are strings, because their module says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Optional

import numpy as np
import pytest
from numpy.typing import NDArray  # noqa: TC002 -- resolved when the class is made

from atdata import PackableSample, packable
from atdata._errors import SampleValueError


@packable
class Photo:
    pixels: NDArray
    label: str
    tags: list[str] = field(default_factory=list)
    score: Annotated[float, "between 0 and 1"] = 0.0
    note: Optional[str] = None  # noqa: UP045 -- the spelling is the point
    box: tuple[int, int] | None = None
    more: Any = None


@packable
class Derived(Photo):
    count: int = 0


@dataclass
class Inherits(PackableSample):
    label: str
    note: str | None = None


def test_a_class_of_a_module_comes_back():
    sample = Photo(np.arange(3), "dog", ["a"], 0.5, "n", (1, 2), {"x": [1]})
    again = Photo.from_bytes(sample.packed)
    assert again.pixels.tolist() == [0, 1, 2]
    assert (again.label, again.tags, again.score, again.note, again.box, again.more) == (
        "dog",
        ["a"],
        0.5,
        "n",
        (1, 2),
        {"x": [1]},
    )


def test_a_subclass_comes_back():
    again = Derived.from_bytes(Derived(np.arange(3), "dog", count=4).packed)
    assert (again.label, again.count) == ("dog", 4)


def test_a_dataclass_that_inherits_comes_back():
    assert Inherits.from_bytes(Inherits("dog").packed) == Inherits("dog")


def test_a_class_local_to_a_function_comes_back():
    Number = int  # noqa: N806 -- named in an annotation

    @packable
    class Local:
        number: Number
        maybe: Number | None = None

    assert Local.from_bytes(Local(5).packed) == Local(5)


def test_the_checks_are_those_of_the_types():
    with pytest.raises(SampleValueError, match=r"field 'tags\[1\]': expected str, found int 5"):
        Photo(np.arange(3), "dog", ["a", 5]).packed  # noqa: B018 -- raises
