"""The sample table: one row a sample, gathered while a shard is written (docs/format.md, "Samples")."""

import io
from typing import Any

import polars as pl

from atdata._errors import SampleValueError
from atdata._sample import to_natives

from ._fields import Column

__all__ = ["CRC32", "KEY", "LOCATION", "OFFSET", "SHARD", "SIZE", "ColumnGatherer", "parquet_bytes"]

SHARD, KEY, OFFSET, SIZE, CRC32 = "__shard__", "__key__", "__offset__", "__size__", "__crc32__"
#: The columns that every sample table has, with their dtypes.
LOCATION: dict[str, pl.DataType] = {
    KEY: pl.String(),
    OFFSET: pl.Int64(),
    SIZE: pl.Int64(),
    CRC32: pl.UInt32(),
}
#: What docs/format.md allows at most.
_ROW_GROUP = 131_072


class ColumnGatherer:
    """Collects the values of one column, sample by sample; the frame's column is made at once at the end."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._values: list[Any] = []
        self._is_list = isinstance(column.dtype, pl.List)
        # The lists' ends in the flat values; Polars takes 30 times as long for lists of lists.
        self._ends: list[int] = [0]
        self._nulls: list[bool] = []

    def add(self, sample: Any) -> None:
        """Take a sample's value.

        Raises:
            SampleValueError: The value is no list, where the column holds lists.
        """
        value = getattr(sample, self.column.name)
        if not self._is_list:
            self._values.append(value)
            return
        if value is not None and not isinstance(value, list | tuple):
            raise SampleValueError.wrong_type(value, "a list").within(self.column.name)
        self._values.extend(value or ())
        self._ends.append(len(self._values))
        self._nulls.append(value is None)

    def series(self) -> pl.Series:
        """Return the column as written, NaN and null among its values.

        Raises:
            SampleValueError: A value does not fit the column; the error names the field and the row.
        """
        dtype = self.column.dtype
        flat = self._flat(dtype.inner if isinstance(dtype, pl.List) else dtype)  # type: ignore[arg-type]  # an instance
        return self._lists(flat) if self._is_list else flat

    def _flat(self, dtype: pl.DataType) -> pl.Series:
        try:
            return pl.Series(self.column.name, self._values, dtype, strict=True)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            # NumPy scalars, ints among floats, or a value that does not fit: one by one.
            values = [self._coerced(index, dtype) for index in range(len(self._values))]
            return pl.Series(self.column.name, values, dtype, strict=True)

    def _coerced(self, index: int, dtype: pl.DataType) -> Any:
        value = to_natives(self._values[index])
        if dtype.is_float() and type(value) is int:
            return float(value)
        try:
            pl.Series([value], dtype=dtype, strict=True)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            row = self._row(index)
            raise SampleValueError.wrong_type(
                value, f"a value that fits the column's dtype {dtype}", f"row {row} of the shard"
            ).within(self.column.name) from None
        return value

    def _row(self, index: int) -> int:
        return next(row for row, end in enumerate(self._ends[1:]) if index < end) if self._is_list else index

    def _lists(self, flat: pl.Series) -> pl.Series:
        import pyarrow as pa  # noqa: PLC0415 -- kept out of `import atdata`

        offsets = pa.array(self._ends, pa.int64())
        mask = pa.array(self._nulls, pa.bool_()) if any(self._nulls) else None
        array = pa.LargeListArray.from_arrays(offsets, flat.to_arrow(), mask=mask)
        return pl.Series(self.column.name, array, self.column.dtype)


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """Return a sample table as a Parquet file; the same frame gives the same bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="lz4", statistics=True, row_group_size=_ROW_GROUP)
    return buffer.getvalue()
