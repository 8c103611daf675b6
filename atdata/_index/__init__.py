"""The manifest index: many shards' sample tables as a few files, with statistics of each shard; never the truth."""

__all__: list[str] = []
