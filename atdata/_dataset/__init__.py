"""Datasets: shards written, read in order, and fetched sample by sample."""

from ._dataset import Dataset
from ._write import write_samples

__all__ = ["Dataset", "write_samples"]
