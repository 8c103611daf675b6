"""Datasets: shards written, read in order, and fetched sample by sample."""

from atdata._lens import Lens, LensNetwork, identity, lens

from ._dataset import Dataset
from ._dataset_dict import DatasetDict
from ._load import load_dataset
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
