"""Several samples of one type, field by field."""

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from atdata import DictSample, SampleBatch, packable
from atdata._errors import SampleValueError, SchemaError


@packable
class Photo:
    pixels: NDArray
    label: str
    count: int = 0


def photos(*shapes, dtype=np.float32):
    return [Photo(np.full(shape, number, dtype), f"photo {number}", number) for number, shape in enumerate(shapes)]


def test_arrays_of_one_shape_are_stacked_along_a_new_first_axis():
    pixels = SampleBatch(photos((2, 3), (2, 3), (2, 3))).pixels
    assert pixels.shape == (3, 2, 3)
    assert pixels[:, 0, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["u1", ">f8", "<M8[s]", "?", "c8"])
def test_a_stack_has_the_dtype_of_the_arrays(dtype):
    assert SampleBatch(photos((2,), (2,), dtype=dtype)).pixels.dtype == np.dtype(dtype)


def test_arrays_of_no_dimension_are_stacked():
    assert SampleBatch(photos((), ())).pixels.tolist() == [0, 1]


def test_arrays_of_different_shapes_stay_a_list():
    pixels = SampleBatch(photos((2,), (3,))).pixels
    assert [array.shape for array in pixels] == [(2,), (3,)]
    assert isinstance(pixels, list)


def test_arrays_of_different_dtypes_stay_a_list():
    samples = [Photo(np.ones(2, "f4"), "a"), Photo(np.ones(2, "f8"), "b")]
    assert [array.dtype for array in SampleBatch(samples).pixels] == ["f4", "f8"]


def test_a_missing_array_keeps_the_field_a_list():
    assert SampleBatch([DictSample(x=np.ones(2)), DictSample(x=None)]).x[1] is None


def test_other_fields_are_lists_in_order():
    batch = SampleBatch(photos((1,), (1,)))
    assert batch.label == ["photo 0", "photo 1"]
    assert batch.count == [0, 1]


def test_what_was_stacked_is_kept():
    batch = SampleBatch(photos((2,), (2,)))
    assert batch.pixels is batch.pixels


def test_a_stack_is_a_copy():
    samples = photos((2,), (2,))
    batch = SampleBatch(samples)
    batch.pixels[0] = 9
    assert samples[0].pixels.tolist() == [0, 0]


def test_the_type_is_that_of_the_first_sample():
    assert SampleBatch(photos((1,))).sample_type is Photo


def test_the_type_is_the_one_that_was_named():
    assert SampleBatch[Photo]([]).sample_type is Photo


def test_any_names_no_type():
    assert SampleBatch[Any](photos((1,))).sample_type is Photo


def test_an_empty_batch_without_a_type_says_how_to_name_one():
    with pytest.raises(SchemaError, match=r"SampleBatch\[T\]\(samples\)"):
        SampleBatch([]).sample_type  # noqa: B018 -- raises


def test_a_batch_counts_iterates_and_indexes_its_samples():
    samples = photos((1,), (1,), (1,))
    batch = SampleBatch(samples)
    assert len(batch) == 3
    assert list(batch) == samples
    assert batch[-1] is samples[2]


def test_a_batch_does_not_follow_the_list_that_it_was_made_from():
    samples = photos((1,), (1,))
    batch = SampleBatch(samples)
    samples.clear()
    assert len(batch) == 2


def test_an_unknown_field_is_an_error_with_near_misses():
    with pytest.raises(AttributeError, match=r"Photo has no field 'lable' \(did you mean 'label'\?\).*'pixels'"):
        SampleBatch(photos((1,))).lable  # noqa: B018 -- raises


def test_an_unknown_field_of_dict_samples_is_an_error_with_near_misses():
    with pytest.raises(AttributeError, match=r"DictSample has no field 'lable' \(did you mean 'label'\?\).*'count'"):
        SampleBatch([DictSample(label="a", count=1)]).lable  # noqa: B018 -- raises


def test_a_batch_shows_how_many_of_what_it_holds():
    assert repr(SampleBatch(photos((1,), (1,)))) == "SampleBatch(2 x Photo)"
    assert repr(SampleBatch([])) == "SampleBatch(0 x nothing)"


def test_a_batch_pickles():
    batch = pickle.loads(pickle.dumps(SampleBatch(photos((2,), (2,)))))
    assert batch.pixels.shape == (2, 2)


# -- a stack that is demanded


@pytest.mark.parametrize("shapes", [[(2, 3)], [(2, 3), (2, 3)]])
def test_a_field_whose_arrays_are_alike_can_be_demanded_stacked(shapes):
    batch = SampleBatch(photos(*shapes))
    assert batch.stacked("pixels") is batch.pixels


def test_a_ragged_field_that_is_demanded_stacked_names_the_first_odd_one():
    batch = SampleBatch(photos((2, 3), (2, 3), (4, 3), (5, 3)))
    expected = (
        r"sample 2, field 'pixels': expected an array of shape \(2, 3\) and dtype float32 like sample 0's, "
        r"found of shape \(4, 3\) and dtype float32"
    )
    with pytest.raises(SampleValueError, match=expected) as caught:
        batch.stacked("pixels")
    assert (caught.value.field, caught.value.position) == ("pixels", 2)


def test_a_field_of_two_dtypes_that_is_demanded_stacked_names_both():
    samples = [Photo(np.ones(2, "f4"), "a"), Photo(np.ones(2, "f8"), "b")]
    with pytest.raises(SampleValueError, match="sample 1, field 'pixels': .*float32.*float64"):
        SampleBatch(samples).stacked("pixels")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([np.ones(2), None], "sample 1, field 'x': expected an array of shape .2,. and dtype float64.*found None"),
        ([None, np.ones(2)], "sample 0, field 'x': expected an array, found None"),
        ([1.5, 2.5], "sample 0, field 'x': expected an array, found a float"),
        ([], "no samples"),
    ],
    ids=["none", "none first", "numbers", "empty"],
)
def test_a_field_that_is_no_stack_says_why(values, problem):
    with pytest.raises(SampleValueError, match=problem):
        SampleBatch([DictSample(x=value) for value in values]).stacked("x")


def test_an_unknown_field_cannot_be_demanded():
    with pytest.raises(AttributeError, match="no field 'pixel'.*did you mean 'pixels'"):
        SampleBatch(photos((1,))).stacked("pixel")
