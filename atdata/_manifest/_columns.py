"""Manifest fields: the fields of a sample type that are columns of its manifests."""

import dataclasses
import enum
import inspect
import operator
import typing
from collections.abc import Callable
from types import TracebackType
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeVar

import msgspec
import numpy as np
import polars as pl

from atdata._errors import SampleValueError, SchemaError, listed
from atdata._sample import (
    ComputedMethod,
    DictSample,
    Field,
    ImageField,
    check_encoded,
    codec_of,
    computed,
    computed_of,
    fields_of,
    image_head,
    integer_range,
)

from ._dtypes import ColumnType, column_type, dtype_text, python_type, without_none
from ._kinds import AggregateKind, aggregate_kinds, default_kind, expected_columns, fits

__all__ = [
    "Column",
    "ManifestField",
    "Source",
    "Unreadable",
    "ValueReader",
    "cell_check",
    "columns_of",
    "manifest_column",
    "resolve_manifest_fields",
    "sources_of",
    "value_reader",
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


#: Where a class keeps its reader; looked up in the class itself, never in its bases.
_READER = "_atdata_values_"
#: Types whose exact instances fit their columns whatever their value.
_ALWAYS_FIT = (pl.String, pl.Boolean, pl.Float64, pl.Date)
#: Types whose lists are checked at once, when the column is made.
_CHECKED_IN_BULK = (str, bool, int, float)


class Unreadable(enum.Enum):
    """Stands for the size and mode of an image that Pillow cannot read."""

    IMAGE = "image"


class _Never:
    """Is the type of no value."""


class _Read(NamedTuple):
    """How the value of one source becomes cells."""

    #: What errors name.
    name: str
    #: Values of exactly this type are taken as they are; an int, where it is in the column's range.
    exact: type
    #: Returns the cell, or the cells where there are several; raises SampleValueError.
    take: Callable[[Any], Any]
    several: bool


class ValueReader:
    """Reads the values of a sample's columns.

    Args:
        sample_type: The samples' type.

    Attributes:
        columns: The columns, in order.
        images: For each image field, its name and the index of its first column.

    Examples:
        >>> import atdata
        >>> @atdata.packable
        ... class Photo:
        ...     label: str
        ...     score: float
        >>> reader = ValueReader(Photo)
        >>> [column.name for column in reader.columns], reader(Photo("dog", 0.5))
        (['label', 'score'], ['dog', 0.5])
    """

    def __init__(self, sample_type: type) -> None:
        sources = sources_of(sample_type)
        self.columns: tuple[Column, ...] = tuple(column for source in sources for column in source.columns)
        self.images = tuple(
            (source.name, self.columns.index(source.columns[0])) for source in sources if source.kind == "image"
        )
        self._type = sample_type
        self._reads = [_read_of(sample_type, source) for source in sources]
        self._exact = tuple(read.exact for read in self._reads)
        self._ranges = [
            (at, *integer_range(source.columns[0].dtype))
            for at, (source, read) in enumerate(zip(sources, self._reads, strict=True))
            if read.exact is int
        ]
        self._get = _getter([source.name for source in sources])

    def __call__(self, sample: Any) -> list[Any]:
        """Return the values of one sample's columns, in column order; they can be sent to another process.

        Raises:
            SampleValueError: The sample has no such field, its value does not fit the column, or a method raises; the
                error names the field. The elements of lists of text, booleans and numbers are checked later, at once.
        """
        try:
            found = self._get(sample)
        except AttributeError as error:
            self._raise_missing(sample, error)
        if tuple(map(type, found)) == self._exact:
            for at, low, high in self._ranges:
                if not low <= found[at] <= high:
                    break
            else:
                return list(found)
        return self._checked(found)

    def _checked(self, found: tuple[Any, ...]) -> list[Any]:
        values: list[Any] = []
        name = ""
        try:
            for (name, exact, take, several), value in zip(self._reads, found, strict=True):  # noqa: B007 -- for the error
                if several:
                    values.extend(take(value))
                elif value is None or (type(value) is exact and exact is not int):
                    values.append(value)
                else:
                    values.append(take(value))
        except SampleValueError as error:
            raise error.within(name) from error.__cause__
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        return value_reader, (self._type,)

    def _raise_missing(self, sample: Any, error: AttributeError) -> NoReturn:
        for read in self._reads:
            if not hasattr(sample, read.name):
                raise SampleValueError(f"a {type(sample).__name__} has no such field", read.name) from None
        raise error


def value_reader(sample_type: type) -> ValueReader:
    """Return a type's reader; it is made on first use.

    Raises:
        SchemaError: The type is no dataclass, or a field cannot be what its annotation says.
    """
    reader: ValueReader | None = vars(sample_type).get(_READER) if isinstance(sample_type, type) else None
    if reader is None:
        reader = ValueReader(sample_type)
        setattr(sample_type, _READER, reader)
    return reader


def cell_check(item: Any, dtype: pl.DataType, *, by_codec: bool) -> Callable[[Any], Any]:
    """Return what checks one value, or one element, and gives it as a column holds it.

    Args:
        item: Its annotation.
        dtype: The dtype that it has to fit.
        by_codec: Whether the annotation says what fits, as an enum does; else the dtype says it.
    """
    codec = codec_of(item if by_codec else Annotated[python_type(dtype), dtype])
    return codec.cell or codec.check


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if not names:
        return lambda sample: ()  # noqa: ARG005 -- called as the others are
    get = operator.attrgetter(*names)
    return get if len(names) > 1 else lambda sample: (get(sample),)


def _read_of(sample_type: type, source: Source) -> _Read:
    if source.kind == "image":
        return _Read(source.name, _Never, _image_cells, several=True)
    take, exact = _taker(source)
    if source.kind == "method":
        return _Read(source.name, _Never, _called(sample_type, source, take), several=False)
    return _Read(source.name, exact, take, several=False)


def _taker(source: Source) -> tuple[Callable[[Any], Any], type]:
    """Return what makes a cell of a source's value, and the type whose values need no making."""
    kind = column_type(source.annotation, explicit=True)
    if kind is None:
        raise AssertionError("a source has columns")
    # A float16 is rounded as in the payload; its column's dtype is wider.
    by_codec = kind.by_codec or kind.item is np.float16
    if isinstance(kind.dtype, pl.List):
        inner: Any = kind.dtype.inner
        if not by_codec and python_type(inner) in _CHECKED_IN_BULK:
            return _plain_list, list
        return _list_taker(cell_check(kind.item, inner, by_codec=by_codec)), _Never
    check = cell_check(kind.item, kind.dtype, by_codec=by_codec)
    fits = not kind.by_codec and (kind.dtype in _ALWAYS_FIT or kind.dtype.is_integer())
    return check, python_type(kind.dtype) if fits else _Never


def _plain_list(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise SampleValueError.wrong_type(value, "a list")
    return value


def _list_taker(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        elements, cells = _plain_list(value), []
        try:
            for each in elements:
                cells.append(None if each is None else check(each))  # noqa: PERF401 -- its length says which is wrong
        except SampleValueError as error:
            raise error.within(f"[{len(cells)}]") from error.__cause__
        return cells

    return take


def _called(sample_type: type, source: Source, take: Callable[[Any], Any]) -> Callable[[Any], Any]:
    allowed = codec_of(source.annotation).check
    blame = _Blame(f"{sample_type.__qualname__}.{source.name}()")

    def call(method: Callable[[], Any]) -> Any:
        with blame:
            value = method()
        allowed(value)  # nothing else has held it to its annotation
        return None if value is None else take(value)

    return call


class _Blame:
    """Names the method that raised, whatever it raised, so that the sample it was asked of can be named too."""

    def __init__(self, method: str) -> None:
        self._method = method

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            raise SampleValueError(f"{self._method} raised {type(error).__name__}: {error}") from error


def _image_cells(data: Any) -> tuple[Any, Any, Any]:
    head = None if data is None else image_head(check_encoded(data))
    if head is not None:
        return head
    missing = None if data is None else Unreadable.IMAGE
    return missing, missing, missing
