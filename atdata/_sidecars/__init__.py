"""A shard's sidecars: the fields that are columns, the header with its aggregates, the sample table.

They are made while a shard is written, read as objects, changed by late columns, and put together where shards differ.
"""

from ._builder import ManifestBuilder
from ._fields import AggregateKind, ManifestField, manifest_column, resolve_manifest_fields
from ._header import MANIFEST_FORMAT_VERSION
from ._location import SampleLocation
from ._manifest import ShardManifest
from ._running import CategoricalAggregate, NumericAggregate, SetAggregate, create_aggregate
from ._writer import ManifestWriter

__all__ = [
    "MANIFEST_FORMAT_VERSION",
    "AggregateKind",
    "CategoricalAggregate",
    "ManifestBuilder",
    "ManifestField",
    "ManifestWriter",
    "NumericAggregate",
    "SampleLocation",
    "SetAggregate",
    "ShardManifest",
    "create_aggregate",
    "manifest_column",
    "resolve_manifest_fields",
]
