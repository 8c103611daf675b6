"""Cost of work in this process and its children: CPU seconds, and counts that do not depend on the machine's speed."""

import contextlib
import functools
import os
import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any

_IO = "/proc/self/io"
#: Names of the kernel's counters: bytes and calls of read(2), write(2) and their relatives, cached or not.
_KERNEL = {"rchar": "bytes read", "wchar": "bytes written", "syscr": "read calls", "syscw": "write calls"}
#: Counts so far, by name; an audit hook cannot be removed, so this one counts from the first use on.
_SO_FAR: dict[str, int] = {}
_PLANS, _OPENS = "Polars plans", "opens"


def cpu_seconds() -> float:
    """Return the user and system time so far, of this process and of its children that have ended, in seconds."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextlib.contextmanager
def counting() -> Iterator[dict[str, int]]:
    """Yield a dict that holds the counts of the block once it has ended.

    Opens are those that Python makes; Polars reads its files itself, mapped ones without a call.
    """
    _begin()
    counts: dict[str, int] = {}
    modules, looked = len(sys.modules), _kernel()
    before = dict(_SO_FAR)
    yield counts
    after = dict(_SO_FAR)
    now = _kernel()
    if looked and now:
        # The first look is itself one read, which the second one sees.
        own = {"rchar": looked["length"], "syscr": 1}
        counts |= {words: now[name] - looked[name] - own.get(name, 0) for name, words in _KERNEL.items()}
    counts |= {name: after[name] - before[name] for name in before}
    counts["modules imported"] = len(sys.modules) - modules


def _begin() -> None:
    if _OPENS not in _SO_FAR:
        _SO_FAR[_OPENS] = 0
        sys.addaudithook(_audit)
    if _PLANS not in _SO_FAR and "polars" in sys.modules:
        _SO_FAR[_PLANS] = 0
        polars = sys.modules["polars"]
        polars.LazyFrame.collect = _counted(polars.LazyFrame.collect)
        polars.collect_all = _counted(polars.collect_all)


def _audit(event: str, _: Any) -> None:
    if event == "open":
        _SO_FAR[_OPENS] += 1


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def count(*arguments: Any, **options: Any) -> Any:
        _SO_FAR[_PLANS] += 1
        return function(*arguments, **options)

    return count


def _kernel() -> dict[str, int]:
    """Return the kernel's counters and the length of the text that tells them; empty where there is none."""
    try:
        descriptor = os.open(_IO, os.O_RDONLY)
    except OSError:
        return {}
    try:
        text = os.read(descriptor, 1 << 12)
    finally:
        os.close(descriptor)
    counters = {name.decode(): int(value) for name, value in (line.split(b": ") for line in text.splitlines())}
    return counters | {"length": len(text)}
