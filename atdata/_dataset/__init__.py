"""Datasets: shards written, read in order, and fetched sample by sample."""

from ._dataset import Dataset
from ._dataset_dict import DatasetDict
from ._lens import Lens, identity
from ._load import load_dataset
from ._network import LensNetwork, lens
from ._write import ShardWriter, write_samples

__all__ = [
    "Dataset",
    "DatasetDict",
    "Lens",
    "LensNetwork",
    "ShardWriter",
    "identity",
    "lens",
    "load_dataset",
    "write_samples",
]
