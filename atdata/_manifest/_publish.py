"""Publishing manifests: new ones, and headers swapped for changed columns (docs/format.md, "Publishing")."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, SampleValueError, ShardExistsError
from atdata._storage import Outcome, Store, StorePath, path_or_url
from atdata._tar import stem_of

from ._aggregate import without_nan
from ._kinds import AggregateKind, aggregate_of
from ._manifest import ShardManifest
from ._manifest_header import encode_header, parse_header
from ._shard_names import HEADER_SUFFIX, TABLE_SUFFIX, Sidecars, carries_stem, replacing_table
from ._table import REPLACES, parquet_bytes, replaced_by, table_facts, value_dtypes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "ANNOTATED",
    "Amended",
    "Change",
    "ManifestWriter",
    "amended",
    "marks_of",
    "publish_manifest",
    "swap_manifest",
    "sweep_tables",
]

#: Where the provenance says which columns came late, and in which run.
ANNOTATED = "annotated"


class Change(NamedTuple):
    """Columns to add to, replace in and drop from a sample table."""

    #: New ones and replaced ones, as a table holds them but for NaN, which is still among their values.
    columns: Sequence[pl.Series]
    #: How each of them is summed up.
    kinds: Mapping[str, AggregateKind]
    #: Those that go.
    dropped: frozenset[str] = frozenset()
    #: The name of the run that made the columns.
    run: str | None = None


class Amended(NamedTuple):
    """A sample table that takes another one's place, and the header that names it."""

    #: The table's name below the root.
    table_name: str
    table: bytes
    header: bytes


def amended(old: bytes, table: pl.DataFrame, table_sha256: str, shard_id: str, change: Change) -> Amended:
    """Return a shard's manifest with its columns changed. Everything else that the header says stays.

    Args:
        old: The header's bytes, checked.
        table: The sample table that it names.
        table_sha256: The SHA-256 of that table's file.
        shard_id: The shard.
        change: What becomes of the columns.

    Raises:
        SampleValueError: The header would be longer than a header is.
    """
    remaining = table.drop(change.dropped, strict=False)
    frame = remaining.with_columns([without_nan(column) for column in change.columns])
    # So no table has the bytes of one that came before it, and no name comes back.
    data = parquet_bytes(frame, {REPLACES: table_sha256})
    name = replacing_table(shard_id, hashlib.sha256(data).hexdigest())
    members = _members(old, change)
    members["samples"] = {**_raw_members(members.get("samples", b"{}")), **table_facts(name, data, frame.schema)}
    return Amended(name, data, encode_header(members, value_dtypes(frame.schema)))


def marks_of(provenance: Mapping[str, Any]) -> dict[str, str | None]:
    """Return which columns came late, and the name of the run that made each; None where it had none.

    A run made all of its columns of a shard at once, and its name stays with them while all of them stay: a shard that
    has a column with a run's name needs nothing more of that run.

    Raises:
        SampleValueError: Somebody else keeps something of this name in the provenance.
    """
    marks = provenance.get(ANNOTATED, {})
    if not isinstance(marks, dict) or not all(run is None or isinstance(run, str) for run in marks.values()):
        raise SampleValueError(
            f"the provenance has a member {ANNOTATED!r}, which is kept for the columns that annotate() adds; found "
            f"{marks!r:.80}"
        )
    return marks


def _members(old: bytes, change: Change) -> dict[str, Any]:
    """Return a header's members with what changes in them, in their order; all others as their bytes stand."""
    members = _raw_members(old)
    members.pop("digest", None)
    provenance = _raw_members(members.get("provenance", b"{}"))
    marks = _marked(marks_of(json.loads(bytes(members.get("provenance", b"{}")))), change)
    if marks:
        provenance[ANNOTATED] = marks
    else:
        provenance.pop(ANNOTATED, None)
    aggregates = _raw_members(members["aggregates"])
    aggregates = {name: aggregate for name, aggregate in aggregates.items() if name not in change.dropped}
    for column in change.columns:
        aggregates[column.name] = aggregate_of(change.kinds[column.name]).of(column)
    changed: dict[str, Any] = {}
    for name, value in members.items():
        if name == "aggregates":
            if provenance:
                changed["provenance"] = provenance
            changed[name] = aggregates
        elif name != "provenance":
            changed[name] = value
    return changed


def _raw_members(data: bytes | msgspec.Raw) -> dict[str, Any]:
    return msgspec.json.decode(data, type=dict[str, msgspec.Raw])


def _marked(marks: Mapping[str, str | None], change: Change) -> dict[str, str | None]:
    names = [column.name for column in change.columns]
    touched = {*names, *change.dropped}
    broken = {run for name, run in marks.items() if name in touched}
    remaining = {name: None if run in broken else run for name, run in marks.items() if name not in change.dropped}
    return {**remaining, **dict.fromkeys(names, change.run)}


class ManifestWriter:
    """Writes manifests that were built by hand.

    Args:
        base_path: The shard's path without ``.tar``; a dot in it is part of the name.

    Raises:
        UnsupportedSchemeError: The path is a URL of a store that is not supported.

    Examples:
        >>> ManifestWriter("data/v1.5-000000").json_path.name
        'v1.5-000000.manifest.json'
    """

    def __init__(self, base_path: str | os.PathLike[str]) -> None:
        self._stem = stem_of(os.fspath(base_path))
        self._base = StorePath.parse(self._stem)

    @property
    def json_path(self) -> "Path":
        """Where the header goes."""
        return path_or_url(self._stem + HEADER_SUFFIX)

    @property
    def parquet_path(self) -> "Path":
        """Where the sample table goes."""
        return path_or_url(self._stem + TABLE_SUFFIX)

    def write(self, manifest: ShardManifest) -> "tuple[Path, Path]":
        """Publish a manifest; return the paths of its header and its sample table.

        Raises:
            ShardExistsError: One of the two is there already; nothing was changed.
            SampleValueError: The provenance or metadata is no strict JSON, or too long.
        """
        publish_manifest(self._base.store, self._base.name, manifest)
        return self.json_path, self.parquet_path


