"""Polars and forked processes: its threads do not survive a fork, and the child would wait for them for ever."""

import os

from atdata._errors import AtdataError

__all__ = ["enter_polars"]


class _Polars:
    #: The process that Polars' threads were started in, as far as this library started them.
    pid: int | None = None


def enter_polars() -> None:
    """Note that Polars is used in this process.

    Raises:
        AtdataError: This process was forked from one that had used it.
    """
    pid = os.getpid()
    if _Polars.pid is None:
        _Polars.pid = pid
    elif _Polars.pid != pid:
        raise AtdataError(
            f"process {pid} was forked from {_Polars.pid}, which had already used Polars: its threads are gone here, "
            "and a query, reading in order or writing manifests would hang. Start workers with 'spawn' or 'forkserver' "
            "(multiprocessing.get_context), or ask before the fork and only fetch after it, by locations that have "
            "size and CRC"
        )
