"""Who asks manifests: over the sidecars, over one file or index made of them, from memory."""

from ._model import Candidate

__all__ = ["QUERIES"]

_LANCE = ("pylance", "pyarrow")
_SMALL, _MIDDLE, _MANY, _LARGE = "1m", "10m", "10m-small-shards", "100m"
_UP_TO_MANY = (_SMALL, _MIDDLE, _MANY)
#: What opens every file takes half a minute a question at 100,000 shards, and answers two of them there.
_FEW = ("key", "tags")
_PLACES = "a frame of places, each with its shard"
_NO_SHARD = "places without their shards"

_QUERY = (
    Candidate("query", "atdata, index", "queries:query", f"the index; opened before, and not asked before; {_PLACES}"),
    Candidate("query", "atdata, index, cold", "queries:query_cold", "the same, opened and asked"),
    Candidate("query", "atdata, sidecars", "queries:query_sidecars", "the sidecars alone; opened before, and not asked "
              f"before; {_PLACES}", sizes=_UP_TO_MANY),
    Candidate("query", "atdata, sidecars, cold", "queries:query_sidecars_cold", "the same, opened and asked",
              sizes=_UP_TO_MANY),
    Candidate("query", "atdata, sidecars, cold", "queries:query_sidecars_cold", "the same, opened and asked",
              sizes=(_LARGE,), questions=_FEW),
    Candidate("query", "atdata, hot", "queries:query_hot", f"all rows loaded into memory before; {_PLACES}",
              sizes=_UP_TO_MANY),
    Candidate("query", "atdata, function", "queries:query_function", "the sidecars; a function of a pandas frame "
              "instead of an expression; a list of locations", sizes=(_SMALL,), questions=("list",)),
    Candidate("query", "original", "original:query_cold", "its own sidecars of the same rows, all of which it reads as "
              "it opens them; a function of a pandas frame; counts from its headers", "atdata, index, cold",
              ("atdata",), "original", (_SMALL,), ("selective", "list")),
    Candidate("query", "original, opened", "original:query", "the same, opened before", "atdata, index",
              ("atdata",), "original", (_SMALL,), ("selective", "tags", "key", "count", "list")),
    Candidate("query", "polars", "on_polars:query", f"scan_parquet of the sidecars, each time anew; {_NO_SHARD}",
              "atdata, sidecars, cold", sizes=_UP_TO_MANY),
    Candidate("query", "polars", "on_polars:query", f"scan_parquet of the sidecars, each time anew; {_NO_SHARD}",
              "atdata, sidecars, cold", sizes=(_LARGE,), questions=_FEW),
    Candidate("query", "polars, kept plan", "on_polars:query_kept", "the same scan, kept", "atdata, sidecars",
              sizes=(_SMALL, _MIDDLE)),
    Candidate("query", "polars, with paths", "on_polars:query_paths", "scan_parquet of the sidecars, each time anew, "
              "with the file's path in each row", "atdata, sidecars, cold", sizes=(_SMALL, _MIDDLE)),
    Candidate("query", "polars, one file", "on_polars:query_one", f"one Parquet file of all rows; {_PLACES}",
              "atdata, index, cold"),
    Candidate("query", "polars, memory", "on_polars:query_memory", f"all rows in memory before; {_PLACES}",
              "atdata, hot", sizes=(_SMALL, _MIDDLE)),
    Candidate("query", "duckdb", "on_duckdb:query", f"the sidecars; connected and asked; Arrow, {_NO_SHARD}",
              "atdata, sidecars, cold", ("duckdb",), sizes=_UP_TO_MANY),
    Candidate("query", "duckdb, warm", "on_duckdb:query_warm", "the same over a connection that stays open",
              "atdata, sidecars", ("duckdb",), sizes=(_SMALL, _MIDDLE)),
    Candidate("query", "duckdb, one file", "on_duckdb:query_one", "one Parquet file of all rows; connected and asked; "
              "Arrow, each place with its shard", "atdata, index, cold", ("duckdb",)),
    Candidate("query", "duckdb, one file, warm", "on_duckdb:query_one_warm", "the same over a connection that stays "
              "open", "atdata, index", ("duckdb",)),
    Candidate("query", "pyarrow", "on_pyarrow:query", f"a dataset of the sidecars, opened and asked; Arrow, "
              f"{_NO_SHARD}", "atdata, sidecars, cold", ("pyarrow",), sizes=_UP_TO_MANY),
    Candidate("query", "pyarrow, warm", "on_pyarrow:query_warm", "the same, opened before", "atdata, sidecars",
              ("pyarrow",), sizes=(_SMALL, _MIDDLE)),
    Candidate("query", "lance", "on_lance_rows:query", "one Lance dataset of all rows, without indices; opened and "
              "asked; Arrow, each place with its shard", "atdata, index, cold", _LANCE, sizes=(_SMALL, _MIDDLE)),
    Candidate("query", "lance, warm", "on_lance_rows:query_warm", "the same, opened before", "atdata, index", _LANCE,
              sizes=(_SMALL, _MIDDLE)),
    Candidate("query", "limit: bytes of one file", "raw_rows:one", "read() of the one Parquet file of all rows; what "
              "is pruned is never read, and takes less"),
)  # fmt: skip
_OPEN = (
    Candidate("open", "atdata, index", "queries:open_", "one listing; the index fits"),
    Candidate("open", "atdata, sidecars", "queries:open_sidecars", "one listing; no index"),
    Candidate("open", "original", "original:open_", "reads all rows", "atdata, index", ("atdata",), "original",
              (_SMALL,)),
    Candidate("open", "polars", "on_polars:open_", "scan_parquet of the sidecars, until its columns are known",
              "atdata, sidecars"),
    Candidate("open", "duckdb", "on_duckdb:open_", "connected, until the sidecars' columns are known",
              "atdata, sidecars", ("duckdb",)),
    Candidate("open", "pyarrow", "on_pyarrow:open_", "a dataset of the sidecars", "atdata, sidecars", ("pyarrow",)),
    Candidate("open", "lance", "on_lance_rows:open_", "one Lance dataset of all rows", "atdata, index", _LANCE,
              sizes=(_SMALL,)),
    Candidate("open", "limit: scandir and stat", "raw_rows:stat", "one os.scandir, and a stat of each header"),
)  # fmt: skip
_INDEX = (
    Candidate("index", "atdata", "queries:build", "`compact()` of a folder that has no index: rows, their shards, "
              "statistics and stamps"),
    Candidate("index", "polars", "on_polars:gather", "scan_parquet to sink_parquet: the rows alone, LZ4", "atdata"),
    Candidate("index", "duckdb", "on_duckdb:gather", "COPY to Parquet: the rows alone, LZ4", "atdata", ("duckdb",)),
    Candidate("index", "limit: bytes", "raw_rows:tables", "read() of all sample tables, and as many bytes written"),
)  # fmt: skip
_DESCRIBE = (
    Candidate("describe", "atdata, index", "queries:describe", "`describe()` by the index; tags, too"),
    Candidate("describe", "atdata, sidecars", "queries:describe_sidecars", "`describe()` by the headers; tags, too",
              sizes=_UP_TO_MANY),
    Candidate("describe", "polars", "on_polars:describe", "computed from the sidecars", "atdata, sidecars",
              sizes=_UP_TO_MANY),
    Candidate("describe", "polars, one file", "on_polars:describe_one", "computed from one Parquet file of all rows",
              "atdata, index"),
    Candidate("describe", "duckdb", "on_duckdb:describe", "computed from the sidecars", "atdata, sidecars",
              ("duckdb",), sizes=_UP_TO_MANY),
    Candidate("describe", "duckdb, one file", "on_duckdb:describe_one", "computed from one Parquet file of all rows",
              "atdata, index", ("duckdb",)),
    Candidate("describe", "limit: bytes of headers", "raw_rows:headers", "read() of all headers"),
)  # fmt: skip
_ASKED = ("key", "tags")
_GROWTH = (
    Candidate("growth", "atdata, index", "queries:open_", "by the index", questions=("open",)),
    Candidate("growth", "atdata, index", "queries:query_cold", "by the index", questions=_ASKED),
    Candidate("growth", "atdata, index", "queries:build", "by the index", questions=("build",)),
    Candidate("growth", "atdata, sidecars", "queries:open_sidecars", "by the sidecars alone", questions=("open",)),
    Candidate("growth", "atdata, sidecars", "queries:query_sidecars_cold", "by the sidecars alone", questions=_ASKED),
    Candidate("growth", "polars", "on_polars:open_", "plain Polars over the sidecars", "atdata, sidecars",
              questions=("open",)),
    Candidate("growth", "polars", "on_polars:query", "plain Polars over the sidecars", "atdata, sidecars",
              questions=_ASKED),
    Candidate("growth", "polars", "on_polars:gather", "plain Polars: the rows alone, to one file", "atdata, index",
              questions=("build",)),
)  # fmt: skip
QUERIES: tuple[Candidate, ...] = (*_QUERY, *_OPEN, *_INDEX, *_DESCRIBE, *_GROWTH)
