"""Writing sets of shards: named, encoded, published whole and in order."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._encode import Encoded
    from ._existing import NUMBERED, Existing, Keys, KeySource, ShardNames, check_existing
    from ._metadata import Progress, iso_time, json_dict
    from ._open_shard import HeaderFacts
    from ._set_writer import SetOptions, SetWriter
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "NUMBERED": "atdata._write._existing",
            "Encoded": "atdata._write._encode",
            "Existing": "atdata._write._existing",
            "HeaderFacts": "atdata._write._open_shard",
            "KeySource": "atdata._write._existing",
            "Keys": "atdata._write._existing",
            "Progress": "atdata._write._metadata",
            "SetOptions": "atdata._write._set_writer",
            "SetWriter": "atdata._write._set_writer",
            "ShardNames": "atdata._write._existing",
            "check_existing": "atdata._write._existing",
            "iso_time": "atdata._write._metadata",
            "json_dict": "atdata._write._metadata",
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
    "iso_time",
    "json_dict",
]
