"""Who does what is done with samples: written, read, fetched, found."""

from ._model import Candidate

__all__ = ["SAMPLES"]

_LANCE, _HF = ("pylance", "pyarrow"), ("datasets", "pyarrow")
_LITDATA, _MOSAIC = ("litdata", "torch"), ("mosaicml-streaming", "torch")


def _original(job: str, name: str, task: str, words: str, against: str) -> Candidate:
    return Candidate(job, name, f"original:{task}", words, against, ("atdata",), "original")


def _older(job: str, name: str, task: str, words: str, needs: tuple[str, ...], against: str = "atdata") -> Candidate:
    return Candidate(job, name, task, words, against, needs, "streaming", has_peak=job != "loader")


_WRITE = (
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
    _older("write", "litdata", "on_litdata:write", "chunks of 64 MB, by the writer that `optimize` uses, in this "
           "process; no checksum, no fsync", _LITDATA),
    _older("write", "mosaicml", "on_streaming:write", "MDSWriter; no checksum, no fsync", _MOSAIC),
    Candidate("write", "limit: bytes", "raw:write", "payloads packed before the clock starts, to one file, by writev"),
)  # fmt: skip
_READ = (
    Candidate("read", "atdata", "ours:read", "manifest, length, name and CRC-32 checked, fields type-checked, arrays "
              "copied and writable"),
    _original("read", "original", "read", "its own tars; arrays copied and writable; payloads unchecked", "atdata"),
    _original("read", "original, our tars", "read_ours", "the same over our tars, which are cheaper to parse",
              "atdata"),
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
    _older("read", "litdata", "on_litdata:read", "arrays are views of a map; payloads unchecked", _LITDATA),
    _older("read", "mosaicml", "on_streaming:read", "arrays are views of what was read; payloads unchecked", _MOSAIC),
    Candidate("read", "limit: bytes", "raw:read", "read() of our tars, nothing found in them"),
)  # fmt: skip
_BATCH = (
    Candidate("batch", "atdata", "ours:read_batches", "all is checked as in `read`; images are read into one writable "
              "array a batch"),
    _original("batch", "original", "read_batches", "its own tars; images stacked from copies when the batch is asked "
              "for them; payloads unchecked", "atdata"),
    Candidate("batch", "webdataset", "on_webdataset:read_batches", "our tars; decoded by the least code to views, then "
              "stacked; payloads unchecked", "atdata", ("webdataset",)),
    Candidate("batch", "lance", "on_lance:read_batches", "to_batches; the images are one view of the batch, their "
              "shape from the benchmark's own constant; payloads unchecked", "atdata", _LANCE),
    Candidate("batch", "datasets", "on_datasets:read_batches", "batches of Arrow from a map of the file, of which "
              "untouched pages are never read; the images are one view of the map; payloads unchecked", "atdata", _HF),
    _older("batch", "litdata", "on_litdata:read_batches", "its loader without workers; tensors; payloads unchecked",
           _LITDATA),
    _older("batch", "mosaicml", "on_streaming:read_batches", "PyTorch's loader without workers; tensors; payloads "
           "unchecked", _MOSAIC),
    Candidate("batch", "limit: bytes", "raw:read", "read() of our tars, nothing found in them"),
)  # fmt: skip
_FETCH = (
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
    _older("fetch", "wids", "on_wids:fetch", "our tars, indexed before; decoded by the least code to views; payloads "
           "unchecked", ("wids",)),
    _older("fetch", "litdata", "on_litdata:fetch", "ds[i] for one in 50 of the samples, since each may load a chunk; "
           "ratios are of the time a sample; payloads unchecked", _LITDATA),
    _older("fetch", "mosaicml", "on_streaming:fetch", "ds[i] for each; payloads unchecked", _MOSAIC),
    Candidate("fetch", "limit: pread and decode", "raw:fetch_decoded", "pread of the same ranges, decoded by the "
              "least code to views; payloads unchecked"),
    Candidate("fetch", "limit: pread", "raw:fetch", "pread of the same ranges; all bytes are kept until the end"),
    Candidate("fetch", "limit: pread, dropped", "raw:fetch_dropped", "pread of the same ranges; nothing is kept"),
)  # fmt: skip
_TRAINING = (
    Candidate("slice", "atdata", "training:slice_", "opened, taken and read; a true permutation; all is checked as in "
              "`read`"),
    Candidate("slice", "atdata, batches of 32", "training:slice_batches", "the same, images stacked into one array a "
              "batch"),
    Candidate("slice", "webdataset", "on_webdataset:slice_", "all tars are read and other keys dropped before they are "
              "decoded by the least code; a shuffle buffer of 1,000; payloads unchecked", "atdata", ("webdataset",)),
    Candidate("slice", "lance", "on_lance:slice_", "opened, and one take of all of it in shuffled order; arrays are "
              "views of the result; payloads unchecked", "atdata", _LANCE),
    Candidate("slice", "datasets", "on_datasets:slice_", "opened, selected, shuffled, read in batches of Arrow; arrays "
              "are views of the batch; payloads unchecked", "atdata", _HF),
    Candidate("slice", "limit: pread", "raw:slice_", "pread of as many samples at random; nothing is kept"),

    Candidate("loader", "atdata", "training:loader", "in order; all is checked as in `read`", "", ("torch",), "torch",
              has_peak=False),
    Candidate("loader", "atdata, shuffled", "training:loader_shuffled", "the same in shuffled order, a true "
              "permutation", "", ("torch",), "torch", has_peak=False),
    Candidate("loader", "webdataset", "on_webdataset:loader", "in order, each worker half of the tars; decoded by the "
              "least code to views, then stacked; payloads unchecked", "atdata", ("torch", "webdataset"), "torch",
              has_peak=False),
    Candidate("loader", "webdataset, our decoder", "on_webdataset:loader_packable", "the same, decoded as ours are",
              "atdata", ("torch", "webdataset"), "torch", has_peak=False),
    _older("loader", "litdata", "on_litdata:loader", "its own loader, in order; payloads unchecked", _LITDATA),
    _older("loader", "mosaicml", "on_streaming:loader", "in order; payloads unchecked", _MOSAIC),
    Candidate("loader", "limit: bytes", "raw:read", "read() of our tars in one process, nothing found in them", "",
              ("torch",), "torch", has_peak=False),

    Candidate("resume", "atdata", "training:resume", "everything is shuffled together"),
    Candidate("resume", "atdata, shards", "training:resume_shards", "ten of 1,000 shards are shuffled together"),
    Candidate("resume", "atdata, bytes", "training:resume_bytes", "256 MB are shuffled together"),
    Candidate("resume", "limit: drawn whole", "raw:draw", "the order of the whole epoch, drawn by NumPy: what is not "
              "done here"),
)  # fmt: skip
_FOREIGN = (
    Candidate("tars", "atdata", "ours:index", "every header is parsed strictly; keys, offsets and sizes are kept"),
    Candidate("tars", "tarfile", "foreign:index", "Python's own tarfile, members' names alone", "atdata"),
    Candidate("tars", "webshart", "on_webshart:index", "its metadata extractor, which writes an index", "atdata",
              ("webshart",)),
    _older("tars", "wids", "on_wids:index", "its index in memory, of a map of each tar", ("wids",)),
    Candidate("tars", "limit: headers", "raw:headers", "pread of each member's header, and a hop to the next"),
)  # fmt: skip
_PROCESSES = (
    Candidate("import", "atdata", "import atdata", "the library"),
    Candidate("import", "polars and numpy", "import polars, numpy", "what the library stands on"),
    Candidate("import", "original", "import atdata", "the original library", "atdata", (), "original"),
    Candidate("import", "limit: bare", "pass", "the interpreter alone"),

    Candidate("memory", "atdata", "atdata", "with manifests"),
    Candidate("memory", "original", "atdata", "with manifests; as many samples a shard, but two shards only, since "
              "more would take minutes", "atdata", (), "original"),
    Candidate("memory", "webdataset", "webdataset", "no manifests", "atdata", ("webdataset",)),
)  # fmt: skip
SAMPLES: tuple[Candidate, ...] = (*_WRITE, *_READ, *_BATCH, *_FETCH, *_TRAINING, *_FOREIGN, *_PROCESSES)
