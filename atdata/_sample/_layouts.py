"""Layouts: how a sample lies in the members of a tar."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

from atdata._errors import DecodeError

from ._batch import Gatherer, gatherer_of
from ._dict import DictSample
from ._payload_plan import plan_of

__all__ = ["LAYOUTS", "LONGEST_EXTENSION", "MSGPACK", "EncodedMembers", "Layout", "layout_of"]

#: The extension of the one member that holds a typed sample.
MSGPACK: Final = "msgpack"

#: A sample to be written: each member's extension, and its payload in parts.
EncodedMembers: TypeAlias = Sequence[tuple[str, Sequence[bytes | memoryview]]]
#: A sample that was read: each member's extension, and its payload.
StoredMembers: TypeAlias = Sequence[tuple[str, memoryview]]


class Layout(Protocol):
    """How samples become members, and members samples.

    Attributes:
        suffix: What follows the key in the name of the one member that a sample has.
    """

    suffix: str

    def encode(self, sample: Any) -> EncodedMembers:
        """Return a sample's members.

        Raises:
            SampleValueError: A value cannot be written; the error names the field.
        """

    def payload(self, members: StoredMembers) -> memoryview:
        """Return the payload that a sample is decoded from.

        Raises:
            DecodeError: The members are not those of this layout.
        """

    def decoder_of(self, sample_type: type) -> Callable[[bytes | memoryview], Any]:
        """Return what makes samples of a type from their payloads; nothing that it makes keeps the payload's memory.

        Raises:
            SchemaError: The type has a field that cannot be stored.
        """

    def gatherer_of(self, sample_type: type, batch_size: int) -> Gatherer:
        """Return what makes batches of samples of a type from their payloads."""


class MsgpackLayout:
    """One member that holds a msgpack map from field name to value."""

    suffix = f".{MSGPACK}"

    def encode(self, sample: Any) -> EncodedMembers:
        """Return the one member."""
        parts = [sample.packed] if isinstance(sample, DictSample) else plan_of(type(sample)).encode(sample)
        return ((MSGPACK, parts),)

    def payload(self, members: StoredMembers) -> memoryview:
        """Return what the one member holds."""
        if len(members) == 1 and members[0][0] == MSGPACK:
            return members[0][1]
        held = ", ".join(extension or "a file without an extension" for extension, _ in members)
        raise DecodeError(f"holds {held}; expected one .{MSGPACK} member, as write_samples writes")

    def decoder_of(self, sample_type: type) -> Callable[[bytes | memoryview], Any]:
        """Return what decodes the map."""
        decode: Callable[[bytes | memoryview], Any] = (
            sample_type.from_bytes if issubclass(sample_type, DictSample) else plan_of(sample_type).decode
        )
        return decode

    def gatherer_of(self, sample_type: type, batch_size: int) -> Gatherer:
        """Return what gathers the maps."""
        return gatherer_of(sample_type, batch_size)


#: The layouts that there are, by name.
LAYOUTS: dict[str, Layout] = {"msgpack": MsgpackLayout()}
#: The longest extension that a layout gives a member: keys leave room for it.
LONGEST_EXTENSION = max((layout.suffix for layout in LAYOUTS.values()), key=len).removeprefix(".")


def layout_of(sample_type: type) -> Layout:
    """Return the layout in which samples of a type are written and read."""
    del sample_type  # there is one
    return LAYOUTS["msgpack"]
