"""Statistics of shards from their headers, as columns for pruning; the index keeps the same columns."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from atdata._errors import DamagedManifestError
from atdata._manifest import SHARD, FieldStatistics, Header, parse_dtype, value_dtype

__all__ = ["HeaderStatistics"]

_NOTHING = FieldStatistics()


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
        columns = [
            pl.Series("rows", [None if header is None else header.num_samples for header in self._headers], pl.UInt32)
        ]
        for name in fields:
            if name == SHARD:
                columns.append(pl.Series(SHARD, self._shard_ids, pl.String))
            elif name in self._schema:
                columns += self._columns(name, self._schema[name])
        return pl.DataFrame(columns)

    def _columns(self, name: str, dtype: pl.DataType) -> list[pl.Series]:
        inner = value_dtype(dtype)
        proved = [_NOTHING if header is None else _proved(header, name) for header in self._headers]
        columns = [pl.Series(f"nulls:{name}", [field.nulls for field in proved], pl.UInt32)]
        if not isinstance(dtype, pl.List):
            columns += [_plain(f"min:{name}", [field.low for field in proved], inner)]
            columns += [_plain(f"max:{name}", [field.high for field in proved], inner)]
        return [*columns, _lists(f"values:{name}", [field.values for field in proved], inner)]


def _proved(header: Header, name: str) -> FieldStatistics:
    """Return what a header proves of a field: nothing where its aggregate is malformed or of an unknown kind."""
    if header.samples is None or not header.has_places:
        return FieldStatistics()
    if name not in header.samples.columns:
        return FieldStatistics(nulls=header.num_samples, values=())
    try:
        aggregate = header.aggregate(name)
    except DamagedManifestError:
        return FieldStatistics()  # what is wrong is said by who needs it
    if aggregate is None:
        return FieldStatistics()
    dtype = value_dtype(parse_dtype(header.samples.columns[name]))
    return aggregate.kind.statistics(aggregate.members, dtype, header.num_samples)


def _plain(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    try:
        return pl.Series(name, values, dtype, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [None], dtype).new_from_index(0, len(values))


def _lists(name: str, lists: Sequence[Sequence[Any] | None], dtype: pl.DataType) -> pl.Series:
    """Return lists as a column; Polars takes thirty times as long for lists of lists."""
    flat = _plain("value", [value for values in lists for value in values or ()], dtype)
    if flat.null_count():
        return pl.Series(name, [None], pl.List(dtype)).new_from_index(0, len(lists))
    rows = pl.Series("row", np.repeat(np.arange(len(lists)), [len(values or ()) for values in lists]), pl.UInt32)
    every = pl.DataFrame({"known": [values is not None for values in lists]}).with_row_index("row")
    grouped = pl.DataFrame([rows, flat]).group_by("row", maintain_order=True).agg("value")
    joined = every.join(grouped, on="row", how="left", maintain_order="left")
    value = pl.when("known").then(pl.col("value").fill_null(pl.lit([], pl.List(dtype))))
    return joined.select(value.alias(name)).to_series()
