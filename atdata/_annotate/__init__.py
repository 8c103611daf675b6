"""Late columns: matched to samples, added to manifests shard by shard."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._amending import OnError
    from ._annotation import AnnotateOptions, annotate, drop_columns
    from ._new_columns import Columns, Extra, Missing
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "AnnotateOptions": "atdata._annotate._annotation",
            "Columns": "atdata._annotate._new_columns",
            "Extra": "atdata._annotate._new_columns",
            "Missing": "atdata._annotate._new_columns",
            "OnError": "atdata._annotate._amending",
            "annotate": "atdata._annotate._annotation",
            "drop_columns": "atdata._annotate._annotation",
        },
    )

__all__ = [
    "AnnotateOptions",
    "Columns",
    "Extra",
    "Missing",
    "OnError",
    "annotate",
    "drop_columns",
]
