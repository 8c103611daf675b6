"""Shards in a store: their headers, sample tables and tars, read and checked, and where their samples are."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._locations import NO_CRC, Indices, Locations, shard_numbers, to_position
    from ._shard_files import ShardFiles
    from ._tars import Tars, Verify
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Indices": "atdata._shards._locations",
            "Locations": "atdata._shards._locations",
            "NO_CRC": "atdata._shards._locations",
            "ShardFiles": "atdata._shards._shard_files",
            "Tars": "atdata._shards._tars",
            "Verify": "atdata._shards._tars",
            "shard_numbers": "atdata._shards._locations",
            "to_position": "atdata._shards._locations",
        },
    )

__all__ = ["NO_CRC", "Indices", "Locations", "ShardFiles", "Tars", "Verify", "shard_numbers", "to_position"]
