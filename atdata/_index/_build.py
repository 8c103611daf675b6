"""One part, made of sidecars and of rows of old parts; and what the shards table says of its shards."""

import io
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import DamagedManifestError, ManifestError, first_line
from atdata._manifest import KEY, OFFSET, SIZE, Aggregate, as_union

from ._format import NUMBER, ColumnSet, fields_of, kinds_of, lists_values, statistics_of, union_of
from ._plan import Kept, LoadedShard, Told
from ._shards_table import COLUMNS
from ._statistics import statistics

__all__ = ["POSITION", "Made", "PartMaker", "nan_columns", "read_tables", "wrong_rows"]

_BLOCK = 512
_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


def read_tables(
    some: Sequence[LoadedShard], columns: ColumnSet
) -> tuple[list[pl.DataFrame], list[LoadedShard], dict[int, ManifestError]]:
    """Return the rows of tables of one set of columns, which tables these are, and what is wrong with the others.

    Args:
        some: The tables' bytes.
        columns: What all their headers promise.

    Returns:
        Frames whose rows follow each other as the tables do; those tables; an error by the position of each other one.
    """
    schema = columns.schema
    try:
        # One read of many files: one file a read takes ten times as long.
        rows = pl.scan_parquet([each.data for each in some], glob=False, hive_partitioning=False).collect()
        if dict(rows.schema) == schema and [each.told.rows for each in some] == _lengths(some):
            return [rows], list(some), {}
    except _FAILURES:
        pass  # one of them; it is found below
    frames: list[pl.DataFrame] = []
    sound: list[LoadedShard] = []
    wrong: dict[int, ManifestError] = {}
    for each in some:
        found = _read_alone(each, columns.columns, schema)
        if isinstance(found, str):
            wrong[each.position] = DamagedManifestError.because(each.told.table, found)
        else:
            frames.append(found)
            sound.append(each)
    return frames, sound, wrong


def wrong_rows(rows: pl.DataFrame, shards: Mapping[int, LoadedShard]) -> dict[int, str]:
    """Return what is wrong with the rows of some shards, by their numbers.

    Args:
        rows: The rows, with their shards' numbers, in order.
        shards: The shards, by number.
    """
    offset, end = pl.col(OFFSET), pl.col(OFFSET) + pl.col(SIZE)
    same = pl.col(NUMBER) == pl.col(NUMBER).shift(1)
    marked = rows.lazy().select(NUMBER, KEY, OFFSET, SIZE, falls=same & (offset < end.shift(1)))
    found = marked.group_by(NUMBER).agg(
        nameless=pl.col(KEY).null_count(),
        repeats=pl.len() - pl.col(KEY).n_unique(),
        placeless=pl.col(OFFSET).null_count() + pl.col(SIZE).null_count(),
        uneven=(offset % _BLOCK != 0).sum(),
        falls=pl.col("falls").sum(),
        below=((offset < 0) | (pl.col(SIZE) < 1)).sum(),
        # Not of the sum alone, which may be beyond what 64 bits hold.
        furthest=pl.max_horizontal(offset.max(), pl.col(SIZE).max(), end.max()),
    )
    tars = {number: each.told.tar_size for number, each in shards.items()}
    known = pl.DataFrame({NUMBER: list(tars), "tar": list(tars.values())}, schema={NUMBER: pl.UInt32, "tar": pl.Int64})
    places = pl.sum_horizontal("placeless", "uneven", "falls", "below") > 0
    odd = found.join(known.lazy(), on=NUMBER).filter(
        (pl.sum_horizontal("nameless", "repeats") > 0)
        | (pl.col("tar").is_not_null() & (places | (pl.col("furthest") > pl.col("tar"))))
    )
    return {each[NUMBER]: _said(each) for each in odd.collect().to_dicts()}


def nan_columns(rows: pl.DataFrame) -> dict[int, str]:
    """Return which column of a shard, by its number, holds NaN, which tables hold as null."""
    floats = [name for name, dtype in rows.schema.items() if dtype.is_float()]
    nan = rows.filter(pl.any_horizontal(pl.col(name).is_nan() for name in floats)) if floats else rows.clear()
    if not len(nan):
        return {}
    each = nan.lazy().group_by(NUMBER).agg(pl.col(name).is_nan().any() for name in floats).collect()
    return {row[NUMBER]: next(name for name in floats if row[name]) for row in each.to_dicts()}


