"""What an annotation takes, what it refuses, and what comes back."""

import dataclasses
from collections.abc import Mapping, MutableSequence, Sequence
from enum import StrEnum
from typing import Annotated, Any, NewType, Optional, Union

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from atdata._errors import DecodeError, SampleValueError, SchemaError
from atdata._sample import PackableSample, codec_of
from atdata._sample._checks import to_natives
from tests.tiers import law

LAW = law(100)

UserId = NewType("UserId", int)


class Colour(StrEnum):
    RED = "red"


def holder(annotation):
    return dataclasses.make_dataclass("Holder", [("value", annotation)], bases=(PackableSample,))


def cases(*rows):
    """Give each case an id that says its number and its types."""
    return [
        pytest.param(*row, id=f"{number}-{getattr(row[0], '__name__', row[0])}-{type(row[1]).__name__}")
        for number, row in enumerate(rows)
    ]


def stored(annotation, value):
    return msgpack.unpackb(holder(annotation)(value).packed, strict_map_key=False)["value"]


def round_trip(annotation, value):
    made = holder(annotation)
    return made.from_bytes(made(value).packed).value


def decoded(annotation, value):
    return holder(annotation).from_bytes(msgpack.packb({"value": value})).value


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    cases(
        (float, 3, 3.0),
        (float, np.float32(0.5), 0.5),
        (float, np.float16(0.5), 0.5),
        (float, np.float64(0.1), 0.1),
        (float, np.int16(-3), -3.0),
        (int, np.int8(-128), -128),
        (int, np.uint64(2**64 - 1), 2**64 - 1),
        (bool, np.bool_(True), True),
        (str, np.str_("é"), "é"),
        (str, Colour.RED, "red"),
        (bytes, np.bytes_(b"x"), b"x"),
        (list[int], (1, 2), [1, 2]),
        (list[float], [1, np.float32(0.5)], [1.0, 0.5]),
        (dict[str, int], {np.str_("a"): np.int64(1)}, {"a": 1}),
        (tuple[int, str], [1, "a"], [1, "a"]),
        (Any, (np.int64(1), [np.float32(0.5), np.bool_(False)]), [1, [0.5, False]]),
        (Any, {"a": (1, 2)}, {"a": [1, 2]}),
    ),
)
def test_a_coercion_that_is_allowed_stores_the_python_value(annotation, value, expected):
    found = stored(annotation, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    cases(
        (str, 5, "expected str, found int 5"),
        (str, b"x", "expected str, found bytes"),
        (str, None, "expected str, found NoneType None"),
        (bytes, "x", "expected bytes, found str 'x'"),
        (bytes, bytearray(b"x"), "expected bytes, found bytearray"),
        (int, "5", "expected int, found str '5'"),
        (int, 5.0, r"expected int, found float 5\.0"),
        (int, True, "expected int, found bool True"),
        (int, np.bool_(True), "expected int, found bool"),
        (int, np.float64(5), "expected int, found float64"),
        (int, np.array(5), "expected int, found ndarray"),
        (int, None, "expected int, found NoneType"),
        (float, True, "expected float, found bool True"),
        (float, np.bool_(True), "expected float, found bool"),
        (float, "0.5", "expected float, found str"),
        (float, 1j, "expected float, found complex"),
        (float, np.complex64(1), "expected float, found complex64"),
        (float, 10**400, "expected a number that a float can hold"),
        (bool, 1, "expected bool, found int 1"),
        (bool, None, "expected bool, found NoneType"),
        (None, 0, "expected None, found int 0"),
        (list[int], {1, 2}, "expected a list, found set"),
        (list[str], "ab", "expected a list, found str"),
        (list[int], np.array([1]), "expected a list, found ndarray"),
        (dict[str, int], [("a", 1)], "expected a dict, found list"),
        (tuple[int, str], (1,), "expected a tuple of 2, found tuple"),
        (NDArray, [1, 2], r"expected a NumPy array, found list.*np\.asarray"),
        (NDArray, np.float32(1), "expected a NumPy array, found float32"),
        (str | None, 5, "expected str, found int"),
        (int | str, 0.5, r"expected int \| str, found float"),
        (Any, object(), "expected None, bool, int, .*found object"),
        (Any, {1, 2}, "expected None, bool, int, .*found set"),
        (Any, np.array([1]), ".*found ndarray.*annotate the field as NDArray"),
        (Any, 1j, ".*found complex"),
    ),
)
def test_what_the_annotation_does_not_allow_is_refused_by_field(annotation, value, expected):
    with pytest.raises(SampleValueError, match=f"field 'value': {expected}"):
        holder(annotation)(value).packed  # noqa: B018 -- raises