def publish_manifest(store: Store, shard_id: str, manifest: ShardManifest) -> None:
    """Publish a manifest beside its shard: table, then header.

    Raises:
        ShardExistsError: One of the two is there already.
        SampleValueError: The provenance or metadata is no strict JSON, or too long.
        UnknownOutcomeError: Whether the manifest was published cannot be found out; nothing was removed.
    """
    table_name, header_name = shard_id + TABLE_SUFFIX, shard_id + HEADER_SUFFIX
    table = parquet_bytes(manifest.frame)
    members = {**manifest.header_dict(), "samples": table_facts(table_name, table, manifest.frame.schema)}
    header = encode_header(members, value_dtypes(manifest.frame.schema))
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
                # A header that may be published keeps its table: an orphan table harms no reader, a lost one does.
                if table_file.outcome is Outcome.PUBLISHED and header_file.outcome is Outcome.NOT_PUBLISHED:
                    store.remove(table_name)
    except FileExistsError as error:
        raise ShardExistsError(
            shard_id, f"its manifest is there already ({error.filename or error}); nothing was overwritten"
        ) from error


def swap_manifest(store: Store, shard: Sidecars, old: bytes, new: Amended) -> Sidecars:
    """Publish a sample table in another one's place: the table, then the header that names it, then the old one goes.

    A reader finds the old table or the new one. Tables of the shard that no header can come to name are removed.

    Args:
        store: Where they are.
        shard: The shard's files, as they were listed.
        old: The bytes of the header that is replaced.
        new: What takes its place.

    Raises:
        ManifestError: Another writer has replaced the header since it was read; it was left as it is.
    """
    _create_table(store, shard, new)
    if not store.swap(shard.header, old, new.header):
        sweep_tables(store, shard.with_tables((*shard.tables, new.table_name)))
        raise ManifestError(
            f"shard {shard.shard_id!r}: another writer replaced its header {store.url(shard.header)} while its columns "
            "were being changed; this change was not made. Open the dataset again, and make it anew"
        )
    return sweep_tables(store, shard.with_tables((*shard.tables, new.table_name)))


def sweep_tables(store: Store, shard: Sidecars) -> Sidecars:
    """Remove the sample tables of a shard that its header does not name, and that none can come to name.

    A table that takes another one's place says which (docs/format.md, "Publishing"). So a header can come to name only
    the table that it names and those that take that one's place; of all others one is an ancestor, and the rest were
    begun by writers that came too late.

    Returns:
        The shard's files as they are now.
    """
    try:
        facts = parse_header(store.read(shard.header), store.url(shard.header)).samples
    except FileNotFoundError:  # the shard itself is being replaced
        return shard
    if facts is None:
        return shard
    folder = shard.header.rpartition("/")[0]
    named = f"{folder}/{facts.file}" if folder else facts.file
    # Of files that were given another name together, the header names none: it means the table that it describes.
    means_own = carries_stem(named, shard.shard_id)
    kept = [
        table
        for table in shard.tables
        if table == named or _may_stay(store, table, shard.shard_id, facts.sha256, means_own=means_own)
    ]
    for name in shard.tables:
        if name not in kept:
            with contextlib.suppress(FileNotFoundError):  # another writer swept it
                store.remove(name)
    return shard.with_tables(kept)


def _create_table(store: Store, shard: Sidecars, new: Amended) -> None:
    try:
        with store.create(new.table_name) as upload:
            upload.write(new.table)
            upload.commit()
    except FileExistsError as error:
        # Its name is made of its bytes: it is the same, from a run that was cut off here, unless somebody put it there.
        if store.read(new.table_name) != new.table:
            raise ShardExistsError(
                shard.shard_id,
                f"the new sample table {store.url(new.table_name)} is there already, with other bytes; nothing was "
                "changed. Move that file away",
            ) from error


def _may_stay(store: Store, table: str, shard_id: str, current: str, *, means_own: bool) -> bool:
    """Tell whether a header may come to name a table while it names the one with the SHA-256 ``current``.

    A table that is not certainly the shard's may, as when a shard of a longer name is being written.
    """
    if table == shard_id + TABLE_SUFFIX and means_own:
        return False  # it was there before any that takes its place
    try:
        data = store.read(table)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 == current and not means_own:
            return True
        is_ours = table == replacing_table(shard_id, sha256)
        return not is_ours or replaced_by(data) == current
    except FileNotFoundError:
        return False
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return True


def _check_readable(header: bytes, manifest: ShardManifest) -> None:
    # A manifest can be built by hand; one that no reader would accept is not published.
    try:
        parse_header(header, f"the header of shard {manifest.shard_id!r}").plain_aggregates()
    except DamagedManifestError as error:
        raise SampleValueError(f"this manifest could be written and never read: {error.__cause__ or error}") from error
    if manifest.num_samples != len(manifest.frame):
        raise SampleValueError(
            f"the manifest of shard {manifest.shard_id!r} says {manifest.num_samples} samples, "
            f"and its sample table has {len(manifest.frame)} rows"
        )
