"""New columns: from frames, files or a function's results, matched to a dataset's samples."""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
import polars as pl

from atdata._errors import AmbiguousKeyError, AtdataError, SampleKeyError, SchemaError, first_line, listed, near_misses
from atdata._manifest import KEY, SHARD, dtype_text, storable, widened
from atdata._shards import Locations
from atdata._storage import StorePath

if TYPE_CHECKING:
    import pandas as pd

    from atdata._sample import SampleBatch

__all__ = [
    "Columns",
    "Extra",
    "Matched",
    "Missing",
    "SampleKeys",
    "batch_frame",
    "check_name",
    "check_on",
    "given_frame",
    "joined",
]

#: New columns: a frame with the samples' keys, a query or file of one, or a function from a batch to its columns.
Columns: TypeAlias = (
    "pl.DataFrame | pl.LazyFrame | pd.DataFrame | str | os.PathLike[str] | Callable[[SampleBatch[Any]], Any]"
)

_PARQUET, _CSV, _IPC = (".parquet", ".pq"), (".csv",), (".ipc", ".arrow", ".feather")
#: Keys may look like numbers, and are none.
_KEYS_ARE_TEXT = {SHARD: pl.String(), KEY: pl.String()}
#: Types of numbers that go together, as floats.
_NUMBERS = frozenset({int, float})
_NUMPY_TIMES = (np.datetime64, np.timedelta64)
#: Dtypes of columns none of whose values is known.
_UNKNOWN = (pl.Null(), pl.List(pl.Null()))


def given_frame(columns: Any, on: Sequence[str]) -> pl.DataFrame:
    """Return what a caller gives as one frame: the keys as text, then columns as a sample table holds them.

    Args:
        columns: A Polars or pandas frame, a LazyFrame, or the path of a file.
        on: The columns that say which sample a row is of.

    Raises:
        SchemaError: It has not these columns, or a column that no sample table holds.
        ValueError: It is none of these, or a file of another kind.
        FileNotFoundError: There is no such file.
    """
    frame = _read(columns)
    if missing := [name for name in on if name not in frame.columns]:
        raise SchemaError(
            f"the frame has no column {missing[0]!r}, by which its rows are matched with samples"
            f"{near_misses(missing[0], frame.columns)}; its columns are {listed(frame.columns)}"
        )
    names = [name for name in frame.columns if name not in on]
    if not names:
        raise SchemaError(f"the frame has no column beside {listed(on)}: there is nothing to add")
    for name in names:
        check_name(name)
    keys = [_key(frame[name]) for name in on]
    return pl.DataFrame([*keys, *(storable(frame[name]) for name in names)])


def check_name(name: str) -> None:
    """Check that a column may be added, replaced or dropped.

    Raises:
        SchemaError: Its name is the manifest's own.
    """
    if not isinstance(name, str) or not name or name.startswith("__"):
        hint = f"; to match rows by it too, say on=[{SHARD!r}, {KEY!r}]" if name == SHARD else "; leave it out"
        raise SchemaError(f"no column can be called {name!r}: names with '__' are the manifest's own{hint}")


def batch_frame(given: Any, count: int) -> pl.DataFrame:
    """Return what a function made of a batch, as a frame; its columns are not yet what a sample table holds.

    Args:
        given: A dict from name to values, or a frame of some kind.
        count: How many samples the batch has.

    Raises:
        SchemaError: It is something else, or its rows are not as many.
    """
    frame = _frame(given)
    if frame is None and isinstance(given, Mapping):
        frame = _of_dict(given, count)
    if frame is None:
        raise SchemaError(
            "the function returns, for a batch, a dict from column name to values, or a frame; found a "
            f"{type(given).__name__}"
        )
    if not frame.width:
        raise SchemaError("the function returned no column")
    if len(frame) != count:
        raise SchemaError(
            f"the function returned {len(frame)} rows for a batch of {count} samples; a row is a sample's"
        )
    for name in frame.columns:
        check_name(name)
    return frame


