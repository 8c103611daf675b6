"""From an annotation to the dtype of its column, or to none (docs/format.md, "Columns and their text")."""

import decimal
import enum
import pathlib
import typing
import uuid
from typing import Any, NamedTuple

import polars as pl

from atdata._errors import SchemaError
from atdata._sample import bare_type, codec_of, dtype_in

from ._dtypes import SCALARS

__all__ = ["ColumnType", "column_type", "without_none"]


class ColumnType(NamedTuple):
    """Column that an annotation asks for."""

    dtype: pl.DataType
    #: The annotation of one value, or of one element of a list.
    item: Any
    #: Whether values are held to the annotation's own codec (an enum, a literal, …), not to the dtype alone.
    by_codec: bool


def column_type(annotation: Any, *, explicit: bool) -> ColumnType | None:
    """Return what an annotation says of a column; None where it makes none.

    Args:
        annotation: The annotation, ``Annotated`` and ``Optional`` included.
        explicit: Whether somebody asked for a column.

    Raises:
        SchemaError: Its Polars dtype does not fit its type, or a column needs one.
    """
    bare, metadata = without_none(annotation)
    if (typing.get_origin(bare) or bare) is not list:
        return _scalar(bare, metadata, explicit=explicit)
    if dtype_in(metadata) is not None:
        codec_of(annotation)  # says where the dtype goes
    arguments = typing.get_args(bare)
    if not arguments:  # a bare list says nothing of its elements; who asks for a column means text
        return ColumnType(pl.List(pl.String()), str, by_codec=False) if explicit else None
    element = bare_type(arguments[0])
    if typing.get_origin(element[0]) is list:
        return None
    inner = _scalar(*element, explicit=explicit)
    return None if inner is None else inner._replace(dtype=pl.List(inner.dtype))


def without_none(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return an annotation's type with ``Optional`` looked through, and all its metadata."""
    bare, metadata = bare_type(annotation)
    members = [member for member in typing.get_args(bare) if member is not type(None)]
    if typing.get_origin(bare) is typing.Literal or len(members) != 1 or type(None) not in typing.get_args(bare):
        return bare, metadata
    bare, inner = bare_type(members[0])
    return bare, (*metadata, *inner)


def _scalar(bare: Any, metadata: tuple[Any, ...], *, explicit: bool) -> ColumnType | None:
    said = dtype_in(metadata)
    item = typing.Annotated[bare, said] if said is not None else bare
    if said is not None:
        codec_of(item)  # refuses a dtype that does not hold the type's values
        return ColumnType(said, item, by_codec=False)
    if typing.get_origin(bare) is typing.Literal:
        return _literal(bare, explicit=explicit)
    if not isinstance(bare, type):
        return None
    if issubclass(bare, enum.Enum):
        codec_of(bare)  # refuses a Flag
        return ColumnType(pl.String(), bare, by_codec=True)
    if issubclass(bare, uuid.UUID | pathlib.PurePath):  # nearly unique, so only where asked for
        return ColumnType(pl.String(), bare, by_codec=True) if explicit else None
    if explicit and issubclass(bare, decimal.Decimal):
        raise SchemaError(
            "a column of decimals needs their digits and places: Annotated[Decimal, pl.Decimal(12, 2), ...]"
        )
    dtype = SCALARS.get(bare)
    return None if dtype is None else ColumnType(dtype, bare, by_codec=False)


def _literal(bare: Any, *, explicit: bool) -> ColumnType | None:
    codec_of(bare)  # refuses what no literal holds
    kinds = {type(value) for value in typing.get_args(bare)} - {type(None)}
    if len(kinds) == 1:
        return ColumnType(SCALARS[kinds.pop()], bare, by_codec=True)
    if explicit:
        raise SchemaError(f"the values of {bare} are of several types, and a column has one; use text for all of them")
    return None
