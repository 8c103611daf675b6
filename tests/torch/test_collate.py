"""Batches as tensors: what each field becomes, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import atdata
from atdata import DictSample, SampleBatch, SampleValueError
from atdata._torch import to_tensors


@atdata.packable
class Scan:
    pixels: NDArray[Any]
    count: int
    score: float
    good: bool
    name: str
    tags: list[str]
    weight: float | None = None


def scan(**fields):
    given = {"pixels": np.ones((2, 3), np.float32), "count": 1, "score": 0.5, "good": True, "name": "a", "tags": ["t"]}
    return Scan(**(given | fields))


def test_arrays_and_numbers_are_tensors_and_all_else_is_a_list():
    batch = to_tensors(SampleBatch([scan(), scan(count=2, good=False, name="b", weight=2.0)]))
    assert list(batch) == ["pixels", "count", "score", "good", "name", "tags", "weight"]
    assert (batch["pixels"].shape, batch["pixels"].dtype) == ((2, 2, 3), torch.float32)
    assert (batch["count"].tolist(), batch["count"].dtype) == ([1, 2], torch.int64)
    assert (batch["score"].tolist(), batch["score"].dtype) == ([0.5, 0.5], torch.float64)
    assert (batch["good"].tolist(), batch["good"].dtype) == ([True, False], torch.bool)
    assert batch["name"] == ["a", "b"]
    assert batch["tags"] == [["t"], ["t"]]


def test_a_field_that_may_be_none_is_a_list_whether_it_is_or_not():
    assert to_tensors(SampleBatch([scan(weight=1.0), scan(weight=2.0)]))["weight"] == [1.0, 2.0]


@atdata.packable
class Awkward:
    samples: NDArray[Any]
    stacked: int
    crop: NDArray[Any] | None = None


def test_a_field_that_is_called_like_something_of_a_batch_is_that_field():
    found = to_tensors(SampleBatch([Awkward(np.ones(2), 7), Awkward(np.zeros(2), 8)]))
    assert (found["samples"].tolist(), found["stacked"].tolist()) == ([[1.0, 1.0], [0.0, 0.0]], [7, 8])


def test_arrays_that_may_be_none_are_a_list_also_where_they_would_stack():
    found = to_tensors(SampleBatch([Awkward(np.ones(2), 7, np.ones(3))] * 2))["crop"]
    assert [each.tolist() for each in found] == [[1.0, 1.0, 1.0]] * 2


def test_no_sample_is_made_of_a_batch_that_was_read(tmp_path):
    dataset = atdata.write_samples([scan(), scan(count=2)], tmp_path / "s.tar", manifest=True)
    (batch,) = dataset.ordered(batch_size=2)
    assert to_tensors(batch)["count"].tolist() == [1, 2]
    assert batch._samples is None


def test_the_tensor_is_the_memory_of_the_stacked_array():
    batch = SampleBatch([scan(), scan()])
    assert to_tensors(batch)["pixels"].numpy().__array_interface__["data"] == batch.pixels.__array_interface__["data"]


@pytest.mark.parametrize(
    "dtype", ["bool", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16", ">f4", ">i2"]
)
def test_every_dtype_of_numbers_becomes_torchs(dtype):
    array = np.ones((2, 2), dtype)
    found = to_tensors(SampleBatch([scan(pixels=array), scan(pixels=array)]))["pixels"]
    assert found.numpy().dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(found.numpy(), np.stack([array, array]))


@pytest.mark.parametrize("array", [np.zeros((0, 3)), np.array(7.0), np.ones((2, 3))[:, ::2]])
def test_arrays_of_any_shape_stack(array):
    assert np.array_equal(to_tensors(SampleBatch([scan(pixels=array)] * 2))["pixels"].numpy(), np.stack([array] * 2))


def test_arrays_of_text_stay_arrays():
    assert to_tensors(SampleBatch([scan(pixels=np.array(["a", "b"]))]))["pixels"].tolist() == [["a", "b"]]


@pytest.mark.parametrize("dtype", ["M8[s]", "m8[s]", "V4"])
def test_a_dtype_that_torch_has_not_is_refused_by_field(dtype):
    with pytest.raises(SampleValueError, match=r"field 'pixels': torch has no dtype for arrays of .*collate="):
        to_tensors(SampleBatch([scan(pixels=np.zeros(2, dtype))]))


@pytest.mark.parametrize(
    ("other", "shown"), [(np.ones((2, 4), np.float32), r"float32 of shape \(2, 4\)"), (np.ones((2, 3)), r"float64 of")]
)
def test_ragged_arrays_are_refused_with_field_shapes_and_which_samples(other, shown):
    batch = SampleBatch([scan(), scan(), scan(pixels=other)])
    expected = (
        rf"field 'pixels': .*sample 0 of the batch has float32 of shape \(2, 3\), sample 2 of the batch has {shown}"
    )
    with pytest.raises(SampleValueError, match=expected):
        to_tensors(batch)


def test_samples_without_a_type_are_read_by_their_values():
    batch = SampleBatch([DictSample(a=1, b="x", samples=2.0), DictSample(a=2, b="y", samples=1.5)])
    found = to_tensors(batch)
    assert (found["a"].tolist(), found["b"], found["samples"].tolist()) == ([1, 2], ["x", "y"], [2.0, 1.5])


@pytest.mark.parametrize(
    "values", [[1, True], [1, None], [None, 1], ["a", 1], [1 << 70, 1], [-1, 1 << 63], [1, [2, 3]]]
)
def test_values_that_are_no_numbers_together_stay_a_list(values):
    assert to_tensors(SampleBatch([DictSample(a=value) for value in values]))["a"] == values


def test_whole_numbers_beyond_64_signed_bits_are_never_rounded():
    found = to_tensors(SampleBatch([DictSample(a=(1 << 63) + 1), DictSample(a=1)]))["a"]
    assert (found.tolist(), found.dtype) == ([(1 << 63) + 1, 1], torch.uint64)


@atdata.packable
class OddlyNamed:
    stacked: NDArray[Any]
    samples: NDArray[Any]
    _hidden: NDArray[Any]


def test_fields_that_are_called_as_a_batchs_own_attributes_are_tensors_too():
    found = to_tensors(SampleBatch([OddlyNamed(np.zeros(2), np.ones(2), np.full(2, row)) for row in range(3)]))
    assert {name: tuple(each.shape) for name, each in found.items()} == dict.fromkeys(
        ["stacked", "samples", "_hidden"], (3, 2)
    )
    assert found["_hidden"][:, 0].tolist() == [0, 1, 2]


def test_fields_that_are_called_as_methods_of_a_dict_are_read():
    found = to_tensors(SampleBatch([DictSample(items=np.ones(2), keys=row) for row in range(2)]))
    assert (found["items"].shape, found["keys"].tolist()) == ((2, 2), [0, 1])


def test_samples_without_a_type_that_differ_in_their_fields_are_refused():
    with pytest.raises(SampleValueError, match="have the fields 'a' and 'a', 'b'"):
        to_tensors(SampleBatch([DictSample(a=1), DictSample(a=1, b=2)]))


def test_what_a_step_made_goes_to_torchs_own_collate():
    found = to_tensors(SampleBatch([(np.ones(2), 1), (np.zeros(2), 2)]))
    assert [each.tolist() for each in found] == [[[1.0, 1.0], [0.0, 0.0]], [1, 2]]
