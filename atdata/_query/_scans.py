"""Plans of rows: of shards' sample tables, and of the index that was made of them."""

import functools
import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._index import CODE, Index, IndexPart
from atdata._manifest import SHARD, TABLE_SUFFIX, ShardTable, normalised, stored_columns, unified
from atdata._polars import WIDENED, calls_python
from atdata._pruning import conjuncts
from atdata._shards import ShardFiles
from atdata._storage import Store, TablePath, scan_tables

from ._predicate import only_column

__all__ = ["FAILURES", "IndexedRows", "TableRows", "TableScans", "by_codes"]

#: What Polars raises where files or rows are not what a plan expects.
FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
#: The number of a row among those of all tables of a scan.
_ROW = "__row__"


class TableRows(NamedTuple):
    """All rows, as plans of them or of those of some shards, and their columns."""

    schema: pl.Schema
    #: Makes a plan of the rows of the shards that are True, one Boolean a shard; of all rows for None.
    scan: Callable[[pl.Series | None], pl.LazyFrame]
    #: Makes a plan of such rows for which an expression holds, where there is a better way than to filter them.
    filtered: Callable[[pl.Series | None, pl.Expr], pl.LazyFrame] | None = None

    def where(self, kept: pl.Series | None, expression: pl.Expr) -> pl.LazyFrame:
        """Return a plan of the rows of some shards for which an expression holds."""
        if self.filtered is not None:
            return self.filtered(kept, expression)
        return self.scan(kept).filter(expression)

    @property
    def lazy(self) -> pl.LazyFrame:
        """All rows."""
        return self.scan(None)

    @property
    def columns(self) -> pl.Schema:
        """The columns of one sample table: all but the shard."""
        return pl.Schema({name: dtype for name, dtype in self.schema.items() if name != SHARD})


class TableScans:
    """Makes plans of some shards' sample tables, with the shard as the first column.

    Args:
        files: The shards' files.
    """

    def __init__(self, files: ShardFiles) -> None:
        self._files = files
        #: The shards whose tables are known to have the columns of their headers.
        self._checked: set[str] = set()

    def alike(self, shard_ids: Sequence[str], schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """Scan tables of the same columns; one that has others makes the plan fail.

        Raises:
            ManifestError: A table is not the one that was listed, or has another number of rows than its header says.
            FileNotFoundError: A table is gone.
        """
        if not shard_ids:
            return pl.LazyFrame(schema={SHARD: pl.String(), **schema})
        return self._scan(shard_ids, functools.partial(scan_tables, schema=schema))

    def united(self, tables: Sequence[ShardTable], union: Mapping[str, pl.DataType]) -> list[pl.LazyFrame]:
        """Scan tables as the union of their columns: one plan for each run of tables of one kind.

        Raises:
            ManifestError: As for :meth:`alike`, or a table has not the columns that its header promises.
            FileNotFoundError: A table is gone.
        """
        runs = itertools.groupby((table for table in tables if table.has_rows), lambda table: table.encoded)
        return [self._run([table.shard_id for table in run], encoded, union) for encoded, run in runs]

    def frame(self, shard_id: str) -> pl.DataFrame:
        """Return one shard's table as it is stored.

        Raises:
            ManifestError: As for :meth:`united`, or a table has another number of rows than its header says.
            FileNotFoundError: The table is gone.
        """
        store, name = self._files.store, self._files.table_name(shard_id)
        schema = self._files.promised(self._files.headers([shard_id])[0])
        frame = (
            pl.read_parquet(io.BytesIO(store.read(name)))
            if schema is None
            else scan_tables([store.table(name)], schema).collect()
        )
        self._files.check_rows(shard_id, len(frame))
        return frame

    def _run(
        self, shard_ids: Sequence[str], encoded: frozenset[str] | None, union: Mapping[str, pl.DataType]
    ) -> pl.LazyFrame:
        self._check_columns(shard_ids)
        if encoded is None:
            return self._scan(shard_ids, functools.partial(scan_tables, schema=union, **WIDENED))
        stored = stored_columns(union, encoded)
        rows = self._scan(shard_ids, functools.partial(scan_tables, schema=stored, **WIDENED))
        return normalised(rows, {SHARD: pl.String(), **stored}, union).select(SHARD, *union)

    def _check_columns(self, shard_ids: Sequence[str]) -> None:
        """Check that tables have the columns of their headers: a missing one would be taken for nulls."""
        for shard_id in shard_ids:
            if shard_id not in self._checked:
                self._files.check_table(shard_id, pl.read_parquet_schema(self._files.footer(shard_id)))
                self._checked.add(shard_id)

    def _scan(self, shard_ids: Sequence[str], scan: Callable[..., pl.LazyFrame]) -> pl.LazyFrame:
        names = [self._files.table_name(shard_id) for shard_id in shard_ids]
        tables = self._files.store.tables(names)
        paths = [table.path for table in tables if isinstance(table, TablePath)]
        if paths:
            rows = scan(tables, include_file_paths=SHARD)
            return rows.select(_shard_of_path(paths, shard_ids).alias(SHARD), pl.exclude(SHARD))
        both = zip(shard_ids, tables, strict=True)
        counts = (self._files.rows_of(shard_id, table) for shard_id, table in both if isinstance(table, bytes))
        ends = pl.Series(list(itertools.accumulate(counts)), dtype=pl.get_index_type())
        # Of the tables' rows as they follow each other, each table's end with those before it.
        shard = pl.lit(pl.Series(shard_ids)).gather(pl.lit(ends).search_sorted(pl.col(_ROW), side="right"))
        return scan(tables, row_index_name=_ROW).select(shard.alias(SHARD), pl.exclude(_ROW))


def _shard_of_path(paths: Sequence[str], shard_ids: Sequence[str]) -> pl.Expr:
    """Return each path's shard, as an expression over the paths in the column of shards."""
    shard_of = dict(zip(paths, shard_ids, strict=True))
    prefix = paths[0].removesuffix(shard_ids[0] + TABLE_SUFFIX)
    if all(path == f"{prefix}{shard_id}{TABLE_SUFFIX}" for path, shard_id in shard_of.items()):
        # The same in half the time, where all tables are called after their shards.
        return pl.col(SHARD).str.strip_prefix(prefix).str.strip_suffix(TABLE_SUFFIX)
    return pl.col(SHARD).replace_strict(shard_of, return_dtype=pl.String)


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
        rest: Sequence[ShardTable],
    ) -> None:
        self._store = store
        self._index = index
        self._shard_ids = np.array(shard_ids, object)
        self._scans = scans
        self._rest = rest
        # In shard order, which the columns' order depends on.
        place = {shard_id: number for number, shard_id in enumerate(shard_ids)}
        tables = [*index.tables, *rest]
        self._union = unified(sorted(tables, key=lambda table: place[table.shard_id]))
        self._schema = pl.Schema({SHARD: pl.String(), **self._union})

    @property
    def rows(self) -> TableRows:
        """All rows."""
        return TableRows(self._schema, self._scan, self._scan)

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

    def _part_scan(self, parts: Sequence[IndexPart], where: pl.Expr | None) -> pl.LazyFrame:
        tables = self._store.tables([part.name for part in parts])
        conditions, used = ([], {}) if where is None else by_codes(where, self._index.codes, self._union)
        if all(dict(part.columns) == dict(self._union) for part in parts):
            schema = {SHARD: pl.String(), **parts[0].columns, **used}
            rows = scan_tables(tables, schema, extra_columns="ignore")
        else:
            rows = scan_tables(tables, {SHARD: pl.String(), **self._union, **used}, extra_columns="ignore", **WIDENED)
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
