"""The table of an index that says of each shard which rows are its own, and its statistics."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import AtdataError
from atdata._manifest import KEY, SHARD, parse_dtype
from atdata._storage import Stamp

from ._format import (
    METADATA,
    ColumnSet,
    IndexFacts,
    decode_facts,
    fields_of,
    kinds_of,
    statistics_of,
    table_name,
    union_of,
)
from ._statistics import decode_codes

__all__ = ["COLUMNS", "ShardsTable", "encode_table", "statistic_columns"]

#: What the table says of each shard beside its statistics.
COLUMNS: dict[str, pl.DataType] = {
    SHARD: pl.String(),
    "part": pl.UInt32(),
    "number": pl.UInt32(),
    "rows": pl.Int64(),
    "set": pl.UInt32(),
    "header_size": pl.Int64(),
    "header_time": pl.Int64(),
    "header_tag": pl.String(),
    "header_digest": pl.Binary(),
    "table_size": pl.Int64(),
    "table_sha256": pl.Binary(),
    "size_bytes": pl.Int64(),
    "tar_size": pl.Int64(),
    "tar_sha256": pl.Binary(),
}
_NULLABLE = {"header_size", "header_time", "header_tag", "tar_size", "tar_sha256"}
_SHA256_BYTES = 32
_STAMP = ("header_size", "header_time", "header_tag")
_NO_STAMP = (None, None, None)


def statistic_columns(sets: Sequence[ColumnSet]) -> dict[str, pl.DataType]:
    """Return the columns of statistics that go with some sets of columns, in order.

    Raises:
        SchemaError: The sets do not go together.
    """
    kinds = kinds_of(sets)
    found = statistics_of(KEY, pl.String(), ())
    for name, dtype in fields_of(union_of(sets)).items():
        found |= statistics_of(name, dtype, kinds.get(name, ()))
    return found


class ShardsTable:
    """A shards table whose bytes and structure were checked.

    Attributes:
        name: Its file, below the store's root.
        data: The file's bytes.
        facts: What it says of the index.
        columns: All of its columns, with their dtypes.
        schemas: The columns of each part, without the number.
        frame: The columns that it has beside the statistics.
        parts: The part of each shard.
        starts: The first row of each part, and the number of rows at the end.
    """

    def __init__(self, name: str, data: bytes) -> None:
        """Check a table.

        Raises:
            ValueError: It is none, or not what its name vouches for; the error says why.
        """
        self.name = name
        self.data = data
        if table_name(data) != name.rpartition("/")[2]:
            raise ValueError("its bytes are not those that its name vouches for")
        try:
            said = pl.read_parquet_metadata(io.BytesIO(data)).get(METADATA)
            if said is None:
                raise ValueError(f"its metadata has no {METADATA}")
            self.facts: IndexFacts = decode_facts(said)
            expected = COLUMNS | statistic_columns(self.facts.sets)
            self.columns: dict[str, pl.DataType] = dict(pl.read_parquet_schema(io.BytesIO(data)))
            if self.columns != expected:
                raise ValueError(f"its columns are not those of its metadata: {_difference(self.columns, expected)}")
            self.codes = {name: decode_codes(text) for name, text in self.facts.codes.items()}
            if any(set(part.codes) - self.codes.keys() for part in self.facts.parts):
                raise ValueError("its parts have codes that it does not know")
            self.schemas = [
                {name: parse_dtype(text) for name, text in part.columns.items()} for part in self.facts.parts
            ]
            self.frame: pl.DataFrame = pl.read_parquet(io.BytesIO(data), columns=list(COLUMNS))
        except (AtdataError, pl.exceptions.PolarsError, pl.exceptions.PanicException, RecursionError) as error:
            raise ValueError(f"it is no such table: {error}") from error
        self.parts: NDArray[np.int64] = self.frame["part"].cast(pl.Int64).to_numpy()
        self.starts = _checked_starts(self.frame, self.facts)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids(self) -> pl.Series:
        """The shards, in order."""
        return self.frame[SHARD]

    def read(self, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns, statistics among them."""
        return pl.read_parquet(io.BytesIO(self.data), columns=list(columns))

    def fits(self, stamps: Sequence[Stamp | None], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which shards' headers still have the stamps that are recorded in these rows; row -1 fits none."""
        if not len(self) or not stamps:
            return np.zeros(len(rows), np.bool_)
        then = self.frame.select(_STAMP)[np.maximum(rows, 0)]
        # Not zip(*stamps), which takes ten times as long for 100,000 of them.
        found = [each or _NO_STAMP for each in stamps]
        columns: list[list[Any]] = [[each[index] for each in found] for index in range(len(_STAMP))]
        now = [pl.Series(name, values, COLUMNS[name]) for name, values in zip(_STAMP, columns, strict=True)]
        same = pl.select(pl.all_horizontal(then[each.name] == each for each in now).fill_null(value=False))
        return same.to_series().to_numpy() & (rows >= 0)

    def rows_of(self, shard_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of each shard; -1 for those that the table does not have."""
        wanted = pl.Series(SHARD, shard_ids, pl.String)
        if len(wanted) == len(self) and (wanted == self.ids).all():
            return np.arange(len(self))
        known = self.frame.select(SHARD).with_row_index("row")
        found = wanted.to_frame().join(known, on=SHARD, how="left", maintain_order="left")
        return found["row"].cast(pl.Int64).fill_null(-1).to_numpy()


def encode_table(frame: pl.DataFrame, facts: IndexFacts) -> bytes:
    """Return a shards table as a Parquet file."""
    buffer = io.BytesIO()
    text = msgspec.json.encode(facts).decode()
    frame.write_parquet(buffer, compression="zstd", statistics=False, row_group_size=1 << 20, metadata={METADATA: text})
    return buffer.getvalue()


def _checked_starts(frame: pl.DataFrame, facts: IndexFacts) -> NDArray[np.int64]:
    """Check that each part's shards are numbered without a gap, and that all numbers point at something."""
    required = [name for name in COLUMNS if name not in _NULLABLE]
    if any(frame[name].null_count() for name in required):
        raise ValueError("it has nulls where there are none")
    part = frame["part"].cast(pl.Int64).to_numpy()
    if (part >= len(facts.parts)).any() or (np.diff(part) < 0).any():
        raise ValueError("its shards are in parts that it does not name, or in no order")
    starts = np.searchsorted(part, np.arange(len(facts.parts) + 1))
    if (frame["number"].to_numpy() != np.arange(len(part)) - starts[part]).any():
        raise ValueError("the numbers of its shards are not those of its parts")
    rows = frame["rows"].to_numpy()
    ends = np.concatenate([[0], np.cumsum(rows)])
    if (rows < 0).any() or (np.diff(ends[starts]) != [each.rows for each in facts.parts]).any():
        raise ValueError("the numbers of its rows are not those of its parts")
    if (frame["set"].to_numpy() >= len(facts.sets)).any():
        raise ValueError("its shards have sets of columns that it does not name")
    if frame[SHARD].n_unique() < len(frame):
        raise ValueError("it names a shard twice")
    digests = frame.select(pl.col("header_digest", "table_sha256", "tar_sha256").bin.size() != _SHA256_BYTES)
    if digests.select(pl.any_horizontal(pl.all().any())).item():
        raise ValueError("it has digests of another length")
    return starts


def _difference(found: Mapping[str, pl.DataType], expected: Mapping[str, pl.DataType]) -> str:
    odd = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    return f"{odd[0]!r} is {found.get(odd[0])}, expected {expected.get(odd[0])}" if odd else "they are in another order"
