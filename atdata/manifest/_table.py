"""The sample table: one row a sample, gathered while a shard is written (docs/format.md, "Samples")."""

import io
from collections.abc import Callable
from typing import Any

import polars as pl

from atdata._errors import SampleValueError
from atdata._sample import codec_of

from ._fields import Column

__all__ = ["CRC32", "KEY", "LOCATION", "OFFSET", "PLACE", "SHARD", "SIZE", "ColumnGatherer", "parquet_bytes"]

SHARD, KEY, OFFSET, SIZE, CRC32 = "__shard__", "__key__", "__offset__", "__size__", "__crc32__"
#: The columns that every sample table has, with their dtypes.
LOCATION: dict[str, pl.DataType] = {
    KEY: pl.String(),
    OFFSET: pl.Int64(),
    SIZE: pl.Int64(),
    CRC32: pl.UInt32(),
}
#: What a location is made of, in order: the shard, then those columns.
PLACE = (SHARD, *LOCATION)
#: What docs/format.md allows at most.
_ROW_GROUP = 131_072


class ColumnGatherer:
    """Collects the values of one column, sample by sample; the frame's column is made at once at the end."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._values: list[Any] = []
        self._is_list = isinstance(column.dtype, pl.List)
        self._limits = _limits(column.dtype)
        # The lists' ends in the flat values; Polars takes 30 times as long for lists of lists.
        self._ends: list[int] = [0]
        self._nulls: list[bool] = []

    def take(self, sample: Any) -> Any:
        """Return a sample's value.

        Raises:
            SampleValueError: The sample has no such field, its value is no list where the column holds lists, or it is
                beyond the range of the column's integers. Other misfits are found by :meth:`series`, all at once.
        """
        name = self.column.name
        try:
            value = getattr(sample, name)
        except AttributeError:
            raise SampleValueError(f"a {type(sample).__name__} has no such field", name) from None
        if self._is_list and value is not None and not isinstance(value, list | tuple):
            raise SampleValueError.wrong_type(value, "a list").within(name)
        if self._limits and type(value) is int and not self._limits[0] <= value <= self._limits[1]:
            raise self._misfit(value, self.column.dtype, len(self._values))
        return value

    def append(self, value: Any) -> None:
        """Append a value that :meth:`take` returned."""
        if not self._is_list:
            self._values.append(value)
            return
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
        exact = _exact_type(dtype)
        if set(map(type, self._values)) <= {exact, type(None)}:
            values = self._values
        else:  # NumPy scalars, ints among floats, or what does not belong there
            check = codec_of(exact).check
            values = [self._checked(check, index) for index in range(len(self._values))]
        try:
            return pl.Series(self.column.name, values, dtype, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            raise self._first_misfit(values, dtype) from None

    def _checked(self, check: Callable[[Any], Any], index: int) -> Any:
        value = self._values[index]
        try:
            return None if value is None else check(value)
        except SampleValueError as error:
            raise SampleValueError(f"{error.problem} (row {self._row(index)} of the shard)", self.column.name) from None

    def _first_misfit(self, values: list[Any], dtype: pl.DataType) -> SampleValueError:
        for index, value in enumerate(values):
            try:
                pl.Series([value], dtype=dtype, strict=True)
            except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
                return self._misfit(value, dtype, self._row(index))
        raise AssertionError("a column whose every value fits does not fit")

    def _misfit(self, value: Any, dtype: pl.DataType, row: int) -> SampleValueError:
        expected, where = f"a value that fits a column of {dtype}", f"row {row} of the shard"
        return SampleValueError.wrong_type(value, expected, where).within(self.column.name)

    def _row(self, index: int) -> int:
        return next(row for row, end in enumerate(self._ends[1:]) if index < end) if self._is_list else index

    def _lists(self, flat: pl.Series) -> pl.Series:
        import pyarrow as pa  # noqa: PLC0415 -- kept out of `import atdata`

        offsets = pa.array(self._ends, pa.int64())
        mask = pa.array(self._nulls, pa.bool_()) if any(self._nulls) else None
        array = pa.LargeListArray.from_arrays(offsets, flat.to_arrow(), mask=mask)
        return pl.Series(self.column.name, array, self.column.dtype)


def _limits(dtype: pl.DataType) -> tuple[int, int] | None:
    if not dtype.is_integer():
        return None
    bits = int(str(dtype).removeprefix("U").removeprefix("Int"))
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.is_signed_integer() else (0, (1 << bits) - 1)


def _exact_type(dtype: pl.DataType) -> type:
    if dtype.is_integer():
        return int
    if dtype.is_float():
        return float
    return bool if dtype == pl.Boolean else str


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """Return a sample table as a Parquet file; the same frame gives the same bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="lz4", statistics=True, row_group_size=_ROW_GROUP)
    return buffer.getvalue()
