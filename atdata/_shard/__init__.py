"""The bytes of a tar: headers, the strict walk, the writer, and the fenced read. Knows nothing of manifests."""

from ._crc import crc32
from ._fence import fenced_payload, key_in
from ._group import SampleRun, sample_runs
from ._header import BLOCK, END_OF_ARCHIVE
from ._keys import MSGPACK, check_key, shard_id_of, stem_of
from ._walk import Member, walk
from ._writer import Buffers, Place, TarWriter

__all__ = [
    "BLOCK",
    "END_OF_ARCHIVE",
    "MSGPACK",
    "Buffers",
    "Member",
    "Place",
    "SampleRun",
    "TarWriter",
    "check_key",
    "crc32",
    "fenced_payload",
    "key_in",
    "sample_runs",
    "shard_id_of",
    "stem_of",
    "walk",
]
