"""Samples whose fields are all in another type's samples: seen as such without a lens that somebody wrote."""

import types
import typing
from typing import Any, TypeVar

import numpy as np

from atdata._errors import near_misses
from atdata._sample import DictSample, bare_type, fields_of

from ._lens import DerivedLens

__all__ = ["StructuralLens", "misfits"]

S = TypeVar("S")
V = TypeVar("V")


class StructuralLens(DerivedLens[S, V]):
    """A view that follows from the fields: by way of the payload, which holds them by name.

    What a tar holds of the source can be decoded as the view at once. ``put`` takes over the fields that both have.
    """

    def get(self, source: S) -> V:
        """Return the sample as the other type.

        Raises:
            DecodeError: A field of a DictSample is missing, or is no such value.
        """
        view: V = self.view_type.from_bytes(source.packed)  # type: ignore[attr-defined]  # both are sample types
        return view

    def put(self, view: V, source: S) -> S:
        """Return the source with the fields that both have as they are in the view."""
        both = DictSample(_payload(source) | _payload(view))
        made: S = self.source_type.from_bytes(both.packed)  # type: ignore[attr-defined]  # passes over what is not its own
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return StructuralLens, (self.source_type, self.view_type)


def misfits(source_type: type, view_type: type) -> list[str]:
    """Return why samples of one type cannot be decoded as the other; nothing where they can.

    They can where the view's fields are in the source, by name and type, or have defaults. A DictSample may hold
    anything, and is a view of everything.

    Raises:
        SchemaError: One of them is no sample type.
    """
    if issubclass(source_type, DictSample) or issubclass(view_type, DictSample):
        return []
    source, view = ({field.name: field for field in fields_of(each)} for each in (source_type, view_type))
    found = [
        f"{view_type.__qualname__}.{name}: {source_type.__qualname__} has no such field{near_misses(name, source)}"
        for name, field in view.items()
        if name not in source and field.required
    ]
    found += [
        f"{view_type.__qualname__}.{name}: {_shown(field.annotation)} in {view_type.__qualname__}, "
        f"{_shown(source[name].annotation)} in {source_type.__qualname__}"
        for name, field in view.items()
        if name in source and not _reads(field.annotation, source[name].annotation)
    ]
    if not found and view and not view.keys() & source.keys():
        found = [f"{view_type.__qualname__} has no field in common with {source_type.__qualname__}"]
    return found


def _payload(sample: Any) -> dict[str, Any]:
    return DictSample.from_bytes(sample.packed).to_dict()


def _reads(wanted: Any, written: Any) -> bool:
    """Tell whether what is written for one annotation is read by another one (docs/types.md, "When a type changes")."""
    wanted, written = bare_type(wanted)[0], bare_type(written)[0]
    if wanted == written or (wanted is float and written is int):
        return True
    if typing.get_origin(wanted) is np.ndarray is typing.get_origin(written):
        return True  # an array is stored with the dtype that it has
    is_union = typing.get_origin(wanted) in (typing.Union, types.UnionType)
    return is_union and any(_reads(each, written) for each in typing.get_args(wanted))


def _shown(annotation: Any) -> str:
    bare = bare_type(annotation)[0]
    return bare.__qualname__ if isinstance(bare, type) else repr(bare)
