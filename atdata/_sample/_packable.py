"""Typed samples: a dataclass that knows its own bytes."""

import copy
import dataclasses
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self, TypeVar

from atdata._errors import SchemaError

from ._dict import DictSample
from ._fields import fields_of, is_packable, remember_fields, resolving
from ._payload_plan import pack, plan_of

__all__ = [
    "ComputedMethod",
    "PackableSample",
    "computed",
    "computed_of",
    "is_sample_type",
    "packable",
    "remember_computed",
    "snapshot",
]

#: Where a function keeps that it is computed, and what was said of it.
_MARK = "_atdata_computed_"
#: Where a class keeps its computed methods; looked up in the class itself, never in its bases.
_COMPUTED = "_atdata_methods_"

Function = TypeVar("Function", bound=Callable[..., Any])


class ComputedMethod(NamedTuple):
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


def computed_of(sample_type: type) -> tuple[ComputedMethod, ...]:
    """Return a type's computed methods: inherited ones first, then in the order of definition.

    Raises:
        SchemaError: A return annotation cannot be resolved.
    """
    known: tuple[ComputedMethod, ...] | None = vars(sample_type).get(_COMPUTED)
    return remember_computed(sample_type, None) if known is None else known


def remember_computed(sample_type: type, local_names: Mapping[str, Any] | None) -> tuple[ComputedMethod, ...]:
    """Resolve the return annotations of a type's computed methods, and keep the result."""
    # What a base class resolved, with the names that it saw, holds.
    known = {each.function: each for base in sample_type.__mro__ for each in vars(base).get(_COMPUTED, ())}
    found: dict[str, ComputedMethod] = {}
    for base in reversed(sample_type.__mro__):
        here = (base.__module__, base.__qualname__) == (sample_type.__module__, sample_type.__qualname__)
        for name, value in vars(base).items():
            if not (inspect.isfunction(value) and hasattr(value, _MARK)):
                found.pop(name, None)  # overridden by what is no column
            elif value in known:
                found[name] = known[value]
            else:
                annotation = _returned(sample_type, name, value, local_names if here else None)
                found[name] = ComputedMethod(name, value, annotation, getattr(value, _MARK))
    methods = tuple(found.values())
    setattr(sample_type, _COMPUTED, methods)
    return methods


def _returned(sample_type: type, name: str, function: Any, local_names: Mapping[str, Any] | None) -> Any:
    with resolving(f"{sample_type.__qualname__}.{name}()"):
        hints = typing.get_type_hints(function, localns=dict(local_names or {}), include_extras=True)
    return hints.get("return", inspect.Signature.empty)


T = TypeVar("T")

S = TypeVar("S")

#: Types whose values nobody can change.
_IMMUTABLE = frozenset({type(None), bool, int, float, str, bytes})
#: What every packable type offers, and no field can be called.
_OWN_NAMES = frozenset({"packed", "as_wds", "from_bytes", "from_data"})


class PackableSample:
    """What every typed sample can do. ``@packable`` adds it to a class; a dataclass may also inherit it."""

    __slots__ = ()
    _atdata_packable_ = True  # how a codec knows a packable type that it meets as a field

    @property
    def packed(self) -> bytes:
        """The sample as msgpack: a map from field name to value (docs/format.md).

        Raises:
            SampleValueError: A value is not what its annotation says; the error names the field.
        """
        return b"".join(plan_of(type(self)).encode(self))

    @property
    def as_wds(self) -> dict[str, Any]:
        """The sample as the ``webdataset`` library writes it: a random key and the payload."""
        return {"__key__": str(uuid.uuid4()), "msgpack": self.packed}

    @classmethod
    def from_bytes(cls, bs: bytes | memoryview) -> Self:
        """Make a sample from msgpack. Its arrays are copies that may be written to.

        Raises:
            DecodeError: The bytes are no sample of this type; the error names the field.
        """
        sample: Self = plan_of(cls).decode(bs)
        return sample

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Make a sample from a mapping of field name to value: as a sample holds it, or as the payload does.

        Raises:
            SampleValueError: A value is nothing that a sample holds.
            DecodeError: A field is missing, or of another type.
        """
        return cls.from_bytes(pack(plan_of(cls).natives(data)))


@typing.dataclass_transform()
def packable(cls: type[T]) -> type[T]:
    """Make a class a typed sample: a dataclass that is also a :class:`PackableSample`.

    Annotations are resolved with what is visible where the class is defined, so that string annotations
    (``from __future__ import annotations``), ``Optional``, defaults and inheritance work. Name, module, qualified name
    and docstring stay.

    Raises:
        SchemaError: A field's type cannot be stored; the error names the field.

    Examples:
        >>> import numpy as np
        >>> from numpy.typing import NDArray
        >>> @packable
        ... class Photo:
        ...     pixels: NDArray
        ...     label: str
        ...     confidence: float = 0.0
        >>> photo = Photo(np.zeros((2, 2), np.uint8), "dog")
        >>> again = Photo.from_bytes(photo.packed)
        >>> again.label, again.confidence, again.pixels.shape
        ('dog', 0.0, (2, 2))
    """
    made = cls if "__dataclass_fields__" in vars(cls) else dataclasses.dataclass(cls)
    if taken := [field.name for field in dataclasses.fields(made) if field.name in _OWN_NAMES]:  # type: ignore[arg-type]  # a dataclass by now
        raise SchemaError(f"{cls.__qualname__}.{taken[0]}: every sample has a {taken[0]!r} already; rename the field")
    if not issubclass(made, PackableSample):
        made = _with_base(made)
    frame = inspect.currentframe()
    try:
        names = _local_names(frame.f_back if frame else None)
        remember_fields(made, names)
        remember_computed(made, names)
        plan_of(made)
    except SchemaError as error:
        # A name that is defined further down; the fields are resolved when they are first needed.
        if not isinstance(error.__cause__, NameError):
            raise
    return made


def is_sample_type(sample_type: object) -> bool:
    """Tell whether samples of a type can be written: a packable dataclass, or DictSample."""
    if not isinstance(sample_type, type):
        return False
    if issubclass(sample_type, DictSample):
        return True
    return is_packable(sample_type)


def snapshot(sample: S) -> S:
    """Return a sample that does not change with what the given one holds: arrays, lists and all that can be changed."""
    if isinstance(sample, DictSample):
        return type(sample)(copy.deepcopy(sample.to_dict()))
    held = object.__new__(type(sample))
    fields = {field.name: getattr(sample, field.name) for field in fields_of(type(sample))}
    for name, value in {**getattr(sample, "__dict__", {}), **fields}.items():
        # By way of `object`, for classes that are frozen.
        object.__setattr__(held, name, value if type(value) in _IMMUTABLE else copy.deepcopy(value))
    return held


def _local_names(caller: types.FrameType | None) -> Mapping[str, Any] | None:
    # A module's own names are found by themselves, for each base class in its own module.
    return None if caller is None or caller.f_locals is caller.f_globals else caller.f_locals


def _with_base(cls: type[T]) -> type[T]:
    def fill(namespace: dict[str, Any]) -> None:
        namespace["__module__"] = cls.__module__
        namespace["__qualname__"] = cls.__qualname__
        namespace["__doc__"] = cls.__doc__
        namespace["__annotations__"] = dict(inspect.get_annotations(cls))
        if "__firstlineno__" in vars(cls):  # Python 3.13: where `inspect` finds the source
            namespace["__firstlineno__"] = vars(cls)["__firstlineno__"]
        if "__slots__" in vars(cls):
            namespace["__slots__"] = ()

    return types.new_class(cls.__name__, (cls, PackableSample), exec_body=fill)
