"""Packable types as fields of others."""

import dataclasses
import datetime as dt
import uuid
from typing import Any

import msgpack
import numpy as np
import pytest
from numpy.typing import NDArray

import atdata


@atdata.packable
class Point:
    x: int
    y: float = 0.5


@atdata.packable
class Mask:
    bits: NDArray
    corner: Point


@atdata.packable
class Scene:
    corners: list[Point]
    masks: dict[str, Mask]
    pair: tuple[Point, int]
    main: Point | None = None


@atdata.packable
class Node:
    children: "list[Node]"


@atdata.packable
class Owner:
    pets: "list[Pet]"


@atdata.packable
class Pet:
    owner: "Owner | None"


@dataclasses.dataclass
class Plain:
    x: int


def scene(**changes):
    values = {
        "corners": [Point(1), Point(2, 3.0)],
        "masks": {"a": Mask(np.arange(3), Point(5))},
        "pair": (Point(7), 8),
        "main": Point(9),
    }
    return Scene(**values | changes)


def test_nested_samples_come_back():
    again = Scene.from_bytes(scene().packed)
    assert (again.corners, again.pair, again.main) == ([Point(1), Point(2, 3.0)], (Point(7), 8), Point(9))
    assert again.masks["a"].corner == Point(5)
    assert again.masks["a"].bits.tolist() == [0, 1, 2]


def test_a_nested_sample_is_stored_as_a_map():
    assert msgpack.unpackb(scene().packed)["corners"] == [{"x": 1, "y": 0.5}, {"x": 2, "y": 3.0}]


def test_an_absent_nested_sample_is_none():
    assert Scene.from_bytes(scene(main=None).packed).main is None


def test_what_a_nested_payload_lacks_takes_its_default_and_what_is_unknown_is_passed_over():
    payload = msgpack.packb({"corners": [{"x": 1, "new": True}], "masks": {}, "pair": [{"x": 1}, 2]})
    again = Scene.from_bytes(payload)
    assert (again.corners, again.main) == ([Point(1, 0.5)], None)


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        ({"corners": [Point(1), Point("x")]}, "corners[1].x", "expected int, found str 'x'"),
        ({"corners": [Point(1), {"x": 1}]}, "corners[1]", "expected a Point, found dict"),
        ({"masks": {"a": Mask(np.ones(1), Point(None))}}, "masks['a'].corner.x", "expected int, found NoneType"),
        ({"pair": (Point(True), 1)}, "pair[0].x", "expected int, found bool"),
        ({"main": Mask(np.ones(1), Point(1))}, "main", "expected a Point, found Mask"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_value_is_named_by_its_path(changes, path, problem):
    with pytest.raises(atdata.SampleValueError, match=problem) as caught:
        scene(**changes).packed  # noqa: B018 -- raises
    assert caught.value.field == path


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"corners": [{"x": 1}], "masks": {"a": {"bits": b"junk", "corner": {"x": 1}}}, "pair": [{"x": 1}, 2]},
         r"field \"masks\['a'\]\.bits\": "),
        ({"corners": [{"x": 1}, {"x": "a"}], "masks": {}, "pair": [{"x": 1}, 2]}, r"\$\.corners\[1\]\.x"),
        ({"corners": [{"y": 1.0}], "masks": {}, "pair": [{"x": 1}, 2]}, "missing required field `x`.*corners"),
    ],
)  # fmt: skip
def test_a_wrong_payload_is_named_by_its_path(payload, path):
    with pytest.raises(atdata.DecodeError, match=f"the payload is no Scene: .*{path}"):
        Scene.from_bytes(msgpack.packb(payload))


def test_a_sample_of_a_subclass_is_refused_because_its_own_fields_would_be_lost(one):
    @atdata.packable
    class Point3(Point):
        z: int = 0

    with pytest.raises(atdata.SampleValueError, match="expected a Point, found .*Point3"):
        one(Point).stored(Point3(1))


@pytest.mark.parametrize("annotation", [Plain, list[Plain], Plain | None], ids=str)
def test_a_plain_dataclass_is_refused_with_what_to_write(annotation, one):
    with pytest.raises(atdata.SchemaError, match=r"Holder\.value: Plain is a plain dataclass.*@atdata\.packable"):
        one(annotation)


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        (Node([]), "Node holds Node"),
        (Owner([]), "Owner holds Pet holds Owner"),
        (Pet(None), "Pet holds Owner holds Pet"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_type_that_holds_itself_is_refused(sample, path):
    for _ in range(2):  # the second time too
        with pytest.raises(atdata.SchemaError, match=f"{path}: a type that holds itself cannot be stored"):
            sample.packed  # noqa: B018 -- raises


def test_a_nested_sample_is_no_union_member(one):
    with pytest.raises(atdata.SchemaError, match="cannot be told apart"):
        one(Point | int)


def test_where_nothing_says_what_it_is_a_nested_sample_is_refused_with_a_hint(one):
    with pytest.raises(atdata.SampleValueError, match="found Point .*through a packable type"):
        one(Any).stored(Point(1))


def test_what_a_nested_type_does_after_reading_is_done():
    @atdata.packable
    class Checked:
        x: int

        def __post_init__(self):
            self.twice = 2 * self.x

    @atdata.packable
    class Outer:
        inner: Checked

    assert Outer.from_bytes(Outer(Checked(4)).packed).inner.twice == 8


def test_a_mapping_may_hold_a_fields_own_values_or_those_of_its_payload():
    @atdata.packable
    class Event:
        when: dt.datetime
        place: Point
        code: uuid.UUID

    event = Event(dt.datetime(2026, 1, 2, tzinfo=dt.UTC), Point(1), uuid.UUID(int=7))
    payload = atdata.DictSample.from_bytes(event.packed).to_dict()
    assert Event.from_data(vars(event)) == Event.from_data(payload) == event


def test_a_mapping_that_holds_neither_is_refused():
    with pytest.raises(atdata.SampleValueError, match=r"field \"\['x'\]\": .*found date"):
        Point.from_data({"x": dt.date(2026, 1, 2)})
    with pytest.raises(atdata.DecodeError, match=r"Expected `int`, got `str` - at `\$.x`"):
        Point.from_data({"x": "1"})
