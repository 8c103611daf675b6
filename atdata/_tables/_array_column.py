"""Arrays as a Polars column."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import listed

__all__ = ["array_column"]

#: NumPy's kinds of values that Polars has a dtype for.
_KINDS = "biufmMUS"


def array_column(name: str, values: Sequence[Any], *, as_lists: bool = False) -> pl.Series:
    """Return arrays as a column: of ``pl.Array`` where all have one shape, else of lists; None is null.

    Raises:
        ValueError: They are not of one dtype and number of dimensions, or of a dtype that Polars does not have.
    """
    arrays = [value for value in values if value is not None]
    if strange := [value for value in arrays if not isinstance(value, np.ndarray)]:
        raise ValueError(f"arrays, and a {type(strange[0]).__name__} among them")
    kinds = {f"{array.dtype} of {array.ndim} dimensions": array for array in arrays}
    if len(kinds) > 1:
        raise ValueError(f"arrays of {listed(kinds)}")
    first = arrays[0]
    if first.dtype.kind not in _KINDS:
        raise ValueError(f"Polars has no dtype for NumPy's {first.dtype}")
    if first.ndim == 0 or (not as_lists and all(array.shape == first.shape for array in arrays)):
        made = _stacked(np.stack(arrays))
    else:
        made = _nested(arrays)
    if len(arrays) < len(values):
        numbers = iter(range(len(arrays)))
        places: list[Any] = [None if value is None else next(numbers) for value in values]
        made = made.gather(places)
    return made.rename(name)


def _stacked(array: NDArray[Any]) -> pl.Series:
    flat = _flat(array)
    return flat if array.ndim == 1 else flat.reshape(array.shape)


def _nested(arrays: Sequence[NDArray[Any]]) -> pl.Series:
    """Return arrays of any shapes as lists of lists, made of their ends: Polars takes long for Python's lists."""
    import pyarrow as pa  # noqa: PLC0415 -- only this call needs it

    made = _flat(np.concatenate([array.reshape(-1) for array in arrays])).to_arrow()
    shapes = np.array([array.shape for array in arrays], np.int64)
    for axis in reversed(range(shapes.shape[1])):
        lengths = np.repeat(shapes[:, axis], shapes[:, :axis].prod(axis=1))
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        made = pa.LargeListArray.from_arrays(pa.array(ends), made)
    return pl.Series(made)


def _flat(array: NDArray[Any]) -> pl.Series:
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype.kind in "mM":  # Polars has three units, and days for dates
        unit = np.datetime_data(flat.dtype)[0]
        if unit not in ("ms", "us", "ns") and flat.dtype != np.dtype("M8[D]"):
            flat = flat.astype(f"{flat.dtype.kind}8[us]")
    return pl.Series(flat)
