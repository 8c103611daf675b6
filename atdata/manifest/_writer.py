"""Publishing a manifest: the sample table first, then the header that commits it."""

import hashlib
import os
from pathlib import Path
from typing import Any

import polars as pl

from atdata._errors import DamagedManifestError, SampleValueError, ShardExistsError
from atdata._shard import stem_of
from atdata._store import LocalStore, Store

from ._dtypes import dtype_text
from ._header import encode_header, parse_header
from ._manifest import ShardManifest
from ._names import HEADER_SUFFIX, TABLE_SUFFIX
from ._table import LOCATION, parquet_bytes

__all__ = ["ManifestWriter", "publish_manifest"]


class ManifestWriter:
    """Writes manifests that were built by hand.

    Args:
        base_path: The shard's path without ``.tar``; a dot in it is part of the name.

    Examples:
        >>> ManifestWriter("data/v1.5-000000").json_path.name
        'v1.5-000000.manifest.json'
    """

    def __init__(self, base_path: str | os.PathLike[str]) -> None:
        self._base = Path(stem_of(os.fspath(base_path)))

    @property
    def json_path(self) -> Path:
        """Where the header goes."""
        return self._base.with_name(self._base.name + HEADER_SUFFIX)

    @property
    def parquet_path(self) -> Path:
        """Where the sample table goes."""
        return self._base.with_name(self._base.name + TABLE_SUFFIX)

    def write(self, manifest: ShardManifest) -> tuple[Path, Path]:
        """Publish a manifest; return the paths of its header and its sample table.

        Raises:
            ShardExistsError: One of the two is there already; nothing was changed.
            SampleValueError: The provenance or metadata is no strict JSON, or too long.
        """
        publish_manifest(LocalStore(self._base.parent), self._base.name, manifest)
        return self.json_path, self.parquet_path


def publish_manifest(store: Store, shard_id: str, manifest: ShardManifest) -> None:
    """Publish a manifest beside its shard: table, then header.

    Raises:
        ShardExistsError: One of the two is there already.
        SampleValueError: The provenance or metadata is no strict JSON, or too long.
    """
    table_name, header_name = shard_id + TABLE_SUFFIX, shard_id + HEADER_SUFFIX
    table = parquet_bytes(manifest.frame)
    header = encode_header(_members(manifest, table, table_name), _value_dtypes(manifest.frame))
    _check_readable(header, manifest)
    try:
        # Begun first, so that a header that is there is found before anything is published.
        with store.create(header_name) as header_file, store.create(table_name) as table_file:
            header_file.write(header)
            table_file.write(table)
            try:
                table_file.commit()
                header_file.commit()
            finally:
                if table_file.published and not header_file.published:
                    store.remove(table_name)
    except FileExistsError as error:
        raise ShardExistsError(
            shard_id, f"its manifest is there already ({error.filename or error}); nothing was overwritten"
        ) from error


def _check_readable(header: bytes, manifest: ShardManifest) -> None:
    # A manifest can be built by hand; one that no reader would accept is not published.
    try:
        parse_header(header, f"the header of shard {manifest.shard_id!r}")
    except DamagedManifestError as error:
        raise SampleValueError(f"this manifest could be written and never read: {error.__cause__ or error}") from error
    if manifest.num_samples != len(manifest.frame):
        raise SampleValueError(
            f"the manifest of shard {manifest.shard_id!r} says {manifest.num_samples} samples, "
            f"and its sample table has {len(manifest.frame)} rows"
        )


def _members(manifest: ShardManifest, table: bytes, table_name: str) -> dict[str, Any]:
    return {
        **manifest.header_dict(),
        "samples": {
            "file": table_name.rpartition("/")[2],
            "size_bytes": len(table),
            "sha256": hashlib.sha256(table).hexdigest(),
            "columns": {name: dtype_text(dtype) for name, dtype in manifest.frame.schema.items()},
        },
    }


def _value_dtypes(frame: pl.DataFrame) -> dict[str, pl.DataType]:
    return {
        name: dtype.inner if isinstance(dtype, pl.List) else dtype  # type: ignore[misc]  # an instance
        for name, dtype in frame.schema.items()
        if name not in LOCATION
    }
