"""Gathering a manifest from the rows of others, for a shard whose samples are copied."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from atdata._errors import SchemaError

from ._aggregate import aggregate
from ._dtypes import dtype_text
from ._fields import Column
from ._header import FileFacts, now
from ._manifest import ShardManifest
from ._process import enter_polars
from ._storable import storable_dtype
from ._table import CRC32, KEY, LOCATION, OFFSET, SHARD, SIZE

__all__ = ["CopiedColumns", "CopiedManifest", "CopiedRow"]

#: The longest list of parent shards that a header takes, in bytes of JSON.
_MAX_PARENTS = 8 << 10


class CopiedRow(NamedTuple):
    """One sample's row in another manifest."""

    #: Some samples' rows: their shards, then their columns.
    rows: pl.DataFrame
    #: Which of them it is.
    at: int


class CopiedColumns(NamedTuple):
    """What the manifests have in common that rows are copied to."""

    schema_type: str
    schema_version: str
    columns: Sequence[Column]

    @classmethod
    def of(
        cls, schema_type: str, schema_version: str, schema: Mapping[str, pl.DataType], kinds: Mapping[str, Any]
    ) -> "CopiedColumns":
        """Make them of the columns of all shards that samples are copied from, and of their aggregates.

        Raises:
            SchemaError: No sample table holds a column.
        """
        fields = {name: dtype for name, dtype in schema.items() if name not in LOCATION and name != SHARD}
        for name, dtype in fields.items():
            if storable_dtype(dtype) != dtype:
                raise SchemaError(f"the column {name!r} is {dtype_text(dtype)}, which no sample table holds")
        columns = tuple(Column(name, kinds[name], dtype) for name, dtype in fields.items())
        return cls(schema_type, schema_version, columns)


class CopiedManifest:
    """Collects the places of one shard's samples, and what other manifests say of them.

    Args:
        common: The columns.
        shard_id: The shard.
    """

    def __init__(self, common: CopiedColumns, shard_id: str) -> None:
        self._common = common
        self._shard_id = shard_id
        self._keys: dict[str, None] = {}
        self._places: list[tuple[int, int, int | None]] = []
        #: Runs of rows of one frame, in order.
        self._runs: list[tuple[pl.DataFrame, list[int]]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add_row(self, *, key: str, offset: int, size: int, crc32: int | None, values: CopiedRow) -> None:
        """Take one sample whose key can be one and is not there yet.

        Args:
            key: Its key.
            offset: Where its first tar header begins, in bytes from the start of the tar.
            size: Length of its members in bytes, headers and padding included.
            crc32: CRC-32 of those bytes.
            values: Its row.
        """
        self._keys[key] = None
        self._places.append((offset, size, crc32))
        if not self._runs or self._runs[-1][0] is not values.rows:
            self._runs.append((values.rows, []))
        self._runs[-1][1].append(values.at)

    def finish(
        self,
        shard: FileFacts | None,
        content_metadata: Mapping[str, Any] | None,
        created_at: str | None,
        *,
        provenance: Mapping[str, Any] | None = None,
    ) -> ShardManifest:
        """Return the manifest, with what is known of the tar and the dataset, and the shards that rows come from."""
        enter_polars()
        rows = pl.concat([frame[indices] for frame, indices in self._runs])
        places = pl.DataFrame(self._places, schema={OFFSET: pl.Int64, SIZE: pl.Int64, CRC32: pl.UInt32}, orient="row")
        fields = rows.select(column.name for column in self._common.columns)
        parents = rows[SHARD].unique(maintain_order=True).to_list()
        return ShardManifest(
            shard_id=self._shard_id,
            schema_type=self._common.schema_type,
            schema_version=self._common.schema_version,
            num_samples=len(self),
            size_bytes=int(places[SIZE].sum()) if shard is None else shard.size_bytes,
            created_at=now() if created_at is None else created_at,
            aggregates={column.name: aggregate(column, fields[column.name]) for column in self._common.columns},
            samples=pl.DataFrame({KEY: pl.Series(list(self._keys), dtype=pl.String)}).hstack(places).hstack(fields),
            provenance={**_parents(parents), **(provenance or {})},
            content_metadata=content_metadata,
            shard=shard,
        )


def _parents(shard_ids: Sequence[str]) -> dict[str, Any]:
    """Return what a header says of the shards that rows come from: their ids, or, of too many, what stands for them."""
    if len(json.dumps(shard_ids)) <= _MAX_PARENTS:
        return {"parent_shards": list(shard_ids)}
    digest = hashlib.sha256("\0".join(sorted(shard_ids)).encode()).hexdigest()
    return {"parent_shards_count": len(shard_ids), "parent_shards_sha256": digest}
