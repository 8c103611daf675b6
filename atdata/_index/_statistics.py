"""Each shard's statistics of its columns, by Polars, and codes that stand for lists."""

import base64
import binascii
import io
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import polars as pl
from msgspec import structs

from atdata._manifest import KEY, MAX_BOUND, MAX_VALUES, find_aggregate, merged_counts, upper_bound

from ._format import CODE, NUMBER, ColumnSet, PartFacts, fields_of, statistics_among

__all__ = [
    "CodeBook",
    "FewValues",
    "SetFacts",
    "as_table",
    "counted",
    "decode_codes",
    "encode_codes",
    "few_values",
    "set_facts",
    "statistics",
    "with_codes",
]

#: How many different lists a column has at most; they are in the shards table's metadata.
_MOST = 4096
#: How many rows tell whether a column is worth it, and how many times a value must appear in them on average.
_TRIED, _REPEATED = 100_000, 8
_SCHEMA = ("code", "value")


class FewValues(NamedTuple):
    """A column as its distinct values, first seen first, null among them, and for each row the place of its own."""

    values: pl.Series
    places: pl.Series


def few_values(column: pl.Series, most: int) -> FewValues | None:
    """Return a column as its distinct values; None where it has more than so many, or each appears too seldom."""
    frame, name = column.to_frame(), column.name
    values = frame.head(_TRIED).unique(maintain_order=True)
    if len(values) * _REPEATED > min(len(column), _TRIED):
        return None
    places = _places(column, values)
    if places.null_count():  # a value that came later, or does not equal itself
        values = frame.unique(maintain_order=True)
        if len(values) > most:
            return None
        places = _places(column, values)
    return None if places.null_count() or len(values) > most else FewValues(values[name], places)


def _places(column: pl.Series, values: pl.DataFrame) -> pl.Series:
    """Return for each row the place of its value; null where it is not among them."""
    placed = values.with_row_index("__place__")
    rows = column.to_frame().join(placed, on=column.name, how="left", nulls_equal=True, maintain_order="left")
    return rows["__place__"]


