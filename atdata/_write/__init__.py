"""Writing sets of shards: named, encoded, published whole and in order."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._encode import Encoded
    from ._metadata import Progress, iso_time, json_dict
    from ._open_shard import HeaderFacts
    from ._set_names import NUMBERED, Existing, Keys, KeySource, ShardNames, check_existing
    from ._set_writer import SetOptions, SetWriter
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "NUMBERED": "atdata._write._set_names",
            "Encoded": "atdata._write._encode",
            "Existing": "atdata._write._set_names",
            "HeaderFacts": "atdata._write._open_shard",
            "KeySource": "atdata._write._set_names",
            "Keys": "atdata._write._set_names",
            "Progress": "atdata._write._metadata",
            "SetOptions": "atdata._write._set_writer",
            "SetWriter": "atdata._write._set_writer",
            "ShardNames": "atdata._write._set_names",
            "check_existing": "atdata._write._set_names",
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
