"""Reading: where samples are, which bytes to ask for, and samples of them, each checked."""

from atdata._shards import Verify

from ._opened import Opened, as_locations
from ._ranges import cost_of
from ._read import SampleReader, Step, Steps, batched, through

__all__ = [
    "Opened",
    "SampleReader",
    "Step",
    "Steps",
    "Verify",
    "as_locations",
    "batched",
    "cost_of",
    "through",
]
