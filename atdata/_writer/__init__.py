"""Writing sets of shards: named, encoded, published whole and in order."""

from ._encode import Encoded
from ._existing import Existing, check_existing
from ._facts import iso_time, json_dict
from ._keys import NUMBERED, Keys, KeySource
from ._names import ShardNames, expand, is_local
from ._open_shard import HeaderFacts
from ._progress import Progress
from ._set_writer import SetOptions, SetWriter

__all__ = [
    "NUMBERED",
    "Encoded",
    "Existing",
    "HeaderFacts",
    "KeySource",
    "Keys",
    "Progress",
    "SetOptions",
    "SetWriter",
    "ShardNames",
    "check_existing",
    "expand",
    "is_local",
    "iso_time",
    "json_dict",
]
