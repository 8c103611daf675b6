"""A sample type's fields together: as a msgpack map, and as a sample again; also as a field of another type."""

import inspect
import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from atdata._errors import DecodeError, SampleValueError, SchemaError

from ._checks import Codec
from ._fields import Field, fields_of

__all__ = ["ABSENT", "Record", "nested_codec", "record_of"]

#: Where a class keeps its record; looked up in the class itself, never in its bases.
_RECORD = "_atdata_record_"
#: Stands for a field that the payload does not have.
ABSENT: Any = object()

CodecOf = Callable[[Any], Codec]


class _InProgress(threading.local):
    # Which types' records are being made, outermost first: one that comes again holds itself.
    def __init__(self) -> None:
        self.types: list[type] = []


_in_progress = _InProgress()


class Record:
    """How samples of one type become maps, and msgspec's structs become samples."""

    def __init__(self, sample_type: type, codec_of: CodecOf) -> None:
        self._type = sample_type
        fields = fields_of(sample_type)
        self.codecs = {field.name: _field_codec(sample_type, field, codec_of) for field in fields}
        self._reads = [(name, codec.read) for name, codec in self.codecs.items() if codec.read]
        #: The fields that a payload may lack.
        self.defaults = [field for field in fields if not field.required]
        wires: list[Any] = [
            (field.name, wire) if field.required else (field.name, wire, ABSENT)
            for field, wire in zip(fields, (codec.wire for codec in self.codecs.values()), strict=True)
        ]
        #: What msgspec makes of a payload.
        self.struct = msgspec.defstruct(sample_type.__name__, wires, gc=False, kw_only=True)
        self._plain = "__dict__" in dir(sample_type) and not _slots(sample_type)
        self._finish = getattr(sample_type, "__post_init__", None)
        #: Whether a sample's attributes are the payload's values and nothing else.
        self.is_plain = self._finish is None and _has_plain_attributes(sample_type, self.codecs)

    def to_map(self, sample: Any) -> dict[str, Any]:
        """Return a sample as msgpack holds it.

        Raises:
            SampleValueError: It is of another type, or a value is not what its annotation says.
        """
        if type(sample) is not self._type:
            raise SampleValueError.wrong_type(sample, f"a {self._type.__qualname__}")
        values = {}
        for name, codec in self.codecs.items():
            try:
                values[name] = codec.check(getattr(sample, name))
            except SampleValueError as error:
                raise error.within(name) from error.__cause__
        return values

    def to_sample(self, struct: Any) -> Any:
        """Return the sample that msgspec read; what the payload lacks takes its default.

        Raises:
            DecodeError: A value is not what its annotation says; the error names the field.
        """
        values = msgspec.structs.asdict(struct)
        for name, read in self._reads:
            if (value := values[name]) is not ABSENT:
                try:
                    values[name] = read(value)
                except DecodeError as error:
                    raise error.within(name) from error.__cause__
        for field in self.defaults:
            if values[field.name] is ABSENT:
                values[field.name] = field.make_default()
        return self.make(values)

    def make(self, values: dict[str, Any]) -> Any:
        """Return the sample with these values, by field."""
        sample: Any = object.__new__(self._type)
        if self._plain:
            object.__setattr__(sample, "__dict__", values)  # also where the class is frozen
        else:
            for name, value in values.items():
                object.__setattr__(sample, name, value)
        if self._finish is not None:
            self._finish(sample)
        return sample


def record_of(sample_type: type, codec_of: CodecOf) -> Record:
    """Return a type's record; it is made on first use.

    Args:
        sample_type: A dataclass.
        codec_of: What gives the codecs of its fields.

    Raises:
        SchemaError: The type is no dataclass, holds itself, or has a field that cannot be stored.
    """
    record: Record | None = vars(sample_type).get(_RECORD) if isinstance(sample_type, type) else None
    if record is not None:
        return record
    around = _in_progress.types
    if sample_type in around:
        path = " holds ".join(each.__qualname__ for each in [*around[around.index(sample_type) :], sample_type])
        raise SchemaError(
            f"{path}: a type that holds itself cannot be stored; keep the parts in a list of their own, "
            "and refer to them by number"
        )
    around.append(sample_type)
    try:
        record = Record(sample_type, codec_of)
    finally:
        around.pop()
    setattr(sample_type, _RECORD, record)
    return record


def nested_codec(sample_type: type, codec_of: CodecOf) -> Codec:
    """Return the codec of a field that holds samples of another type: a map.

    Raises:
        SchemaError: As for :func:`record_of`.
    """
    record = record_of(sample_type, codec_of)
    return Codec(record.struct, record.to_map, record.to_sample)


def _field_codec(sample_type: type, field: Field, codec_of: CodecOf) -> Codec:
    try:
        return codec_of(field.annotation)
    except SchemaError as error:
        # The cause stays: a name that is defined further down makes the type usable later.
        raise SchemaError(f"{sample_type.__qualname__}.{field.name}: {error}") from error.__cause__


def _has_plain_attributes(sample_type: type, names: Iterable[str]) -> bool:
    """Tell whether a type leaves it to Python how an instance's fields are looked up."""
    own = (inspect.getattr_static(sample_type, name, None) for name in names)
    custom = any(hasattr(each, "__set__") and not inspect.ismemberdescriptor(each) for each in own)
    looks_up = inspect.getattr_static(sample_type, "__getattribute__")
    return looks_up is object.__getattribute__ and not custom


def _slots(sample_type: type) -> bool:
    return any("__slots__" in vars(base) and vars(base)["__slots__"] for base in sample_type.__mro__)
