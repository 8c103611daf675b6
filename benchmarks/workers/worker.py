"""The worker: one long-lived process in each environment, JSON lines in, JSON lines out.

It is run as a script, so that its own folder leads the import path and the project's does not: `atdata` is what the
environment has installed.
"""

import gc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import cost
import peak
from common import Setup, Task

_TASKS: dict[str, Task] = {}


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _DO[request.pop("do")](**request)
        except Exception:  # noqa: BLE001 -- whatever went wrong, the driver is told and stops
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _hello() -> dict[str, Any]:
    found = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
    # Comes with older releases of webdataset, under no name of its own.
    if importlib.util.find_spec("wids"):
        found["wids"] = found["webdataset"]
    return {"python": sys.version.split()[0], "versions": found}


def _prepare(name: str, task: str, setup: dict[str, Any]) -> dict[str, Any]:
    module, function = task.split(":")
    setup |= {"data": Path(setup["data"]), "scratch": Path(setup["scratch"])}
    _TASKS[name] = getattr(importlib.import_module(module), function)(Setup(**setup))
    return {}


def _prove(name: str) -> dict[str, Any]:
    task = _TASKS[name]
    task.before()
    begin = time.perf_counter()
    found = task.run()
    seconds = time.perf_counter() - begin
    count, digest = (task.prove or task.answer)(found)
    facts = task.facts()
    task.after()
    return {"seconds": seconds, "count": count, "digest": digest, "facts": facts}


def _run(name: str) -> dict[str, Any]:
    task = _TASKS[name]
    task.before()
    gc.collect()
    gc.freeze()  # what other tasks keep ready is not walked through on this one's time
    begin = time.perf_counter()
    found = task.run()
    seconds = time.perf_counter() - begin
    gc.unfreeze()
    count, digest = task.answer(found)
    task.after()
    return {"seconds": seconds, "count": count, "digest": digest}


def _alone(name: str) -> dict[str, Any]:
    """Run a task once, and say by how many bytes the peak of resident memory rose; None where nothing tells."""
    task = _TASKS[name]
    task.before()
    gc.collect()
    resident = peak.reset()
    begin = time.perf_counter()
    found = task.run()
    seconds = time.perf_counter() - begin
    highest = peak.highest()
    count, digest = task.answer(found)
    task.after()
    rise = None if resident is None or highest is None else max(0, highest - resident)
    return {"seconds": seconds, "count": count, "digest": digest, "peak": rise}


def _measure(name: str, repeats: int) -> dict[str, Any]:
    """Run a task several times, and return the CPU seconds of one."""
    task = _TASKS[name]
    gc.collect()
    gc.freeze()  # as in `_run`
    cpu, result = 0.0, None
    for _ in range(repeats):
        task.before()
        begin = cost.cpu_seconds()
        result = task.run()
        cpu += cost.cpu_seconds() - begin
        task.after()
    gc.unfreeze()
    count, _ = task.answer(result)
    return {"cpu": cpu / repeats, "count": count, "facts": task.facts()}


def _count(name: str) -> dict[str, Any]:
    task = _TASKS[name]
    task.before()
    with cost.counting() as counts:
        task.run()
    task.after()
    return {"counts": counts}


def _forget() -> dict[str, Any]:
    _TASKS.clear()
    gc.collect()
    return {}


_DO = {
    "hello": _hello, "prepare": _prepare, "prove": _prove, "run": _run, "alone": _alone, "measure": _measure,
    "count": _count, "forget": _forget,
}  # fmt: skip

if __name__ == "__main__":
    main()
