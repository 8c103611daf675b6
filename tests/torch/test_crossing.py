"""Batches on their way from a worker: they arrive as plain dicts, and small tensors need no shared memory."""

import copy
from multiprocessing.reduction import ForkingPickler

import pytest
import torch

from atdata._torch._stream import Crossing


def there(batch):
    return ForkingPickler.loads(ForkingPickler.dumps(batch))


def test_a_batch_arrives_as_a_plain_dict_of_what_it_held():
    batch = Crossing(a=torch.arange(6).reshape(2, 3), b=["x", None], c=torch.tensor([True]))
    found = there(batch)
    assert type(found) is dict
    assert list(found) == ["a", "b", "c"]
    assert torch.equal(found["a"], batch["a"])
    assert (found["b"], found["c"].tolist()) == (["x", None], [True])


@pytest.mark.parametrize(
    "tensor", [torch.zeros(0, 3), torch.ones(2, 3).T, torch.tensor(1.5), torch.ones(2, dtype=torch.uint16)]
)
def test_tensors_of_any_shape_layout_and_dtype_arrive(tensor):
    found = there(Crossing(a=tensor))["a"]
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(found, tensor)


def test_what_arrives_is_ones_own_and_may_be_written_to():
    tensor = torch.zeros(3)
    found = there(Crossing(a=tensor))["a"]
    found += 1
    assert (tensor.sum(), found.sum()) == (0, 3)


def test_small_tensors_travel_in_the_message_and_large_ones_beside_it():
    small, large = torch.zeros(1 << 18), torch.zeros((1 << 18) + 1)  # of four bytes each
    assert len(ForkingPickler.dumps(Crossing(a=small))) > 1 << 20
    assert len(ForkingPickler.dumps(Crossing(a=large))) < 1 << 10
    assert large.is_shared()
    assert not small.is_shared()


def test_tensors_in_lists_travel_in_the_message_too():
    small = [torch.zeros(2), None, [torch.ones(3)]]
    found = there(Crossing(a=small))["a"]
    assert (found[0].tolist(), found[1], found[2][0].tolist()) == ([0.0, 0.0], None, [1.0, 1.0, 1.0])
    assert not small[0].is_shared()


def test_a_copy_is_one_too():
    batch = copy.copy(Crossing(a=1))
    assert (type(batch), batch) == (Crossing, {"a": 1})
