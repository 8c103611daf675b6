"""The dataset that people hold: opened, narrowed, read, trained on, kept, and written."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._dataset import Dataset
    from ._dataset_dict import DatasetDict
    from ._load import load_dataset
    from ._write import ShardWriter, write_samples
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Dataset": "atdata._dataset._dataset",
            "DatasetDict": "atdata._dataset._dataset_dict",
            "ShardWriter": "atdata._dataset._write",
            "load_dataset": "atdata._dataset._load",
            "write_samples": "atdata._dataset._write",
        },
    )

__all__ = ["Dataset", "DatasetDict", "ShardWriter", "load_dataset", "write_samples"]