@pytest.mark.parametrize("annotation", [int, float, Any, np.int64])
@pytest.mark.parametrize("value", [np.timedelta64(5, "s"), np.timedelta64("NaT", "s")], ids=repr)
def test_a_duration_is_no_number(annotation, value):
    with pytest.raises(SampleValueError, match="field 'value'"):
        holder(annotation)(value).packed  # noqa: B018 -- raises


@pytest.mark.parametrize(
    ("annotation", "value", "path"),
    cases(
        (list[str], ["a", 5], "value[1]"),
        (list[list[int]], [[1], [2, "x"]], "value[1][1]"),
        (dict[str, int], {"a": 1, "b": "x"}, "value['b']"),
        (dict[str, list[int]], {"a": [1, 2, None]}, "value['a'][2]"),
        (tuple[int, str], (1, 2), "value[1]"),
        (tuple[int, ...], (1, 2, "x"), "value[2]"),
        (list[str] | None, ["a", None], "value[1]"),
        (Any, {"a": [1, {"b": object()}]}, "value['a'][1]['b']"),
        (list[Any], [1, [2, object()]], "value[1][1]"),
    ),
)
def test_an_error_names_the_path_to_the_value(annotation, value, path):
    with pytest.raises(SampleValueError) as caught:
        holder(annotation)(value).packed  # noqa: B018 -- raises
    assert caught.value.field == path


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("annotation", [int, Any])
def test_the_integers_of_msgpack_come_back(annotation, value):
    assert round_trip(annotation, value) == value


@pytest.mark.parametrize("value", [-(2**63) - 1, 2**64])
@pytest.mark.parametrize("annotation", [int, Any])
def test_an_integer_beyond_msgpack_is_refused(annotation, value):
    with pytest.raises(SampleValueError, match=rf"field 'value': expected an int from .* found {value}"):
        holder(annotation)(value).packed  # noqa: B018 -- raises


@pytest.mark.parametrize("number", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64])
def test_a_numpy_integer_comes_back_at_the_ends_of_its_range(number):
    for end in (np.iinfo(number).min, np.iinfo(number).max):
        found = round_trip(number, number(end))
        assert found == end
        assert type(found) is number


@pytest.mark.parametrize("number", [np.int8, np.uint8, np.int64])
def test_a_numpy_integer_beyond_its_range_is_refused_when_it_is_written(number):
    for beyond in (int(np.iinfo(number).min) - 1, int(np.iinfo(number).max) + 1):
        with pytest.raises(SampleValueError, match=f"field 'value': expected .*found {beyond}"):
            holder(number)(beyond).packed  # noqa: B018 -- raises


@pytest.mark.parametrize(("number", "value"), [(np.int8, 300), (np.uint8, -1), (np.int64, 2**63)])
def test_a_numpy_integer_beyond_its_range_is_refused_when_it_is_read(number, value):
    with pytest.raises(DecodeError, match="'value'"):
        decoded(number, value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(np.float16, np.float16(0.1)), (np.float32, np.float32(0.1)), (np.float64, np.float64(0.1)), (np.bool_, np.True_)],
)
def test_a_numpy_scalar_comes_back_as_one(annotation, value):
    found = round_trip(annotation, value)
    assert found == value
    assert type(found) is annotation


@pytest.mark.parametrize(
    ("annotation", "value"),
    cases(
        (str | None, "a"),
        (str | None, None),
        (Optional[list[int]], [1]),  # noqa: UP045 -- the spelling is the point
        (Union[int, None], None),  # noqa: UP007 -- as above
        (int | str, 5),
        (int | str, "5"),
        (int | str | None, None),
        (int | float, 5),
        (int | float, 0.5),
        (float | int, 5),
        (float | int, 2**60 + 1),
        (bool | int, True),
        (int | bool, True),
        (str | list[int], [1, 2]),
        (list, [1, "a", None, [2.5]]),
        (dict, {"a": 1, 2: "b"}),
        (tuple, (1, "a")),
        (tuple[int, ...], (1, 2)),
        (tuple[int, ...], ()),
        (tuple[str, float], ("a", 0.5)),
        (list[tuple[int, int]], [(1, 2), (3, 4)]),
        (dict[str, tuple[int, int]], {"a": (1, 2)}),
        (Sequence[int], [1, 2]),
        (MutableSequence[str], ["a"]),
        (Mapping[str, float], {"a": 0.5}),
        (dict[int, str], {-1: "a"}),
        (Annotated[int, "unit"], 5),
        (Annotated[list[Annotated[str, 1]] | None, 2], ["a"]),
        (UserId, 5),
        (list[UserId], [5]),
        (object, {"a": [1]}),
    ),
)
def test_a_value_comes_back_as_it_was(annotation, value):
    found = round_trip(annotation, value)
    assert found == value
    assert type(found) is type(value)


