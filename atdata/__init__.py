"""Find, check and train on any slice of a sharded dataset, without opening the shards.

Write typed samples to WebDataset shards with a manifest beside each, ask the manifests, and read just the samples
that answer::

    ds = atdata.write_samples(photos, "photos.tar", maxcount=1000, manifest=True)
    dogs = ds.query((pl.col("label") == "dog") & (pl.col("confidence") > 0.99))
    for photo in ds.fetch(dogs): ...
"""

from atdata._dataset import Dataset, write_samples
from atdata._errors import (
    AmbiguousKeyError,
    AtdataError,
    DamagedManifestError,
    DecodeError,
    ManifestError,
    ManifestNotFoundError,
    PredicateError,
    SampleKeyError,
    SampleValueError,
    SchemaError,
    ShardChangedError,
    ShardError,
    ShardExistsError,
    UncommittedShardWarning,
    UnsupportedFormatError,
)
from atdata._sample import DictSample, PackableSample, SampleBatch, packable
from atdata.manifest import (
    F,
    ManifestBuilder,
    ManifestField,
    ManifestWriter,
    QueryExecutor,
    SampleLocation,
    ShardManifest,
    query_fields,
)

__version__ = "0.1.0"

__all__ = [
    "AmbiguousKeyError",
    "AtdataError",
    "DamagedManifestError",
    "Dataset",
    "DecodeError",
    "DictSample",
    "F",
    "ManifestBuilder",
    "ManifestError",
    "ManifestField",
    "ManifestNotFoundError",
    "ManifestWriter",
    "PackableSample",
    "PredicateError",
    "QueryExecutor",
    "SampleBatch",
    "SampleKeyError",
    "SampleLocation",
    "SampleValueError",
    "SchemaError",
    "ShardChangedError",
    "ShardError",
    "ShardExistsError",
    "ShardManifest",
    "UncommittedShardWarning",
    "UnsupportedFormatError",
    "packable",
    "query_fields",
    "write_samples",
]
