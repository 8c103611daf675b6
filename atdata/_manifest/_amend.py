"""A shard's manifest with columns added, replaced or dropped (docs/format.md, "Publishing"): bytes from bytes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import polars as pl

from atdata._errors import SampleValueError

from ._aggregate import without_nan
from ._header import encode_header
from ._kinds import AggregateKind, aggregate_of
from ._names import replacing_table
from ._table import REPLACES, parquet_bytes, table_facts, value_dtypes

__all__ = ["ANNOTATED", "Amended", "Change", "amended", "marks_of"]

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
