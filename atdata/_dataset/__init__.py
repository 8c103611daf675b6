"""The dataset that people hold: opened, narrowed, read, trained on, kept, and written."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._dataset import Dataset, sequence_of
    from ._load import DatasetDict, concat, load_dataset
    from ._questions import Summary, counts_of, summary_of
    from ._sequence import type_text
    from ._write import ShardWriter, write_samples
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Dataset": "atdata._dataset._dataset",
            "DatasetDict": "atdata._dataset._load",
            "ShardWriter": "atdata._dataset._write",
            "Summary": "atdata._dataset._questions",
            "concat": "atdata._dataset._load",
            "counts_of": "atdata._dataset._questions",
            "load_dataset": "atdata._dataset._load",
            "sequence_of": "atdata._dataset._dataset",
            "summary_of": "atdata._dataset._questions",
            "type_text": "atdata._dataset._sequence",
            "write_samples": "atdata._dataset._write",
        },
    )

__all__ = [
    "Dataset",
    "DatasetDict",
    "ShardWriter",
    "Summary",
    "concat",
    "counts_of",
    "load_dataset",
    "sequence_of",
    "summary_of",
    "type_text",
    "write_samples",
]
