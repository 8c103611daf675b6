"""Several samples of one type, field by field."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, get_args

import numpy as np

from atdata._errors import SchemaError, listed, near_misses

__all__ = ["SampleBatch"]

T = TypeVar("T")


class SampleBatch(Generic[T]):
    """A batch: ``batch.field`` is all samples' values of that field.

    Arrays of one shape and dtype are stacked along a new first axis, ``(samples, ...)``; every other field is a list.
    What was stacked is kept, so that asking twice copies once.

    Args:
        samples: The samples, in order.

    Examples:
        >>> import numpy as np
        >>> from atdata import DictSample
        >>> batch = SampleBatch([DictSample(x=np.ones(3), label="a"), DictSample(x=np.zeros(3), label="b")])
        >>> batch.x.shape, batch.label, len(batch)
        ((2, 3), ['a', 'b'], 2)
    """

    def __init__(self, samples: Sequence[T]) -> None:
        self.samples = list(samples)
        self._columns: dict[str, Any] = {}

    @property
    def sample_type(self) -> type[T]:
        """The type named in ``SampleBatch[T]``, or that of the first sample."""
        named = get_args(self.__dict__.get("__orig_class__"))
        if named and isinstance(named[0], type):
            return named[0]
        if not self.samples:
            raise SchemaError("an empty batch has no sample type; name it: SampleBatch[T](samples)")
        return type(self.samples[0])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._columns:
            self._columns[name] = _column([self._value(sample, name) for sample in self.samples])
        return self._columns[name]

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[T]:
        return iter(self.samples)

    def __getitem__(self, index: int) -> T:
        return self.samples[index]

    def __repr__(self) -> str:
        name = self.sample_type.__name__ if self.samples else "nothing"
        return f"SampleBatch({len(self)} x {name})"

    def _value(self, sample: T, name: str) -> Any:
        try:
            return getattr(sample, name)
        except AttributeError:
            names = (
                [field.name for field in dataclasses.fields(sample)]
                if dataclasses.is_dataclass(sample)
                else list(sample)  # type: ignore[call-overload]  # a DictSample
            )
            raise AttributeError(
                f"a batch of {type(sample).__name__} has no field {name!r}"
                f"{near_misses(name, names)}; the fields are {listed(names)}"
            ) from None


def _column(values: list[Any]) -> Any:
    if not values or not all(isinstance(value, np.ndarray) for value in values):
        return values
    first = values[0]
    if any(value.shape != first.shape or value.dtype != first.dtype for value in values):
        return values
    stacked = np.empty((len(values), *first.shape), first.dtype)
    return np.stack(values, out=stacked)
