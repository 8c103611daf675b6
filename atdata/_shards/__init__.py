"""Shards: where their samples are."""

from ._locations import NO_CRC, Indices, Locations, shard_numbers, to_position

__all__ = ["NO_CRC", "Indices", "Locations", "shard_numbers", "to_position"]
