"""Reading: where samples are, which bytes to ask for, and samples of them, each checked."""

from ._opened import Opened, OpenShards, digest_of
from ._picks import Picks, shard_numbers, to_position
from ._places import as_locations, check_location_columns
from ._plan import LOCAL, cost_of
from ._read import SampleReader
from ._steps import Step, Steps, batched, through
from ._tars import Verify

__all__ = [
    "LOCAL",
    "OpenShards",
    "Opened",
    "Picks",
    "SampleReader",
    "Step",
    "Steps",
    "Verify",
    "as_locations",
    "batched",
    "check_location_columns",
    "cost_of",
    "digest_of",
    "shard_numbers",
    "through",
    "to_position",
]
