"""PyArrow's datasets over our sidecars."""

import glob
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from answers import asked_task
from common import Setup, Task
from questions import BROAD, PLACE, SURE, UNSURE, key_of, range_of
from sidecars import tables


def _open(pattern: str) -> ds.Dataset:
    return ds.dataset(sorted(glob.glob(pattern)), format="parquet")  # noqa: PTH207 -- the fastest way to list


def _ask(dataset: ds.Dataset, setup: Setup) -> Any:
    if setup.question == "count":
        counts = pc.value_counts(dataset.to_table(columns=["label"])["label"])
        return pa.table({"label": counts.field("values"), "len": counts.field("counts")})
    if setup.question == "tags":
        return _with_tag(dataset)
    found = dataset.to_table(columns=list(PLACE), filter=_filter(setup))
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True)) if _is_list(setup) else found


def _is_list(setup: Setup) -> bool:
    return setup.question == "list"


def _filter(setup: Setup) -> ds.Expression:
    confidence, time = ds.field("confidence"), ds.field("ts")
    first, end = range_of(setup)
    return {
        "selective": (confidence > SURE) & (ds.field("label") == "dog"),
        "key": ds.field("__key__") == key_of(setup),
        "range": (time >= first) & (time < end),
        "broad": confidence < BROAD,
        "list": confidence < BROAD,
    }[setup.question]


def _with_tag(dataset: ds.Dataset) -> pa.Table:
    # Its expressions know no membership in a list: that is looked up batch by batch.
    columns = [*PLACE, "tags"]
    parts = []
    for batch in dataset.to_batches(columns=columns, filter=ds.field("confidence") < UNSURE):
        tags = batch["tags"]
        having = pc.list_parent_indices(tags).filter(pc.equal(pc.list_flatten(tags), "outdoor"))
        parts.append(batch.select(list(PLACE)).take(having))
    return pa.Table.from_batches(parts)


def query(setup: Setup) -> Task:
    """List the sidecars, open them and ask."""
    pattern = tables(setup)
    return asked_task(setup, lambda: _ask(_open(pattern), setup))


def query_warm(setup: Setup) -> Task:
    """Ask an opened dataset."""
    dataset = _open(tables(setup))
    return asked_task(setup, lambda: _ask(dataset, setup))


def open_(setup: Setup) -> Task:
    """List the sidecars and open them."""
    pattern = tables(setup)
    return Task(lambda: _open(pattern).schema, lambda _: (setup.shards, None))
