"""The peak of resident memory of this process, by what Linux tells: elsewhere nothing is told."""

import ctypes
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
#: What has the kernel forget the highest peak so far.
_FORGET_PEAK = "5"


def reset() -> int | None:
    """Give back what is free, forget the peak so far, and return what is resident, in bytes."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        _RESET.write_text(_FORGET_PEAK)
    except (AttributeError, OSError):
        return None
    return _read("VmRSS:")


def highest() -> int | None:
    """Return the peak since it was forgotten, in bytes."""
    return _read("VmHWM:")


def _read(name: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)