def with_codes(rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Return a part's rows with the codes of its columns of lists, and by field which list each code is.

    What becomes of a column depends on its rows alone.
    """
    columns, found = list[pl.Series](), dict[str, pl.DataFrame]()
    for name, dtype in rows.schema.items():
        few = few_values(rows[name], _MOST) if _can_have(dtype) and CODE + name not in rows.schema else None
        if few is not None:
            # Of what the list is, not of where it stands: the same one in all parts.
            codes = [zlib.crc32(msgspec.msgpack.encode(value)) for value in few.values.to_list()]
            found[name] = pl.DataFrame({"code": pl.Series(codes, dtype=pl.UInt32), "value": few.values})
            columns.append(found[name]["code"].gather(few.places).alias(CODE + name))
    return rows.with_columns(columns), found


def _can_have(dtype: pl.DataType) -> bool:
    # Not of floats, of which two that are equal may differ.
    return isinstance(dtype, pl.List) and (dtype.inner in (pl.String, pl.Boolean) or dtype.inner.is_integer())


class CodeBook:
    """Which list each code is, put together from parts; a field whose lists are too many is left out of all parts.

    Args:
        known: By field, what an earlier index says of the parts that stay.
    """

    def __init__(self, known: Mapping[str, pl.DataFrame]) -> None:
        self._known = known
        self._found: dict[str, pl.DataFrame | None] = {}

    def keep(self, part: PartFacts) -> None:
        """Add what is known of a part that stays."""
        for name in part.codes:
            self._join(name, self._known.get(name))

    def add(self, codes: Mapping[str, pl.DataFrame]) -> None:
        """Add the lists of a new part, by field."""
        for name, each in codes.items():
            self._join(name, each)

    def _join(self, name: str, codes: pl.DataFrame | None) -> None:
        before = self._found.get(name, codes)
        if before is None or codes is None or before.schema != codes.schema:
            self._found[name] = None
            return
        both = pl.concat([before, codes]).unique(maintain_order=True)
        one_each = both["code"].n_unique() == len(both)
        self._found[name] = both if one_each and len(both) <= _MOST else None

    def settled(self, parts: Sequence[PartFacts]) -> tuple[list[PartFacts], dict[str, str]]:
        """Return the parts with the fields whose codes are known, and these as text."""
        known = {name: codes for name, codes in self._found.items() if codes is not None}
        settled = [structs.replace(part, codes=[name for name in part.codes if name in known]) for part in parts]
        used = {name for part in settled for name in part.codes}
        return settled, {name: encode_codes(codes) for name, codes in sorted(known.items()) if name in used}


def encode_codes(codes: pl.DataFrame) -> str:
    """Return which list each code is, as text."""
    buffer = io.BytesIO()
    codes.write_parquet(buffer, compression="zstd", statistics=False)
    return base64.b64encode(buffer.getvalue()).decode()


def decode_codes(text: str) -> pl.DataFrame:
    """Return which list each code is.

    Raises:
        ValueError: The text says something else.
    """
    try:
        codes = pl.read_parquet(io.BytesIO(base64.b64decode(text, validate=True)))
    except (binascii.Error, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(f"its codes are no table: {error}") from error
    if tuple(codes.columns) != _SCHEMA or codes["code"].dtype != pl.UInt32 or not _can_have(codes["value"].dtype):
        raise ValueError(f"its codes have the columns {dict(codes.schema)}")
    if codes["code"].null_count() or codes["code"].n_unique() < len(codes):
        raise ValueError("its codes are not of one list each")
    return codes


_VALUE, _COUNT = "value", "count"


def statistics(rows: pl.DataFrame, shards: int, listed: Mapping[str, bool]) -> pl.DataFrame:
    """Return one row a shard, in order of their numbers: how many rows it has, and what they tell.

    Args:
        rows: The rows of some shards, by their numbers; NaN is in no column, but it may be in lists.
        shards: How many shards there are; those without rows are among them.
        listed: The fields whose distinct values are counted, and whether they are listed, too.
    """
    dtypes = fields_of({name: dtype for name, dtype in rows.schema.items() if name != NUMBER})
    lists = {name for name, dtype in dtypes.items() if isinstance(dtype, pl.List)}
    scalars = [KEY, *(name for name in dtypes if name not in lists)]
    lazy = rows.lazy()
    expressions = [pl.len().cast(pl.Int64).alias("rows")]
    expressions += [pl.min(name).alias(f"min:{name}") for name in scalars]
    expressions += [pl.max(name).alias(f"max:{name}") for name in scalars]
    expressions += [pl.col(name).null_count().cast(pl.Int64).alias(f"nulls:{name}") for name in dtypes]
    parts = [lazy.group_by(NUMBER, maintain_order=True).agg(expressions)]
    for name in dtypes:
        if name in lists:
            parts += _of_elements(rows, name, lists=listed.get(name))
        elif name in listed:
            # In the order in which they are first seen, as in a header.
            values = lazy.select(NUMBER, pl.col(name).alias(_VALUE)).drop_nulls(_VALUE)
            pairs = values.group_by(NUMBER, _VALUE, maintain_order=True).agg(pl.len().alias(_COUNT))
            parts.append(_of_values(pairs, name, lists=listed[name]))
    table = pl.DataFrame({NUMBER: pl.int_range(shards, dtype=pl.UInt32, eager=True)})
    for part in pl.collect_all(parts):
        table = table.join(part, on=NUMBER, how="left", maintain_order="left")
    return table.select(*(_filled(name, table.schema) for name in table.columns))


def as_table(frame: pl.DataFrame, columns: Mapping[str, pl.DataType], others: Sequence[str]) -> pl.DataFrame:
    """Return shards' statistics with the columns of all shards; a field that these do not have is null in all rows.

    Args:
        frame: Statistics of some shards, and other columns.
        columns: The columns of statistics that there are in the end.
        others: Which other columns stay.
    """
    has = frame.columns
    expressions = (
        pl.col(name).cast(dtype) if name in has else _without(name, dtype, has) for name, dtype in columns.items()
    )
    return frame.select(
        *others, *(expression.alias(name) for name, expression in zip(columns, expressions, strict=True))
    )


def _without(name: str, dtype: pl.DataType, has: Sequence[str]) -> pl.Expr:
    """Return a column that the statistics of some shards lack."""
    kind, _, field = name.partition(":")
    if kind in ("nans", "truncated"):
        return pl.lit(0, dtype)
    if f"nulls:{field}" not in has:  # nor do their sample tables have the field
        if kind == "nulls":
            return pl.col("rows")
        if kind in ("distinct", "values", "counts"):
            return pl.lit(0 if kind == "distinct" else [], dtype)
    return pl.lit(None, dtype)


def _filled(name: str, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """Return a column as it is where a shard has rows or values, and what it has to be where it has none."""
    kind, _, field = name.partition(":")
    column = pl.col(name)
    if kind in ("rows", "nulls", "nans", "distinct"):
        return column.fill_null(0)
    if kind in ("values", "counts"):
        empty = pl.lit([], schema[name])
        return pl.when(pl.col(f"distinct:{field}").is_null()).then(empty).otherwise(column).alias(name)
    if kind == "min" and schema[name] == pl.String:
        return column.str.slice(0, MAX_BOUND)
    if kind == "max" and schema[name] == pl.String:
        return column.map_batches(_upper_bounds, return_dtype=pl.String, is_elementwise=True)
    return column


def _of_elements(rows: pl.DataFrame, name: str, *, lists: bool | None) -> list[pl.LazyFrame]:
    """Return what there is to say of lists' elements; each counts once a sample, however often it repeats."""
    column = rows[name]
    repeats = (column.list.len() != column.list.n_unique()).any()
    once = column.list.unique() if repeats else column
    elements = pl.LazyFrame([rows[NUMBER], once.alias(_VALUE)]).explode(_VALUE).drop_nulls(_VALUE)
    parts = []
    if column.dtype.inner.is_float():  # type: ignore[attr-defined]  # a list
        counted = pl.len().cast(pl.Int64).alias(f"nans:{name}")
        parts.append(elements.filter(pl.col(_VALUE).is_nan()).group_by(NUMBER).agg(counted))
        elements = elements.filter(pl.col(_VALUE).is_not_nan())
    pairs = elements.group_by(NUMBER, _VALUE).agg(pl.len().alias(_COUNT)).sort(NUMBER, _VALUE)
    bounds = [pl.min(_VALUE).alias(f"min:{name}"), pl.max(_VALUE).alias(f"max:{name}")]
    parts.append(pairs.group_by(NUMBER).agg(bounds))
    if lists is not None:
        parts.append(_of_values(pairs, name, lists=lists))
    return parts


def _of_values(pairs: pl.LazyFrame, name: str, *, lists: bool) -> pl.LazyFrame:
    grouped = pairs.group_by(NUMBER, maintain_order=True)
    distinct = pl.len().cast(pl.Int64).alias(f"distinct:{name}")
    if not lists:
        return grouped.agg(distinct)
    values, counts = pl.col(_VALUE).alias(f"values:{name}"), pl.col(_COUNT).cast(pl.UInt32).alias(f"counts:{name}")
    few = pl.col(f"distinct:{name}") <= MAX_VALUES
    return grouped.agg(distinct, values, counts).with_columns(
        pl.when(few).then(pl.col(f"{kind}:{name}")) for kind in ("values", "counts")
    )


def _upper_bounds(values: pl.Series) -> pl.Series:
    long = (values.str.len_chars() > MAX_BOUND).fill_null(value=False)
    if not long.any():
        return values
    short = pl.Series([upper_bound(value, values.dtype) for value in values.filter(long)], dtype=pl.String)
    return values.scatter(long.arg_true(), short)


class SetFacts(NamedTuple):
    """Aggregates of all shards with one set of columns, as one header of all their samples would have them."""

    samples: int
    #: As in a header, but that what was truncated lists nothing.
    aggregates: Mapping[str, Mapping[str, Any]]
    #: The dtypes of the columns.
    dtypes: Mapping[str, pl.DataType]
    #: Format 1.0.0 is not in an index.
    counts_nulls: bool = True


def set_facts(columns: ColumnSet, told: pl.DataFrame) -> SetFacts | None:
    """Return what shards of one set of columns say together; None where the statistics do not tell.

    Args:
        columns: The set.
        told: The statistics of its shards, in order.
    """
    schema = columns.schema
    aggregates: dict[str, Mapping[str, Any]] = {}
    for name, kind in columns.aggregates.items():
        aggregate = find_aggregate(kind)
        if aggregate is None:
            aggregates[name] = {"type": kind}
            continue
        own = statistics_among(told.columns, name)
        # By what each says of the field, whatever the field is called.
        rows = told.select("rows", **{column.partition(":")[0]: column for column in own})
        members = aggregate.from_index(rows.filter(pl.col("nulls") < pl.col("rows")), schema[name])
        if members is None:
            return None
        nans = int(rows["nans"].sum()) if "nans" in rows.columns else 0
        nulls = int(rows["nulls"].sum()) - (nans if schema[name].is_float() else 0)
        aggregates[name] = {"type": kind, **members, "null_count": nulls, "nan_count": nans}
    return SetFacts(int(told["rows"].sum()), aggregates, schema)


def counted(told: pl.DataFrame, name: str) -> pl.DataFrame | None:
    """Return how often each value occurs, first seen first; None where a shard does not list its values."""
    return merged_counts(told.select(values=f"values:{name}", counts=f"counts:{name}"))
