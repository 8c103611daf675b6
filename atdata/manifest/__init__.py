"""Manifests: what a shard's sidecars say, and questions to them.

The law: a manifest is a promise about a tar's bytes; a query is a function from manifests to byte ranges.
"""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from atdata._sidecars import (
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

    from ._comparison import Predicate
    from ._explain import Explanation
    from ._proxy import F, FieldProxy, query_fields
    from ._query import QueryExecutor
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "MANIFEST_FORMAT_VERSION": "atdata._sidecars",
            "AggregateKind": "atdata._sidecars",
            "CategoricalAggregate": "atdata._sidecars",
            "Explanation": "atdata.manifest._explain",
            "F": "atdata.manifest._proxy",
            "FieldProxy": "atdata.manifest._proxy",
            "ManifestBuilder": "atdata._sidecars",
            "ManifestField": "atdata._sidecars",
            "ManifestWriter": "atdata._sidecars",
            "NumericAggregate": "atdata._sidecars",
            "Predicate": "atdata.manifest._comparison",
            "QueryExecutor": "atdata.manifest._query",
            "SampleLocation": "atdata._sidecars",
            "SetAggregate": "atdata._sidecars",
            "ShardManifest": "atdata._sidecars",
            "create_aggregate": "atdata._sidecars",
            "manifest_column": "atdata._sidecars",
            "query_fields": "atdata.manifest._proxy",
            "resolve_manifest_fields": "atdata._sidecars",
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
