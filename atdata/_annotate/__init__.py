"""Late columns: matched to samples, added to manifests shard by shard."""

from ._amending import OnError
from ._annotate import annotate, drop_columns
from ._annotation import AnnotateOptions
from ._columns import Columns
from ._matching import Extra, Missing

__all__ = [
    "AnnotateOptions",
    "Columns",
    "Extra",
    "Missing",
    "OnError",
    "annotate",
    "drop_columns",
]
