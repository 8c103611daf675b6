"""Manifests: what a shard's sidecars say, and questions to them.

The law: a manifest is a promise about a tar's bytes; a query is a function from manifests to byte ranges.
"""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from atdata._manifest import (
        MANIFEST_FORMAT_VERSION,
        AggregateKind,
        CategoricalAggregate,
        ManifestBuilder,
        ManifestField,
        ManifestWriter,
        NumericAggregate,
        SampleLocation,
        SetAggregate,
        ShardManifest,
        create_aggregate,
        manifest_column,
        resolve_manifest_fields,
    )
    from atdata._query import Explanation, F, FieldProxy, Predicate, QueryExecutor, query_fields
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "MANIFEST_FORMAT_VERSION": "atdata._manifest",
            "AggregateKind": "atdata._manifest",
            "CategoricalAggregate": "atdata._manifest",
            "Explanation": "atdata._query",
            "F": "atdata._query",
            "FieldProxy": "atdata._query",
            "ManifestBuilder": "atdata._manifest",
            "ManifestField": "atdata._manifest",
            "ManifestWriter": "atdata._manifest",
            "NumericAggregate": "atdata._manifest",
            "Predicate": "atdata._query",
            "QueryExecutor": "atdata._query",
            "SampleLocation": "atdata._manifest",
            "SetAggregate": "atdata._manifest",
            "ShardManifest": "atdata._manifest",
            "create_aggregate": "atdata._manifest",
            "manifest_column": "atdata._manifest",
            "query_fields": "atdata._query",
            "resolve_manifest_fields": "atdata._manifest",
        },
    )

__all__ = [
    "MANIFEST_FORMAT_VERSION",
    "AggregateKind",
    "CategoricalAggregate",
    "Explanation",
    "F",
    "FieldProxy",
    "ManifestBuilder",
    "ManifestField",
    "ManifestWriter",
    "NumericAggregate",
    "Predicate",
    "QueryExecutor",
    "SampleLocation",
    "SetAggregate",
    "ShardManifest",
    "create_aggregate",
    "manifest_column",
    "query_fields",
    "resolve_manifest_fields",
]
