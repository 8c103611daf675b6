"""A sample type's encoder and decoder, compiled once from its fields."""

import struct
import threading
from typing import TYPE_CHECKING, Any

import msgpack
import msgspec
import numpy as np

from atdata._errors import DecodeError, SampleValueError

from ._array import array_parts
from ._checks import at_place, to_natives
from ._codec import codec_of
from ._record import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PayloadPlan", "pack", "plan_of"]

#: Where a class keeps its plan; looked up in the class itself, never in its bases.
_PLAN = "_atdata_plan_"
#: The longest bin that msgpack can hold, in bytes.
_MAX_BIN = (1 << 32) - 1


class _Packer(threading.local):
    # A packer has a buffer of its own and serves one thread.
    def __init__(self) -> None:
        self.pack: Callable[[Any], bytes] = msgpack.Packer(strict_types=True).pack


_packer = _Packer()


def pack(value: Any) -> bytes:
    """Return a checked value as msgpack.

    Raises:
        SampleValueError: It is too large or too deep, or its text is no Unicode.
    """
    try:
        return _packer.pack(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise SampleValueError(f"msgpack cannot hold the value: {error}") from error


class PayloadPlan:
    """How samples of one type become bytes and come back."""

    def __init__(self, sample_type: type) -> None:
        self._type = sample_type
        #: The type's fields together.
        self.record = record_of(sample_type, codec_of)
        codecs = self.record.codecs
        self._head = _map_header(len(codecs))
        self._writes = [(name, pack(name), codec.check, codec.is_array) for name, codec in codecs.items()]
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(self.record.struct)

    def encode(self, sample: Any) -> list[bytes | memoryview]:
        """Return a sample as msgpack, in parts that together are the payload; large arrays are not copied.

        Raises:
            SampleValueError: A value is not what its annotation says; the error names the field.
        """
        parts: list[bytes | memoryview] = []
        small: list[bytes] = [self._head]  # joined, because each part costs whoever takes it a step
        for name, packed_name, check, is_array in self._writes:
            value = getattr(sample, name)
            small.append(packed_name)
            try:
                if is_array and isinstance(value, np.ndarray):
                    header, data = _array_bin(value)
                    small.append(header)
                    if type(data) is bytes:
                        small.append(data)
                    else:
                        parts += (b"".join(small), data)
                        small = []
                else:
                    small.append(pack(check(value)))
            except SampleValueError as error:
                raise error.within(name) from error.__cause__
        parts.append(b"".join(small))
        return parts

    def natives(self, data: "Mapping[str, Any]") -> dict[str, Any]:
        """Return a mapping's values as msgpack holds them: a field's own values, or what its payload would hold.

        Raises:
            SampleValueError: A value is neither.
        """
        return {name: at_place(f"[{name!r}]", self._native, value, name=name) for name, value in data.items()}

    def _native(self, value: Any, *, name: str) -> Any:
        if (codec := self.record.codecs.get(name)) is not None:
            try:
                return codec.check(value)
            except SampleValueError:  # then it is the payload's form, or wrong, which decoding says best
                pass
        return to_natives(value, arrays=True)

    def decode(self, data: bytes | memoryview) -> Any:
        """Return the sample that a payload holds.

        Fields that the type does not have are passed over; those that the payload lacks take their default.

        Raises:
            DecodeError: The payload is no msgpack, or no sample of this type; the error names the field.
        """
        values = self.struct(data)
        try:
            return self.record.to_sample(values)
        except DecodeError as error:
            raise self.no_sample(error) from error

    def struct(self, data: bytes | memoryview) -> Any:
        """Return what msgspec makes of a payload: its values by field, arrays as views of the payload.

        Raises:
            DecodeError: The payload is no msgpack, or has no such fields.
        """
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError) as error:
            raise self.no_sample(error) from error

    def no_sample(self, error: Exception) -> DecodeError:
        """Say of which type a payload is no sample."""
        return DecodeError(f"the payload is no {self._type.__qualname__}: {error}")


def plan_of(sample_type: type) -> PayloadPlan:
    """Return a type's plan; it is compiled on first use.

    Raises:
        SchemaError: The type is no dataclass, or has a field that cannot be stored.
    """
    plan: PayloadPlan | None = vars(sample_type).get(_PLAN)
    if plan is None:
        plan = PayloadPlan(sample_type)
        setattr(sample_type, _PLAN, plan)
    return plan


def _map_header(count: int) -> bytes:
    packed: bytes = msgpack.Packer().pack_map_header(count)
    return packed


def _array_bin(array: np.ndarray[Any, Any]) -> tuple[bytes, bytes | memoryview]:
    header, data = array_parts(array)
    length = len(header) + len(data)
    if length > _MAX_BIN:
        raise SampleValueError(f"an array of {length} bytes is longer than msgpack can hold ({_MAX_BIN})")
    if length < 1 << 8:
        return struct.pack(">BB", 0xC4, length) + header, data
    if length < 1 << 16:
        return struct.pack(">BH", 0xC5, length) + header, data
    return struct.pack(">BI", 0xC6, length) + header, data
