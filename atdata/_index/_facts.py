"""What many headers say of their fields, put together from the shards table."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from atdata._sidecars._aggregate import bound
from atdata._sidecars._dtypes import value_text

from ._format import ColumnSet, statistics_among, value_dtype

__all__ = ["SetFacts", "counted", "set_facts"]


class SetFacts(NamedTuple):
    """What the headers of shards with one set of columns say together, as one header of all their samples would."""

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
    aggregates = {}
    for name, kind in columns.aggregates.items():
        filled = told.select("rows", *statistics_among(told.columns, name)).filter(
            pl.col(f"nulls:{name}") < pl.col("rows")
        )
        summary = _numeric(name, filled) if kind == "numeric" else _listed(name, kind, filled, schema[name])
        if summary is None:
            return None
        nans = int(told[f"nans:{name}"].sum()) if f"nans:{name}" in told.columns else 0
        nulls = int(told[f"nulls:{name}"].sum()) - (nans if schema[name].is_float() else 0)
        aggregates[name] = {"type": kind, **summary, "null_count": nulls, "nan_count": nans}
    return SetFacts(int(told["rows"].sum()), aggregates, schema)


def counted(told: pl.DataFrame, name: str) -> pl.DataFrame | None:
    """Return how often each value occurs, first seen first; None where a shard does not list its values."""
    if told[f"values:{name}"].null_count():
        return None
    pairs = told.select(value=f"values:{name}", count=f"counts:{name}").explode("value", "count", empty_as_null=False)
    return pairs.group_by("value", maintain_order=True).agg(pl.col("count").sum().cast(pl.Int64))


def _numeric(name: str, filled: pl.DataFrame) -> dict[str, Any]:
    counts = filled["rows"] - filled[f"nulls:{name}"]
    total = int(counts.sum())
    if not total:
        return {"min": None, "max": None, "mean": None, "count": 0}
    low, high = filled[f"min:{name}"], filled[f"max:{name}"]
    mean = None
    if f"mean:{name}" in filled.columns and not filled[f"mean:{name}"].null_count():
        mean = math.fsum((filled[f"mean:{name}"] * (counts / total)).to_list())
    return {
        "min": None if _unbounded(low) else bound(low.min(), low.dtype),
        "max": None if _unbounded(high) else bound(high.max(), high.dtype),
        "mean": mean if mean is None or math.isfinite(mean) else None,
        "count": total,
    }


def _unbounded(bounds: pl.Series) -> bool:
    # As in a header, which has no infinite bound: one shard without a bound leaves all of them without.
    return bounds.null_count() > 0 or (bounds.dtype.is_float() and not bounds.is_finite().all())


def _listed(name: str, kind: str, filled: pl.DataFrame, dtype: pl.DataType) -> dict[str, Any] | None:
    if filled[f"truncated:{name}"].any():
        # Several shards' values may be the same ones.
        alone = {"cardinality": filled[f"distinct:{name}"].item()} if len(filled) == 1 else {}
        return {"truncated": True, "value_counts": {"": 1}, **alone}
    found = counted(filled, name)
    if found is None:
        return None
    value = value_dtype(dtype)
    texts = [value_text(each, value) for each in found["value"].cast(value)]
    counts = dict(zip(texts, found["count"].to_list(), strict=True))
    return {"value_counts": counts, **({"all_values": texts} if kind == "set" else {"cardinality": len(counts)})}
