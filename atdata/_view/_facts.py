"""Facts about datasets, batches, locations and queries as plain values: what HTML and JSON are made of."""

import dataclasses
import itertools
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

import atdata._dataset as datasets
import atdata._frames as tables
import atdata._query as queries
from atdata._manifest import SampleLocation
from atdata._sample import SampleBatch

from ._pictures import picture_of

__all__ = ["facts_of", "json_of"]

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
