"""Manifests: what a shard's sidecars say, and questions to them.

The law: a manifest is a promise about a tar's bytes; a query is a function from manifests to byte ranges.
"""

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
