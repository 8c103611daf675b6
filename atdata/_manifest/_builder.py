"""Gathering a manifest while a shard is written."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from atdata._errors import SampleValueError, SchemaError, UnreadableImageWarning
from atdata._polars import enter_polars
from atdata._sample import LONGEST_EXTENSION
from atdata._tar import check_key

from ._aggregate import without_nan
from ._columns import Column, value_reader
from ._dtypes import dtype_text, storable_dtype
from ._kinds import aggregate_of
from ._manifest import ShardManifest
from ._manifest_header import FileFacts, now
from ._table import CRC32, KEY, LOCATION, OFFSET, SHARD, SIZE, ColumnGatherer

__all__ = ["CopiedColumns", "CopiedManifest", "CopiedRow", "ManifestBuilder"]


class ManifestBuilder:
    """Collects one shard's samples and sums them up.

    Args:
        sample_type: The samples' type; its manifest fields become columns.
        shard_id: The shard.
        schema_version: Version of the sample type.
        source_job_id: Provenance: what made the shard.
        parent_shards: Provenance: what it was made from.
        pipeline_version: Provenance: which code made it.

    Raises:
        SchemaError: The type is no packable dataclass, or a field cannot be what its annotation says.

    Examples:
        >>> import atdata
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> builder = ManifestBuilder(Caption, "captions-000000")
        >>> builder.add_sample(key="000000-000000", offset=0, size=1024, sample=Caption("a dog"))
        >>> builder.build().aggregates["text"]["value_counts"]
        {'a dog': 1}
    """

    def __init__(
        self,
        sample_type: type,
        shard_id: str,
        schema_version: str = "1.0.0",
        source_job_id: str | None = None,
        parent_shards: Sequence[str] | None = None,
        pipeline_version: str | None = None,
    ) -> None:
        self._schema_type = sample_type.__name__
        self._shard_id = shard_id
        self._schema_version = schema_version
        provenance = {
            "source_job_id": source_job_id,
            "parent_shards": None if parent_shards is None else list(parent_shards),
            "pipeline_version": pipeline_version,
        }
        self._provenance = {name: value for name, value in provenance.items() if value is not None}
        self._reader = value_reader(sample_type)
        self._gatherers = [ColumnGatherer(column) for column in self._reader.columns]
        self._appends = [gatherer.append for gatherer in self._gatherers]
        self._keys: dict[str, None] = {}
        self._offsets: list[int] = []
        self._sizes: list[int] = []
        self._crcs: list[int | None] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add_sample(self, *, key: str, offset: int, size: int, sample: Any, crc32: int | None = None) -> None:
        """Take one sample.

        Args:
            key: Its key, unique in the shard.
            offset: Where its first tar header begins, in bytes from the start of the tar.
            size: Length of its members in bytes, headers and padding included.
            sample: The sample; only its manifest fields are kept.
            crc32: CRC-32 of those bytes, when there are bytes.

        Raises:
            SampleValueError: The key cannot be a key or is there already, or a value does not fit its column.
        """
        check_key(key, LONGEST_EXTENSION)
        if key in self._keys:
            raise SampleValueError(f"the key {key!r} is in the shard already; a key names one sample", "__key__")
        self.add_row(key=key, offset=offset, size=size, crc32=crc32, values=self._reader(sample))

    def add_row(self, *, key: str, offset: int, size: int, crc32: int | None, values: Sequence[Any]) -> None:
        """Take one sample whose key was checked, and whose values were read before, perhaps in another process.

        Args:
            key: Its key, which can be one and is not there yet.
            offset: As for :meth:`add_sample`.
            size: As for :meth:`add_sample`.
            crc32: As for :meth:`add_sample`.
            values: What the :class:`ValueReader` of the type returned for the sample.

        Raises:
            SampleValueError: The values are not one for each column.
        """
        if len(values) != len(self._appends):
            raise SampleValueError(f"expected {len(self._appends)} values, one for each column, found {len(values)}")
        for append, value in zip(self._appends, values, strict=True):
            append(value)
        self._keys[key] = None
        self._offsets.append(offset)
        self._sizes.append(size)
        self._crcs.append(crc32)

    def build(self) -> ShardManifest:
        """Return the manifest of the samples so far.

        Raises:
            SampleValueError: A value does not fit its column; the error names field and row.
        """
        return self.finish(None, None, None)

    def finish(
        self,
        shard: FileFacts | None,
        content_metadata: Mapping[str, Any] | None,
        created_at: str | None,
        *,
        provenance: Mapping[str, Any] | None = None,
    ) -> ShardManifest:
        """Return the manifest, with what is known of the tar and the dataset.

        Args:
            shard: The tar's name, length and SHA-256, when there is a tar.
            content_metadata: What the writer says of the dataset.
            created_at: ISO 8601; None for now.
            provenance: More of it; what the builder was told wins.

        Raises:
            SampleValueError: A value does not fit its column; the error names field and row.
        """
        enter_polars()
        try:
            written = [gatherer.series() for gatherer in self._gatherers]
        except SampleValueError as error:
            raise SampleValueError(f"shard {self._shard_id!r}: {error.problem}", error.field) from None
        self._warn_of_unreadable_images()
        columns = self._reader.columns
        return ShardManifest(
            shard_id=self._shard_id,
            schema_type=self._schema_type,
            schema_version=self._schema_version,
            num_samples=len(self),
            size_bytes=sum(self._sizes) if shard is None else shard.size_bytes,
            created_at=now() if created_at is None else created_at,
            aggregates={
                column.name: aggregate_of(column.aggregate).of(values)
                for column, values in zip(columns, written, strict=True)
            },
            samples=pl.DataFrame([*self._locations(), *map(without_nan, written)]),
            provenance={**(provenance or {}), **self._provenance},
            content_metadata=content_metadata,
            shard=shard,
        )

    def _warn_of_unreadable_images(self) -> None:
        unreadable_rows = {name: self._gatherers[index].unreadable() for name, index in self._reader.images}
        keys = list(self._keys)
        unreadable = [
            f"{len(rows)} of field {name!r}, the first in sample {keys[rows[0]]!r}"
            for name, rows in unreadable_rows.items()
            if rows
        ]
        if unreadable:
            warnings.warn(
                f"shard {self._shard_id!r} holds images that Pillow cannot read as JPEG, PNG or WebP: "
                f"{'; '.join(unreadable)}. They are stored as they are, and their width, height and mode are null",
                UnreadableImageWarning,
                stacklevel=3,
            )

    def _locations(self) -> list[pl.Series]:
        values: dict[str, list[Any]] = {
            KEY: list(self._keys),
            OFFSET: self._offsets,
            SIZE: self._sizes,
            CRC32: self._crcs,
        }
        return [_location_column(name, values[name], dtype) for name, dtype in LOCATION.items()]


def _location_column(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    try:
        return pl.Series(name, values, dtype)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise SampleValueError(
            f"the samples' {name.strip('_')} are numbers that a {dtype} holds: {error}", name
        ) from error


#: The longest list of parent shards that a header takes, in bytes of JSON.
_MAX_PARENTS = 8 << 10


class CopiedRow(NamedTuple):
    """One sample's row in another manifest."""

    #: Some samples' rows: their shards, then their columns.
    rows: pl.DataFrame
    #: Which of them it is.
    at: int


class CopiedColumns(NamedTuple):
    """Schema of the manifests that rows are copied to."""

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
            aggregates={
                column.name: aggregate_of(column.aggregate).of(fields[column.name]) for column in self._common.columns
            },
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
