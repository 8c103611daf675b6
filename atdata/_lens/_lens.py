"""Lenses: a sample of one type seen as another, and what was changed in the view put back."""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np

from atdata._errors import SchemaError, near_misses
from atdata._sample import DictSample, bare_type, fields_of, resolving

__all__ = ["DecoratedLens", "DerivedLens", "Lens", "StructuralLens", "identity", "misfits", "names_around"]

S = TypeVar("S")  # the source
V = TypeVar("V")  # the view
W = TypeVar("W")  # a view of the view, or what the source is a view of
T = TypeVar("T")


class Lens(Generic[S, V]):
    """A view of samples: ``get`` makes the view of a sample, ``put`` gives the sample in which a view was changed.

    A lens is well behaved when three laws hold; whoever writes ``put`` sees to them:

    - get-put: ``put(get(s), s) == s``, what was not changed changes nothing;
    - put-get: ``get(put(v, s)) == v``, what was put is what is got;
    - put-put: ``put(v, put(w, s)) == put(v, s)``, the last one counts.

    A lens without a putter puts nothing: ``put(v, s)`` is ``s``, so that put-get fails and the other two hold.

    ``a | b`` is first ``a``, then ``b``; ``b @ a`` is the same.

    Args:
        get: A function of one sample, its parameter and its result annotated with their types.
        put: A function of a view and the source, in this order, that returns a source.

    Attributes:
        source_type: The type of the samples.
        view_type: The type that they are seen as.

    Raises:
        SchemaError: The functions do not say their types, or not the same ones.

    Examples:
        >>> import atdata
        >>> @atdata.packable
        ... class Photo:
        ...     label: str
        ...     width: int
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> @atdata.lens
        ... def photo_to_caption(photo: Photo) -> Caption:
        ...     return Caption(photo.label)
        >>> @photo_to_caption.putter
        ... def caption_into_photo(caption: Caption, photo: Photo) -> Photo:
        ...     return Photo(caption.text, photo.width)
        >>> photo_to_caption(Photo("dog", 640))
        Caption(text='dog')
        >>> photo_to_caption.put(Caption("wolf"), Photo("dog", 640))
        Photo(label='wolf', width=640)
    """

    source_type: type[S]
    view_type: type[V]

    def __init__(self, get: Callable[[S], V], put: Callable[[V, S], S] | None = None) -> None:
        self.source_type, self.view_type = _types_of(get, names_around(inspect.currentframe()))
        self._get = get
        self._put: Callable[[V, S], S] | None = None
        if put is not None:
            self.putter(put)

    def __call__(self, source: S) -> V:
        return self.get(source)

    def get(self, source: S) -> V:
        """Return the view of a sample."""
        return self._get(source)

    def put(self, view: V, source: S) -> S:
        """Return the sample whose view is ``view``, otherwise like ``source``; without a putter, ``source`` itself."""
        return source if self._put is None else self._put(view, source)

    def putter(self, put: Callable[[V, S], S]) -> Callable[[V, S], S]:
        """Decorate the function that puts a view back, ``(view, source) -> source``; it stays a function.

        Raises:
            SchemaError: It takes no two values, or its annotations name other types than the lens has.
        """
        _check_putter(put, self, names_around(inspect.currentframe()))
        self._put = put
        return put

    def __or__(self, then: "Lens[V, W]") -> "Lens[S, W]":
        return Composed(self, then) if isinstance(then, Lens) else NotImplemented

    def __matmul__(self, first: "Lens[W, S]") -> "Lens[W, V]":
        return Composed(first, self) if isinstance(first, Lens) else NotImplemented

    def __repr__(self) -> str:
        return f"Lens({self.source_type.__qualname__} -> {self.view_type.__qualname__})"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return Lens, (self._get, self._put)


class DecoratedLens(Lens[S, V]):
    """The lens that a decorated function becomes: it has the function's name, module and documentation."""

    def __init__(self, get: Callable[[S], V], names: Mapping[str, Any] | None) -> None:
        self.source_type, self.view_type = _types_of(get, names)
        self._get, self._put = get, None
        functools.update_wrapper(self, get)

    def __reduce__(self) -> str:
        name: str = self._get.__qualname__  # the lens has taken the function's name
        return name


class DerivedLens(Lens[S, V]):
    """A lens whose putter follows from what it is made of."""

    def __init__(self, source_type: type[S], view_type: type[V]) -> None:
        self.source_type, self.view_type = source_type, view_type

    def __eq__(self, other: object) -> bool:
        return self.__reduce__() == other.__reduce__() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.__reduce__())

    def putter(self, put: Callable[[V, S], S]) -> NoReturn:  # noqa: ARG002 -- as in Lens
        """Raise: its ``put`` is there already.

        Raises:
            SchemaError: Always.
        """
        raise SchemaError(
            f"{self!r} puts by what it is made of; decorate a function with @atdata.lens to put otherwise"
        )


