"""Find, check and train on any slice of a sharded dataset, without opening the shards.

Write typed samples to WebDataset shards with a manifest beside each, ask the manifests, and read just the samples
that answer::

    ds = atdata.write_samples(photos, "photos.tar", maxcount=1000, manifest=True)
    dogs = ds.query((pl.col("label") == "dog") & (pl.col("confidence") > 0.99))
    for photo in ds.fetch(dogs): ...
"""

from atdata._dataset import Dataset, DatasetDict, ShardWriter, load_dataset, write_samples
from atdata._epoch import Epoch
from atdata._errors import (
    AmbiguousKeyError,
    AtdataError,
    DamagedManifestError,
    DecodeError,
    LensNotFoundError,
    ManifestError,
    ManifestIndexWarning,
    ManifestNotFoundError,
    MemoryLimitError,
    MissingManifestWarning,
    MissingPackageError,
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
    UnreadableImageWarning,
    UnsupportedFormatError,
)
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

__version__ = "0.1.0"

__all__ = [
    "AmbiguousKeyError",
    "AtdataError",
    "DamagedManifestError",
    "Dataset",
    "DatasetDict",
    "DecodeError",
    "DictSample",
    "Epoch",
    "F",
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
    "UnreadableImageWarning",
    "UnsupportedFormatError",
    "identity",
    "lens",
    "load_dataset",
    "manifest_column",
    "packable",
    "query_fields",
    "write_samples",
]
