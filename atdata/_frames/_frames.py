"""Samples as tables: field by field, as a dict, a pandas frame or a Polars frame."""

import collections.abc
import dataclasses
import datetime as dt
import enum
import itertools
import math
import operator
import pathlib
import typing
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import SampleValueError, SchemaError, first_line, listed
from atdata._manifest import column_type, without_none
from atdata._options import whole
from atdata._sample import DictSample, ImageField, codec_of, fields_of, is_sample_type

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Kind", "SampleColumns", "array_column", "column", "kind_of", "row_of", "to_dict", "to_pandas", "to_polars"]

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


_LISTS = (list, collections.abc.Sequence, collections.abc.MutableSequence)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
#: What Polars and pyarrow raise for values that make no column.
_MISFITS = (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError)
#: What to do about a field that makes no column.
_ADVICE = "map() the samples to dicts of what fits, or use to_dict() or to_pandas(), which keep values as they are"


class Kind(NamedTuple):
    """What an annotation says of a column."""

    dtype: pl.DataType
    #: Makes of a value what the column holds; None where it is that already.
    convert: Callable[[Any], Any] | None


def kind_of(annotation: Any) -> Kind | None:
    """Return what an annotation says of a column; None where only the values tell: arrays, ``Any``, unions.

    Raises:
        SchemaError: The annotation is of a field that cannot be stored.
    """
    bare, metadata = without_none(annotation)
    if bare is bytes:
        return Kind(pl.Binary(), None) if not _is_decoded(metadata) else None
    origin, arguments = typing.get_origin(bare) or bare, typing.get_args(bare)
    if origin in _LISTS:
        return _list_kind(arguments[0]) if arguments else None
    if origin is tuple:
        items = [each for each in arguments if each is not Ellipsis]
        return _list_kind(items[0]) if items and all(each == items[0] for each in items) else None
    if origin in _DICTS:
        return _dict_kind(arguments) if arguments else None
    if is_sample_type(bare) and isinstance(bare, type):
        return _struct_kind(bare)
    return _scalar_kind(annotation, bare)


def column(name: str, values: Sequence[Any], kind: Kind | None, *, as_lists: bool = False) -> pl.Series:
    """Return a field's values as a column.

    Args:
        name: The field.
        values: Its values.
        kind: What its annotation says; None looks at the values.
        as_lists: Make arrays lists, also where all of them have one shape.

    Raises:
        SchemaError: No column holds the values; the error names the field.
    """
    try:
        if kind is not None:
            cells = [value if value is None else kind.convert(value) for value in values] if kind.convert else values
            return pl.Series(name, cells, kind.dtype, strict=True)
        if any(isinstance(value, np.ndarray) for value in values):
            return array_column(name, values, as_lists=as_lists)
        return _inferred(name, values)
    except _MISFITS as error:
        raise SchemaError(f"field {name!r}: its values make no column: {first_line(error)}; {_ADVICE}") from error


def _is_decoded(metadata: tuple[Any, ...]) -> bool:
    return any(isinstance(each, ImageField) and each.decode is not None for each in metadata)


def _list_kind(item: Any) -> Kind | None:
    inner = kind_of(item)
    if inner is None:
        return None
    convert = inner.convert
    if convert is None:
        return Kind(pl.List(inner.dtype), list)
    return Kind(pl.List(inner.dtype), lambda value: [each if each is None else convert(each) for each in value])


def _dict_kind(arguments: tuple[Any, ...]) -> Kind | None:
    key, value = map(kind_of, arguments)
    if key is None or value is None:
        return None
    dtype = pl.List(pl.Struct({"key": key.dtype, "value": value.dtype}))
    convert = value.convert or (lambda item: item)
    return Kind(dtype, lambda held: [{"key": k, "value": v if v is None else convert(v)} for k, v in held.items()])


