"""Datasets: shards written, read in order, and fetched sample by sample."""

from ._dataset import Dataset
from ._write import ShardWriter, write_samples

__all__ = ["Dataset", "ShardWriter", "write_samples"]