def _said(odd: Mapping[str, int]) -> str:
    tar = odd["tar"]
    cases = {
        "nameless": "{} samples without a key",
        "repeats": "{} keys that repeat; a key names one sample of a shard",
        "placeless": "{} places that are null",
        "uneven": f"{{}} offsets that are no multiples of {_BLOCK}",
        "falls": "{} samples that begin before the one above them ends",
        "below": "{} offsets below 0, or samples without a length",
    }
    found = [text.format(odd[name]) for name, text in cases.items() if odd[name]]
    if tar is not None and (odd["furthest"] or 0) > tar:
        found.append(f"a sample that ends at {odd['furthest']}, in a tar of {tar} bytes")
    return f"its rows cannot be those of a shard: {found[0]}"


def _lengths(some: Sequence[LoadedShard]) -> list[int]:
    import pyarrow as pa  # noqa: PLC0415 -- only this call needs it
    import pyarrow.parquet as pq  # noqa: PLC0415 -- as above

    # Polars tells how many rows the files have together; a footer tells it of one in 40 µs.
    try:
        return [pq.read_metadata(pa.BufferReader(each.data)).num_rows for each in some]
    except (pa.ArrowException, OSError):
        return []


def _read_alone(
    each: LoadedShard, promised: Mapping[str, str], schema: Mapping[str, pl.DataType]
) -> pl.DataFrame | str:
    try:
        rows = pl.read_parquet(io.BytesIO(each.data))
    except _FAILURES as error:
        return f"no sample table: {first_line(error)}"
    if dict(rows.schema) != schema:
        return f"the header promises the columns {promised}, found {dict(rows.schema)}"
    if len(rows) != each.told.rows:
        return f"the header promises {each.told.rows} samples, and the table has {len(rows)} rows"
    return rows


#: A shard's place among those that are asked for, in frames that are no shards table yet.
POSITION = "position"
#: What a header tells of a shard, beside its statistics.
_TOLD = ("set", "header_digest", "table_size", "table_sha256", "size_bytes", "tar_size", "tar_sha256")


class Made(NamedTuple):
    """A part."""

    #: The rows of its samples, by the number of the shard.
    rows: pl.DataFrame
    #: Its shards, by position, in order.
    positions: list[int]


class _Fresh(NamedTuple):
    """Shards whose sidecars were read and are sound."""

    loaded: list[LoadedShard]
    #: Their rows, by place in that list.
    rows: pl.DataFrame
    wrong: dict[int, ManifestError]
    left_out: dict[int, str]


class PartMaker:
    """Makes one part.

    Attributes:
        told: What the shards table says of the shards whose sidecars were read, with ``POSITION`` in place of part and
            stamps.
    """

    def __init__(self) -> None:
        self.told: list[pl.DataFrame] = []
        self._rows: list[tuple[list[int], pl.DataFrame]] = []
        self._sets: dict[int, None] = {}

    def add(
        self, loaded: Sequence[LoadedShard], sets: Sequence[ColumnSet], unlisted: Collection[str]
    ) -> tuple[dict[int, ManifestError], dict[int, str]]:
        """Add shards by their sidecars, as far as these are sound.

        Args:
            loaded: The sidecars.
            sets: The sets of columns that there are.
            unlisted: The fields whose values are not listed, because they are too many.

        Returns:
            What is wrong with some of them, and why others are left out, by position.
        """
        fresh = _fresh(loaded, sets)
        if fresh.loaded:
            kinds = kinds_of({each.told.set: sets[each.told.set] for each in loaded}.values())
            self.told.append(_told(fresh, kinds, unlisted))
            self._rows.append(([each.position for each in fresh.loaded], fresh.rows))
            self._sets |= dict.fromkeys(each.told.set for each in fresh.loaded)
        return fresh.wrong, fresh.left_out

    def add_kept(self, kept: Sequence[Kept], rows: pl.DataFrame) -> None:
        """Add shards that have not changed, with their rows by place among these."""
        self._rows.append(([each.position for each in kept], rows))
        self._sets |= dict.fromkeys(each.set for each in kept)

    def made(self, sets: Sequence[ColumnSet]) -> Made:
        """Return the part; what was added is let go."""
        positions = sorted(position for some, _ in self._rows for position in some)
        number = {position: index for index, position in enumerate(positions)}
        union = union_of([sets[each] for each in sorted(self._sets)])
        frames = [
            _renumbered(rows, np.array([number[each] for each in some], np.uint32)).select(
                NUMBER, *as_union(rows.schema, union)
            )
            for some, rows in self._rows
        ]
        self._rows.clear()
        # In one chunk: others decide where the pages of a file end.
        rows = pl.concat(frames, rechunk=True) if frames else pl.DataFrame(schema={NUMBER: pl.UInt32, **union})
        return Made(rows if rows[NUMBER].is_sorted() else rows.sort(NUMBER, maintain_order=True).rechunk(), positions)