def _struct_kind(sample_type: type) -> Kind | None:
    kinds = {field.name: kind_of(field.annotation) for field in fields_of(sample_type)}
    known = {name: kind for name, kind in kinds.items() if kind is not None}
    if len(known) < len(kinds):
        return None

    def convert(sample: Any) -> dict[str, Any]:
        values = ((name, getattr(sample, name), kind.convert) for name, kind in known.items())
        return {name: made(value) if made and value is not None else value for name, value, made in values}

    return Kind(pl.Struct({name: kind.dtype for name, kind in known.items()}), convert)


def _scalar_kind(annotation: Any, bare: Any) -> Kind | None:
    try:
        found = column_type(annotation, explicit=True)
    except SchemaError:  # a Decimal of any digits, a Literal of several types
        return None
    if found is None:
        return None
    if found.by_codec:
        return Kind(found.dtype, codec_of(bare).check)
    if found.dtype == pl.Datetime("us"):
        return Kind(found.dtype, _naive)
    return Kind(found.dtype, None)


def _naive(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is not None:
        raise SampleValueError(
            f"{moment} has a zone, and the column has none; annotate the field as "
            'Annotated[datetime, pl.Datetime("us", "UTC")]'
        )
    return moment


def _inferred(name: str, values: Sequence[Any]) -> pl.Series:
    import pyarrow as pa  # noqa: PLC0415 -- only this call needs it

    kinds: dict[str, set[str]] = {}
    cells = [_plain(value, "", kinds) for value in values]
    for place, found in kinds.items():
        if len(found) > 1 and found != {"int", "float"}:
            raise ValueError(f"{' and '.join(sorted(found))}{place and ' at '}{place}")
    whole = {"int"} == kinds.get("") and max((each for each in cells if each is not None), default=0) >= 1 << 63
    array = pa.array(cells, pa.uint64() if whole else None)
    ordered = _in_order_of_keys(array.type, cells)
    return pl.Series(name, array if array.type == ordered else pa.array(cells, ordered))


def _in_order_of_keys(dtype: Any, cells: Iterable[Any]) -> Any:
    """Return an Arrow type with each struct's fields in the order of the keys; older versions of pyarrow sort them."""
    import pyarrow as pa  # noqa: PLC0415 -- as above

    if not pa.types.is_nested(dtype):
        return dtype
    values: list[Any] = [cell for cell in cells if cell is not None]
    if not pa.types.is_struct(dtype):
        return pa.list_(_in_order_of_keys(dtype.value_type, (item for value in values for item in value)))
    keys = dict.fromkeys(key for value in values for key in value)
    return pa.struct(
        [(key, _in_order_of_keys(dtype.field(key).type, (value.get(key) for value in values))) for key in keys]
    )


def _plain(value: Any, place: str, kinds: dict[str, set[str]]) -> Any:
    """Return a value as pyarrow takes it, and note what it is: pyarrow makes dates of datetimes, and UTC of no zone."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return value
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind != "O":
        value = value.tolist()
    if isinstance(value, dict):
        kinds.setdefault(place, set()).add("dict")
        return {key: _plain(each, f"{place}[{key!r}]", kinds) for key, each in value.items()}
    if isinstance(value, list | tuple):
        kinds.setdefault(place, set()).add("list")
        return [_plain(each, f"{place}[]", kinds) for each in value]
    said = type(value).__name__
    if isinstance(value, dt.datetime):
        said = "datetime with a zone" if value.tzinfo else "datetime without one"
        value = value if value.tzinfo is None else value.astimezone(dt.UTC)
    elif isinstance(value, enum.Enum | uuid.UUID | pathlib.PurePath):
        value = codec_of(type(value)).check(value)
    elif is_sample_type(type(value)):
        return _plain({field.name: getattr(value, field.name) for field in fields_of(type(value))}, place, kinds)
    kinds.setdefault(place, set()).add(said)
    return value


class SampleColumns:
    """Which columns samples make. Of a type that has fields these are known; else each sample says its own.

    Args:
        sample_type: The samples' type; None where they may be anything, as after a ``map``.

    Raises:
        SchemaError: The type has a field that cannot be stored.
    """

    def __init__(self, sample_type: type | None) -> None:
        typed = sample_type is not None and not issubclass(sample_type, DictSample)
        #: Field to annotation; None where the samples say it.
        self.annotations = {each.name: each.annotation for each in fields_of(sample_type)} if typed else None  # type: ignore[arg-type]  # a type
        self._kinds = {name: kind_of(annotation) for name, annotation in (self.annotations or {}).items()}

    def values(self, samples: Iterable[Any]) -> dict[str, list[Any]]:
        """Return the samples' values, field by field; None where a sample lacks one.

        Raises:
            SchemaError: A sample has no fields.
        """
        if self.annotations is None:
            return _gathered(map(row_of, samples))
        get = [operator.attrgetter(name) for name in self.annotations]
        held = list(samples)
        return {name: list(map(each, held)) for name, each in zip(self.annotations, get, strict=True)}

    def frame(self, values: dict[str, list[Any]], *, as_lists: bool = False) -> pl.DataFrame:
        """Return such values as a Polars frame. Each list is let go of once its column is made.

        Raises:
            SchemaError: A field's values make no column.
        """
        names = list(values)
        return pl.DataFrame(
            [column(name, values.pop(name), self._kinds.get(name), as_lists=as_lists) for name in names]
        )


def row_of(sample: Any) -> Mapping[str, Any]:
    """Return a sample's fields by name.

    Raises:
        SchemaError: It has none.
    """
    if isinstance(sample, DictSample):
        return sample.to_dict()
    if isinstance(sample, Mapping):
        return sample
    if dataclasses.is_dataclass(sample):
        return {field.name: getattr(sample, field.name) for field in dataclasses.fields(sample)}
    raise SchemaError(
        f"a {type(sample).__name__} is no row of a table: map() the samples to dicts, or to a packable type"
    )


def to_dict(samples: Iterable[Any], sample_type: type | None, limit: int | None = None) -> dict[str, list[Any]]:
    """Return samples field by field, values as they are; None where a sample lacks a field.

    Raises:
        SchemaError: A sample has no fields.
    """
    return SampleColumns(sample_type).values(_first(samples, limit))


def to_polars(samples: Iterable[Any], sample_type: type | None, limit: int | None = None) -> pl.DataFrame:
    """Return samples as a Polars frame, its dtypes those that the annotations say, else those of the values.

    Raises:
        SchemaError: A field's values make no column; the error names the field.
    """
    table = SampleColumns(sample_type)
    return table.frame(table.values(_first(samples, limit)))


def to_pandas(samples: Iterable[Any], sample_type: type | None, limit: int | None = None) -> "pd.DataFrame":
    """Return samples as a pandas frame; arrays, and what else is no scalar, are objects in it as they are.

    Integers with None among them are ``Int64``: as floats, large ones would be rounded.

    Raises:
        SchemaError: A sample has no fields.
    """
    import pandas as pd  # noqa: PLC0415 -- only this call needs it

    table = SampleColumns(sample_type)
    values = table.values(_first(samples, limit))
    annotations = table.annotations or {}
    return pd.DataFrame({name: _pandas_column(cells, annotations.get(name)) for name, cells in values.items()})


def _first(samples: Iterable[Any], limit: int | None) -> Iterator[Any]:
    return itertools.islice(samples, None if limit is None else whole("limit", limit))


def _pandas_column(cells: list[Any], annotation: Any) -> "pd.Series[Any]":
    import pandas as pd  # noqa: PLC0415 -- as above

    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds <= {int} and (kinds or without_none(annotation)[0] is int) and None in cells:
        return pd.Series(cells, dtype="Int64")
    return pd.Series(cells)


def _gathered(rows: Iterator[Mapping[str, Any]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for count, row in enumerate(rows):
        for name, value in row.items():
            columns.setdefault(name, [None] * count).append(value)
        for held in columns.values():
            if len(held) == count:
                held.append(None)
    return columns
