"""Where bytes live: one seam of few verbs, and nothing above it knows which store it speaks to."""

from ._base import TEMPORARY, ChangedFileError, OpenFile, Part, Stamp, Store, Upload, is_leftover
from ._disk import Disk
from ._local import LocalStore
from ._memory import MemoryStore
from ._open import StorePath, local_path, open_store, register_scheme

__all__ = [
    "TEMPORARY",
    "ChangedFileError",
    "Disk",
    "LocalStore",
    "MemoryStore",
    "OpenFile",
    "Part",
    "Stamp",
    "Store",
    "StorePath",
    "Upload",
    "is_leftover",
    "local_path",
    "open_store",
    "register_scheme",
]
