"""What only fresh processes tell: how long an import takes, and how high memory rises."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ._catalogue import Candidate
from ._driver import Worker
from ._run import Record, Sizes, load

__all__ = ["imports", "memory"]

_MEMORY = Path(__file__).resolve().parent / "workers" / "memory.py"
_SHARDS = 10
#: Shards that the original writes of the ten.
_FEWER = 2


def imports(workers: Mapping[str, Worker], some: Sequence[Candidate], sizes: Sizes) -> list[Record]:
    """Return how long whole processes took that import and end, in turn, in an order shuffled each round."""
    order, before = random.Random("import"), load()  # noqa: S311 -- no secret
    seconds: dict[str, list[float]] = {each.name: [] for each in some}
    with tempfile.TemporaryDirectory() as nowhere:
        for number in range(sizes.rounds + 1):
            for each in order.sample(some, len(some)):
                taken = _time(each, workers[each.environment].interpreter, nowhere)
                if number:  # the first one reads what the others find in the page cache
                    seconds[each.name].append(taken)
    return [Record("import", name, tuple(values), 1, None, before) for name, values in seconds.items()]


def _time(candidate: Candidate, interpreter: Path, folder: str) -> float:
    # As on a user's machine, compiled modules are kept: what was installed by pip is compiled already.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    subprocess.run([interpreter, "-P", "-c", candidate.task], check=True, cwd=folder, env=environment)
    return time.perf_counter() - begin


def memory(workers: Mapping[str, Worker], some: Sequence[Candidate], sizes: Sizes, folder: Path) -> list[Record]:
    """Return by how many bytes the peak rose in a fresh process of each engine, once: it hardly varies."""
    records = []
    for each in some:
        sys.stderr.write(f"memory: {each.name}\n")
        shard = -(-sizes.small // _SHARDS)
        count = min(sizes.small, shard * _FEWER) if each.environment == "original" else sizes.small
        interpreter = workers[each.environment].interpreter
        records.append(_rise(each, interpreter, count, shard, folder / "scratch" / "small"))
    return records


def _rise(candidate: Candidate, interpreter: Path, count: int, shard: int, folder: Path) -> Record:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    before = load()
    command = [interpreter, _MEMORY, candidate.task, str(count), str(shard), folder]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    shutil.rmtree(folder)
    return Record("memory", candidate.name, (float(json.loads(done.stdout)["bytes"]),), count, None, before)
