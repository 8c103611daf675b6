"""Manifest fields: the fields of a sample type that are columns of its manifests."""

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec
import polars as pl

from atdata._errors import SchemaError, listed
from atdata._sample import ComputedMethod, DictSample, Field, ImageField, computed, computed_of, fields_of

from ._annotations import ColumnType, column_type, without_none
from ._dtypes import dtype_text
from ._kinds import AggregateKind, aggregate_kinds, default_kind, expected_columns, fits

__all__ = [
    "Column",
    "ManifestField",
    "Source",
    "columns_of",
    "manifest_column",
    "resolve_manifest_fields",
    "sources_of",
]

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class ManifestField:
    """Says that a field is a column of the manifest, and how it is summed up in the header.

    Args:
        aggregate: ``"categorical"``: how often each value occurs; ``"numeric"``: minimum, maximum and mean;
            ``"set"``: which elements the lists hold.
        exclude: Keep the field out of the manifest.

    Raises:
        SchemaError: The aggregate is unknown.

    Examples:
        >>> from typing import Annotated
        >>> import atdata
        >>> @atdata.packable
        ... class Photo:
        ...     label: Annotated[str, ManifestField("categorical")]
        ...     score: float  # numbers, text, times and lists are columns without being told
        ...     note: Annotated[str, ManifestField("categorical", exclude=True)]
        >>> {name: field.aggregate for name, field in resolve_manifest_fields(Photo).items()}
        {'label': 'categorical', 'score': 'numeric'}
    """

    aggregate: AggregateKind
    exclude: bool = False

    def __post_init__(self) -> None:
        if self.aggregate not in aggregate_kinds():
            raise SchemaError(f"unknown aggregate {self.aggregate!r}; expected one of {listed(aggregate_kinds())}")


def manifest_column(aggregate: AggregateKind) -> Callable[[Function], Function]:
    """Decorate a method of a packable type whose result is a column of the manifest, like a field's value.

    The column is computed when a sample is written; its dtype is that of the return annotation. The method stays an
    ordinary method, and its result is no part of the payload.

    Args:
        aggregate: How the column is summed up in the header, as in :class:`ManifestField`.

    Raises:
        SchemaError: The aggregate is unknown, or what is decorated is no method.

    Examples:
        >>> import atdata
        >>> @atdata.packable
        ... class Box:
        ...     width: int
        ...     height: int
        ...
        ...     @atdata.manifest_column("numeric")
        ...     def area(self) -> int:
        ...         return self.width * self.height
        >>> list(atdata.manifest.resolve_manifest_fields(Box))
        ['width', 'height', 'area']
        >>> Box(2, 3).area()
        6
    """
    declared = ManifestField(aggregate)

    def decorate(function: Function) -> Function:
        return computed(function, declared)

    return decorate


class Column(typing.NamedTuple):
    """One manifest field, as a column."""

    name: str
    aggregate: AggregateKind
    dtype: pl.DataType


class Source(msgspec.Struct, frozen=True):
    """Source of the values of a column, or of the three columns that describe an image."""

    #: Of the field, or of the method.
    name: str
    kind: Literal["field", "method", "image"]
    annotation: Any
    columns: tuple[Column, ...]


def resolve_manifest_fields(sample_type: type) -> dict[str, ManifestField]:
    """Return the manifest fields of a sample type, in order.

    A field annotated with a :class:`ManifestField` is what it says. Of the others, text, booleans, enums and literals
    are categorical, numbers and times numeric, and lists of these sets; an image has three columns; ``Optional`` is
    looked through; everything else is left out. Methods decorated with :func:`manifest_column` come last.

    Raises:
        SchemaError: The type is no dataclass, or a field cannot be what its annotation says.
    """
    return {column.name: ManifestField(column.aggregate) for column in columns_of(sample_type)}


def columns_of(sample_type: type) -> tuple[Column, ...]:
    """Return the columns that manifests of a sample type have beside the location columns.

    Raises:
        SchemaError: As for :func:`resolve_manifest_fields`.
    """
    return tuple(column for source in sources_of(sample_type) for column in source.columns)