def test_arrays_inside_lists_and_dicts_come_back():
    arrays = round_trip(dict[str, list[NDArray]], {"a": [np.arange(3), np.ones((2, 2), "f4")]})
    assert arrays["a"][0].tolist() == [0, 1, 2]
    assert arrays["a"][1].dtype == "f4"


def test_an_absent_array_is_none():
    assert round_trip(NDArray | None, None) is None


@pytest.mark.parametrize(
    ("annotation", "named"),
    cases(
        (complex, "complex"),
        (set[int], "set"),
        (np.complex64, "complex64"),
        (np.datetime64, "datetime64"),
        (np.timedelta64, "timedelta64"),
        (list[complex], "complex"),
        (dict[float, int], "a dict's keys are stored as str or int, not as float"),
        (bytes | NDArray, "cannot be told apart"),
        (list[int] | list[str], "cannot be told apart"),
        (list[int] | tuple[int, ...], "cannot be told apart"),
        (Exception, "Exception"),
        ([], "cannot be stored"),
    ),
)
def test_a_type_that_cannot_be_stored_is_refused_by_class_and_field(annotation, named):
    made = holder(Annotated[int, 0])
    made.__annotations__["value"] = annotation
    with pytest.raises(SchemaError, match=rf"Holder\.value: .*{named}"):
        made(None).packed  # noqa: B018 -- raises


@pytest.mark.parametrize(
    ("annotation", "value"),
    cases(
        (str, 5),
        (str, b"a"),
        (bytes, "a"),
        (int, "5"),
        (int, 5.5),
        (int, True),
        (float, "a"),
        (bool, 1),
        (None, 0),
        (list[int], [1, "a"]),
        (list[int], {"a": 1}),
        (dict[str, int], {"a": "b"}),
        (dict[str, int], {1: 2}),
        (tuple[int, str], [1]),
        (tuple[int, str], [1, "a", 2]),
        (int | str, 0.5),
        (NDArray, "a"),
        (NDArray, None),
        (NDArray, b""),
        (list[NDArray], [b"\x03|u1\x00\x07", b"junk"]),
        (np.int8, "a"),
    ),
)
def test_a_payload_of_another_type_is_refused_by_field(annotation, value):
    with pytest.raises(DecodeError, match=r"Holder.*value"):
        decoded(annotation, value)


def test_an_integer_in_a_payload_is_read_as_the_float_it_is():
    found = decoded(float, 5)
    assert (found, type(found)) == (5.0, float)


class CountingList(list):
    """Counts how often lists of its kind are gone through."""

    passes = 0

    def __iter__(self):
        CountingList.passes += 1
        return super().__iter__()


def test_to_find_a_wrong_value_each_list_around_it_is_gone_through_a_few_times():
    deep = object()
    for _ in range(12):
        deep = CountingList([deep])
    CountingList.passes = 0
    with pytest.raises(SampleValueError, match="found object") as caught:
        to_natives(deep)
    assert caught.value.field == "[0]" * 12
    assert CountingList.passes <= 5 * 12


def test_a_list_that_holds_itself_through_a_dict_is_refused():
    loop = {}
    loop["again"] = loop
    with pytest.raises(SampleValueError, match="nested more than 100 deep"):
        to_natives(loop)


def test_a_value_nested_100_deep_is_written():
    deep = None
    for _ in range(100):
        deep = [deep]
    assert round_trip(Any, deep) == deep


def test_keys_that_are_no_text_or_integer_are_refused():
    for key in (None, 0.5, b"a", True, (1,)):
        with pytest.raises(SampleValueError, match="expected int, found"):
            to_natives({key: 1})


@LAW
@given(
    st.recursive(st.none() | st.integers(-5, 5) | st.text(max_size=3), lambda inner: st.lists(inner) | st.tuples(inner))
)
def test_natives_of_natives_are_the_same(value):
    once = to_natives(value)
    assert to_natives(once) == once


@pytest.mark.parametrize("scalar", [np.float16, np.float32])
def test_a_float_beyond_the_range_of_its_type_is_refused(scalar):
    with pytest.raises(SampleValueError, match=r"beyond its range"):
        codec_of(scalar).check(1e300)
    assert codec_of(scalar).check(float("inf")) == float("inf")


@pytest.mark.parametrize("value", [2**53 + 1, -(2**63) + 1, np.int64(2**60 + 1), 10**400], ids=str)
def test_an_int_that_no_float_holds_as_it_is_is_refused(value):
    with pytest.raises(SampleValueError, match="a number that a float can hold as it is"):
        codec_of(float).check(value)


@pytest.mark.parametrize("value", [2**53, -(2**60), np.int64(2**60), True + 1, np.float32(0.1)], ids=str)
def test_a_number_that_a_float_holds_is_one(value):
    assert codec_of(float).check(value) == value
