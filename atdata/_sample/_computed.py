"""Methods of a sample type whose results are values like a field's, computed when a sample is written."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from atdata._errors import SchemaError

from ._fields import resolving

__all__ = ["Computed", "computed", "computed_of", "remember_computed"]

#: Where a function keeps that it is computed, and what was said of it.
_MARK = "_atdata_computed_"
#: Where a class keeps its computed methods; looked up in the class itself, never in its bases.
_COMPUTED = "_atdata_methods_"

Function = TypeVar("Function", bound=Callable[..., Any])


class Computed(NamedTuple):
    """One computed method of a sample type."""

    name: str
    function: Callable[..., Any]
    #: The return annotation, resolved; ``inspect.Signature.empty`` where there is none.
    annotation: Any
    #: What the decorator was told.
    said: Any


def computed(function: Function, said: Any) -> Function:
    """Mark a method as computed; it stays the function that it is.

    Raises:
        SchemaError: It is no plain function.
    """
    if not inspect.isfunction(function):
        raise SchemaError(
            f"expected a method, found {type(function).__name__} {function!r:.60}; a computed column is a plain method "
            "of the sample type: put the decorator directly above its def"
        )
    setattr(function, _MARK, said)
    return function


def computed_of(sample_type: type) -> tuple[Computed, ...]:
    """Return a type's computed methods: inherited ones first, then in the order of definition.

    Raises:
        SchemaError: A return annotation cannot be resolved.
    """
    known: tuple[Computed, ...] | None = vars(sample_type).get(_COMPUTED)
    return remember_computed(sample_type, None) if known is None else known


def remember_computed(sample_type: type, local_names: Mapping[str, Any] | None) -> tuple[Computed, ...]:
    """Resolve the return annotations of a type's computed methods, and keep the result."""
    # What a base class resolved, with the names that it saw, holds.
    known = {each.function: each for base in sample_type.__mro__ for each in vars(base).get(_COMPUTED, ())}
    found: dict[str, Computed] = {}
    for base in reversed(sample_type.__mro__):
        here = (base.__module__, base.__qualname__) == (sample_type.__module__, sample_type.__qualname__)
        for name, value in vars(base).items():
            if not (inspect.isfunction(value) and hasattr(value, _MARK)):
                found.pop(name, None)  # overridden by what is no column
            elif value in known:
                found[name] = known[value]
            else:
                annotation = _returned(sample_type, name, value, local_names if here else None)
                found[name] = Computed(name, value, annotation, getattr(value, _MARK))
    methods = tuple(found.values())
    setattr(sample_type, _COMPUTED, methods)
    return methods


def _returned(sample_type: type, name: str, function: Any, local_names: Mapping[str, Any] | None) -> Any:
    with resolving(f"{sample_type.__qualname__}.{name}()"):
        hints = typing.get_type_hints(function, localns=dict(local_names or {}), include_extras=True)
    return hints.get("return", inspect.Signature.empty)
