"""The manifest index: many shards' sample tables as a few files, with statistics of each shard; never the truth."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._compact import Compacted, compact
    from ._format import CODE, INDEX_FOLDER
    from ._index import Headers, Index, IndexPart, checked_index, open_index
    from ._statistics import SetFacts, few_values
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "CODE": "atdata._index._format",
            "INDEX_FOLDER": "atdata._index._format",
            "Compacted": "atdata._index._compact",
            "Headers": "atdata._index._index",
            "Index": "atdata._index._index",
            "IndexPart": "atdata._index._index",
            "SetFacts": "atdata._index._statistics",
            "checked_index": "atdata._index._index",
            "compact": "atdata._index._compact",
            "few_values": "atdata._index._statistics",
            "open_index": "atdata._index._index",
        },
    )

__all__ = [
    "CODE",
    "INDEX_FOLDER",
    "Compacted",
    "Headers",
    "Index",
    "IndexPart",
    "SetFacts",
    "checked_index",
    "compact",
    "few_values",
    "open_index",
]
