"""The names of a shard's files, which of a folder's files belong together, and sample locations."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from atdata._display import display_html
from atdata._storage import Stamp
from atdata._tar import shard_id_of, tar_name

__all__ = [
    "HEADER_SUFFIX",
    "INDEX_FOLDER",
    "TABLE_SUFFIX",
    "Listing",
    "SampleLocation",
    "Sidecars",
    "carries_stem",
    "read_listing",
    "replacing_table",
    "shard_order",
]

HEADER_SUFFIX, TABLE_SUFFIX = ".manifest.json", ".manifest.parquet"
#: The folder of the index beside the manifests.
INDEX_FOLDER = "_manifest_index"
#: A number in a shard's id.
_NUMBER = re.compile(r"([0-9]{1,18})")
#: A table that replaced another one: ``<stem>.<first 8 of its SHA-256>``.
_DIGITS = 8
_DIGITS_ALIKE = str.maketrans("123456789", "000000000")
_REPLACED = re.compile(rf"(.+)\.[0-9a-f]{{{_DIGITS}}}")


class Sidecars(msgspec.Struct, frozen=True, gc=False):
    """One committed shard's manifest files, by name below the root."""

    shard_id: str
    header: str
    #: The sample tables that carry the shard's stem: one, but while a table is being replaced or after a crash.
    tables: tuple[str, ...]
    #: What tells whether the header is still the one that was listed; None where that was not asked.
    stamp: Stamp | None = None

    @property
    def tar(self) -> str:
        """The shard's own file."""
        return tar_name(self.shard_id)

    def with_tables(self, tables: Iterable[str]) -> "Sidecars":
        """Return the same shard with other tables, once each; its header is another one by then, of unknown stamp."""
        return Sidecars(self.shard_id, self.header, tuple(dict.fromkeys(tables)))


class Listing(NamedTuple):
    """What a folder's names say."""

    #: The shards that have a header, in shard order.
    committed: tuple[Sidecars, ...]
    #: The ids of tars without a header, in shard order.
    uncommitted: tuple[str, ...]


def replacing_table(shard_id: str, sha256: str) -> str:
    """Return the name of a sample table that takes another one's place."""
    return f"{shard_id}.{sha256[:_DIGITS]}{TABLE_SUFFIX}"


def carries_stem(table: str, shard_id: str) -> bool:
    """Return whether a sample table is called as those of a shard are."""
    match = _REPLACED.fullmatch(table.removesuffix(TABLE_SUFFIX))
    return table == shard_id + TABLE_SUFFIX or (match is not None and match[1] == shard_id)


def read_listing(names: Iterable[str], stamps: Mapping[str, Stamp] | None = None) -> Listing:
    """Sort a folder's file names into shards; names that begin with a dot are ignored.

    Args:
        names: The names.
        stamps: Those of the headers, by name; None where they are not known.
    """
    headers, tables, tars = _sorted_out(names)
    ordered = _in_order(headers)
    of_shard: dict[str, tuple[str, ...]] = dict.fromkeys(headers, ())
    for name in tables:
        owner = _owner(name[: -len(TABLE_SUFFIX)], headers)
        if owner is not None:
            of_shard[owner] = (*of_shard[owner], name) if of_shard[owner] else (name,)
    stamp_of = (stamps or {}).get
    committed = [Sidecars(stem, headers[stem], of_shard[stem], stamp_of(headers[stem])) for stem in ordered]
    return Listing(tuple(committed), tuple(sorted(tars - headers.keys(), key=shard_order)))


def _sorted_out(names: Iterable[str]) -> tuple[dict[str, str], list[str], set[str]]:
    """Return the headers by shard, the tables, and the ids of the tars."""
    headers: dict[str, str] = {}
    tables: list[str] = []
    tars: set[str] = set()
    for name in names:
        if ("/." in name or name.startswith(".")) and name.rpartition("/")[2].startswith("."):
            continue  # unfinished files, and those that macOS puts beside copies
        if name.endswith(TABLE_SUFFIX):
            tables.append(name)
        elif name.endswith(HEADER_SUFFIX):
            headers[name[: -len(HEADER_SUFFIX)]] = name
        elif shard_id := shard_id_of(name):
            tars.add(shard_id)
    return headers, sorted(tables), tars


def _in_order(shard_ids: Iterable[str]) -> list[str]:
    ordered = sorted(shard_ids)
    # Where numbers stand in the same places, with as many digits, text has their order.
    alike = len({each.translate(_DIGITS_ALIKE) for each in ordered}) == 1
    return ordered if alike else sorted(ordered, key=shard_order)


def shard_order(shard_id: str) -> tuple[list[str | int], str]:
    """Sort shards by number where there is one, as they are written: ``s-9`` before ``s-10``."""
    parts: list[str | int] = list(_NUMBER.split(shard_id))
    parts[1::2] = map(int, parts[1::2])
    return parts, shard_id


def _owner(stem: str, headers: Mapping[str, str]) -> str | None:
    if stem in headers:
        return stem
    match = _REPLACED.fullmatch(stem)
    return match[1] if match and match[1] in headers else None


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
