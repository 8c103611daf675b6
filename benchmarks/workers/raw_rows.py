"""The limits of asking manifests: their bytes, their names, nothing found in them."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from common import Setup, Task
from on_polars import one_file
from sidecars import sidecars

_HEADER, _TABLE = ".manifest.json", ".manifest.parquet"
_BUFFER = 1 << 20


def _drain(paths: Iterable[str | Path]) -> int:
    buffer = bytearray(_BUFFER)
    read = 0
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        while count := os.readv(descriptor, [buffer]):
            read += count
        os.close(descriptor)
    return read


def one(setup: Setup) -> Task:
    """Read the bytes of the one file."""
    path = one_file(setup)
    return Task(lambda: _drain([path]), lambda _: (setup.samples, None))


def tables(setup: Setup) -> Task:
    """Read the bytes of all sample tables, and write as many."""
    folder, path = sidecars(setup), setup.scratch / "bytes"

    def run() -> None:
        _drain(each.path for each in os.scandir(folder) if each.name.endswith(_TABLE))
        with path.open("wb", buffering=0) as out:
            for each in os.scandir(folder):
                if each.name.endswith(_TABLE):
                    with Path(each.path).open("rb", buffering=0) as file:
                        shutil.copyfileobj(file, out, _BUFFER)

    def clear() -> None:
        path.unlink(missing_ok=True)

    return Task(run, lambda _: (setup.samples, None), None, clear, clear)


def headers(setup: Setup) -> Task:
    """Read the bytes of all headers."""
    folder = sidecars(setup)

    def run() -> int:
        return _drain(each.path for each in os.scandir(folder) if each.name.endswith(_HEADER))

    return Task(run, lambda _: (3, None))


def stat(setup: Setup) -> Task:
    """List the folder once, and ask for each header's size and times."""
    folder = sidecars(setup)

    def run() -> int:
        with os.scandir(folder) as entries:
            return len([each.stat() for each in entries if each.name.endswith(_HEADER)])

    return Task(run, lambda count: (count, None))
