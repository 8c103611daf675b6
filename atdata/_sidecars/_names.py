"""The names of sidecars, and which of a folder's files belong together (docs/format.md, "Names")."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from atdata._shard import shard_id_of
from atdata._store import is_leftover

__all__ = ["HEADER_SUFFIX", "TABLE_SUFFIX", "Listing", "Sidecars", "read_listing", "replacing_table", "shard_order"]

HEADER_SUFFIX, TABLE_SUFFIX = ".manifest.json", ".manifest.parquet"
#: A number in a shard's id.
_NUMBER = re.compile(r"([0-9]{1,18})")
#: A table that replaced another one: ``<stem>.<first 8 of its SHA-256>``.
_DIGITS = 8
_REPLACED = re.compile(rf"(.+)\.[0-9a-f]{{{_DIGITS}}}")


class Sidecars(NamedTuple):
    """One committed shard's manifest files, by name below the root."""

    shard_id: str
    header: str
    #: The sample tables that carry the shard's stem: one, but while a table is being replaced or after a crash.
    tables: tuple[str, ...]

    @property
    def tar(self) -> str:
        """The shard's own file."""
        return f"{self.shard_id}.tar"


class Listing(NamedTuple):
    """What a folder's names say."""

    #: The shards that have a header, in shard order.
    committed: tuple[Sidecars, ...]
    #: The ids of tars without a header, in shard order.
    uncommitted: tuple[str, ...]


def replacing_table(shard_id: str, sha256: str) -> str:
    """Return the name of a sample table that takes another one's place."""
    return f"{shard_id}.{sha256[:_DIGITS]}{TABLE_SUFFIX}"


def read_listing(names: Iterable[str]) -> Listing:
    """Sort a folder's file names into shards."""
    names = [name for name in names if not is_leftover(name)]
    headers = {name.removesuffix(HEADER_SUFFIX): name for name in names if name.endswith(HEADER_SUFFIX)}
    tables: dict[str, list[str]] = {}
    for name in names:
        if name.endswith(TABLE_SUFFIX) and (owner := _owner(name.removesuffix(TABLE_SUFFIX), headers)):
            tables.setdefault(owner, []).append(name)
    ordered = sorted(headers, key=shard_order)
    committed = tuple(Sidecars(stem, headers[stem], tuple(tables.get(stem, ()))) for stem in ordered)
    tars = {shard for name in names if (shard := shard_id_of(name)) is not None}
    return Listing(committed, tuple(sorted(tars - headers.keys(), key=shard_order)))


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
