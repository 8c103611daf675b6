"""What the files of the manifest index say of themselves (docs/format.md, "Manifest index")."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import polars as pl
from msgspec import Meta, Struct

from atdata._errors import AtdataError, UnsupportedFormatError
from atdata._manifest import (
    INDEX_FOLDER,
    KEY,
    LOCATION,
    SHARD,
    SHARED_INDEX_COLUMNS,
    Aggregate,
    ShardTable,
    aggregate_kinds,
    aggregate_of,
    find_aggregate,
    parse_dtype,
    unified,
    value_dtype,
)
from atdata._shards import LocationProblem, table_problem

__all__ = [
    "CODE",
    "INDEX_FOLDER",
    "INDEX_VERSION",
    "METADATA",
    "NUMBER",
    "PART_NAME",
    "STATISTICS",
    "TABLE_NAME",
    "ColumnSet",
    "IndexFacts",
    "PartFacts",
    "decode_facts",
    "fields_of",
    "kinds_of",
    "lists_values",
    "part_name",
    "statistics_among",
    "statistics_of",
    "table_name",
    "union_of",
]

INDEX_VERSION = "1.1.0"
#: Where the shards table's Parquet metadata has the index's facts.
METADATA = "atdata.index"
#: The column of a part that says which of its shards a row is of.
NUMBER = SHARD
#: What a column of a part is called that holds the codes of a field's lists, before the field's name.
CODE = "__code__:"
#: How many hex digits of a SHA-256 make a name.
_DIGITS = 32
PART_NAME = re.compile(rf"part-[0-9a-f]{{{_DIGITS}}}\.parquet")
TABLE_NAME = re.compile(rf"shards-([0-9a-f]{{{_DIGITS}}})\.parquet")

_Count = Annotated[int, Meta(ge=0, le=1 << 62)]
_Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Part = Annotated[str, Meta(pattern=f"^{PART_NAME.pattern}$")]


class ColumnSet(Struct, frozen=True):
    """What the headers of some shards promise of their sample tables' columns."""

    #: Name to dtype, as in a header.
    columns: dict[str, str]
    #: Field to kind of aggregate, in the header's order.
    aggregates: dict[str, str]
    #: Whether these shards have no row; then their dtypes bind nobody.
    empty: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What tells sets apart, the order of columns and fields included."""
        return tuple(self.columns.items()), tuple(self.aggregates.items()), self.empty

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The columns' dtypes.

        Raises:
            UnsupportedFormatError: One is not known.
        """
        return {name: parse_dtype(text) for name, text in self.columns.items()}

    def location_problem(self) -> LocationProblem | None:
        """Return why tables with such columns do not say where their samples are; None where they may."""
        try:
            return table_problem(self.schema)
        except UnsupportedFormatError:
            return None

    def refused(self) -> str | None:
        """Say why an index cannot hold such shards; None where it can."""
        try:
            schema = self.schema
        except AtdataError as error:
            return str(error)
        for name, dtype in LOCATION.items():
            if schema.get(name) != dtype:
                return f"its column {name!r} is {schema.get(name)}, and {dtype} elsewhere"
        for name, dtype in schema.items():
            if isinstance(value_dtype(dtype), pl.List):
                return f"its column {name!r} holds lists of lists"
            if name == NUMBER:
                return f"its column {name!r} has the name of the index's own"
        for name, kind in self.aggregates.items():
            aggregate = find_aggregate(kind)  # an unknown one may be of anything
            if aggregate is not None and (name not in schema or not aggregate.fits(schema[name])):
                return f"its header sums up {name!r} as {kind}, which its column is not"
        return None


class PartFacts(Struct, frozen=True):
    """One part, as the shards table names it."""

    name: _Part
    rows: _Count
    size: _Count
    sha256: _Sha256
    #: When it was written, and its tag, by the store's stamp.
    time: int
    tag: str
    #: Name to dtype, without the shard's number, and without codes.
    columns: dict[str, str]
    #: The fields whose lists have codes.
    codes: list[str] = []


