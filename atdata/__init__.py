"""Find, check and train on any slice of a sharded dataset, without opening the shards.

Write typed samples to WebDataset shards with a manifest beside each, ask the manifests, and read just the samples
that answer::

    ds = atdata.write_samples(photos, "photos.tar", maxcount=1000, manifest=True)
    dogs = ds.query((pl.col("label") == "dog") & (pl.col("confidence") > 0.99))
    for photo in ds.fetch(dogs): ...
"""

from typing import TYPE_CHECKING

from atdata._display import register_view
from atdata._doorway import doorway
from atdata._errors import (
    AmbiguousKeyError,
    AtdataError,
    DamagedManifestError,
    DecodeError,
    DuplicateShardError,
    ForeignManifestWarning,
    LensNotFoundError,
    ManifestError,
    ManifestIndexWarning,
    ManifestNotFoundError,
    MemoryLimitError,
    MissingManifestWarning,
    MissingPackageError,
    NotAFileError,
    PartialFailureError,
    PredicateError,
    SampleIndexError,
    SampleKeyError,
    SampleValueError,
    SchemaError,
    ShardChangedError,
    ShardError,
    ShardExistsError,
    SplitNotFoundError,
    StaleManifestWarning,
    StateError,
    UncommittedShardWarning,
    UnknownOutcomeError,
    UnreadableImageWarning,
    UnsupportedFormatError,
    UnsupportedSchemeError,
)

if TYPE_CHECKING:
    from atdata import manifest as manifest
    from atdata._dataset import Dataset, DatasetDict, ShardWriter, concat, load_dataset, write_samples
    from atdata._epoch import Epoch
    from atdata._lens import Lens, LensNetwork, identity, lens
    from atdata._sample import DictSample, ImageField, PackableSample, SampleBatch, packable
    from atdata.manifest import (
        F,
        ManifestBuilder,
        ManifestField,
        ManifestWriter,
        QueryExecutor,
        SampleLocation,
        ShardManifest,
        manifest_column,
        query_fields,
    )
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Dataset": "atdata._dataset",
            "DatasetDict": "atdata._dataset",
            "DictSample": "atdata._sample",
            "Epoch": "atdata._epoch",
            "F": "atdata.manifest",
            "ImageField": "atdata._sample",
            "Lens": "atdata._lens",
            "LensNetwork": "atdata._lens",
            "ManifestBuilder": "atdata.manifest",
            "ManifestField": "atdata.manifest",
            "ManifestWriter": "atdata.manifest",
            "PackableSample": "atdata._sample",
            "QueryExecutor": "atdata.manifest",
            "SampleBatch": "atdata._sample",
            "SampleLocation": "atdata.manifest",
            "ShardManifest": "atdata.manifest",
            "ShardWriter": "atdata._dataset",
            "concat": "atdata._dataset",
            "identity": "atdata._lens",
            "lens": "atdata._lens",
            "load_dataset": "atdata._dataset",
            "manifest": "atdata.manifest",
            "manifest_column": "atdata.manifest",
            "packable": "atdata._sample",
            "query_fields": "atdata.manifest",
            "write_samples": "atdata._dataset",
        },
    )

register_view("atdata._view")  # rooms below it are displayed by it

__version__ = "0.1.0"

__all__ = [
    "AmbiguousKeyError",
    "AtdataError",
    "DamagedManifestError",
    "Dataset",
    "DatasetDict",
    "DecodeError",
    "DictSample",
    "DuplicateShardError",
    "Epoch",
    "F",
    "ForeignManifestWarning",
    "ImageField",
    "Lens",
    "LensNetwork",
    "LensNotFoundError",
    "ManifestBuilder",
    "ManifestError",
    "ManifestField",
    "ManifestIndexWarning",
    "ManifestNotFoundError",
    "ManifestWriter",
    "MemoryLimitError",
    "MissingManifestWarning",
    "MissingPackageError",
    "NotAFileError",
    "PackableSample",
    "PartialFailureError",
    "PredicateError",
    "QueryExecutor",
    "SampleBatch",
    "SampleIndexError",
    "SampleKeyError",
    "SampleLocation",
    "SampleValueError",
    "SchemaError",
    "ShardChangedError",
    "ShardError",
    "ShardExistsError",
    "ShardManifest",
    "ShardWriter",
    "SplitNotFoundError",
    "StaleManifestWarning",
    "StateError",
    "UncommittedShardWarning",
    "UnknownOutcomeError",
    "UnreadableImageWarning",
    "UnsupportedFormatError",
    "UnsupportedSchemeError",
    "concat",
    "identity",
    "lens",
    "load_dataset",
    "manifest_column",
    "packable",
    "query_fields",
    "write_samples",
]
