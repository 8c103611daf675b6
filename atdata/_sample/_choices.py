"""Fields whose values are few and known: ``Enum`` and ``Literal``."""

import enum
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from atdata._errors import DecodeError, SampleValueError, SchemaError, listed, near_misses

from ._checks import Codec, check_bool, check_int, check_str, name_of

__all__ = ["enum_codec", "literal_codec", "literal_values"]

#: The integers that msgspec's literals, and a column, hold.
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1


def enum_codec(kind: type[enum.Enum]) -> Codec:
    """Return the codec of an enum: its members' values where all of them are text, else their names.

    Raises:
        SchemaError: It is a Flag, whose combinations have no name, or has no members.
    """
    if issubclass(kind, enum.Flag):
        raise SchemaError(f"{name_of(kind)} is a Flag, whose combinations have no names of their own; store its int")
    if not len(kind):
        raise SchemaError(f"the enum {name_of(kind)} has no members")
    if all(isinstance(member.value, str) for member in kind):
        texts: dict[Any, enum.Enum] = {str.__str__(member.value): member for member in kind}
        written = {member: str.__str__(member.value) for member in kind}
        return Codec(str, _member_writer(kind, written), _member_reader(kind, texts))
    names: dict[Any, enum.Enum] = dict(kind.__members__)  # aliases too, so that a member can be renamed
    numbers = {member.value: member for member in kind if type(member.value) is int}
    written = {member: member.name for member in kind}
    return Codec(str | int, _member_writer(kind, written), _member_reader(kind, names | numbers))


def _member_writer(kind: type[enum.Enum], written: Mapping[enum.Enum, str]) -> Callable[[Any], str]:
    by_name = {member.name: text for member, text in written.items()}

    def check(value: Any) -> str:
        if type(value) is not kind:
            hint = f"{kind.__name__}({value!r:.40}) makes one" if isinstance(value, str | int) else ""
            raise SampleValueError.wrong_type(value, f"a {kind.__name__}", hint)
        return by_name[value.name]

    return check


def _member_reader(kind: type[enum.Enum], members: Mapping[Any, enum.Enum]) -> Callable[[Any], enum.Enum]:
    def read(value: Any) -> enum.Enum:
        try:
            return members[value]
        except KeyError:
            texts = [text for text in members if isinstance(text, str)]
            near = near_misses(value, texts) if isinstance(value, str) else ""
            raise DecodeError(f"{kind.__name__} has no {value!r}{near}; it has {listed(texts)}") from None

    return read


def literal_values(values: tuple[Any, ...]) -> tuple[str | int | bool | None, ...]:
    """Return a literal's values.

    Raises:
        SchemaError: One of them is no text, integer, boolean or None.
    """
    for value in values:
        if type(value) not in (str, int, bool, type(None)):
            raise SchemaError(f"a Literal's values are text, integers, booleans and None, not {value!r}")
        if type(value) is int and not _INT_MIN <= value <= _INT_MAX:
            raise SchemaError(f"a Literal's integers lie between -2**63 and 2**63-1, not {value}")
    return values


def literal_codec(values: tuple[Any, ...]) -> Codec:
    """Return the codec of a literal: its values themselves, and True is no 1.

    Raises:
        SchemaError: One of them is no text, integer, boolean or None.
    """
    allowed = {(type(value), value): value for value in literal_values(values)}
    wire: Any = type(values[0])
    for value in values[1:]:
        wire = wire | type(value)
    names = ", ".join(map(repr, values))

    def check(value: Any) -> Any:
        native = _native(value)
        if (type(native), native) not in allowed:
            texts = [each for each in values if isinstance(each, str)]
            near = near_misses(native, texts) if isinstance(native, str) else ""
            raise SampleValueError.wrong_type(value, f"one of {names}", near.strip(" ()"))
        return native

    def read(value: Any) -> Any:
        if (type(value), value) not in allowed:
            raise DecodeError(f"expected one of {names}, found {value!r:.60}")
        return value

    return Codec(wire, check, read)


def _native(value: Any) -> Any:
    if isinstance(value, str):
        return check_str(value)
    if isinstance(value, bool | np.bool_):
        return check_bool(value)
    is_int = isinstance(value, int | np.integer) and not isinstance(value, np.timedelta64)
    return check_int(value) if is_int else None if value is None else _Other


class _Other:
    """Stands for what no literal holds."""
