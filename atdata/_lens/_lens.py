"""Lenses: a sample of one type seen as another, changes put back, and the network of known lenses."""

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, ClassVar, Generic, NoReturn, Self, TypeAlias, TypeVar, cast

import numpy as np

from atdata._errors import LensNotFoundError, SchemaError, listed, near_misses
from atdata._sample import DictSample, bare_type, fields_of, is_sample_type, resolving

__all__ = [
    "DecoratedLens",
    "DerivedLens",
    "Lens",
    "LensNetwork",
    "StructuralLens",
    "identity",
    "lens",
    "misfits",
    "names_around",
    "view_of",
]

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


_Lenses: TypeAlias = Mapping[tuple[type, type], Lens[Any, Any]]


class LensNetwork:
    """The lenses that there are. There is one network: ``LensNetwork()`` is always the same.

    ``@atdata.lens`` registers what it decorates. Every packable type has a lens from :class:`DictSample` without
    being registered.

    Examples:
        >>> import atdata
        >>> @atdata.packable
        ... class Photo:
        ...     label: str
        >>> LensNetwork().transform(atdata.DictSample, Photo)(atdata.DictSample(label="dog"))
        Photo(label='dog')
    """

    _only: ClassVar[Self | None] = None

    def __new__(cls) -> Self:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    @functools.cached_property
    def _lenses(self) -> dict[tuple[type, type], Lens[Any, Any]]:
        return {}

    def register(self, lens: Lens[S, V]) -> None:
        """Make a lens the one that leads from its source type to its view type, in place of the one before.

        Raises:
            SchemaError: It is no lens.
        """
        if not isinstance(lens, Lens):
            raise SchemaError(f"expected a Lens, as @atdata.lens makes of a function; found {type(lens).__name__}")
        self._lenses[lens.source_type, lens.view_type] = lens

    def transform(self, source: type[S], view: type[V]) -> Lens[S, V]:
        """Return the lens that leads from one type to another.

        Lenses are not joined on the way: register ``a | b`` where both together are meant.

        Raises:
            LensNotFoundError: None was registered; the error shows what to write.
        """
        if (found := self._find(source, view)) is not None:
            return found
        raise LensNotFoundError(_what_to_write(source, view, self._lenses))

    def _find(self, source: type[S], view: type[V]) -> Lens[S, V] | None:
        registered = self._lenses.get((source, view))
        if registered is None and source is DictSample and is_sample_type(view):
            return StructuralLens(source, view)
        return registered

    def __repr__(self) -> str:
        return f"LensNetwork({len(self._lenses)} lenses)"


def lens(f: Callable[[S], V]) -> Lens[S, V]:
    """Decorate a function that shows a sample as another type: it becomes a :class:`Lens` and is registered.

    A second lens between the same types takes the place of the first.

    Args:
        f: A function of one sample, its parameter and its result annotated with their types.

    Raises:
        SchemaError: The function does not say its types.

    Examples:
        >>> import atdata
        >>> @atdata.packable
        ... class Celsius:
        ...     degrees: float
        >>> @atdata.packable
        ... class Kelvin:
        ...     kelvin: float
        >>> @atdata.lens
        ... def celsius_to_kelvin(sample: Celsius) -> Kelvin:
        ...     return Kelvin(sample.degrees + 273.15)
        >>> celsius_to_kelvin(Celsius(20.0))
        Kelvin(kelvin=293.15)
        >>> LensNetwork().transform(Celsius, Kelvin) is celsius_to_kelvin
        True
    """
    made = DecoratedLens(f, names_around(inspect.currentframe()))
    LensNetwork().register(made)
    return made


def view_of(source: type[S], view: type[V]) -> Lens[S, V]:
    """Return how samples of one type are seen as another.

    That is, in this order: as they are, by the lens that was registered, or by their fields where the view's fields
    are all in the source or have defaults. By their fields is a :class:`StructuralLens`: payloads of the source can be
    decoded as the view at once.

    Raises:
        LensNotFoundError: None of these; the error says why, and what to write.
        SchemaError: One of them is no sample type.
    """
    for each in (source, view):
        if not is_sample_type(each):
            shown = each.__qualname__ if isinstance(each, type) else repr(each)
            raise SchemaError(f"{shown} is no sample type; decorate the class with @atdata.packable")
    if source is view:
        return cast("Lens[S, V]", identity(source))
    network = LensNetwork()
    if (found := network._find(source, view)) is not None:  # noqa: SLF001 -- its own module
        return found
    if not (reasons := misfits(source, view)):
        return StructuralLens(source, view)
    raise LensNotFoundError(_what_to_write(source, view, network._lenses, reasons))  # noqa: SLF001 -- as above


def _what_to_write(source: type, view: type, lenses: _Lenses, reasons: list[str] | None = None) -> str:
    name, seen = source.__qualname__, view.__qualname__
    fields = [f"{field.name}=..." for field in fields_of(view) if field.required] if _has_fields(view) else []
    why = f", and its fields are not all there ({'; '.join(reasons)})" if reasons else ""
    lines = [
        f"no lens leads from {name} to {seen}{why}; write one:",
        "",
        "    @atdata.lens",
        f"    def {_snake(source)}_to_{_snake(view)}(sample: {source.__name__}) -> {view.__name__}:",
        f"        return {view.__name__}({', '.join(fields)})",
        "",
        *_what_there_is(source, view, lenses),
    ]
    return "\n".join(lines).rstrip()


def _what_there_is(source: type, view: type, lenses: _Lenses) -> Iterator[str]:
    name, seen = source.__qualname__, view.__qualname__
    from_it = {each.view_type.__qualname__: each for (start, _), each in lenses.items() if start is source}
    if from_it:
        yield f"Lenses from {name} lead to {listed(from_it)}{near_misses(seen, from_it)}."
    for middle in from_it.values():
        if (then := lenses.get((middle.view_type, view))) is not None:
            joined = f"{_called(middle)} | {_called(then)}"
            yield f"There is a way over {middle.view_type.__qualname__}: atdata.LensNetwork().register({joined})"
    if any(_named(*pair) == _named(source, view) for pair in lenses):
        yield f"A lens leads from an earlier {name} to an earlier {seen}: define it again too, as the types were."


def _has_fields(view: type) -> bool:
    return is_sample_type(view) and not issubclass(view, DictSample)


def _called(lens: Lens[Any, Any]) -> str:
    return getattr(lens, "__name__", None) or repr(lens)


def _named(*types: type) -> list[tuple[str, str]]:
    return [(each.__module__, each.__qualname__) for each in types]


def _snake(kind: type) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
