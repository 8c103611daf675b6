"""A sample type's fields."""

from dataclasses import dataclass, field
from typing import Annotated, NewType, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from atdata._errors import SchemaError
from atdata._sample import bare_type, fields_of, written_type
from atdata._sample._fields import _filled_in

Metres = NewType("Metres", float)


@dataclass
class Walk:
    name: "str"
    length: Annotated[Metres, "long"] = 0.0
    stops: list[str] = field(default_factory=list)


def test_fields_come_in_order_with_their_annotations_resolved():
    assert [(f.name, f.annotation) for f in fields_of(Walk)] == [
        ("name", str),
        ("length", Annotated[Metres, "long"]),
        ("stops", list[str]),
    ]


def test_a_field_is_required_when_it_has_no_default():
    assert [f.required for f in fields_of(Walk)] == [True, False, False]


def test_defaults_are_made_anew():
    _, length, stops = fields_of(Walk)
    assert length.make_default() == 0.0
    assert stops.make_default() == []
    assert stops.make_default() is not stops.make_default()


def test_fields_are_resolved_once():
    assert fields_of(Walk) is fields_of(Walk)


def test_a_subclass_has_fields_of_its_own():
    fields_of(Walk)

    @dataclass
    class Longer(Walk):
        days: int = 1

    assert [f.name for f in fields_of(Longer)] == ["name", "length", "stops", "days"]


@pytest.mark.parametrize(("other", "named"), [(int, "int"), (5, "5"), (Walk("a"), "Walk")])
def test_what_is_no_dataclass_is_refused_by_name(other, named):
    with pytest.raises(SchemaError, match=rf"{named}.* is no dataclass; decorate the class with @atdata\.packable"):
        fields_of(other)


def test_a_field_does_not_change():
    with pytest.raises(AttributeError, match="immutable"):
        fields_of(Walk)[0].name = "other"


@pytest.mark.parametrize(
    ("annotation", "bare", "metadata"),
    [
        (int, int, ()),
        (Annotated[int, 1, 2], int, (1, 2)),
        (Metres, float, ()),
        (Annotated[Metres, 1], float, (1,)),
        (NewType("Deep", Metres), float, ()),
        (list[Annotated[int, 1]], list[Annotated[int, 1]], ()),
        (None, None, ()),
    ],
    ids=str,
)
def test_the_bare_type_is_what_is_under_names_and_metadata(annotation, bare, metadata):
    assert bare_type(annotation) == (bare, metadata)


@pytest.mark.parametrize("arrays", [NDArray, NDArray[np.uint8]], ids=str)
def test_the_written_type_of_an_array_is_numpys_alias_on_every_numpy(arrays):
    assert written_type(arrays) == arrays
    assert written_type(Annotated[NewType("Pixels", arrays), "rgb"]) == arrays


def test_the_written_type_of_anything_else_is_its_bare_type():
    assert written_type(Annotated[Metres, 1]) is float


class Alias:
    """What `type Name[...] = value` makes, on any Python."""

    def __init__(self, value, *parameters):
        self.__value__ = value
        self.__type_params__ = parameters


def test_a_generic_alias_is_filled_in_by_its_parameters_and_not_by_their_order():
    key, item = TypeVar("key"), TypeVar("item")
    swapped = Alias(dict[item, key], key, item)
    assert _filled_in(swapped, (str, int)) == dict[int, str]
    assert _filled_in(Alias(key, key), (int,)) is int
    assert _filled_in(Alias(int, key), (str,)) is int
    assert _filled_in(Alias(list[key], key, item), (str, int)) == list[str]