class IndexFacts(Struct, frozen=True, kw_only=True):
    """What the shards table says of the whole index."""

    index_version: str
    created_at: str
    parts: list[PartFacts]
    #: The sets of columns that there are; the shards have their numbers.
    sets: list[ColumnSet]
    #: Fields whose values would be too many to list.
    unlisted: list[str] = []
    #: By field, which list each code of any part is: a Parquet file of the columns code and value, in Base64.
    codes: dict[str, str] = {}


class _Version(Struct, frozen=True):
    index_version: str


def decode_facts(text: str) -> IndexFacts:
    """Return what a shards table says of the index.

    Raises:
        ValueError: It is no such text, or of a version that is not known.
    """
    try:
        version = msgspec.json.decode(text, type=_Version).index_version
        if version.partition(".")[0] != INDEX_VERSION.partition(".")[0]:
            raise ValueError(f"index_version {version!r}; this version of atdata-polars reads {INDEX_VERSION[0]}.x")
        return msgspec.json.decode(text, type=IndexFacts)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"its metadata is not the index's: {error}") from error


def part_name(shards: Iterable[tuple[str, bytes]]) -> str:
    """Return the name of the part that is made of some shards: of their ids, and the digests of their headers."""
    # Another version of Polars may write the same rows as other bytes.
    digest = hashlib.sha256(f"part {INDEX_VERSION} polars {pl.__version__}\0".encode())
    for shard_id, header in shards:
        digest.update(shard_id.encode("utf-8", "surrogatepass") + b"\0" + header)
    return f"part-{digest.hexdigest()[:_DIGITS]}.parquet"


def table_name(data: bytes) -> str:
    """Return the name of a shards table: it vouches for the bytes."""
    return f"shards-{hashlib.sha256(data).hexdigest()[:_DIGITS]}.parquet"


def union_of(sets: Iterable[ColumnSet]) -> pl.Schema:
    """Return the columns of all sets together.

    Raises:
        SchemaError: They do not go together.
    """
    return unified([ShardTable(f"set {number}", each.schema, not each.empty) for number, each in enumerate(sets)])


def fields_of(union: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Return the fields among the columns."""
    return {name: dtype for name, dtype in union.items() if name not in LOCATION}


def kinds_of(sets: Iterable[ColumnSet]) -> dict[str, list[Aggregate[Any]]]:
    """Return the known kinds of aggregates that headers have of each field, by field."""
    names: dict[str, dict[str, None]] = {}
    for each in sets:
        for name, kind in each.aggregates.items():
            names.setdefault(name, {})[kind] = None
    known = {name: [find_aggregate(kind) for kind in sorted(kinds)] for name, kinds in names.items()}
    return {name: [kind for kind in kinds if kind is not None] for name, kinds in known.items()}


def lists_values(kinds: Iterable[Aggregate[Any]]) -> bool:
    """Return whether the values of a field are listed: those of a kind that sums up value by value."""
    return any(kind.lists_values for kind in kinds)


#: What is said of a field whatever the kinds of its aggregates.
STATISTICS = SHARED_INDEX_COLUMNS


def statistics_among(columns: Collection[str], name: str) -> list[str]:
    """Return which columns are a field's statistics."""
    own = (what for kind in aggregate_kinds() for what in aggregate_of(kind).index_columns)
    return [each for what in (*STATISTICS, *own) if (each := f"{what}:{name}") in columns]


def statistics_of(name: str, dtype: pl.DataType, kinds: Sequence[Aggregate[Any]]) -> dict[str, pl.DataType]:
    """Return the shards table's columns for a field with aggregates of some kinds, or for the key."""
    value = value_dtype(dtype)
    found: dict[str, pl.DataType] = {f"min:{name}": value, f"max:{name}": value}
    if name == KEY:
        return found
    found[f"nulls:{name}"] = pl.Int64()
    if value.is_float():
        found[f"nans:{name}"] = pl.Int64()
    if dtype.is_integer() or dtype.is_float():
        found[f"mean:{name}"] = pl.Float64()
    if lists_values(kinds):
        found |= {
            f"distinct:{name}": pl.Int64(),
            f"values:{name}": pl.List(value),
            f"counts:{name}": pl.List(pl.UInt32()),
            f"truncated:{name}": pl.Boolean(),
        }
    for kind in kinds:
        found |= {f"{what}:{name}": own for what, own in kind.index_columns.items()}
    return found
