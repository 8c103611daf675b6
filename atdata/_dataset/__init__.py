"""Datasets: shards written, read in order, and fetched sample by sample."""

from ._dataset import Dataset
from ._lens import Lens, identity
from ._network import LensNetwork, lens
from ._write import ShardWriter, write_samples

__all__ = ["Dataset", "Lens", "LensNetwork", "ShardWriter", "identity", "lens", "write_samples"]
