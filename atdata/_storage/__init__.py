"""Where bytes live: one seam of few verbs, and nothing above it knows which store it speaks to."""

from ._base import (
    TEMPORARY,
    ChangedFileError,
    OpenFile,
    Outcome,
    OversizedFileError,
    ReadInto,
    ReadLimits,
    Stamp,
    Store,
    TablePath,
    Upload,
    is_leftover,
    scan_tables,
)
from ._disk import Disk
from ._local import LOCAL, LocalStore
from ._memory import MemoryStore
from ._open import StorePath, absolute_url, local_path, open_store, path_or_url, register_scheme
from ._routed import ApartStore, UnionStore

__all__ = [
    "LOCAL",
    "TEMPORARY",
    "ApartStore",
    "ChangedFileError",
    "Disk",
    "LocalStore",
    "MemoryStore",
    "OpenFile",
    "Outcome",
    "OversizedFileError",
    "ReadInto",
    "ReadLimits",
    "Stamp",
    "Store",
    "StorePath",
    "TablePath",
    "UnionStore",
    "Upload",
    "absolute_url",
    "is_leftover",
    "local_path",
    "open_store",
    "path_or_url",
    "register_scheme",
    "scan_tables",
]
