"""Samples as Parquet files, a few thousand at a time."""

import errno
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from atdata._errors import SchemaError, listed
from atdata._options import check_limit
from atdata._storage import StorePath, Upload, path_or_url

from ._frames import SampleColumns, row_of

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["to_parquet"]

#: A row group has at most so many rows, and is ended once its values take so many bytes.
_ROWS, _BYTES = 8192, 32 << 20
_SUFFIX = ".parquet"
#: What to do about columns that are not the same from first to last.
_ADVICE = (
    "read the dataset as a type, whose annotations say each column, or give a sample_map that makes all rows alike"
)


def to_parquet(
    samples: Iterable[Any],
    sample_type: type | None,
    path: str | os.PathLike[str],
    sample_map: Callable[[Any], Mapping[str, Any]] | None = None,
    maxcount: int | None = None,
) -> "list[Path]":
    """Write samples as one Parquet file, or several, in memory for a few thousand of them.

    Arrays are lists in it. A file appears when all of them are whole, over one of its name.

    Args:
        samples: The samples.
        sample_type: Their type; None where they may be anything.
        path: The file; with ``maxcount`` the files are ``<stem>-000000.parquet`` and so on.
        sample_map: Makes the row of a sample: field to value.
        maxcount: Rows a file.

    Returns:
        The files, in order.

    Raises:
        SchemaError: A field's values make no column, or later ones not the same as the first ones.
        FileExistsError: With ``maxcount``: there are files of such names, which would be mixed with the new ones.
        UnsupportedSchemeError: The path is a URL of a store that is not supported.
    """
    check_limit("maxcount", maxcount)
    target = StorePath.parse(path)
    if maxcount is not None:
        _check_none_there(target)
    rows = samples if sample_map is None else map(sample_map, samples)
    files = _Files(target, SampleColumns(sample_type if sample_map is None else None), maxcount)
    try:
        for batch in _batches(rows, maxcount):
            files.write(batch)
        return files.publish()
    finally:
        files.drop()


class _Files:
    """Files that are being written; none has its name before all are whole and durable."""

    def __init__(self, target: StorePath, table: SampleColumns, maxcount: int | None) -> None:
        self._target = target
        self._table = table
        self._maxcount = maxcount
        self._uploads: list[Upload] = []
        self._writer: pq.ParquetWriter | None = None
        #: Of the file that is written now.
        self._rows = 0
        self._schema: pl.Schema | None = None

    def write(self, batch: Sequence[Any]) -> None:
        """Write some rows, none of which belongs to the next file already."""
        frame = self._table.frame(self._table.values(batch), as_lists=True)
        if self._schema is None:
            self._schema = frame.schema
        table = _fitted(frame, self._schema, len(batch)).to_arrow()
        if self._writer is None or self._rows == self._maxcount:
            self._begin(table.schema)
        if self._writer is not None and len(table):
            self._writer.write_table(table, row_group_size=len(table))
        self._rows += len(table)

    def publish(self) -> "list[Path]":
        """Give the files their names."""
        if not self._uploads:
            self.write([])
        self._end()
        for upload in self._uploads:
            upload.commit()
        store = self._target.store
        return [path_or_url(store.url(self._name(number))) for number in range(len(self._uploads))]

    def drop(self) -> None:
        """Drop what was not published."""
        if self._writer is not None:
            self._writer.close()
        for upload in self._uploads:
            upload.abort()

    def _begin(self, schema: "pa.Schema") -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 -- only this call needs it

        self._end()
        self._rows = 0
        upload = self._target.store.create(self._name(len(self._uploads)), over=self._maxcount is None)
        self._uploads.append(upload)
        self._writer = pq.ParquetWriter(_Sink(upload), schema, compression="zstd")

    def _end(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
            self._uploads[-1].stage()

    def _name(self, number: int) -> str:
        return self._target.name if self._maxcount is None else f"{_stem(self._target)}-{number:06d}{_SUFFIX}"


class _Sink(io.RawIOBase):
    """An upload as pyarrow writes to one: a stream that only goes forward."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._length = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._length

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._upload.write(view)
        self._length += len(view)
        return len(view)


def _batches(rows: Iterable[Any], maxcount: int | None) -> Iterator[list[Any]]:
    """Cut rows into batches, none of which goes beyond a file."""
    left = maxcount or _ROWS
    batch: list[Any] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += _weight(row)
        if len(batch) == min(left, _ROWS) or size >= _BYTES:
            yield batch
            left = left - len(batch) or maxcount or _ROWS
            batch, size = [], 0
    if batch:
        yield batch


def _weight(row: Any) -> int:
    """Return about how many bytes a row's values take."""
    return sum(
        len(value) if isinstance(value, str | bytes) else getattr(value, "nbytes", 8) for value in row_of(row).values()
    )


def _fitted(frame: pl.DataFrame, schema: pl.Schema, count: int) -> pl.DataFrame:
    """Return later rows with the columns of the first ones; a frame without columns does not say how many they are."""
    if frame.schema == schema:
        return frame
    if new := [name for name in frame.columns if name not in schema]:
        raise SchemaError(f"the rows have a field {new[0]!r}, which none of the first ones has; {_ADVICE}")
    columns = []
    for name, dtype in schema.items():
        values = frame[name] if name in frame.columns else pl.Series(name, [None] * count)
        if not _widens(values, dtype):
            raise SchemaError(
                f"field {name!r}: its values make a column of {values.dtype}, first of {dtype}; {_ADVICE}"
            )
        columns.append(values.cast(dtype))
    return pl.DataFrame(columns)


def _widens(values: pl.Series, dtype: pl.DataType) -> bool:
    """Tell whether a column is one of another dtype too, value by value."""
    if values.dtype in (dtype, pl.Null):
        return True
    if isinstance(values.dtype, pl.List) and isinstance(dtype, pl.List):
        return _widens(values.explode(empty_as_null=False, keep_nulls=False), dtype.inner)  # type: ignore[arg-type]  # an instance
    whole = values.dtype.is_integer() and dtype == pl.Float64
    return whole and bool(
        (values.cast(pl.Float64).cast(values.dtype, strict=False) == values).fill_null(value=True).all()
    )


def _check_none_there(target: StorePath) -> None:
    name = re.compile(rf"{re.escape(_stem(target))}-\d{{6,}}{re.escape(_SUFFIX)}")
    try:
        there = sorted(filter(name.fullmatch, target.store.names()))
    except (FileNotFoundError, NotADirectoryError):
        return  # the folder is made with the first file
    if there:
        raise FileExistsError(
            errno.EEXIST,
            f"{listed(there, 3)} would be mixed with what is written now; remove them, or choose another name",
            target.url,
        )


def _stem(target: StorePath) -> str:
    return target.name.removesuffix(_SUFFIX)
