"""What the files of the manifest index say of themselves (docs/format.md, "Manifest index")."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta, Struct

from atdata._errors import AtdataError
from atdata._manifest import KEY, LOCATION, SHARD, Table, fits, parse_dtype, unified

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
    "listed_fields",
    "part_name",
    "statistics_among",
    "statistics_of",
    "table_name",
    "union_of",
    "value_dtype",
]

INDEX_FOLDER = "_manifest_index"
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
            if name not in schema or not fits(kind, schema[name]):
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


def value_dtype(dtype: pl.DataType) -> pl.DataType:
    """Return the dtype of a column's values: of a list, that of its elements."""
    return dtype.inner if isinstance(dtype, pl.List) else dtype  # type: ignore[return-value]  # an instance


def union_of(sets: Iterable[ColumnSet]) -> pl.Schema:
    """Return the columns of all sets together.

    Raises:
        SchemaError: They do not go together.
    """
    return unified([Table(f"set {number}", each.schema, not each.empty) for number, each in enumerate(sets)])


def fields_of(union: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Return the fields among the columns."""
    return {name: dtype for name, dtype in union.items() if name not in LOCATION}


def listed_fields(sets: Iterable[ColumnSet]) -> set[str]:
    """Return the fields whose values are listed: those that a header sums up value by value."""
    return {name for each in sets for name, kind in each.aggregates.items() if kind != "numeric"}


#: What is said of a field.
STATISTICS = ("min", "max", "nulls", "nans", "mean", "distinct", "values", "counts", "truncated")


def statistics_among(columns: Collection[str], name: str) -> list[str]:
    """Return which columns are a field's statistics."""
    return [each for what in STATISTICS if (each := f"{what}:{name}") in columns]


def statistics_of(name: str, dtype: pl.DataType, *, listed: bool) -> dict[str, pl.DataType]:
    """Return the shards table's columns for a field, or for the key."""
    value = value_dtype(dtype)
    found: dict[str, pl.DataType] = {f"min:{name}": value, f"max:{name}": value}
    if name == KEY:
        return found
    found[f"nulls:{name}"] = pl.Int64()
    if value.is_float():
        found[f"nans:{name}"] = pl.Int64()
    if dtype.is_integer() or dtype.is_float():
        found[f"mean:{name}"] = pl.Float64()
    if listed:
        found |= {
            f"distinct:{name}": pl.Int64(),
            f"values:{name}": pl.List(value),
            f"counts:{name}": pl.List(pl.UInt32()),
            f"truncated:{name}": pl.Boolean(),
        }
    return found
