"""A shard's sidecars: the fields that are columns, the header with its aggregates, the sample table.

They are made while a shard is written, read as objects, changed by late columns, and put together where shards differ.
"""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._builder import ManifestBuilder
    from ._fields import AggregateKind, ManifestField, manifest_column, resolve_manifest_fields
    from ._header import MANIFEST_FORMAT_VERSION
    from ._location import SampleLocation
    from ._manifest import ShardManifest
    from ._running import CategoricalAggregate, NumericAggregate, SetAggregate, create_aggregate
    from ._writer import ManifestWriter
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "MANIFEST_FORMAT_VERSION": "atdata._sidecars._header",
            "AggregateKind": "atdata._sidecars._fields",
            "CategoricalAggregate": "atdata._sidecars._running",
            "ManifestBuilder": "atdata._sidecars._builder",
            "ManifestField": "atdata._sidecars._fields",
            "ManifestWriter": "atdata._sidecars._writer",
            "NumericAggregate": "atdata._sidecars._running",
            "SampleLocation": "atdata._sidecars._location",
            "SetAggregate": "atdata._sidecars._running",
            "ShardManifest": "atdata._sidecars._manifest",
            "create_aggregate": "atdata._sidecars._running",
            "manifest_column": "atdata._sidecars._fields",
            "resolve_manifest_fields": "atdata._sidecars._fields",
        },
    )

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
