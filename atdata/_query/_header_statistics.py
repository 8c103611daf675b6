"""What headers say of their shards, as columns that pruning goes by (the index keeps the same)."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from msgspec import UNSET, ValidationError

from atdata._manifest import SHARD, Header, parse_dtype, text_value

__all__ = ["HeaderStatistics"]


class HeaderStatistics:
    """Statistics of some shards, one row a shard, in their order.

    Args:
        shard_ids: The shards.
        headers: Gives each shard's header, or None where nothing may be concluded from it.
        schema: The columns' dtypes.
    """

    def __init__(
        self,
        shard_ids: Sequence[str],
        headers: Callable[[], Iterable[Header | None]],
        schema: Mapping[str, pl.DataType],
    ) -> None:
        self._shard_ids = shard_ids
        self._read = headers
        self._schema = schema

    @functools.cached_property
    def _headers(self) -> list[Header | None]:
        return list(self._read())

    def frame(self, fields: Sequence[str]) -> pl.DataFrame:
        """Return what is known of some fields: ``rows``, and ``min:`` ``max:`` ``nulls:`` ``values:`` of each."""
        columns = [pl.Series("rows", [None if each is None else each.num_samples for each in self._headers], pl.UInt32)]
        for name in fields:
            if name == SHARD:
                columns.append(pl.Series(SHARD, self._shard_ids, pl.String))
            elif name in self._schema:
                columns += self._columns(name, self._schema[name])
        return pl.DataFrame(columns)

    def _columns(self, name: str, dtype: pl.DataType) -> list[pl.Series]:
        inner: pl.DataType = dtype.inner if isinstance(dtype, pl.List) else dtype  # type: ignore[assignment]  # an instance
        said = [None if each is None else _said(each, name) for each in self._headers]
        columns = [pl.Series(f"nulls:{name}", [each and each.nulls for each in said], pl.UInt32)]
        if not isinstance(dtype, pl.List):
            columns += [_plain(f"min:{name}", [each and each.low for each in said], inner)]
            columns += [_plain(f"max:{name}", [each and each.high for each in said], inner)]
        return [*columns, _lists(f"values:{name}", [each and each.values for each in said], inner)]


class _Said(NamedTuple):
    """What one header says of one field; None is what it does not tell."""

    nulls: int | None = None
    low: Any = None
    high: Any = None
    values: Sequence[Any] | None = None


def _said(header: Header, name: str) -> _Said:
    if header.is_old or header.samples is None:
        return _Said()
    if name not in header.samples.columns:
        return _Said(nulls=header.num_samples, values=())
    summary = header.aggregates.get(name)
    if summary is None:
        return _Said()
    dtype = parse_dtype(header.samples.columns[name])
    inner: pl.DataType = dtype.inner if isinstance(dtype, pl.List) else dtype  # type: ignore[assignment]  # an instance
    counts, is_set = getattr(summary, "value_counts", None), isinstance(dtype, pl.List)
    found = counts if not is_set else getattr(summary, "all_values", None)
    is_listed = found is not None and getattr(summary, "truncated", UNSET) is UNSET
    values = [_value(each, inner) for each in found] if is_listed and found is not None else None
    low, high = (_value(_known(getattr(summary, which, None)), inner) for which in ("min", "max"))
    return _Said(_nulls(header, summary, counts if is_listed and not is_set else None), low, high, values)


def _nulls(header: Header, summary: Any, counts: Mapping[str, int] | None) -> int | None:
    """Return how many rows of the table have no value, where the header accounts for every sample."""
    # NaN is null in the table.
    without = (_known(summary.null_count) or 0) + (_known(summary.nan_count) or 0)
    having = sum(counts.values()) if counts is not None else getattr(summary, "count", None)
    if having is None:
        return None if summary.null_count is UNSET else without
    return without if having + without == header.num_samples else None


def _known(said: Any) -> Any:
    return None if said is UNSET else said


def _value(said: Any, dtype: pl.DataType) -> Any:
    try:
        return text_value(said, dtype) if isinstance(said, str) else said
    except (ValueError, ArithmeticError, ValidationError):
        return None  # text that stands for no value of the column says nothing


def _plain(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    try:
        return pl.Series(name, values, dtype, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [None], dtype).new_from_index(0, len(values))


def _lists(name: str, lists: Sequence[Sequence[Any] | None], dtype: pl.DataType) -> pl.Series:
    """Return lists as a column; Polars takes thirty times as long for lists of lists."""
    flat = _plain("value", [value for each in lists for value in each or ()], dtype)
    if flat.null_count():
        return pl.Series(name, [None], pl.List(dtype)).new_from_index(0, len(lists))
    rows = pl.Series("row", np.repeat(np.arange(len(lists)), [len(each or ()) for each in lists]), pl.UInt32)
    every = pl.DataFrame({"known": [each is not None for each in lists]}).with_row_index("row")
    grouped = pl.DataFrame([rows, flat]).group_by("row", maintain_order=True).agg("value")
    joined = every.join(grouped, on="row", how="left", maintain_order="left")
    value = pl.when("known").then(pl.col("value").fill_null(pl.lit([], pl.List(dtype))))
    return joined.select(value.alias(name)).to_series()
