"""Who takes no part in a job, and why: what is left out is named."""

from typing import NamedTuple

__all__ = ["ABSENT", "Absent"]


class Absent(NamedTuple):
    """Who is left out of some jobs."""

    who: str
    jobs: str
    why: str


ABSENT = (
    Absent("original", "fetch", "the offsets in its manifests are no places in its tars"),
    Absent("original", "query, open and describe beyond 1 M rows", "it reads all rows as it opens"),
    Absent("original", "query: broad", "it returns lists of objects alone, and takes part in `list`"),
    Absent("original", "query: the other questions, cold", "opening takes nearly all of the time, whatever is asked"),
    Absent("original", "slice, resume, index", "it has no such thing"),
    Absent("webdataset", "fetch, resume, open, query", "it reads tars from end to end and keeps no manifests"),
    Absent("wids", "write, read, batch, query", "it indexes tars for random access alone"),
    Absent("webshart", "write, batch, slice, query", "it reads and indexes tars, and asks nothing of them"),
    Absent("datasets", "query", "its filters are Python functions over rows"),
    Absent("datasets", "loader, resume", "its tables go through PyTorch's loader as any list does; `batch` says what "
           "they cost"),
    Absent("lance", "loader, resume, tars", "its loader for PyTorch was left out; `batch` says what its batches cost"),
    Absent("lance", "query and open at 10,000 and 100,000 shards", "it keeps one dataset, however many shards there "
           "were: as many rows in 1,000 shards have it"),
    Absent("lance", "query, with its own indices", "they take longer to build than all else here"),
    Absent("litdata, mosaicml", "slice, query", "they know no predicates; a slice is a list of positions, and `fetch` "
           "says what these cost"),
    Absent("litdata, mosaicml", "tars", "they have formats of their own"),
    Absent("pyarrow, duckdb over sidecars", "query at 100,000 shards", "they open every file, as plain Polars does, "
           "which takes part"),
    Absent("atdata without an index, polars", "query at 100,000 shards, but for `key` and `tags`", "they open every "
           "file, which takes about as long whatever is asked"),
    Absent("atdata, hot", "query at 100,000 shards", "100 M rows are more than it holds unless it is told to"),
    Absent("polars, duckdb, pyarrow", "what is done with samples", "they keep tables; `lance` and `datasets` are the "
           "tables that keep samples"),
)  # fmt: skip
