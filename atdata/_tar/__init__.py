"""The bytes of a tar: headers, the strict walk, the writer, and the fenced read. Knows nothing of manifests."""

from ._header import BLOCK, END_OF_ARCHIVE, crc32
from ._keys import MSGPACK, check_key, shard_id_of, stem_of
from ._verify import fenced_payload, key_in
from ._walk import Member, SampleRun, sample_runs, walk
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
