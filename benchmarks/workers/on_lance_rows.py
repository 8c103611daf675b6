"""Lance over the rows that queries are asked about, without indices of its own."""

from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pyarrow.dataset as ds
from answers import asked_task
from common import Setup, Task, built
from on_polars import one_file
from questions import PLACE, condition

_NAME = "rows.lance"


def _rows(setup: Setup) -> Path:
    def build(folder: Path) -> None:
        _write(one_file(setup), folder / _NAME)

    return built(setup, f"lance-{setup.kind}", build) / _NAME


def _write(source: Path, path: Path) -> None:
    # Its files know no view types, which pyarrow's reader may give.
    scanner = ds.dataset(source).scanner(batch_size=65_536)
    lance.write_dataset(pa.RecordBatchReader.from_batches(scanner.projected_schema, scanner.to_batches()), path)


def _ask(dataset: lance.LanceDataset, setup: Setup) -> Any:
    if setup.question == "count":
        return dataset.to_table(columns=["label"]).group_by("label").aggregate([([], "count_all")])
    where = condition(setup, "array_has(tags, 'outdoor')")
    found = dataset.to_table(columns=["__shard__", *PLACE], filter=where)
    if setup.question == "list":
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))
    return found


def query(setup: Setup) -> Task:
    """Open and ask."""
    path = _rows(setup)
    return asked_task(setup, lambda: _ask(lance.dataset(path), setup))


def query_warm(setup: Setup) -> Task:
    """Ask an opened dataset."""
    dataset = lance.dataset(_rows(setup))
    return asked_task(setup, lambda: _ask(dataset, setup))


def open_(setup: Setup) -> Task:
    """Open."""
    path = _rows(setup)
    return Task(lambda: lance.dataset(path).schema, lambda _: (setup.shards, None))
