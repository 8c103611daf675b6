"""Facts about datasets, batches, locations and queries as plain values, and arrays as pictures."""

import base64
import dataclasses
import itertools
import reprlib
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import atdata._dataset as datasets
import atdata._frames as tables
import atdata._query as queries
from atdata._manifest import SampleLocation
from atdata._sample import SampleBatch

__all__ = ["facts_of", "json_of", "picture_of"]

#: The longest side of a picture in pixels; larger arrays are thinned out.
_SIDE = 64
#: Encoded images of more bytes are left out.
_ENCODED = 12 << 10
#: Arrays that are narrower, or whose sides differ more, are taken for tables of numbers.
_NARROW, _RATIO = 4, 8
#: Greys of which none is brighter than this are stretched, or nothing would be seen.
_DARK = 63
#: How encoded images begin, and their types.
_SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"GIF8": "gif"}
#: PNG's colour types, by channels.
_COLOURS = {1: 0, 3: 2, 4: 6}
#: What may follow height and width.
_SHAPES = ((), *((channels,) for channels in _COLOURS))


def picture_of(value: Any) -> str | None:
    """Return a value as a data URI where it looks like an image and is small enough; else None.

    Images are 8-bit arrays of (height, width) or (height, width, 1, 3 or 4), and bytes of a JPEG, PNG, GIF or WebP.
    """
    if isinstance(value, bytes):
        kind = _kind_of(value)
        return _uri(kind, value) if kind is not None and len(value) <= _ENCODED else None
    if not isinstance(value, np.ndarray) or not _looks_like_pixels(value):
        return None
    return _uri("png", _png(_thinned(value)))


def _kind_of(data: bytes) -> str | None:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), None)


def _looks_like_pixels(array: NDArray[Any]) -> bool:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in _SHAPES:
        return False
    short, long = sorted(array.shape[:2])
    return bool(short >= _NARROW and long <= _RATIO * short)


