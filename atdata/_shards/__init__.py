"""Shards in a store: their headers, sample tables and tars, read and checked, and where their samples are."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._joining import check_root_names, join_shards, repeated_tar, root_names, root_url
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
    from ._opening import (
        SLICE_SUFFIX,
        DatasetSource,
        OpenShards,
        absolute_source,
        check_source,
        find_tars,
        has_index,
        is_slice,
        list_shards,
        open_shards,
        place_tars,
        report_ignored,
    )
    from ._patterns import escape_pattern
    from ._shard_files import CommittedShard, ShardFiles, damaged_table
    from ._tars import Tars, Verify
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "CommittedShard": "atdata._shards._shard_files",
            "DatasetSource": "atdata._shards._opening",
            "Indices": "atdata._shards._locations",
            "LocationProblem": "atdata._shards._locations",
            "Locations": "atdata._shards._locations",
            "NO_CRC": "atdata._shards._locations",
            "OpenShards": "atdata._shards._opening",
            "SLICE_SUFFIX": "atdata._shards._opening",
            "ShardFiles": "atdata._shards._shard_files",
            "Tars": "atdata._shards._tars",
            "Verify": "atdata._shards._tars",
            "absolute_source": "atdata._shards._opening",
            "check_frame": "atdata._shards._locations",
            "check_location": "atdata._shards._locations",
            "check_root_names": "atdata._shards._joining",
            "check_source": "atdata._shards._opening",
            "damaged_table": "atdata._shards._shard_files",
            "escape_pattern": "atdata._shards._patterns",
            "find_tars": "atdata._shards._opening",
            "has_index": "atdata._shards._opening",
            "is_slice": "atdata._shards._opening",
            "join_shards": "atdata._shards._joining",
            "list_shards": "atdata._shards._opening",
            "location_problem": "atdata._shards._locations",
            "open_shards": "atdata._shards._opening",
            "place_tars": "atdata._shards._opening",
            "repeated_tar": "atdata._shards._joining",
            "report_ignored": "atdata._shards._opening",
            "root_names": "atdata._shards._joining",
            "root_url": "atdata._shards._joining",
            "shard_numbers": "atdata._shards._locations",
            "table_problem": "atdata._shards._locations",
            "to_position": "atdata._shards._locations",
        },
    )

__all__ = [
    "NO_CRC",
    "SLICE_SUFFIX",
    "CommittedShard",
    "DatasetSource",
    "Indices",
    "LocationProblem",
    "Locations",
    "OpenShards",
    "ShardFiles",
    "Tars",
    "Verify",
    "absolute_source",
    "check_frame",
    "check_location",
    "check_root_names",
    "check_source",
    "damaged_table",
    "escape_pattern",
    "find_tars",
    "has_index",
    "is_slice",
    "join_shards",
    "list_shards",
    "location_problem",
    "open_shards",
    "place_tars",
    "repeated_tar",
    "report_ignored",
    "root_names",
    "root_url",
    "shard_numbers",
    "table_problem",
    "to_position",
]
