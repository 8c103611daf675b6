"""Shards in a store: their headers, sample tables and tars, read and checked, and where their samples are."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._locations import (
        NO_CRC,
        Indices,
        LocationProblem,
        Locations,
        check_frame,
        check_location,
        location_problem,
        shard_numbers,
        table_problem,
        to_position,
    )
    from ._shard_files import ShardFiles, damaged_table
    from ._tars import Tars, Verify
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Indices": "atdata._shards._locations",
            "LocationProblem": "atdata._shards._locations",
            "Locations": "atdata._shards._locations",
            "NO_CRC": "atdata._shards._locations",
            "ShardFiles": "atdata._shards._shard_files",
            "Tars": "atdata._shards._tars",
            "Verify": "atdata._shards._tars",
            "damaged_table": "atdata._shards._shard_files",
            "check_frame": "atdata._shards._locations",
            "check_location": "atdata._shards._locations",
            "location_problem": "atdata._shards._locations",
            "shard_numbers": "atdata._shards._locations",
            "table_problem": "atdata._shards._locations",
            "to_position": "atdata._shards._locations",
        },
    )

__all__ = [
    "NO_CRC",
    "Indices",
    "LocationProblem",
    "Locations",
    "ShardFiles",
    "Tars",
    "Verify",
    "check_frame",
    "check_location",
    "damaged_table",
    "location_problem",
    "shard_numbers",
    "table_problem",
    "to_position",
]