def _fresh(loaded: Sequence[LoadedShard], sets: Sequence[ColumnSet]) -> _Fresh:
    """Read the rows of some shards, and check all that can be told without their tars."""
    by_set: dict[int, list[LoadedShard]] = {}
    for each in loaded:
        by_set.setdefault(each.told.set, []).append(each)
    wrong: dict[int, ManifestError] = {}
    sound: list[LoadedShard] = []
    frames = []
    union = union_of([sets[number] for number in sorted(by_set)])
    for number, some in by_set.items():
        found, good, bad = read_tables(some, sets[number])
        places = np.arange(len(sound), len(sound) + len(good), dtype=np.uint32)
        wrong |= bad
        sound += good
        if found:
            column = pl.Series(NUMBER, np.repeat(places, [each.told.rows for each in good]))
            frames.append(pl.concat(found).select(column, *as_union(found[0].schema, union)))
    rows = pl.concat(frames) if frames else pl.DataFrame(schema={NUMBER: pl.UInt32, **union})
    problems = wrong_rows(rows, dict(enumerate(sound)))
    wrong |= {sound[n].position: DamagedManifestError.because(sound[n].told.table, problems[n]) for n in problems}
    nans = {n: name for n, name in nan_columns(rows).items() if n not in problems}
    left_out = {
        sound[n].position: f"its column {name!r} holds NaN, which sample tables hold as null"
        for n, name in nans.items()
    }
    if problems or nans:
        stays = np.array([n not in problems and n not in nans for n in range(len(sound))])
        rows = rows.filter(pl.Series(stays[rows[NUMBER].to_numpy()]))
        rows = _renumbered(rows, (np.cumsum(stays) - 1).astype(np.uint32))
        sound = list(itertools.compress(sound, stays))
    return _Fresh(sound, rows, wrong, left_out)


def _renumbered(rows: pl.DataFrame, numbers: NDArray[np.uint32]) -> pl.DataFrame:
    """Return rows with other numbers for their shards, by the number that each had."""
    if (numbers == np.arange(len(numbers))).all():
        return rows
    return rows.with_columns(pl.Series(NUMBER, numbers[rows[NUMBER].to_numpy()], pl.UInt32))


def _told(fresh: _Fresh, kinds: Mapping[str, Sequence[Aggregate[Any]]], unlisted: Collection[str]) -> pl.DataFrame:
    """Return the shards table's columns of shards whose rows were read."""
    told = [each.told for each in fresh.loaded]
    columns = {
        "set": [each.set for each in told],
        "header_digest": [each.digest for each in told],
        "table_size": [len(each.data) for each in fresh.loaded],
        "table_sha256": [each.table_sha256 for each in told],
        "size_bytes": [each.size_bytes for each in told],
        "tar_size": [each.tar_size for each in told],
        "tar_sha256": [each.tar_sha256 for each in told],
    }
    frame = pl.DataFrame(columns, schema={name: COLUMNS[name] for name in _TOLD})
    listed = {name: name not in unlisted for name, those in kinds.items() if lists_values(those)}
    by_rows = statistics(_sorted(fresh.rows), len(told), listed).drop(NUMBER)
    by_header: list[pl.Series] = []
    for name, dtype in fields_of(fresh.rows.drop(NUMBER).schema).items():
        by_header += _by_header(name, dtype, kinds.get(name, ()), told)
    positions = pl.Series(POSITION, [each.position for each in fresh.loaded], pl.Int64)
    return pl.concat([positions.to_frame(), frame, by_rows, pl.DataFrame(by_header)], how="horizontal")


def _by_header(name: str, dtype: pl.DataType, kinds: Sequence[Aggregate[Any]], told: Sequence[Told]) -> list[pl.Series]:
    """Return the columns of a field's statistics that headers tell."""
    values = [each.by_header.get(name, {}) for each in told]
    expected = statistics_of(name, dtype, kinds)
    columns = {what: expected[full] for what in _of_kinds(kinds) if (full := f"{what}:{name}") in expected}
    absent = {"truncated": False}  # null where an aggregate says nothing, or is of another kind
    series = [
        pl.Series(f"{what}:{name}", [each.get(what, absent.get(what)) for each in values], own)
        for what, own in columns.items()
    ]
    if dtype.is_float():  # of lists the rows tell
        series.append(pl.Series(f"nans:{name}", [each.nans.get(name, 0) for each in told], pl.Int64))
    return series


def _of_kinds(kinds: Sequence[Aggregate[Any]]) -> list[str]:
    return ["mean", "truncated", *(what for kind in kinds for what in kind.index_columns)]


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    # So that grouping by it needs no hashing.
    return rows.with_columns(pl.col(NUMBER).set_sorted())
