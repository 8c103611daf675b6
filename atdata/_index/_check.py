"""Sample tables held against what their headers promise, many at a time (docs/format.md, "Samples")."""

import io
from collections.abc import Mapping, Sequence

import polars as pl

from atdata._errors import DamagedManifestError, ManifestError, first_line
from atdata._sidecars._table import KEY, OFFSET, SIZE

from ._format import NUMBER, ColumnSet
from ._sidecar import Loaded

__all__ = ["nan_columns", "read_tables", "wrong_rows"]

_BLOCK = 512
_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


def read_tables(
    some: Sequence[Loaded], columns: ColumnSet
) -> tuple[list[pl.DataFrame], list[Loaded], dict[int, ManifestError]]:
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
    sound: list[Loaded] = []
    wrong: dict[int, ManifestError] = {}
    for each in some:
        found = _read_alone(each, columns.columns, schema)
        if isinstance(found, str):
            wrong[each.position] = DamagedManifestError.because(each.told.table, found)
        else:
            frames.append(found)
            sound.append(each)
    return frames, sound, wrong


def wrong_rows(rows: pl.DataFrame, shards: Mapping[int, Loaded]) -> dict[int, str]:
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


def _lengths(some: Sequence[Loaded]) -> list[int]:
    import pyarrow as pa  # noqa: PLC0415 -- only this call needs it
    import pyarrow.parquet as pq  # noqa: PLC0415 -- as above

    # Polars tells how many rows the files have together; a footer tells it of one in 40 µs.
    try:
        return [pq.read_metadata(pa.BufferReader(each.data)).num_rows for each in some]
    except (pa.ArrowException, OSError):
        return []


def _read_alone(each: Loaded, promised: Mapping[str, str], schema: Mapping[str, pl.DataType]) -> pl.DataFrame | str:
    try:
        rows = pl.read_parquet(io.BytesIO(each.data))
    except _FAILURES as error:
        return f"no sample table: {first_line(error)}"
    if dict(rows.schema) != schema:
        return f"the header promises the columns {promised}, found {dict(rows.schema)}"
    if len(rows) != each.told.rows:
        return f"the header promises {each.told.rows} samples, and the table has {len(rows)} rows"
    return rows
