"""How a batch gets from a worker to the process that trains."""

from typing import Any, Self

import torch

__all__ = ["Crossing"]

#: Up to so many bytes a tensor goes through the pipe to the other process. Shared memory, which torch puts every tensor
#: into, takes a file, a connection and new pages for each, which only pays for more.
_PIPED = 1 << 20


class Crossing(dict[str, Any]):
    """A batch in a worker. It arrives as a plain dict, and sooner, because its small tensors are sent as they are."""

    def __copy__(self) -> Self:
        return type(self)(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, ({name: _Piped(value) if _is_small(value) else value for name, value in self.items()},)


class _Piped:
    """A small tensor on its way."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.from_numpy, (self._tensor.numpy(),)


def _is_small(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.nbytes <= _PIPED


def _arrived(batch: dict[str, Any]) -> dict[str, Any]:
    return batch
