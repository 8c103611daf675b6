"""One schema for shards whose columns differ (docs/queries.md, "Shards that differ")."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from atdata._errors import DamagedManifestError, SchemaError

from ._columns import columns_of
from ._dtypes import dtype_text, parse_dtype
from ._manifest_header import Header
from ._table import CRC32, LOCATION

__all__ = ["ShardTable", "as_union", "check_addable", "unified", "widened"]

#: Signed integers, by their bits.
_SIGNED = {8: pl.Int8(), 16: pl.Int16(), 32: pl.Int32(), 64: pl.Int64()}


class ShardTable(NamedTuple):
    """One shard's sample table, as its footer describes it."""

    shard_id: str
    #: Its columns; of a table of format 1.0.0 those that it has once it is read as today's.
    schema: Mapping[str, pl.DataType]
    #: False where it is known to have no row.
    has_rows: bool = True
    #: Which columns hold lists as JSON, in a table of format 1.0.0; None for a table of today's format.
    encoded: frozenset[str] | None = None


def unified(tables: Sequence[ShardTable]) -> pl.Schema:
    """Return the columns of all tables together.

    Columns come in the order of the first table, then as they appear. Integers widen to the one that holds both, an
    integer with a float is a Float64, Float32 with Float64 too; whatever else differs does not go together. A table
    without rows has no say about the dtype of a column that others have.

    Raises:
        SchemaError: A column's dtypes do not go together; the error names it and both shards.
        DamagedManifestError: A table with rows lacks a location column.
    """
    dtypes: dict[str, pl.DataType] = {}
    # Tables without rows have their say last.
    for table in sorted(tables, key=lambda table: not table.has_rows):
        missing = LOCATION.keys() - table.schema
        if missing - {CRC32} and table.has_rows:
            raise DamagedManifestError(f"the sample table of {table.shard_id!r} lacks the columns {sorted(missing)}")
        for name, dtype in table.schema.items():
            wider = widened(dtypes.setdefault(name, dtype), dtype)
            if wider is None and table.has_rows:
                raise _apart(name, table, tables)
            dtypes[name] = wider if wider and table.has_rows else dtypes[name]
    order = dict.fromkeys([*(name for table in tables for name in table.schema), *LOCATION])
    return pl.Schema({name: _known(dtypes.get(name, LOCATION.get(name))) for name in order})


def _known(dtype: pl.DataType | None) -> pl.DataType:
    # Lists of which no shard has an element are lists of text.
    return pl.List(pl.String()) if dtype is None or dtype == pl.List(pl.Null()) else dtype


def _apart(name: str, table: ShardTable, tables: Sequence[ShardTable]) -> SchemaError:
    dtype = table.schema[name]
    others = (
        (candidate.shard_id, candidate.schema[name])
        for candidate in tables
        if candidate.has_rows and name in candidate.schema
    )
    shard_id, other = next((shard_id, other) for shard_id, other in others if widened(other, dtype) is None)
    return SchemaError(
        f"the manifests of {shard_id!r} and {table.shard_id!r} differ in their columns: {name!r} is "
        f"{dtype_text(other)} and {dtype_text(dtype)}, and no column holds both. Write one of the shards again, or "
        "open them apart"
    )


def check_addable(header: Header, shard_id: str, sample_type: type) -> None:
    """Check that samples of a type may be added beside a shard: of the same name, with columns that go together.

    Raises:
        SchemaError: They may not.
    """
    if header.schema_type != sample_type.__name__:
        raise SchemaError(
            f"append=True adds samples of the type that is there: shard {shard_id!r} holds {header.schema_type}, found "
            f"{sample_type.__name__}. Write them to another path"
        )
    if header.samples is not None:
        there = {name: parse_dtype(text) for name, text in header.samples.columns.items()}
        new = LOCATION | {column.name: column.dtype for column in columns_of(sample_type)}
        unified([ShardTable(shard_id, there), ShardTable("the new samples", new)])


def as_union(schema: Mapping[str, pl.DataType], union: Mapping[str, pl.DataType]) -> Iterable[pl.Expr]:
    """Yield a union's columns as expressions over one table: missing ones null, numbers widened."""
    for name, dtype in union.items():
        stored = schema.get(name)
        if stored is None:
            yield pl.lit(None, dtype).alias(name)
        else:
            yield pl.col(name).cast(dtype) if stored != dtype else pl.col(name)


def widened(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """Return the dtype that holds both, or None where there is none."""
    if one == other:
        return one
    if pl.Null in (one, other):
        return other if one == pl.Null else one
    if pl.List(pl.Null()) in (one, other) and isinstance(one, pl.List) and isinstance(other, pl.List):
        return other if one == pl.List(pl.Null()) else one
    if one.is_integer() and other.is_integer():
        return _wider_integer(one, other)
    if one.is_numeric() and other.is_numeric() and not (one.is_decimal() or other.is_decimal()):
        return pl.Float64()
    return None


def _wider_integer(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    if one.is_signed_integer() == other.is_signed_integer():
        return max(one, other, key=_bits)
    # One more bit for the sign of what was unsigned.
    needed = max(_bits(dtype) * (1 if dtype.is_signed_integer() else 2) for dtype in (one, other))
    return _SIGNED.get(needed)


def _bits(dtype: pl.DataType) -> int:
    return int(str(dtype).removeprefix("U").removeprefix("Int"))
