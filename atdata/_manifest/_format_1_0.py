"""Format 1.0.0, of atdata 0.7, as today's (docs/format.md, "Files written by atdata 0.7").

Its headers hold tokens that are not JSON, and bounds that are not exact. Its tables have no ``__crc32__``, hold lists
as JSON text in Binary columns, and lack the columns that no sample of the shard has a value for: all of them, where a
manifest is empty.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import polars as pl
from msgspec import UNSET, UnsetType, structs

from ._aggregate import AggregateMembers, Bound
from ._numeric import NumericMembers
from ._table import CRC32, LOCATION

__all__ = [
    "ColumnsToday",
    "columns_today",
    "frame_today",
    "is_version_1_0",
    "json_columns",
    "known_bounds",
    "list_dtypes",
    "normalised",
    "stored_columns",
    "with_null_tokens",
]

#: From here on a float stands for more than one whole number.
_INEXACT = 1 << 53
#: A string, which stays, or a token that is not JSON.
_STRING_OR_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|(-?Infinity|NaN)', re.DOTALL)

#: What text of JSON tells of a column's lists. The first pattern that a cell matches says what they hold.
_ELEMENTS: dict[str, pl.DataType] = {
    '"': pl.String(),
    "true|false": pl.Boolean(),
    "[.eENI]": pl.Float64(),
    "[0-9]": pl.Int64(),
}
#: A cell that is no list of scalars.
_NESTED = r"^\s*(?:[^\[\s]|\[\s*[\[{]|$)"


class ColumnsToday(NamedTuple):
    """Columns of a sample table once it is read as one of today's format."""

    schema: Mapping[str, pl.DataType]
    #: The columns that hold lists as JSON; None in a table of today's format.
    encoded: frozenset[str] | None


def is_version_1_0(manifest_version: str) -> bool:
    """Return whether a header's version is 1.0.x, that of atdata 0.7."""
    return manifest_version.split(".")[:2] == ["1", "0"]


def with_null_tokens(data: bytes) -> bytes:
    """Return a header with null for the tokens of version 1.0 that strict JSON does not have."""
    return _STRING_OR_TOKEN.sub(lambda match: match[0] if match[1] is None else b"null", data)


def known_bounds(members: AggregateMembers) -> AggregateMembers:
    """Return an aggregate of version 1.0 with null for the bounds that are not exact.

    Its writer gave infinite bounds to no values, and rounded whole numbers to floats.
    """
    if not isinstance(members, NumericMembers):
        return members
    if not members.count:
        return structs.replace(members, min=None, max=None, mean=None)
    low, high = _exact(members.min), _exact(members.max)
    unbounded: bool | UnsetType = True if low is None or high is None else UNSET
    return structs.replace(members, min=low, max=high, unbounded=unbounded)


def _exact(bound: Bound) -> Bound:
    return None if isinstance(bound, float) and not -_INEXACT < bound < _INEXACT else bound


def columns_today(schema: Mapping[str, pl.DataType], scan: Callable[[], pl.LazyFrame]) -> ColumnsToday:
    """Return the columns that a table has once it is read as today's. Of one of today's no row is read.

    Args:
        schema: Its columns, as stored.
        scan: Gives its rows.

    Raises:
        polars.exceptions.PolarsError: The rows cannot be read.
    """
    if CRC32 in schema:
        return ColumnsToday(schema, None)
    lists = list_dtypes(scan(), schema)
    today = normalised(pl.LazyFrame(schema=dict(schema)), schema, lists).collect_schema()
    return ColumnsToday({**today, **lists}, frozenset(json_columns(schema)))


def frame_today(frame: pl.DataFrame, columns: Mapping[str, pl.DataType] | None = None) -> pl.DataFrame:
    """Return a table with today's columns.

    Args:
        frame: The table, as stored.
        columns: The dtypes of its list columns; None to find them in its rows.
    """
    if CRC32 in frame.schema:
        return frame
    rows = frame.lazy()
    return normalised(rows, frame.schema, list_dtypes(rows, frame.schema) if columns is None else columns).collect()


def stored_columns(columns: Mapping[str, pl.DataType], encoded: Collection[str]) -> dict[str, pl.DataType]:
    """Return columns of tables as those store them that hold some of their lists as JSON."""
    return {name: pl.Binary() if name in encoded else dtype for name, dtype in columns.items()}


def list_dtypes(rows: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Return the dtypes of an old table's list columns: what holds all of its cells. The columns are read once.

    Lists without a single element are lists of Null. A column of other JSON (lists in lists) is text as it stands.

    Args:
        rows: One old table, or several with the same list columns.
        schema: Their columns, as stored.

    Raises:
        polars.exceptions.PolarsError: The rows cannot be read.
    """
    columns = json_columns(schema)
    if not columns:
        return {}
    patterns = [*_ELEMENTS, _NESTED]
    seen = rows.select(
        pl.concat_list(_text(name).str.contains(pattern).any() for pattern in patterns).alias(name) for name in columns
    ).collect()
    return {name: _dtype(dict(zip(patterns, seen[name].item(), strict=True))) for name in columns}


def normalised(
    rows: pl.LazyFrame, schema: Mapping[str, pl.DataType], lists: Mapping[str, pl.DataType] | None = None
) -> pl.LazyFrame:
    """Return an old table's rows with today's columns: the location columns first, lists as lists, NaN as null.

    Args:
        rows: The table's rows.
        schema: Its columns, as stored.
        lists: The dtypes of its list columns, as :func:`list_dtypes` tells them; lists of text where it is silent.
    """
    lists = {name: dtype for name, dtype in (lists or {}).items() if dtype != pl.List(pl.Null())}
    added = [pl.lit(None, dtype).alias(name) for name, dtype in LOCATION.items() if name not in schema]
    changed = [_decoded(name, lists.get(name, pl.List(pl.String()))) for name in json_columns(schema)]
    changed += [pl.col(name).fill_nan(None) for name, dtype in schema.items() if dtype.is_float()]
    changed += [pl.col(name).cast(dtype) for name, dtype in LOCATION.items() if schema.get(name, dtype) != dtype]
    fields = [name for name in schema if name not in LOCATION]
    # Not one select: of a table without columns it would make a row.
    return rows.with_columns(added + changed).select([*LOCATION, *fields])


def json_columns(schema: Mapping[str, pl.DataType]) -> list[str]:
    """Return the columns of an old table that hold lists as JSON."""
    return [name for name, dtype in schema.items() if dtype == pl.Binary and name not in LOCATION]


def _dtype(seen: Mapping[str, bool]) -> pl.DataType:
    mixed = not seen['"'] and seen["true|false"] and seen["[0-9]"]
    if seen[_NESTED] or mixed:
        return pl.String()
    return pl.List(next((dtype for pattern, dtype in _ELEMENTS.items() if seen[pattern]), pl.Null()))


def _text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String)


def _decoded(name: str, dtype: pl.DataType) -> pl.Expr:
    if not isinstance(dtype, pl.List):
        return _text(name)
    if dtype.inner in (pl.String, pl.Boolean):
        return _text(name).str.json_decode(dtype)
    # Not json_decode: it knows no NaN, and gives null for an integer out of range.
    items = _text(name).str.extract_all(r"[^,\s\[\]]+")
    if dtype.inner.is_float():  # null is the one item that is no number
        return items.cast(dtype, strict=False)
    return items.cast(pl.List(pl.Int128()), strict=False).cast(dtype)
