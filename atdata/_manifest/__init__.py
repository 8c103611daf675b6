"""A shard's sidecars: the fields that are columns, the header with its aggregates, the sample table.

They are made while a shard is written, read as objects, changed by late columns, and put together where shards differ.
"""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._aggregate import MAX_BOUND, MAX_VALUES, bound, upper_bound, without_nan
    from ._amend import Change, amended, default_kind, marks_of
    from ._annotations import column_type, fits, without_none
    from ._builder import CopiedColumns, CopiedManifest, CopiedRow, ManifestBuilder
    from ._dtypes import dtype_text, parse_dtype, storable, text_value, value_text
    from ._fields import AggregateKind, ManifestField, columns_of, manifest_column, resolve_manifest_fields
    from ._header import MANIFEST_FORMAT_VERSION, MAX_HEADER, FileFacts, Header, now, parse_header
    from ._location import SampleLocation
    from ._manifest import ShardManifest, check_bytes, checked_table
    from ._names import HEADER_SUFFIX, TABLE_SUFFIX, Listing, Sidecars, read_listing, shard_order
    from ._old import is_old, json_columns, list_dtypes, normalised
    from ._pandas import row_mask
    from ._running import CategoricalAggregate, NumericAggregate, SetAggregate, create_aggregate
    from ._table import CRC32, KEY, LOCATION, OFFSET, PLACE, SHARD, SIZE, parquet_bytes
    from ._union import Table, as_union, check_addable, unified, widened
    from ._values import value_reader
    from ._writer import ManifestWriter, publish_manifest, swap_manifest, sweep_tables
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "AggregateKind": "atdata._manifest._fields",
            "CRC32": "atdata._manifest._table",
            "CategoricalAggregate": "atdata._manifest._running",
            "Change": "atdata._manifest._amend",
            "CopiedColumns": "atdata._manifest._builder",
            "CopiedManifest": "atdata._manifest._builder",
            "CopiedRow": "atdata._manifest._builder",
            "FileFacts": "atdata._manifest._header",
            "HEADER_SUFFIX": "atdata._manifest._names",
            "Header": "atdata._manifest._header",
            "KEY": "atdata._manifest._table",
            "LOCATION": "atdata._manifest._table",
            "Listing": "atdata._manifest._names",
            "MANIFEST_FORMAT_VERSION": "atdata._manifest._header",
            "MAX_BOUND": "atdata._manifest._aggregate",
            "MAX_HEADER": "atdata._manifest._header",
            "MAX_VALUES": "atdata._manifest._aggregate",
            "ManifestBuilder": "atdata._manifest._builder",
            "ManifestField": "atdata._manifest._fields",
            "ManifestWriter": "atdata._manifest._writer",
            "NumericAggregate": "atdata._manifest._running",
            "OFFSET": "atdata._manifest._table",
            "PLACE": "atdata._manifest._table",
            "SHARD": "atdata._manifest._table",
            "SIZE": "atdata._manifest._table",
            "SampleLocation": "atdata._manifest._location",
            "SetAggregate": "atdata._manifest._running",
            "ShardManifest": "atdata._manifest._manifest",
            "Sidecars": "atdata._manifest._names",
            "TABLE_SUFFIX": "atdata._manifest._names",
            "Table": "atdata._manifest._union",
            "amended": "atdata._manifest._amend",
            "as_union": "atdata._manifest._union",
            "bound": "atdata._manifest._aggregate",
            "check_addable": "atdata._manifest._union",
            "check_bytes": "atdata._manifest._manifest",
            "checked_table": "atdata._manifest._manifest",
            "column_type": "atdata._manifest._annotations",
            "columns_of": "atdata._manifest._fields",
            "create_aggregate": "atdata._manifest._running",
            "default_kind": "atdata._manifest._amend",
            "dtype_text": "atdata._manifest._dtypes",
            "fits": "atdata._manifest._annotations",
            "is_old": "atdata._manifest._old",
            "json_columns": "atdata._manifest._old",
            "list_dtypes": "atdata._manifest._old",
            "manifest_column": "atdata._manifest._fields",
            "marks_of": "atdata._manifest._amend",
            "normalised": "atdata._manifest._old",
            "now": "atdata._manifest._header",
            "parquet_bytes": "atdata._manifest._table",
            "parse_dtype": "atdata._manifest._dtypes",
            "parse_header": "atdata._manifest._header",
            "publish_manifest": "atdata._manifest._writer",
            "read_listing": "atdata._manifest._names",
            "resolve_manifest_fields": "atdata._manifest._fields",
            "row_mask": "atdata._manifest._pandas",
            "shard_order": "atdata._manifest._names",
            "storable": "atdata._manifest._dtypes",
            "swap_manifest": "atdata._manifest._writer",
            "sweep_tables": "atdata._manifest._writer",
            "text_value": "atdata._manifest._dtypes",
            "unified": "atdata._manifest._union",
            "upper_bound": "atdata._manifest._aggregate",
            "value_reader": "atdata._manifest._values",
            "value_text": "atdata._manifest._dtypes",
            "widened": "atdata._manifest._union",
            "without_nan": "atdata._manifest._aggregate",
            "without_none": "atdata._manifest._annotations",
        },
    )

__all__ = [
    "CRC32",
    "HEADER_SUFFIX",
    "KEY",
    "LOCATION",
    "MANIFEST_FORMAT_VERSION",
    "MAX_BOUND",
    "MAX_HEADER",
    "MAX_VALUES",
    "OFFSET",
    "PLACE",
    "SHARD",
    "SIZE",
    "TABLE_SUFFIX",
    "AggregateKind",
    "CategoricalAggregate",
    "Change",
    "CopiedColumns",
    "CopiedManifest",
    "CopiedRow",
    "FileFacts",
    "Header",
    "Listing",
    "ManifestBuilder",
    "ManifestField",
    "ManifestWriter",
    "NumericAggregate",
    "SampleLocation",
    "SetAggregate",
    "ShardManifest",
    "Sidecars",
    "Table",
    "amended",
    "as_union",
    "bound",
    "check_addable",
    "check_bytes",
    "checked_table",
    "column_type",
    "columns_of",
    "create_aggregate",
    "default_kind",
    "dtype_text",
    "fits",
    "is_old",
    "json_columns",
    "list_dtypes",
    "manifest_column",
    "marks_of",
    "normalised",
    "now",
    "parquet_bytes",
    "parse_dtype",
    "parse_header",
    "publish_manifest",
    "read_listing",
    "resolve_manifest_fields",
    "row_mask",
    "shard_order",
    "storable",
    "swap_manifest",
    "sweep_tables",
    "text_value",
    "unified",
    "upper_bound",
    "value_reader",
    "value_text",
    "widened",
    "without_nan",
    "without_none",
]
