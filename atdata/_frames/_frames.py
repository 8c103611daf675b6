"""Samples as tables: field by field, as a dict, a pandas frame or a Polars frame."""

import dataclasses
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from atdata._errors import SchemaError
from atdata._manifest import without_none
from atdata._options import whole
from atdata._sample import DictSample, fields_of

from ._field_columns import column, kind_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SampleColumns", "row_of", "to_dict", "to_pandas", "to_polars"]


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
