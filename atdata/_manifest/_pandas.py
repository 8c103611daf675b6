"""The pandas side: frames as pandas itself would read them, and the masks that functions of a frame return.

pandas and pyarrow are imported here, when a caller asks for pandas, and nowhere else in this room.
"""

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from atdata._errors import PredicateError, listed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_pandas", "row_mask", "to_pandas"]


def to_pandas(frame: pl.DataFrame) -> "pd.DataFrame":
    """Return a frame with the dtypes that ``pandas.read_parquet`` gives, and lists as Python lists."""
    import pandas as pd  # noqa: PLC0415 -- only this call needs it

    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    plain = pl.DataFrame([column for column in frame.get_columns() if column.name not in lists])
    table = plain.to_arrow(compat_level=pl.CompatLevel.oldest()).to_pandas()
    for name in lists:
        table[name] = pd.Series(frame[name].to_list(), dtype=object, index=table.index)
    ordered: pd.DataFrame = table[frame.columns]
    return ordered


#: People give `where` what belongs to `filter`.
_OF_A_SAMPLE = "A function of a sample goes to Dataset.filter()"


def from_pandas(frame: "pd.DataFrame") -> pl.DataFrame:
    """Return a pandas frame as a Polars frame; NaN becomes null."""
    return pl.from_pandas(frame)


def row_mask(function: Callable[[Any], Any], frame: pl.DataFrame, shard_id: str) -> pl.Series:
    """Return which rows of one shard a function of a pandas frame selects.

    Raises:
        PredicateError: The function reads a column that is not there, or returns no boolean for each row.
    """
    table = to_pandas(frame)
    try:
        mask = function(table)
    except KeyError as error:
        name = error.args[0] if error.args else None
        if not isinstance(name, str) or not _was_looked_up_in_a_frame(error):
            raise
        raise PredicateError.unknown_column(name, frame.columns) from error
    except AttributeError as error:
        if error.obj is not table or error.name is None:
            raise
        raise PredicateError.unknown_column(error.name, frame.columns) from error
    except (TypeError, ValueError) as error:
        error.add_note(f"from a function of a pandas frame of the rows of shard {shard_id!r}. {_OF_A_SAMPLE}")
        raise
    return pl.Series(_booleans(mask, table, shard_id))


def _was_looked_up_in_a_frame(error: KeyError) -> bool:
    import pandas as pd  # noqa: PLC0415 -- as above

    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(
        frame.f_code.co_name == "__getitem__" and isinstance(frame.f_locals.get("self"), pd.DataFrame)
        for frame in frames
    )


def _booleans(mask: Any, table: "pd.DataFrame", shard_id: str) -> Any:
    import pandas as pd  # noqa: PLC0415 -- as above

    if isinstance(mask, pd.Series) and len(mask) == len(table) and not mask.index.equals(table.index):
        mask = mask.reindex(table.index)  # rows that were sorted come back to their places
    if isinstance(mask, pd.Series):
        values = mask.array.fillna(value=False) if mask.dtype == "boolean" else mask.to_numpy()
    else:
        values = mask
    values = np.asarray(values) if isinstance(values, np.ndarray) or hasattr(values, "__array__") else values
    if isinstance(values, np.ndarray) and values.shape == (len(table),):
        if not len(table):  # of no rows, a function often makes no booleans
            return np.empty(0, np.bool_)
        if values.dtype == np.bool_:
            return values
    found = (
        f"a {type(mask).__name__} of {values.dtype}, shape {values.shape}"
        if isinstance(values, np.ndarray)
        else f"a {type(mask).__name__}"
    )
    raise PredicateError(
        f"the function returned {found} for shard {shard_id!r}; expected a boolean Series with one value for each of "
        f"its {len(table)} rows, such as df['label'] == 'dog'. The columns are {listed(table.columns)}. {_OF_A_SAMPLE}"
    )
