"""Plans of rows of which the index has some: its parts as one scan, the sidecars of the rest, in shard order."""

import functools
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._index import CODE, Index, Part
from atdata._manifest import SHARD, Sidecars, Table, unified
from atdata._polars import calls_python, scan_widened
from atdata._pruning import conjuncts
from atdata._storage import Store

from ._row_wise import only_column
from ._scans import TableScans, scan_alike
from ._source import FAILURES, Rows

__all__ = ["IndexedRows", "by_codes"]


def by_codes(
    expression: pl.Expr, codes: Mapping[str, pl.DataFrame], schema: Mapping[str, pl.DataType]
) -> tuple[list[pl.Expr], dict[str, pl.DataType]]:
    """Return conditions that hold together where an expression holds, those on coded columns asked of their codes.

    A condition that looks at one such column and nothing else decides each row by its list alone, so it is evaluated
    once for each list that there is. What cannot be evaluated so stays as it is, to fail or not on the rows.

    Args:
        expression: Decides each row by that row.
        codes: By field, which list each code is: ``code`` and ``value``.
        schema: The columns that the expression means.

    Returns:
        The conditions, and the columns of codes that they look at.
    """
    # A selector is one condition for each column, of which there are more where there are codes.
    if calls_python(expression) or expression.meta.has_multiple_outputs():
        return [expression], {}
    # A list of another dtype is another list.
    same = {name for name, known in codes.items() if known["value"].dtype == schema.get(name)}
    conditions, used = list[pl.Expr](), dict[str, pl.DataType]()
    for condition in conjuncts(expression):
        name = only_column(condition)
        wanted = None if name is None or name not in same else _wanted(condition, name, codes[name])
        if name is None or wanted is None:
            conditions.append(condition)
        else:
            conditions.append(pl.col(CODE + name).is_in(wanted.implode()))
            used[CODE + name] = pl.UInt32()
    return conditions, used


def _wanted(condition: pl.Expr, name: str, codes: pl.DataFrame) -> pl.Series | None:
    """Return the codes of the lists for which a condition holds; None where it cannot be asked of them."""
    lists = codes["value"].alias(name).to_frame()
    try:
        holds = lists.select(condition.alias("__holds__")).to_series()
    except FAILURES:
        return None
    if holds.dtype != pl.Boolean or len(holds) != len(codes):
        return None
    return codes["code"].filter(holds.fill_null(value=False))


class IndexedRows:
    """All rows of some shards, as a plan that asks the index for those of the shards that it covers.

    Args:
        store: Where the index is.
        index: The index.
        shard_ids: The shards, in order.
        scans: Makes plans of sidecars.
        rest: The shards that the index does not cover, and their tables.
    """

    def __init__(
        self,
        store: Store,
        index: Index,
        shard_ids: Sequence[str],
        scans: TableScans,
        rest: Sequence[tuple[Sidecars, Table]],
    ) -> None:
        self._store = store
        self._index = index
        self._shard_ids = np.array(shard_ids, object)
        self._scans = scans
        self._rest = rest
        # In shard order, which the columns' order depends on.
        place = {shard_id: number for number, shard_id in enumerate(shard_ids)}
        tables = [*index.tables, *(table for _, table in rest)]
        self._union = unified(sorted(tables, key=lambda each: place[each.shard_id]))
        self._schema = pl.Schema({SHARD: pl.String(), **self._union})

    @property
    def rows(self) -> Rows:
        """All rows."""
        return Rows(self._schema, self._scan, self._scan)

    def _scan(self, kept: pl.Series | None, where: pl.Expr | None = None) -> pl.LazyFrame:
        part_of = self._index.part_of
        mask = np.ones(len(part_of), bool) if kept is None else kept.to_numpy()
        numbers = np.unique(part_of[mask & (part_of >= 0)])
        plans = [self._part_scan([self._index.parts[number] for number in numbers], where)] if len(numbers) else []
        rest = self._scans.united(list(itertools.compress(self._rest, mask[part_of < 0])), self._union)
        plans += rest if where is None else [rows.filter(where) for rows in rest]
        if not plans:
            return pl.LazyFrame(schema=self._schema)
        if len(plans) == 1:
            ordered = self._in_order or not len(numbers)
            return plans[0] if ordered else self._sorted(plans[0])
        return pl.concat(plans) if self._in_order and self._rest_is_last else self._sorted(pl.concat(plans))

    def _part_scan(self, parts: Sequence[Part], where: pl.Expr | None) -> pl.LazyFrame:
        sources = [self._store.scan_source(part.name) for part in parts]
        paths = [source for source in sources if isinstance(source, str)]
        conditions, used = ([], {}) if where is None else by_codes(where, self._index.codes, self._union)
        stored = {SHARD: pl.String(), **self._union, **used}
        if all(dict(part.columns) == dict(self._union) for part in parts) and len(paths) == len(sources):
            rows = scan_alike(paths, None, schema={SHARD: pl.String(), **parts[0].columns, **used}, others="ignore")
        elif len(paths) == len(sources):
            rows = scan_widened(paths, None, stored, others="ignore")
        else:
            rows = pl.concat(scan_widened(source, None, stored, others="ignore") for source in sources)
        passed = [shard_id for part in parts for shard_id in self._passed_over.get(part.name, ())]
        if passed:
            rows = rows.filter(~pl.col(SHARD).is_in(pl.Series(passed).implode()))
        return (rows.filter(*conditions) if conditions else rows).select(list(self._schema))

    def _sorted(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.sort(pl.col(SHARD).cast(pl.Enum(self._shard_ids.tolist())), maintain_order=True)

    @functools.cached_property
    def _covered(self) -> NDArray[np.bool_]:
        return np.asarray(self._index.part_of >= 0)

    @functools.cached_property
    def _passed_over(self) -> dict[str, list[str]]:
        """The shards of each part that are not to be answered from it: they changed, or are gone."""
        used = set(self._shard_ids[self._covered])
        if len(used) == sum(len(part.shard_ids) for part in self._index.parts):
            return {}
        passed = {part.name: [each for each in part.shard_ids if each not in used] for part in self._index.parts}
        return {name: shard_ids for name, shard_ids in passed.items() if shard_ids}

    @functools.cached_property
    def _in_order(self) -> bool:
        """Whether the parts, one after the other, hold their shards in the order that is wanted."""
        passed = {each for shard_ids in self._passed_over.values() for each in shard_ids}
        held = [each for part in self._index.parts for each in part.shard_ids if each not in passed]
        wanted: list[str] = self._shard_ids[self._covered].tolist()
        return held == wanted

    @functools.cached_property
    def _rest_is_last(self) -> bool:
        covered = self._covered
        return bool(covered[: int(covered.sum())].all())
