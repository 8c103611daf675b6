"""CRC-32, as fast as this machine has it. The values are zlib's either way."""

try:
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for this platform
    from zlib import crc32

__all__ = ["crc32"]
