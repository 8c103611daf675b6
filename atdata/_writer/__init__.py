"""Writing sets of shards: named, encoded, published whole and in order."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._encode import Encoded
    from ._existing import Existing, check_existing
    from ._facts import iso_time, json_dict
    from ._keys import NUMBERED, Keys, KeySource
    from ._names import ShardNames, expand, is_local
    from ._open_shard import HeaderFacts
    from ._progress import Progress
    from ._set_writer import SetOptions, SetWriter
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "NUMBERED": "atdata._writer._keys",
            "Encoded": "atdata._writer._encode",
            "Existing": "atdata._writer._existing",
            "HeaderFacts": "atdata._writer._open_shard",
            "KeySource": "atdata._writer._keys",
            "Keys": "atdata._writer._keys",
            "Progress": "atdata._writer._progress",
            "SetOptions": "atdata._writer._set_writer",
            "SetWriter": "atdata._writer._set_writer",
            "ShardNames": "atdata._writer._names",
            "check_existing": "atdata._writer._existing",
            "expand": "atdata._writer._names",
            "is_local": "atdata._writer._names",
            "iso_time": "atdata._writer._facts",
            "json_dict": "atdata._writer._facts",
        },
    )

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
