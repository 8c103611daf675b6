"""Which lens leads from one sample type to another."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeAlias, TypeVar, cast

from atdata._errors import LensNotFoundError, SchemaError, listed, near_misses
from atdata._sample import DictSample, fields_of, is_sample_type

from ._lens import DecoratedLens, Lens, StructuralLens, identity, misfits, names_around

__all__ = ["LensNetwork", "lens", "view_of"]

S = TypeVar("S")
V = TypeVar("V")

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
