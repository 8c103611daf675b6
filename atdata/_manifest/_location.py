"""Where a sample's bytes are."""

import msgspec

from atdata._display import display_html

__all__ = ["SampleLocation"]


class SampleLocation(msgspec.Struct, frozen=True, order=True, gc=False, repr_omit_defaults=True):
    """One sample's place: which shard, which key, which bytes.

    Locations are immutable, hashable, ordered by shard, key and offset, and cross processes.

    Attributes:
        shard: The shard's path below the opened root, without ``.tar``.
        key: The sample's key, unique in its shard.
        offset: Where the sample's first tar header begins, in bytes from the start of the tar.
        size: Length of the sample's members in bytes, headers and padding included; None when not known.
        crc32: CRC-32 of those bytes; None when not known.

    Examples:
        >>> SampleLocation("images-000000", "000000-000007", offset=7168, size=1024)
        SampleLocation(shard='images-000000', key='000000-000007', offset=7168, size=1024)
    """

    shard: str
    key: str
    offset: int
    size: int | None = None
    crc32: int | None = None

    def _repr_html_(self) -> str:
        return display_html(self)
