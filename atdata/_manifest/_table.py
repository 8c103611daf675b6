"""The sample table: one row a sample, gathered while a shard is written (docs/format.md, "Samples")."""

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import polars as pl

from atdata._errors import SampleValueError

from ._columns import Column, Unreadable, cell_check
from ._dtypes import dtype_text, python_type

__all__ = [
    "CRC32",
    "KEY",
    "LOCATION",
    "OFFSET",
    "PLACE",
    "REPLACES",
    "SHARD",
    "SIZE",
    "ColumnGatherer",
    "parquet_bytes",
    "replaced_by",
    "table_facts",
    "value_dtypes",
]

SHARD: Final = "__shard__"
KEY: Final = "__key__"
OFFSET: Final = "__offset__"
SIZE: Final = "__size__"
CRC32: Final = "__crc32__"
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
#: Where a table's Parquet metadata names the one whose place it takes.
REPLACES = "atdata.replaces"


class ColumnGatherer:
    """Collects the values of one column, sample by sample; the frame's column is made at once at the end.

    Attributes:
        append: Takes one sample's value, as a :class:`ValueReader` gives it.
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self._values: list[Any] = []
        # The lists' ends in the flat values; Polars takes 30 times as long for lists of lists.
        self._ends: list[int] = [0]
        self._nulls: list[bool] = []
        self._is_list = isinstance(column.dtype, pl.List)
        self.append: Callable[[Any], None] = self._append_list if self._is_list else self._values.append

    def _append_list(self, value: Any) -> None:
        self._values.extend(value or ())
        self._ends.append(len(self._values))
        self._nulls.append(value is None)

    def unreadable(self) -> list[int]:
        """Return the rows whose image could not be read."""
        marks = Unreadable.IMAGE
        return [row for row, value in enumerate(self._values) if value is marks] if marks in self._values else []

    def series(self) -> pl.Series:
        """Return the column as written, NaN and null among its values.

        Raises:
            SampleValueError: A value does not fit the column; the error names the field and the row.
        """
        dtype = self.column.dtype
        flat = self._flat(dtype.inner if isinstance(dtype, pl.List) else dtype)  # type: ignore[arg-type]  # an instance
        return self._lists(flat) if self._is_list else flat

    def _flat(self, dtype: pl.DataType) -> pl.Series:
        values = self._values
        exact = python_type(dtype)
        if not set(map(type, values)) <= {exact, type(None)}:
            # NumPy scalars, ints among floats, images that could not be read, or what does not belong there
            check = cell_check(exact, dtype, by_codec=False)
            values = [self._checked(check, index) for index in range(len(values))]
        try:
            return pl.Series(self.column.name, values, dtype, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            raise self._first_misfit(values, dtype) from None

    def _checked(self, check: Callable[[Any], Any], index: int) -> Any:
        value = self._values[index]
        try:
            return None if value is None or value is Unreadable.IMAGE else check(value)
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
        expected, where = f"a value that fits a column of {dtype_text(dtype)}", f"row {row} of the shard"
        return SampleValueError.wrong_type(value, expected, where).within(self.column.name)

    def _row(self, index: int) -> int:
        return next(row for row, end in enumerate(self._ends[1:]) if index < end) if self._is_list else index

    def _lists(self, flat: pl.Series) -> pl.Series:
        import pyarrow as pa  # noqa: PLC0415 -- only this call needs it

        offsets = pa.array(self._ends, pa.int64())
        mask = pa.array(self._nulls, pa.bool_()) if any(self._nulls) else None
        array = pa.LargeListArray.from_arrays(offsets, flat.to_arrow(), mask=mask)
        return pl.Series(self.column.name, array, self.column.dtype)


def parquet_bytes(frame: pl.DataFrame, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a sample table, or a part of one, as a Parquet file; the same frame gives the same bytes."""
    buffer, extra = io.BytesIO(), None if metadata is None else dict(metadata)
    frame.write_parquet(buffer, compression="lz4", statistics=True, row_group_size=_ROW_GROUP, metadata=extra)
    return buffer.getvalue()


def table_facts(name: str, data: bytes, schema: Mapping[str, pl.DataType]) -> dict[str, Any]:
    """Return what a header says of its sample table.

    Args:
        name: The table's name below the root.
        data: Its file's bytes.
        schema: Its columns.
    """
    return {
        "file": name.rpartition("/")[2],
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "columns": {name: dtype_text(dtype) for name, dtype in schema.items()},
    }


def value_dtypes(schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Return the dtypes of a table's fields; of a list, that of its elements."""
    return {
        name: dtype.inner if isinstance(dtype, pl.List) else dtype  # type: ignore[misc]  # an instance
        for name, dtype in schema.items()
        if name not in LOCATION
    }


def replaced_by(table: bytes) -> str | None:
    """Return the SHA-256 of the table whose place a Parquet file takes; None where it took none's.

    Raises:
        polars.exceptions.PolarsError: The bytes are no Parquet file.
    """
    return pl.read_parquet_metadata(io.BytesIO(table)).get(REPLACES)
