"""A sample whose type nobody declared."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Self

import msgspec

from atdata._errors import DecodeError, SampleValueError

from ._checks import to_natives
from ._payload_plan import pack

__all__ = ["DictSample"]


class DictSample:
    """A sample as a mapping from field name to value: what a dataset gives when no type is named.

    Values are msgpack's own: None, bool, int, float, str, bytes, lists and dicts. An array is written as a typed
    sample writes it and comes back as ``bytes``, because nothing says that it was an array; read it through a type.

    Args:
        _data: The fields.
        **fields: More fields, by name.

    Raises:
        SampleValueError: A field's name is not text.

    Examples:
        >>> sample = DictSample(label="dog", confidence=0.9)
        >>> sample.label, sample["confidence"], "tags" in sample
        ('dog', 0.9, False)
        >>> DictSample.from_bytes(sample.packed) == sample
        True
    """

    __slots__ = ("_data",)

    def __init__(self, _data: Mapping[str, Any] | None = None, **fields: Any) -> None:
        data = {**(_data or {}), **fields}
        for name in data:
            if not isinstance(name, str):
                raise SampleValueError(f"a field's name is text, not {name!r}")
        self._data: dict[str, Any]
        object.__setattr__(self, "_data", data)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Make a sample from a mapping."""
        return cls(data)

    @classmethod
    def from_bytes(cls, bs: bytes | memoryview) -> Self:
        """Make a sample from msgpack.

        Raises:
            DecodeError: The bytes are no msgpack map with text keys.
        """
        try:
            return cls(msgspec.msgpack.decode(bs, type=dict[str, Any]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError) as error:
            raise DecodeError(f"the payload is no msgpack map from field names to values: {error}") from error

    @property
    def packed(self) -> bytes:
        """The sample as msgpack.

        Raises:
            SampleValueError: A value is not msgpack's; the error names the field.
        """
        return pack({name: _native(name, value) for name, value in self._data.items()})

    @property
    def as_wds(self) -> dict[str, Any]:
        """The sample as the ``webdataset`` library writes it: a key of its own and the payload."""
        return {"__key__": str(uuid.uuid4()), "msgpack": self.packed}

    def __getattr__(self, name: str) -> Any:
        if name != "_data" and name in self._data:
            return self._data[name]
        raise AttributeError(f"the sample has no field {name!r}; it has {list(self._data)}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a DictSample does not change: make a new one with {name}=")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a DictSample does not change: make a new one without {name}")

    def __getitem__(self, name: str) -> Any:
        return self._data[name]

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if isinstance(other, DictSample) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # holds lists and dicts

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._data,)

    def __repr__(self) -> str:
        return f"DictSample({', '.join(f'{name}={value!r}' for name, value in self._data.items())})"

    def keys(self) -> list[str]:
        """Return the names of the fields."""
        return list(self._data)

    def values(self) -> list[Any]:
        """Return the values."""
        return list(self._data.values())

    def items(self) -> list[tuple[str, Any]]:
        """Return the fields as pairs of name and value."""
        return list(self._data.items())

    def get(self, key: str, default: Any = None) -> Any:
        """Return a field's value, or the default where there is none."""
        return self._data.get(key, default)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the fields as a dict."""
        return dict(self._data)


def _native(name: str, value: Any) -> Any:
    try:
        native = to_natives(value, arrays=True)
        pack(native)
    except SampleValueError as error:
        raise error.within(name) from error.__cause__
    return native
