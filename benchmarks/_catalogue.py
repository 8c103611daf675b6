"""Who is measured at what: the one list that driver, tables and page go by."""

import dataclasses

__all__ = ["CATALOGUE", "JOBS", "QUESTIONS", "Candidate", "candidates"]

#: The jobs by name, with what each is.
JOBS = {
    "write": "Write samples to a fresh folder",
    "read": "Read every sample in order, each an object with an array whose last element is touched",
    "fetch": "Fetch random samples, each an object with an array whose last element is touched",
    "slice": "Read a tenth of the samples in shuffled order, each as in `read`",
    "loader": "Read every sample through PyTorch's DataLoader with 2 workers, in batches of 32 as tensors",
    "resume": "Take up an epoch in the middle, until it is known which samples come next",
    "query": "Ask which samples answer a question",
    "import": "Start Python, import, and end",
    "memory": "Write small samples from a generator: by how much the peak of resident memory rises",
}
#: The questions of the job `query`, by name.
QUESTIONS = {
    "selective": 'confidence > 0.999 and label == "dog"',
    "tags": 'tags contain "outdoor" and confidence < 0.7',
    "key": "one key",
    "broad": "confidence < 0.2: a fifth of the rows",
}


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way to do a job."""

    job: str
    name: str
    #: Module and function in benchmarks/workers; for fresh processes, what they run.
    task: str
    #: What it does and does not do, in one line.
    words: str
    #: Our candidate that it is held against; empty for ours and for limits.
    against: str = ""
    #: Distributions it cannot run without.
    needs: tuple[str, ...] = ()
    environment: str = "peers"
    #: Takes seconds, and so takes part in fewer rounds.
    slow: bool = False


def candidates(job: str) -> list[Candidate]:
    """Return who does a job, in the order in which they are prepared and printed."""
    return [each for each in CATALOGUE if each.job == job]


def _original(job: str, name: str, task: str, words: str, against: str) -> Candidate:
    return Candidate(job, name, f"original:{task}", words, against, ("atdata",), "original", slow=True)


_LANCE, _HF = ("pylance", "pyarrow"), ("datasets", "pyarrow")
CATALOGUE = (
    Candidate("write", "atdata", "ours:write", "tars, CRC-32 a sample, SHA-256 a tar, manifests; no fsync"),
    Candidate("write", "atdata, durable", "ours:write_durable", "the same, and fsync of every file and of the folder"),
    Candidate("write", "atdata, no manifest", "ours:write_bare", "tars; no fsync"),
    _original("write", "original", "write", "tars and manifests, whose offsets lead nowhere and of which the last is "
              "empty; no checksum, no fsync", "atdata"),
    _original("write", "original, no manifest", "write_bare", "tars; no checksum, no fsync", "atdata, no manifest"),
    Candidate("write", "webdataset", "on_webdataset:write", "tars of payloads packed by the least code; no manifest, "
              "no checksum, no fsync", "atdata, no manifest", ("webdataset",)),
    Candidate("write", "lance", "on_lance:write", "one dataset, from record batches of 1,000 whose images are joined "
              "by hand; columns without an index; the images' shape is not kept; no checksum", "atdata", _LANCE),
    Candidate("write", "lance, rows", "on_lance:write_rows", "the same, from batches made of a list of "
              "each row's bytes", "atdata", _LANCE),
    Candidate("write", "datasets", "on_datasets:write", "one Arrow file by ArrowWriter, from tables of 1,000; the "
              "images' shape is not kept; no checksum, no fsync", "atdata", _HF),
    Candidate("write", "limit: bytes", "raw:write", "payloads packed before the clock starts, to one file, by writev"),

    Candidate("read", "atdata", "ours:read", "manifest, length, name and CRC-32 checked, fields type-checked, arrays "
              "copied and writable"),
    Candidate("read", "atdata, batches of 32", "ours:read_batches", "the same, images stacked into one array a batch"),
    _original("read", "original", "read", "its own tars; arrays copied and writable; payloads unchecked", "atdata"),
    _original("read", "original, our tars", "read_ours", "the same over our tars, which are cheaper to parse",
              "atdata"),
    _original("read", "original, batches of 32", "read_batches", "its own tars; images stacked from copies when the "
              "batch is asked for them; payloads unchecked", "atdata, batches of 32"),
    Candidate("read", "webdataset", "on_webdataset:read", "our tars; decoded by the least code to views; payloads "
              "unchecked", "atdata", ("webdataset",)),
    Candidate("read", "lance", "on_lance:read", "to_batches; arrays are views of the batch, their shape from the "
              "benchmark's own constant; payloads unchecked", "atdata", _LANCE),
    Candidate("read", "datasets", "on_datasets:read", "row by row, as its documentation shows; arrays are views of "
              "the row's bytes, their shape from the benchmark's own constant; payloads unchecked", "atdata", _HF),
    Candidate("read", "datasets, views", "on_datasets:read_views", "batches of Arrow from a map of the file, of which "
              "untouched pages are never read; arrays are views of the map; payloads unchecked", "atdata", _HF),
    Candidate("read", "lance, writable", "on_lance:read_writable", "as `lance`, and each array copied, so that it is "
              "writable and its own, as ours are", "atdata", _LANCE),
    Candidate("read", "datasets, writable", "on_datasets:read_writable", "as `datasets, views`, and each array copied",
              "atdata", _HF),
    Candidate("read", "webshart", "on_webshart:read", "our tars by an index made before; decoded by the least code to "
              "views; payloads unchecked", "atdata", ("webshart",)),
    Candidate("read", "limit: bytes", "raw:read", "read() of our tars, nothing found in them"),

    Candidate("fetch", "atdata", "ours:fetch", "by location; length, name and CRC-32 checked, fields type-checked, "
              "arrays copied and writable"),
    Candidate("fetch", "atdata, where and take", "ours:take", "a predicate that every row meets, then the rows of a "
              "frame; both asked each time; read as in `fetch`"),
    Candidate("fetch", "atdata, one by one", "ours:one_by_one", "ds[i] for each; checked and decoded as in `fetch`"),
    Candidate("fetch", "lance", "on_lance:fetch", "one take; arrays are views of the result; payloads "
              "unchecked", "atdata", _LANCE),
    Candidate("fetch", "datasets", "on_datasets:fetch", "a list of rows from a map of the file; arrays are views of "
              "the result; payloads unchecked", "atdata", _HF),
    Candidate("fetch", "lance, writable", "on_lance:fetch_writable", "as `lance`, and each array copied, so that it is "
              "writable and its own, as ours are", "atdata", _LANCE),
    Candidate("fetch", "datasets, writable", "on_datasets:fetch_writable", "as `datasets`, and each array copied",
              "atdata", _HF),
    Candidate("fetch", "webshart", "on_webshart:fetch", "read_file of opened readers; decoded by the least code to "
              "views; payloads unchecked", "atdata", ("webshart",)),
    Candidate("fetch", "limit: pread and decode", "raw:fetch_decoded", "pread of the same ranges, decoded by the "
              "least code to views; payloads unchecked"),
    Candidate("fetch", "limit: pread", "raw:fetch", "pread of the same ranges; all bytes are kept until the end"),
    Candidate("fetch", "limit: pread, dropped", "raw:fetch_dropped", "pread of the same ranges; nothing is kept"),

    Candidate("slice", "atdata", "training:slice_", "opened, taken and read; a true permutation; all is checked as in "
              "`read`"),
    Candidate("slice", "atdata, batches of 32", "training:slice_batches", "the same, images stacked into one array a "
              "batch"),
    Candidate("slice", "webdataset", "on_webdataset:slice_", "all tars are read and other keys dropped before they are "
              "decoded by the least code; a shuffle buffer of 1,000; payloads unchecked", "atdata", ("webdataset",)),

    Candidate("loader", "atdata", "training:loader", "in order; all is checked as in `read`", "", ("torch",), "torch"),
    Candidate("loader", "atdata, shuffled", "training:loader_shuffled", "the same in shuffled order, a true "
              "permutation", "", ("torch",), "torch"),
    Candidate("loader", "webdataset", "on_webdataset:loader", "in order, each worker half of the tars; decoded by the "
              "least code to views, then stacked; payloads unchecked", "atdata", ("torch", "webdataset"), "torch"),
    Candidate("loader", "webdataset, our decoder", "on_webdataset:loader_packable", "the same, decoded as ours are",
              "atdata", ("torch", "webdataset"), "torch"),

    Candidate("resume", "atdata", "training:resume", "everything is shuffled together"),
    Candidate("resume", "atdata, shards", "training:resume_shards", "ten of 1,000 shards are shuffled together"),
    Candidate("resume", "atdata, bytes", "training:resume_bytes", "256 MB are shuffled together"),

    Candidate("query", "atdata", "queries:query", "opened before; a list of locations"),
    Candidate("query", "atdata, cold", "queries:query_cold", "opened and asked; a list of locations"),
    Candidate("query", "atdata, rows", "queries:rows", "opened before; a frame of shards and places"),
    Candidate("query", "atdata, rows, cold", "queries:rows_cold", "opened and asked; a frame of shards and places"),
    Candidate("query", "atdata, function", "queries:function", "opened before; a function of a pandas frame; a list "
              "of locations", slow=True),
    Candidate("query", "atdata, function, cold", "queries:function_cold", "the same, opened and asked", slow=True),
    _original("query", "original", "query", "its own sidecars of the same rows, opened before, all rows in memory; a "
              "function of a pandas frame; a list of locations", "atdata"),
    _original("query", "original, cold", "query_cold", "the same, opened and asked", "atdata, cold"),
    Candidate("query", "polars", "queries:plain", "scan_parquet of the sidecars; a frame of all their columns, without "
              "the shard", "atdata, rows, cold"),
    Candidate("query", "polars, places", "queries:plain_places", "the same, a frame of key, offset, size and CRC, "
              "without the shard", "atdata, rows, cold"),
    Candidate("query", "polars, shards", "queries:plain_shards", "the same, and the file's path in each row",
              "atdata, rows, cold"),
    Candidate("query", "polars, list", "queries:plain_list", "the same, made a list of tuples", "atdata, cold"),
    Candidate("query", "duckdb", "on_duckdb:query", "our sidecars, over a connection that stays open; a list of tuples",
              "atdata", ("duckdb",)),
    Candidate("query", "duckdb, cold", "on_duckdb:query_cold", "the same, connected and asked", "atdata, cold",
              ("duckdb",)),

    Candidate("import", "atdata", "import atdata", "the library"),
    Candidate("import", "polars and numpy", "import polars, numpy", "what the library stands on"),
    Candidate("import", "original", "import atdata", "the original library", "atdata", (), "original"),
    Candidate("import", "limit: bare", "pass", "the interpreter alone"),

    Candidate("memory", "atdata", "atdata", "with manifests"),
    Candidate("memory", "original", "atdata", "with manifests; as many samples a shard, but two shards only, since "
              "more would take minutes", "atdata", (), "original"),
    Candidate("memory", "webdataset", "webdataset", "no manifests", "atdata", ("webdataset",)),
)  # fmt: skip
