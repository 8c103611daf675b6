"""The manifest index: many shards' sample tables as a few files, with statistics of each shard; never the truth."""

from ._codes import few_values
from ._compact import Compacted, compact
from ._facts import SetFacts
from ._files import has_index
from ._format import CODE, INDEX_FOLDER
from ._index import Index, Part
from ._open import Headers, checked_index, open_index

__all__ = [
    "CODE",
    "INDEX_FOLDER",
    "Compacted",
    "Headers",
    "Index",
    "Part",
    "SetFacts",
    "checked_index",
    "compact",
    "few_values",
    "has_index",
    "open_index",
]
