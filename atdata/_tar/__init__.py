"""The bytes of a tar: headers, the strict walk, the writer, and the fenced read; a sample is its members."""

from ._header import BLOCK, END_OF_ARCHIVE, check_key, crc32, member_name, shard_id_of, split_name, stem_of, tar_name
from ._reading import Member, Members, SampleRun, key_in, sample_runs, sole_payload, verified_members, walk
from ._writer import Buffers, TarWriter, WrittenSample

__all__ = [
    "BLOCK",
    "END_OF_ARCHIVE",
    "Buffers",
    "Member",
    "Members",
    "SampleRun",
    "TarWriter",
    "WrittenSample",
    "check_key",
    "crc32",
    "key_in",
    "member_name",
    "sample_runs",
    "shard_id_of",
    "sole_payload",
    "split_name",
    "stem_of",
    "tar_name",
    "verified_members",
    "walk",
]
