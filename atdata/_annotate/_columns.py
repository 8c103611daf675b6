"""What a caller gives as new columns, as Polars frames: a frame of some kind, a file, or a function's result."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl

from atdata._errors import AtdataError, SchemaError, first_line, listed, near_misses
from atdata._manifest import KEY, SHARD, dtype_text, storable, widened
from atdata._storage import StorePath

if TYPE_CHECKING:
    import pandas as pd

    from atdata._sample import SampleBatch

__all__ = ["Columns", "batch_frame", "check_name", "given_frame", "joined"]

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
