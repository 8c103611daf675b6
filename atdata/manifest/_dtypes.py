"""The dtypes of manifest columns, as Python annotations, as text in a header, and their values as text.

The tables here are those of docs/format.md, "Columns and their text".
"""

import math
from typing import Any

import numpy as np
import polars as pl

from atdata._errors import UnsupportedFormatError

__all__ = ["SCALARS", "dtype_text", "is_number", "parse_dtype", "text_value", "value_text"]

#: Python and NumPy types to the dtype of their column.
SCALARS: dict[Any, pl.DataType] = {
    str: pl.String(),
    bool: pl.Boolean(),
    int: pl.Int64(),
    float: pl.Float64(),
    np.str_: pl.String(),
    np.bool_: pl.Boolean(),
    np.int8: pl.Int8(),
    np.int16: pl.Int16(),
    np.int32: pl.Int32(),
    np.int64: pl.Int64(),
    np.uint8: pl.UInt8(),
    np.uint16: pl.UInt16(),
    np.uint32: pl.UInt32(),
    np.uint64: pl.UInt64(),
    np.float16: pl.Float32(),
    np.float32: pl.Float32(),
    np.float64: pl.Float64(),
}
_BY_TEXT = {str(dtype): dtype for dtype in SCALARS.values()}


def is_number(dtype: pl.DataType) -> bool:
    """Tell whether a dtype's values have a minimum, a maximum and a mean."""
    return dtype.is_numeric()


def dtype_text(dtype: pl.DataType) -> str:
    """Return a dtype as a header names it: ``String``, ``Int64``, ``List(String)``."""
    return f"List({dtype_text(dtype.inner)})" if isinstance(dtype, pl.List) else str(dtype)  # type: ignore[arg-type]  # an instance


def parse_dtype(text: str) -> pl.DataType:
    """Return the dtype that a header names.

    Raises:
        UnsupportedFormatError: This version knows no such dtype.
    """
    if text.startswith("List(") and text.endswith(")"):
        return pl.List(parse_dtype(text[len("List(") : -1]))
    try:
        return _BY_TEXT[text]
    except KeyError:
        raise UnsupportedFormatError(
            f"a column of dtype {text!r} is not known to this version of atdata-polars; use a newer one"
        ) from None


def value_text(value: Any, dtype: pl.DataType) -> str:
    """Return a column's value as the text that stands for it in a header.

    Text stands for itself; booleans are ``True`` and ``False``; numbers take their shortest form that reads back.
    """
    if isinstance(value, float) and not math.isnan(value) and dtype == pl.Float32:
        return str(np.float32(value))
    return value if isinstance(value, str) else str(value)


def text_value(text: str, dtype: pl.DataType) -> Any:
    """Return the value that a header's text stands for: the inverse of :func:`value_text`."""
    if dtype == pl.Boolean:
        return text == "True"
    if dtype.is_integer():
        return int(text)
    return float(text) if dtype.is_float() else text
