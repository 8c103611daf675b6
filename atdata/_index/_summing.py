"""The shards table, gathered part by part."""

import io
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from atdata._sidecars._header import now
from atdata._sidecars._names import Sidecars
from atdata._sidecars._table import SHARD

from ._before import Before, Stamps
from ._build import POSITION
from ._codes import CodeBook
from ._files import path
from ._format import INDEX_VERSION, ColumnSet, IndexFacts, PartFacts, table_name
from ._plan import Limits
from ._shards import COLUMNS, ShardsTable, encode_table, statistic_columns
from ._statistics import as_table

__all__ = ["Gathered"]

#: What a listed value takes beside its text, in bytes.
_VALUE = 16
_STAMP = ("header_size", "header_time", "header_tag")
_TOLD = ("rows", "set", "header_digest", "table_size", "table_sha256", "size_bytes", "tar_size", "tar_sha256")


class Gathered:
    """Parts and what the shards table says of their shards.

    Args:
        before: The earlier index.
        limits: How much is listed.

    Attributes:
        unlisted: The fields whose values are not listed, because there are too many.
    """

    def __init__(self, before: Before | None, limits: Limits) -> None:
        self.unlisted = set(before.unlisted if before else ())
        self._codes = CodeBook(before.table.codes if before else {})
        self._limit = limits.values
        self._sizes: dict[str, int] = {}
        self._parts: list[PartFacts] = []
        #: Small files, because frames of 100,000 shards take as much memory as the rest of a run.
        self._told: list[bytes] = []

    def add(
        self, part: PartFacts, told: Iterable[pl.DataFrame], codes: Mapping[str, pl.DataFrame] | None = None
    ) -> None:
        """Add a part, and what there is to say of its shards.

        Args:
            part: The part.
            told: The shards table's columns, of its shards.
            codes: By field, which list each of its codes is; None for a part that stays.
        """
        if codes is None:
            self._codes.keep(part)
        else:
            self._codes.add(codes)
        for each in told:
            for column in each.columns:
                if column.startswith("values:"):
                    self._count(column.removeprefix("values:"), each[column])
            buffer = io.BytesIO()
            each.with_columns(pl.lit(len(self._parts), pl.UInt32).alias("part")).write_parquet(buffer, statistics=False)
            self._told.append(buffer.getvalue())
        self._parts.append(part)

    def table(
        self, sidecars: Sequence[Sidecars], stamps: Stamps, before: Before | None, sets: Sequence[ColumnSet]
    ) -> ShardsTable | None:
        """Return the shards table; None where it has no shard, and the earlier one where it says the same.

        Args:
            sidecars: All shards.
            stamps: The stamps of their headers.
            before: The earlier index.
            sets: The sets of columns of the shards that were added.
        """
        if not self._told:
            return None
        columns = statistic_columns(sets)
        hidden = [f"{kind}:{field}" for field in self.unlisted for kind in ("values", "counts")]
        told = (pl.read_parquet(each).drop(hidden, strict=False) for each in self._told)
        frame = pl.concat([as_table(each, columns, [POSITION, "part", *_TOLD]) for each in told])
        frame = frame if frame[POSITION].is_sorted() else frame.sort(POSITION)
        frame = frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).over("part").alias("number"))
        nothing = (pl.lit(None, columns[name]).alias(name) for name in hidden if name in columns)
        frame = frame.with_columns(nothing)  # also where a shard has no value
        frame = pl.concat([_stamped(frame[POSITION].to_list(), sidecars, stamps, before), frame], how="horizontal")
        frame = frame.select(*COLUMNS, *columns)
        unlisted = sorted(name for name in self.unlisted if f"values:{name}" in columns)
        parts, codes = self._codes.settled(self._parts)
        if before and _is_same(before.table, frame, parts, sets):
            return before.table
        facts = IndexFacts(
            index_version=INDEX_VERSION, created_at=now(), parts=parts, sets=list(sets), unlisted=unlisted, codes=codes
        )
        data = encode_table(frame, facts)
        return ShardsTable(path(table_name(data)), data)

    def _count(self, name: str, values: pl.Series) -> None:
        size = int(values.list.len().sum()) * _VALUE
        if values.dtype == pl.List(pl.String):
            size += int(values.explode().str.len_bytes().sum())
        self._sizes[name] = self._sizes.get(name, 0) + size
        if self._sizes[name] > self._limit:
            self.unlisted.add(name)


def _stamped(
    positions: Sequence[int], sidecars: Sequence[Sidecars], stamps: Stamps, before: Before | None
) -> pl.DataFrame:
    """Return shards' names, and the stamps of their headers as far as they count."""
    # A stamp that was recorded counts, whatever the clock says today.
    counts = stamps.settled | before.fits if before else stamps.settled
    found = [stamps.found[position] if counts[position] else None for position in positions]
    columns = {name: [None if each is None else each[index] for each in found] for index, name in enumerate(_STAMP)}
    names = [sidecars[position].shard_id for position in positions]
    return pl.DataFrame({SHARD: names, **columns}, schema={name: COLUMNS[name] for name in (SHARD, *_STAMP)})


def _is_same(table: ShardsTable, frame: pl.DataFrame, parts: Sequence[PartFacts], sets: Sequence[ColumnSet]) -> bool:
    facts = table.facts
    return (
        facts.parts == list(parts)
        and facts.sets == list(sets)
        and table.frame.equals(frame.select(table.frame.columns))
    )
