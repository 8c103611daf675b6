"""Which fields of a sample type are columns of its manifests, and what kind of column each is."""

import dataclasses
import typing
from typing import Any, Literal, TypeAlias

import polars as pl

from atdata._errors import SchemaError
from atdata._sample import DictSample, Field, bare_type, fields_of

from ._dtypes import SCALARS, is_number

__all__ = ["AggregateKind", "Column", "ManifestField", "columns_of", "resolve_manifest_fields"]

AggregateKind: TypeAlias = Literal["categorical", "numeric", "set"]

_KINDS = typing.get_args(AggregateKind)


@dataclasses.dataclass(frozen=True)
class ManifestField:
    """Says that a field is a column of the manifest, and how it is summed up in the header.

    Args:
        aggregate: ``"categorical"``: how often each value occurs; ``"numeric"``: minimum, maximum and mean;
            ``"set"``: which elements the lists hold.
        exclude: Keep the field out of the manifest.

    Raises:
        SchemaError: There is no such aggregate.

    Examples:
        >>> from typing import Annotated
        >>> import atdata
        >>> @atdata.packable
        ... class Photo:
        ...     label: Annotated[str, ManifestField("categorical")]
        ...     score: float  # numbers, text, booleans and lists are columns without being told
        ...     note: Annotated[str, ManifestField("categorical", exclude=True)]
        >>> {name: field.aggregate for name, field in resolve_manifest_fields(Photo).items()}
        {'label': 'categorical', 'score': 'numeric'}
    """

    aggregate: AggregateKind
    exclude: bool = False

    def __post_init__(self) -> None:
        if self.aggregate not in _KINDS:
            raise SchemaError(f"there is no aggregate {self.aggregate!r}; there are {', '.join(_KINDS)}")


class Column(typing.NamedTuple):
    """One manifest field, as a column."""

    name: str
    aggregate: AggregateKind
    dtype: pl.DataType


def resolve_manifest_fields(sample_type: type) -> dict[str, ManifestField]:
    """Return the manifest fields of a sample type, in order.

    A field annotated with a :class:`ManifestField` is what it says. Of the others, text and booleans are categorical,
    numbers numeric, and lists of these sets; ``Optional`` is looked through; everything else is left out.

    Raises:
        SchemaError: The type is no dataclass, or a field cannot be what its annotation says.
    """
    return {column.name: ManifestField(column.aggregate) for column in columns_of(sample_type)}


def columns_of(sample_type: type) -> tuple[Column, ...]:
    """Return the columns that manifests of a sample type have beside the location columns.

    Raises:
        SchemaError: As for :func:`resolve_manifest_fields`.
    """
    if isinstance(sample_type, type) and issubclass(sample_type, DictSample):
        return ()
    columns = (_column(sample_type, field) for field in fields_of(sample_type))
    return tuple(column for column in columns if column is not None)


def _column(sample_type: type, field: Field) -> Column | None:
    bare, metadata = bare_type(field.annotation)
    bare, inner = _without_none(bare)
    said = next((each for each in (*metadata, *inner) if isinstance(each, ManifestField)), None)
    if said is not None and said.exclude:
        return None
    dtype = _dtype(bare, explicit=said is not None)
    if said is None and dtype is None:
        return None
    aggregate = said.aggregate if said else _inferred(dtype)
    if dtype is None or not _fits(aggregate, dtype):
        fitting = "a column" if dtype is None else f"a {aggregate!r} aggregate of {dtype}"
        raise SchemaError(
            f"{sample_type.__qualname__}.{field.name}: its annotation {bare} makes no {fitting.removeprefix('a ')}; "
            "'categorical' takes text, booleans and numbers, 'numeric' numbers, 'set' lists of these"
        )
    if field.name.startswith("__"):
        raise SchemaError(
            f"{sample_type.__qualname__}.{field.name}: names with '__' are the manifest's own; "
            "rename the field, or exclude it"
        )
    return Column(field.name, aggregate, dtype)


def _without_none(bare: Any) -> tuple[Any, tuple[Any, ...]]:
    members = [member for member in typing.get_args(bare) if member is not type(None)]
    if type(None) in typing.get_args(bare) and len(members) == 1:
        return bare_type(members[0])
    return bare, ()


def _dtype(bare: Any, *, explicit: bool) -> pl.DataType | None:
    if (typing.get_origin(bare) or bare) is not list:
        return SCALARS.get(bare) if isinstance(bare, type) else None
    arguments = typing.get_args(bare)
    if not arguments:  # a bare list says nothing of its elements; who asks for a column means text
        return pl.List(pl.String()) if explicit else None
    element, _ = bare_type(arguments[0])
    inner = SCALARS.get(element) if isinstance(element, type) else None
    return None if inner is None else pl.List(inner)


def _inferred(dtype: pl.DataType | None) -> AggregateKind:
    if isinstance(dtype, pl.List):
        return "set"
    return "numeric" if dtype is not None and is_number(dtype) else "categorical"


def _fits(aggregate: AggregateKind, dtype: pl.DataType) -> bool:
    if aggregate == "set":
        return isinstance(dtype, pl.List)
    return not isinstance(dtype, pl.List) and (aggregate == "categorical" or is_number(dtype))
