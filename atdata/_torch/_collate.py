"""Batches as tensors."""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.utils.data import default_collate
from torch.utils.data._utils.collate import default_collate_fn_map  # as torch's default_collate says how to extend it

from atdata._errors import SampleValueError, listed
from atdata._sample import DictSample, PackableSample, SampleBatch, bare_type, fields_of

__all__ = ["Collate", "to_tensors"]

#: What makes of a batch what a model takes.
Collate: TypeAlias = Callable[[SampleBatch[Any]], Any]

#: Kinds of NumPy dtypes that torch has: booleans, integers, floats, complex numbers.
_NUMBERS = frozenset("biufc")
_TEXT = frozenset("SU")
_SCALARS = bool | int | float | complex | np.generic


def to_tensors(batch: SampleBatch[Any], name_of: Callable[[int], str] | None = None) -> Any:
    """Return a batch of samples as a dict from field name to a tensor, or to a list.

    Arrays become one tensor, ``(samples, ...)``, that shares the batch's memory; numbers and booleans become a tensor
    of one dimension; all else is a list, and so is a field that may be None. What is no sample goes to torch's own
    ``default_collate``.

    Args:
        batch: The batch.
        name_of: Says for an error which sample one of the batch is.

    Raises:
        SampleValueError: Arrays of one field differ in shape or dtype, or torch has no such dtype.
    """
    kind = batch.sample_type
    if issubclass(kind, DictSample):
        names, lists = batch[0].keys(), frozenset[str]()
        for sample in batch:
            if set(sample.keys()) != set(names):
                raise SampleValueError(
                    f"samples of one batch have the fields {listed(names)} and {listed(sample.keys())}; read them as a "
                    "type, or give to_torch(collate=...)"
                )
    elif issubclass(kind, PackableSample):
        names, lists = [field.name for field in fields_of(kind)], _lists(kind)
    else:
        return default_collate(batch.samples)
    name_of = name_of or (lambda index: f"sample {index} of the batch")
    return {name: _column(batch, name, name_of, as_list=name in lists) for name in names}


def _lists(kind: type) -> frozenset[str]:
    """Return the fields of a type that may be None: no tensor holds that, and what a batch is does not change."""
    return frozenset(field.name for field in fields_of(kind) if _may_be_none(field.annotation))


def _may_be_none(annotation: Any) -> bool:
    bare, _ = bare_type(annotation)
    return bare is type(None) or (
        typing.get_origin(bare) in {typing.Union, types.UnionType} and any(map(_may_be_none, typing.get_args(bare)))
    )


def _column(batch: SampleBatch[Any], name: str, name_of: Callable[[int], str], *, as_list: bool) -> Any:
    values = _values(batch, name)
    if as_list:
        return list(values)
    if isinstance(values, np.ndarray):
        return _of_array(values, name)
    if isinstance(values[0], np.ndarray):
        _check_alike(values, name, name_of)
        return _of_array(np.stack(values), name)
    return _of_numbers(values, name) if isinstance(values[0], _SCALARS) else values


def _values(batch: SampleBatch[Any], name: str) -> Any:
    """Return a field's values: what is stacked already as it is, so that no sample is made."""
    # Such a name means something else on the batch, or on its samples.
    if name.startswith("_") or hasattr(SampleBatch, name) or hasattr(DictSample, name):
        return [sample[name] if isinstance(sample, DictSample) else getattr(sample, name) for sample in batch]
    return getattr(batch, name)


def _of_numbers(values: list[Any], name: str) -> Any:
    if len({isinstance(value, bool | np.bool_) for value in values}) > 1 or not all(
        isinstance(value, _SCALARS) for value in values
    ):
        return values
    dtype = _dtype_of(values) if all(type(value) is int for value in values) else None
    numbers = np.array(values, dtype)
    return _of_array(numbers, name) if numbers.dtype.kind in _NUMBERS else values


def _dtype_of(values: list[int]) -> type:
    """Return the dtype that holds whole numbers as they are; NumPy itself takes floats where it finds no other."""
    for dtype in (np.int64, np.uint64):
        if np.iinfo(dtype).min <= min(values) and max(values) <= np.iinfo(dtype).max:
            return dtype
    return object


def _of_array(array: Any, name: str) -> Any:
    if array.dtype.kind in _TEXT:
        return array
    native = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(native)
    except TypeError as error:
        raise SampleValueError(
            f"torch has no dtype for arrays of {array.dtype}; give to_torch(collate=...)",
            name,
        ) from error


def _check_alike(values: Sequence[Any], name: str, name_of: Callable[[int], str]) -> None:
    first = values[0]
    for index, value in enumerate(values):
        same = isinstance(value, np.ndarray) and (value.shape, value.dtype) == (first.shape, first.dtype)
        if not same:
            raise SampleValueError(
                f"its arrays do not stack: {name_of(0)} has {_shown(first)}, {name_of(index)} has {_shown(value)}; "
                "give to_torch(collate=...), which pads or lists them",
                name,
            )


def _shown(value: Any) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _collate_samples(samples: Sequence[Any], *, collate_fn_map: Mapping[Any, Any] | None = None) -> Any:  # noqa: ARG001 -- as torch calls it
    return to_tensors(SampleBatch(samples))


# So that DataLoader(ds.to_torch(), batch_size=32) makes of samples what to_torch(batch_size=32) does.
default_collate_fn_map[PackableSample] = _collate_samples
default_collate_fn_map[DictSample] = _collate_samples
