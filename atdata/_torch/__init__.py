"""The bridge to PyTorch: what its DataLoader reads a dataset by. It is imported when asked for (the extra `torch`)."""

from atdata._errors import MissingPackageError as _MissingPackageError

try:
    import torch as _torch  # noqa: F401 -- whether it is there
except ImportError as _error:
    raise _MissingPackageError.named("PyTorch", extra="torch", purpose="to_torch()") from _error

from ._collate import Collate, to_tensors
from ._map import SampleMap, rank_here
from ._stream import SampleStream

__all__ = ["Collate", "SampleMap", "SampleStream", "rank_here", "to_tensors"]
