"""Manifests: what a shard's sidecars say, and questions to them.

The law: a manifest is a promise about a tar's bytes; a query is a function from manifests to byte ranges.
"""

from ._builder import ManifestBuilder
from ._comparison import Predicate
from ._explain import Explanation
from ._fields import AggregateKind, ManifestField, manifest_column, resolve_manifest_fields
from ._header import MANIFEST_FORMAT_VERSION
from ._location import SampleLocation
from ._manifest import ShardManifest
from ._proxy import F, FieldProxy, query_fields
from ._query import QueryExecutor
from ._running import CategoricalAggregate, NumericAggregate, SetAggregate, create_aggregate
from ._writer import ManifestWriter

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
