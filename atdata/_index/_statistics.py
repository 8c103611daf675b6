"""Each shard's statistics of its columns, by Polars, from the rows of many shards at once."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from atdata._manifest import KEY, MAX_BOUND, MAX_VALUES, find_aggregate, merged_counts, upper_bound

from ._format import NUMBER, ColumnSet, fields_of, statistics_among

__all__ = ["SetFacts", "as_table", "counted", "set_facts", "statistics"]

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