def joined(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return a shard's batches as one frame of columns that a sample table holds; whole numbers widen to floats.

    A column none of whose values is known has the dtype Null, or that of lists of Null.

    Raises:
        SchemaError: The batches have not the same columns, or a column that no sample table holds.
    """
    first = parts[0].columns
    for part in parts:
        if set(part.columns) != set(first):
            raise SchemaError(
                f"the function returned the columns {listed(first)} for one batch, and {listed(part.columns)} for "
                "another; it gives the same for each"
            )
    return pl.DataFrame([_column([part[name] for part in parts]) for name in first])


def _column(parts: Sequence[pl.Series]) -> pl.Series:
    ready = [each if each.dtype in _UNKNOWN else storable(each) for each in parts]
    dtype: pl.DataType | None = ready[0].dtype
    for each in ready[1:]:
        dtype = None if dtype is None else widened(dtype, each.dtype)
    if dtype is None:
        found = dict.fromkeys(dtype_text(each.dtype) for each in ready)
        raise SchemaError(
            f"the function returned {listed(found)} for the column {parts[0].name!r}; a column has one dtype"
        )
    return pl.concat([each.cast(dtype) for each in ready])


def _key(column: pl.Series) -> pl.Series:
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise SchemaError(
            f"the frame's {column.name} is text, as ds.scan() has it; found {column.dtype}"
            f"{': cast it, with the zeros that a key begins with' if column.dtype.is_integer() else ''}"
        )
    if column.null_count():
        raise SchemaError(
            f"the frame's {column.name} is null in {column.null_count()} of its rows, the first of them "
            f"{column.is_null().arg_true()[0]}; each row names a sample"
        )
    return column.cast(pl.String)


def _read(columns: Any) -> pl.DataFrame:
    if isinstance(columns, str | os.PathLike):
        return _of_file(StorePath.parse(columns))
    frame = _frame(columns)
    if frame is None:
        raise ValueError(
            "columns are a Polars or pandas frame, a LazyFrame, the path of a file of one, or a function from a batch "
            f"to its columns; found a {type(columns).__name__}"
        )
    return frame


def _frame(given: Any) -> pl.DataFrame | None:
    if isinstance(given, pl.LazyFrame):
        return given.collect()
    if isinstance(given, pl.DataFrame):
        return given
    return _of_pandas(given) if _is_pandas(given, "DataFrame") else None


def _is_pandas(given: Any, kind: str) -> bool:
    pandas = sys.modules.get("pandas")  # who has such a thing has imported it
    return pandas is not None and isinstance(given, getattr(pandas, kind))


def _of_pandas(given: Any) -> pl.DataFrame:
    if any(name is not None for name in given.index.names):  # keys are often an index there
        given = given.reset_index()
    try:
        frame: pl.DataFrame = pl.from_pandas(given)
    except (TypeError, ValueError) as error:  # pyarrow's own errors are both
        raise SchemaError(f"a column of the pandas frame holds no values of one kind: {first_line(error)}") from error
    return frame


def _of_file(path: StorePath) -> pl.DataFrame:
    suffix = f".{path.name.rpartition('.')[2].lower()}"
    if suffix in _PARQUET:
        return pl.read_parquet(path.store.read(path.name))
    if suffix in _CSV:
        return pl.read_csv(path.store.read(path.name), schema_overrides=_KEYS_ARE_TEXT)
    if suffix in _IPC:
        return pl.read_ipc(path.store.read(path.name))
    raise ValueError(
        f"columns are read from files named {', '.join((*_PARQUET, *_CSV, *_IPC))}; found {path.name!r}. Read it, and "
        "give the frame"
    )


def _of_dict(given: Mapping[Any, Any], count: int) -> pl.DataFrame:
    columns = []
    for name, values in given.items():
        check_name(name)
        column = _series(name, values)
        if len(column) != count:
            raise SchemaError(
                f"the function returned {len(column)} values of {name!r} for a batch of {count} samples; there is one "
                "a sample"
            )
        columns.append(column)
    return pl.DataFrame(columns)


def _series(name: str, values: Any) -> pl.Series:
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise SchemaError(f"the function returned a {type(values).__name__} for {name!r}; expected one value a sample")
    try:
        return _made(name, values)
    except AtdataError:
        raise
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise SchemaError(f"the values of {name!r} make no column: {first_line(error)}") from error


def _made(name: str, values: Any) -> pl.Series:
    if isinstance(values, pl.Series):
        return values.alias(name)
    if _is_pandas(values, "Series"):
        return _of_pandas(values.to_frame(name).reset_index(drop=True)).to_series()
    if not isinstance(values, list | tuple) and hasattr(values, "__array__"):
        values = np.asarray(values)  # a tensor
    if isinstance(values, np.ndarray) and values.dtype != object:
        return pl.Series(name, values)
    return _of_values(name, list(map(_plain, values)))


def _of_values(name: str, values: list[Any]) -> pl.Series:
    """Return Python values as a column; their types are looked at, because Polars cuts floats in lists of integers."""
    is_list = any(isinstance(each, list | tuple) for each in values)
    first: Any = next((each for each in values if each is not None), None)
    if type(first) in _NUMPY_TIMES:
        nat = np.array("NaT", first.dtype)[()]  # of the unit that is there: NumPy deprecates those without one
        return pl.Series(name, np.array([nat if each is None else each for each in values]))
    if is_list and not all(each is None or isinstance(each, list | tuple) for each in values):
        raise SchemaError(f"some values of {name!r} are lists, and others are not")
    cells: list[Any] = [each if each is None or not is_list else list(each) for each in values]
    flat = [item for each in cells if each is not None for item in each] if is_list else cells
    kinds = set(map(type, flat)) - {type(None)}
    if kinds == _NUMBERS:
        flat = list(map(_as_float, flat))
        cells = [each if each is None else list(map(_as_float, each)) for each in cells] if is_list else flat
    elif len(kinds) > 1:
        raise SchemaError(f"the values of {name!r} are of several types: {listed(sorted(k.__name__ for k in kinds))}")
    dtype = pl.Series(flat).dtype
    return pl.Series(name, cells, pl.List(dtype) if is_list else dtype)


def _plain(value: Any) -> Any:
    if type(value) in _NUMPY_TIMES:
        return value  # as Python's, those in nanoseconds would be integers
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _as_float(number: Any) -> float | None:
    return None if number is None else float(number)


#: What becomes of a sample that no row is of, and of a row that is of no sample.
Missing: TypeAlias = Literal["error", "null"]
Extra: TypeAlias = Literal["error", "ignore"]

#: The columns of a frame of samples: the shard's number, the key; and the row of the caller's frame.
NUMBER, _ROW = "__number__", "__row__"
_SAMPLES = {NUMBER: pl.UInt32(), KEY: pl.String()}
#: How many keys a message shows.
_SHOWN = 5


def check_on(on: object) -> list[str]:
    """Return the columns by which rows are matched.

    Raises:
        ValueError: They are others than the key, or shard and key.
    """
    names = [on] if isinstance(on, str) else list(on) if isinstance(on, Iterable) else [on]
    if set(names) not in ({KEY}, {SHARD, KEY}) or len(set(names)) != len(names):
        raise ValueError(f"rows are matched on={KEY!r}, or on=[{SHARD!r}, {KEY!r}]; found {on!r}")
    return sorted(names, key=(SHARD, KEY).index)


class SampleKeys:
    """Samples by shard and key, each once, in shard order.

    Args:
        frame: The shard's number and the key of each.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        shards, starts, counts = np.unique(frame[NUMBER].to_numpy(), return_index=True, return_counts=True)
        bounds = zip(starts.tolist(), (starts + counts).tolist(), strict=True)
        self._bounds = dict(zip(shards.tolist(), bounds, strict=True))

    @classmethod
    def of_keys(cls, shards: Iterable[tuple[int, pl.Series]]) -> Self:
        """Make them of the numbers and keys of whole shards, in shard order."""
        frames = [pl.DataFrame([number.new_from_index(0, len(keys)), keys]) for number, keys in map(_numbered, shards)]
        return cls(pl.concat([pl.DataFrame(schema=_SAMPLES), *frames]))

    @classmethod
    def of_locations(cls, locations: Locations, shard_ids: Sequence[str]) -> Self:
        """Make them of locations; their shards are numbered as in ``shard_ids``."""
        numbers = {shard_id: number for number, shard_id in enumerate(shard_ids)}
        numbered = np.array([numbers[shard_id] for shard_id in locations.shard_ids], np.uint32)
        frame = pl.DataFrame([pl.Series(NUMBER, numbered[locations.shards], pl.UInt32), locations.to_frame()[KEY]])
        return cls(frame.unique(maintain_order=True).sort(NUMBER, maintain_order=True))

    @property
    def numbers(self) -> Collection[int]:
        """The shards that hold one."""
        return self._bounds.keys()

    def rows(self, number: int) -> slice:
        """Return where a shard's samples are in the frame."""
        return slice(*self._bounds.get(number, (0, 0)))

    def keys(self, number: int) -> pl.Series:
        """Return the keys of a shard's samples."""
        return self.frame[KEY][self.rows(number)]


class Matched:
    """A frame whose rows are known to be of samples.

    Args:
        given: The frame: the columns that it is matched on, then others.
        samples: The samples.
        shard_ids: The shards, by number.
        on: The columns that rows are matched on.
        missing: Whether a sample may be without a row.
        extra: Whether a row may be without a sample.

    Raises:
        AmbiguousKeyError: Two rows are of one sample, or one row is of two.
        SampleKeyError: A row is of no sample, or no row is of a sample.
    """

    def __init__(
        self,
        given: pl.DataFrame,
        samples: SampleKeys,
        shard_ids: Sequence[str],
        on: Sequence[str],
        missing: Missing,
        extra: Extra,
    ) -> None:
        self._shard_ids = shard_ids
        self._on = list(on)
        self._given = given
        rows = self._numbered(given.select(on).with_row_index(_ROW))
        by = [KEY] if len(on) == 1 else [NUMBER, KEY]
        self._check_unique(rows)
        found = samples.frame.join(rows.select(*by, _ROW), on=by, how="left", maintain_order="left")
        self._check_unambiguous(found)
        self._check_complete(rows, found, missing, extra)
        self._found = found.select(KEY, _ROW)
        self._samples = samples
        #: The new columns, without rows.
        self.columns = given.drop(on).clear()

    def rows(self, number: int) -> pl.DataFrame:
        """Return the keys of a shard's samples, in order, and their values; null where no row is of one."""
        some = self._found[self._samples.rows(number)]
        values = self._given.select(pl.col(self.columns.columns).gather(some[_ROW]))
        return some.select(KEY).hstack(values)

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        if SHARD not in rows.columns:
            return rows
        numbers = pl.DataFrame({SHARD: self._shard_ids, NUMBER: range(len(self._shard_ids))})
        numbers = numbers.cast({SHARD: pl.String, NUMBER: pl.UInt32})
        return rows.join(numbers, on=SHARD, how="left", maintain_order="left")

    def _check_unique(self, rows: pl.DataFrame) -> None:
        keys = rows[KEY] if len(self._on) == 1 else rows.select(pl.struct(self._on)).to_series()
        if keys.n_unique() == len(rows):  # the first look is cheap
            return
        repeated = rows.filter(pl.struct(self._on).is_duplicated()).unique(self._on, maintain_order=True)
        raise AmbiguousKeyError(
            f"{len(repeated)} samples have more than one row in the frame: {self._shown(repeated)}. Keep one row for "
            f"each: frame.unique({self._on!r}, keep='last')"
        )

    def _check_unambiguous(self, found: pl.DataFrame) -> None:
        known = found[_ROW].drop_nulls()
        if known.n_unique() == len(known):
            return
        repeated = found.filter(pl.col(_ROW).is_not_null() & pl.col(_ROW).is_duplicated())
        keys = repeated[KEY].unique(maintain_order=True)
        first = repeated.filter(pl.col(KEY) == keys[0])[NUMBER]
        raise AmbiguousKeyError(
            f"{len(keys)} keys of the frame name a sample in more than one shard: {listed(keys, _SHOWN)} (the first in "
            f"{listed([self._shard_ids[each] for each in first], 4)}). Say which: give the frame a column {SHARD}, and "
            f"on=[{SHARD!r}, {KEY!r}]"
        )

    def _check_complete(self, rows: pl.DataFrame, found: pl.DataFrame, missing: Missing, extra: Extra) -> None:
        if len(found) - found[_ROW].null_count() == len(found) == len(rows):
            return
        strangers = rows.join(found.select(_ROW), on=_ROW, how="anti", maintain_order="left")
        without = found.filter(pl.col(_ROW).is_null())
        problems = []
        if len(strangers) and extra == "error":
            problems.append(
                f"{len(strangers)} of the frame's {len(rows)} rows are of no sample here: {self._shown(strangers)} "
                "(extra='ignore' passes over them)"
            )
        if len(without) and missing == "error":
            problems.append(
                f"{len(without)} of {len(found)} samples have no row in the frame: {self._shown(without)} "
                "(missing='null' leaves their values null)"
            )
        if problems:
            first = strangers if len(strangers) and extra == "error" else without
            raise SampleKeyError(first[KEY][0], f"{'; '.join(problems)}. Nothing was changed")

    def _shown(self, rows: pl.DataFrame) -> str:
        if len(self._on) == 1:
            return listed(rows[KEY], _SHOWN)
        shards = rows[SHARD] if SHARD in rows.columns else [self._shard_ids[each] for each in rows[NUMBER]]
        return listed((f"{shard}/{key}" for shard, key in zip(shards, rows[KEY], strict=True)), _SHOWN)


def _numbered(shard: tuple[int, pl.Series]) -> tuple[pl.Series, pl.Series]:
    number, keys = shard
    return pl.Series(NUMBER, [number], pl.UInt32), keys.alias(KEY)
