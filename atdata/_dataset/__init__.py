"""The dataset that people hold: opened, narrowed, read, trained on, kept, and written."""

from ._dataset import Dataset
from ._dataset_dict import DatasetDict
from ._load import load_dataset
from ._write import ShardWriter, write_samples

__all__ = ["Dataset", "DatasetDict", "ShardWriter", "load_dataset", "write_samples"]