def sources_of(sample_type: type) -> tuple[Source, ...]:
    """Return where the columns of a sample type come from: fields in order, then methods.

    Raises:
        SchemaError: As for :func:`resolve_manifest_fields`.
    """
    if isinstance(sample_type, type) and issubclass(sample_type, DictSample):
        return ()
    fields = fields_of(sample_type)
    methods = computed_of(sample_type)
    from_fields = [_field_source(sample_type, field) for field in fields]
    sources = (
        *(source for source in from_fields if source is not None),
        *(_method_source(sample_type, method) for method in methods),
    )
    _check_names(sample_type, {field.name for field in fields}, sources)
    return sources


def _field_source(sample_type: type, field: Field) -> Source | None:
    bare, metadata = without_none(field.annotation)
    if ManifestField in metadata:
        raise SchemaError(
            f"{sample_type.__qualname__}.{field.name}: write ManifestField with its aggregate: "
            "Annotated[str, ManifestField('categorical')]"
        )
    declared = next((item for item in metadata if isinstance(item, ManifestField)), None)
    if declared is not None and declared.exclude:
        return None
    if bare is bytes and any(isinstance(item, ImageField) for item in metadata):
        if declared is not None:
            raise SchemaError(
                f"{sample_type.__qualname__}.{field.name}: an image's columns are its width, height and mode; leave "
                "ManifestField away, or exclude them with ManifestField('categorical', exclude=True)"
            )
        return Source(field.name, "image", field.annotation, _image_columns(field.name))
    place = f"{sample_type.__qualname__}.{field.name}"
    column = _column(place, field.name, field.annotation, declared)
    return None if column is None else Source(field.name, "field", field.annotation, (column,))


def _method_source(sample_type: type, method: ComputedMethod) -> Source:
    place = f"{sample_type.__qualname__}.{method.name}()"
    if method.annotation is inspect.Signature.empty:
        raise SchemaError(f"{place} has no return annotation, which says what its column holds: def ...(self) -> int")
    column = _column(place, method.name, method.annotation, method.said)
    if column is None:
        raise AssertionError("a column that is asked for is made or refused")
    return Source(method.name, "method", method.annotation, (column,))


def _column(place: str, name: str, annotation: Any, declared: ManifestField | None) -> Column | None:
    try:
        column = column_type(annotation, explicit=declared is not None)
    except SchemaError as error:
        raise SchemaError(f"{place}: {error}") from None
    if declared is None and column is None:
        return None
    dtype = column.dtype if column else None
    aggregate = declared.aggregate if declared else _default_of(column)
    if dtype is None or not fits(aggregate, dtype):
        fitting = "a column" if dtype is None else f"a {aggregate!r} aggregate of {dtype_text(dtype)}"
        raise SchemaError(
            f"{place}: its annotation {without_none(annotation)[0]} makes no {fitting.removeprefix('a ')}; "
            f"{expected_columns()}"
        )
    if name.startswith("__"):
        raise SchemaError(f"{place}: names with '__' are the manifest's own; rename the field, or exclude it")
    return Column(name, aggregate, dtype)


def _default_of(column: ColumnType | None) -> AggregateKind:
    return "categorical" if column is None else default_kind(column.dtype, by_codec=column.by_codec)


def _image_columns(name: str) -> tuple[Column, ...]:
    return (
        Column(f"{name}_width", "numeric", pl.Int64()),
        Column(f"{name}_height", "numeric", pl.Int64()),
        Column(f"{name}_mode", "categorical", pl.String()),
    )


def _check_names(sample_type: type, fields: set[str], sources: tuple[Source, ...]) -> None:
    taken = dict.fromkeys(fields, "field")
    for source in sources:
        for column in source.columns if source.kind != "field" else ():
            if column.name in taken:
                what = "method" if source.kind == "method" else f"image {source.name!r}"
                raise SchemaError(
                    f"{sample_type.__qualname__}: the column {column.name!r} of the {what} has the name of a "
                    f"{taken[column.name]}; rename one of them"
                )
            taken[column.name] = "column of another field or method"