class Identity(DerivedLens[T, T]):
    """The lens that shows samples as they are."""

    def __init__(self, sample_type: type[T]) -> None:
        super().__init__(sample_type, sample_type)

    def get(self, source: T) -> T:
        """Return the sample."""
        return source

    def put(self, view: T, source: T) -> T:  # noqa: ARG002 -- as in Lens
        """Return what is put."""
        return view

    def __reduce__(self) -> tuple[Any, ...]:
        return Identity, (self.source_type,)


class Composed(DerivedLens[S, W]):
    """A lens, then another one on what the first one shows.

    Raises:
        SchemaError: The second one does not take what the first one shows.
    """

    def __init__(self, first: Lens[S, V], then: Lens[V, W]) -> None:
        if first.view_type is not then.source_type:
            raise SchemaError(
                f"{first!r} and {then!r} do not go together: the first one shows {first.view_type.__qualname__}, and "
                f"the second one looks at {then.source_type.__qualname__}"
            )
        super().__init__(first.source_type, then.view_type)
        self._parts: tuple[Lens[Any, Any], Lens[Any, Any]] = first, then

    def get(self, source: S) -> W:
        """Return the view of the view."""
        first, then = self._parts
        seen: W = then.get(first.get(source))
        return seen

    def put(self, view: W, source: S) -> S:
        """Put the view into the view between, and that into the source."""
        first, then = self._parts
        made: S = first.put(then.put(view, first.get(source)), source)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Composed, self._parts


def identity(sample_type: type[T]) -> Lens[T, T]:
    """Return the lens that shows samples of a type as they are.

    Examples:
        >>> identity(str)("as it is")
        'as it is'
    """
    return Identity(sample_type)


def names_around(frame: FrameType | None) -> Mapping[str, Any] | None:
    """Return the names local to where a caller's caller is: types may be defined in a function."""
    caller = frame.f_back if frame else None
    return None if caller is None or caller.f_locals is caller.f_globals else caller.f_locals


def _types_of(get: Callable[[S], V], names: Mapping[str, Any] | None) -> tuple[type[S], type[V]]:
    (source_type,), view_type = _annotated(get, 1, names, "def photo_to_thumb(photo: Photo) -> Thumb")
    for each in (source_type, view_type):
        if not isinstance(each, type) or each is inspect.Signature.empty:
            raise SchemaError(
                f"a lens leads from one type to another: annotate {_name(get)} with both, as in "
                f"def photo_to_thumb(photo: Photo) -> Thumb; found {_shown(each)}"
            )
    return source_type, view_type


def _check_putter(put: Callable[..., Any], lens: Lens[Any, Any], names: Mapping[str, Any] | None) -> None:
    taken, returned = _annotated(put, 2, names, "def put_thumb(thumb: Thumb, photo: Photo) -> Photo")
    expected = (lens.view_type, lens.source_type, lens.source_type)
    for what, found, wanted in zip(("first", "second", "returns"), (*taken, returned), expected, strict=True):
        if found not in (inspect.Signature.empty, wanted):
            place = "returns" if what == "returns" else f"takes as its {what} value"
            raise SchemaError(
                f"a putter of {lens!r} takes a {_shown(expected[0])} and a {_shown(expected[1])}, and returns a "
                f"{_shown(expected[1])}; what {_name(put)} {place} is {_shown(found)}"
            )


def _annotated(
    function: Callable[..., Any], count: int, names: Mapping[str, Any] | None, example: str
) -> tuple[list[Any], Any]:
    """Return the annotations of a function's first parameters, which are all that it needs, and of its result."""
    if not callable(function):
        raise SchemaError(f"expected a function, such as {example}; found {_shown(function)}")
    with resolving(_name(function)):
        signature = inspect.signature(function, locals=names, eval_str=True)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    given = [each for each in signature.parameters.values() if each.kind in kinds][:count]
    needed = [
        each
        for each in signature.parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if len(given) < count or not set(needed) <= set(given):
        raise SchemaError(f"expected a function such as {example}; {_name(function)} takes {signature}")
    return [each.annotation for each in given], signature.return_annotation


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _shown(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return "no annotation"
    return annotation.__qualname__ if isinstance(annotation, type) else repr(annotation)


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
        f"{view_type.__qualname__}.{name}: {_type_name(field.annotation)} in {view_type.__qualname__}, "
        f"{_type_name(source[name].annotation)} in {source_type.__qualname__}"
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


def _type_name(annotation: Any) -> str:
    bare = bare_type(annotation)[0]
    return bare.__qualname__ if isinstance(bare, type) else repr(bare)
