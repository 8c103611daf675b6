"""A sample type's fields, with their annotations resolved."""

import contextlib
import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from numpy.typing import NDArray

from atdata._errors import SchemaError

__all__ = ["Field", "bare_type", "fields_of", "is_packable", "remember_fields", "resolving", "written_type"]

#: Where a class keeps its resolved fields; looked up in the class itself, never in its bases.
_FIELDS = "_atdata_fields_"


class Field(msgspec.Struct, frozen=True):
    """One field of a sample type."""

    name: str
    #: The annotation as written, ``Annotated`` included.
    annotation: Any
    #: The default, or ``dataclasses.MISSING``.
    default: Any
    #: What makes the default, or ``dataclasses.MISSING``.
    default_factory: Any

    @property
    def required(self) -> bool:
        """Whether a payload without this field is refused."""
        return self.default is dataclasses.MISSING and self.default_factory is dataclasses.MISSING

    def make_default(self) -> Any:
        """Return the value of a sample that was written without this field."""
        return self.default if self.default_factory is dataclasses.MISSING else self.default_factory()


def is_packable(kind: type) -> bool:
    """Tell whether a type is a dataclass that knows its own bytes."""
    return getattr(kind, "_atdata_packable_", False) and dataclasses.is_dataclass(kind)


def fields_of(sample_type: type) -> tuple[Field, ...]:
    """Return the fields of a dataclass, in order.

    Raises:
        SchemaError: The type is no dataclass, or an annotation cannot be resolved.
    """
    known = vars(sample_type).get(_FIELDS) if isinstance(sample_type, type) else None
    return remember_fields(sample_type, None) if known is None else known


def remember_fields(sample_type: type, local_names: Mapping[str, Any] | None) -> tuple[Field, ...]:
    """Resolve a dataclass's annotations, also with the names local to where it is defined, and keep the result."""
    if not isinstance(sample_type, type) or not dataclasses.is_dataclass(sample_type):
        shown = sample_type.__name__ if isinstance(sample_type, type) else repr(sample_type)
        raise SchemaError(f"{shown} is no dataclass; decorate the class with @atdata.packable")
    with resolving(sample_type.__qualname__):
        hints = _own_hints(sample_type, local_names)
    fields = tuple(
        Field(field.name, hints[field.name], field.default, field.default_factory)
        for field in dataclasses.fields(sample_type)
    )
    if inits := [name for name, hint in hints.items() if isinstance(hint, dataclasses.InitVar)]:
        raise SchemaError(
            f"{sample_type.__qualname__}.{inits[0]}: an InitVar is not stored, so its sample could not be read back; "
            "make it a field"
        )
    setattr(sample_type, _FIELDS, fields)
    return fields


@contextlib.contextmanager
def resolving(owner: str) -> Iterator[None]:
    """Say whose annotations they are that cannot be resolved.

    Raises:
        SchemaError: They cannot; its cause says why.
    """
    try:
        yield
    except NameError as error:
        raise SchemaError(
            f"the annotations of {owner} cannot be resolved: {error}; "
            "import the name in the module that defines the class, not only under TYPE_CHECKING"
        ) from error
    except (AttributeError, SyntaxError, TypeError) as error:
        raise SchemaError(f"an annotation of {owner} is no type: {error}") from error


def _own_hints(sample_type: type, local_names: Mapping[str, Any] | None) -> dict[str, Any]:
    # Each class's annotations mean what they mean where it was defined; the local names are those of the last one.
    hints: dict[str, Any] = {}
    for base in reversed(sample_type.__mro__):
        own = inspect.get_annotations(base)
        known: tuple[Field, ...] | None = vars(base).get(_FIELDS)
        if known is not None:
            hints |= {field.name: field.annotation for field in known if field.name in own}
        elif own:
            here = (base.__module__, base.__qualname__) == (sample_type.__module__, sample_type.__qualname__)
            resolved = typing.get_type_hints(base, localns=local_names if here else None, include_extras=True)
            hints |= {name: resolved[name] for name in own}
    return hints


def bare_type(annotation: Any, *, but: Any = None) -> tuple[Any, tuple[Any, ...]]:
    """Return an annotation without ``Annotated``, ``NewType`` and type aliases, and the metadata of ``Annotated``.

    The alias `but` stays, with its parameters if it has any.
    """
    metadata: tuple[Any, ...] = ()
    while True:
        if but is not None and but in (annotation, typing.get_origin(annotation)):
            return annotation, metadata
        if typing.get_origin(annotation) is typing.Annotated:
            metadata += annotation.__metadata__
            annotation = annotation.__origin__
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # `type X = ...`, Python 3.12
            annotation = annotation.__value__
        elif type(origin := typing.get_origin(annotation)).__name__ == "TypeAliasType":  # the same with parameters
            annotation = _filled_in(origin, typing.get_args(annotation))
        else:
            return annotation, metadata


def written_type(annotation: Any) -> Any:
    """Return an annotation as its author would compare it: as `bare_type`, but for ``NDArray`` and ``NDArray[…]``.

    NumPy's ``NDArray`` is a type alias itself from NumPy 2.5 on (Python 3.12 and later).
    """
    annotation, _ = bare_type(annotation, but=NDArray)
    return annotation


def _filled_in(alias: Any, arguments: tuple[Any, ...]) -> Any:
    """Return what a generic type alias stands for with its parameters filled in."""
    by_parameter = dict(zip(alias.__type_params__, arguments, strict=False))
    value = alias.__value__
    if isinstance(value, typing.TypeVar):
        return by_parameter.get(value, value)
    parameters = getattr(value, "__parameters__", ())
    return value[tuple(by_parameter.get(each, each) for each in parameters)] if parameters else value