def _thinned(array: NDArray[Any]) -> NDArray[np.uint8]:
    step = -(-max(array.shape[:2]) // _SIDE)
    pixels: NDArray[np.uint8] = array[::step, ::step].reshape(
        -(-array.shape[0] // step), -(-array.shape[1] // step), -1
    )
    brightest = int(np.max(pixels))
    if pixels.shape[2] == 1 and 0 < brightest <= _DARK:
        pixels = (pixels * (255.0 / brightest)).astype(np.uint8)
    return pixels


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels of (height, width, channels) as a PNG."""
    height, width, channels = pixels.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


#: Headers of at most so many shards are read to show a dataset.
_MAX_SHARDS = 1000
#: How many pictures of a dataset or batch are shown.
_MAX_PICTURES = 6
#: What the headers say of a field; it is shown where some field has it.
_STATISTICS = ("nulls", "min", "max", "mean", "distinct", "top")


def facts_of(thing: Any) -> dict[str, Any]:
    """Return what there is to show of a thing, as plain values; ``kind`` says which facts there are.

    Args:
        thing: A dataset, a dict of splits, a batch, a location, an executor or an explanation.

    Raises:
        TypeError: It is something else.
        AtdataError: What it shows cannot be read.
    """
    if isinstance(thing, SampleLocation):
        return {"kind": "location", "name": "SampleLocation", "location": msgspec.structs.asdict(thing)}
    if isinstance(thing, SampleBatch):
        return _batch_facts(thing)
    if isinstance(thing, queries.Explanation):
        return {"kind": "explanation", "name": "Explanation", "explanation": msgspec.structs.asdict(thing)}
    if isinstance(thing, queries.QueryExecutor):
        return _executor_facts(thing)
    if isinstance(thing, datasets.Dataset):
        return _dataset_facts(thing)
    if isinstance(thing, datasets.DatasetDict):
        return _splits_facts(thing)
    raise TypeError(f"expected something of atdata that can be shown; found {type(thing).__name__}")


def json_of(thing: Any) -> str:
    """Return the facts about a thing as JSON."""
    return msgspec.json.encode(facts_of(thing)).decode()


def _dataset_facts(dataset: "datasets.Dataset[Any]") -> dict[str, Any]:
    sequence = datasets.sequence_of(dataset)
    summary = datasets.summary_of(sequence)
    facts: dict[str, Any] = {
        "kind": "dataset",
        "name": summary.name,
        "url": summary.url,
        "num_shards": summary.num_shards,
        "has_manifests": summary.has_manifests,
        "choice": summary.choice,
        "is_selection": summary.is_selection,
    }
    if not summary.has_manifests or summary.num_shards > _MAX_SHARDS:
        return facts
    num_selected, num_samples = datasets.counts_of(sequence)
    pictures = list(itertools.islice(_pictures(dataset, summary), _MAX_PICTURES))
    return facts | {
        "num_samples": num_samples,
        "num_selected": num_selected,
        "fields": _fields(dataset),
        "pictures": pictures,
    }


def _fields(dataset: "datasets.Dataset[Any]") -> list[dict[str, Any]]:
    """Return the fields of samples, then the other columns, with the statistics that some field has."""
    types = {name: datasets.type_text(annotation) for name, annotation in dataset.schema.items()}
    statistics = {row["field"]: row for row in dataset.statistics().iter_rows(named=True)}
    columns = {name: str(row["dtype"] or "") for name, row in statistics.items() if name not in types}
    used = [name for name in _STATISTICS if any(row[name] not in (None, 0) for row in statistics.values())]
    return [
        {"field": field, "type": kind} | {name: statistics.get(field, {}).get(name) for name in used}
        for field, kind in (types | columns).items()
    ]


def _pictures(dataset: "datasets.Dataset[Any]", summary: "datasets.Summary") -> Iterator[dict[str, str]]:
    """Yield the first image of each of the first samples; a function's results may be slow, and are not read."""
    if summary.is_computed:
        return
    # The first samples of a whole dataset are found without all its sample tables.
    for sample in dataset.limit(_MAX_PICTURES) if summary.is_selection else dataset:
        values = tables.row_of(sample)
        uris = (picture_of(value) for value in values.values())
        uri = next((uri for uri in uris if uri is not None), None)
        if uri is None:
            return
        yield {"uri": uri, "caption": _caption(values)}


def _caption(values: Mapping[str, Any]) -> str:
    """Return the first values that are short, as text."""
    short = (value for value in values.values() if isinstance(value, str | int | float))
    return ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in itertools.islice(short, 2))


def _splits_facts(splits: "datasets.DatasetDict[Any]") -> dict[str, Any]:
    rows = [
        {"split": split, "shards": len(dataset.list_shards()), "type": dataset.sample_type.__name__}
        for split, dataset in splits.items()
    ]
    return {"kind": "splits", "name": "DatasetDict", "splits": rows}


def _executor_facts(executor: "queries.QueryExecutor") -> dict[str, Any]:
    loaded = executor.loaded
    return {
        "kind": "executor",
        "name": repr(executor),
        "uncommitted": list(executor.uncommitted),
        "loaded": {} if loaded is None else dict(loaded.columns),
    }


def _batch_facts(batch: SampleBatch[Any]) -> dict[str, Any]:
    columns = {name: getattr(batch, name) for name in _field_names(batch)}
    rows = [
        {"field": name, "batch": _column_text(column), "first": _value_text(column[0])}
        for name, column in columns.items()
    ]
    images: Iterable[Any] = next(
        (column[:_MAX_PICTURES] for column in columns.values() if picture_of(column[0]) is not None), ()
    )
    pictures = [{"uri": uri, "caption": ""} for uri in map(picture_of, images) if uri is not None]
    return {"kind": "batch", "name": repr(batch), "fields": rows, "pictures": pictures}


def _field_names(batch: SampleBatch[Any]) -> list[str]:
    first = batch[0] if len(batch) else None
    if dataclasses.is_dataclass(first):
        return [field.name for field in dataclasses.fields(first)]
    return list(first) if isinstance(first, Iterable) else []


def _column_text(column: Any) -> str:
    if isinstance(column, np.ndarray):
        return f"{column.dtype} {column.shape}"
    kinds = sorted({type(value).__name__ for value in column})
    return f"list of {' and '.join(kinds)}"


def _value_text(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else reprlib.repr(value)
