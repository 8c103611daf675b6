"""How far long work has come, for whoever watches."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

__all__ = ["Progress"]


class Progress:
    """A line on the terminal: samples, shards, bytes. Says nothing where standard error is no terminal.

    Args:
        shown: Whether anything is to be shown.
        doing: What is being done.
    """

    def __init__(self, *, shown: bool, doing: str = "writing") -> None:
        self._doing = doing
        #: How many samples there will be; None where that is not known.
        self.total: int | None = None
        self._shown = shown
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def begin(self) -> None:
        """Show the line."""
        if self._shown and sys.stderr.isatty():
            self._bar = _bar(self._doing)
            self._task = self._bar.add_task("", total=self.total, counts="")
            self._bar.start()

    def end(self) -> None:
        """Leave the line as it is."""
        if self._bar is not None:
            self._bar.stop()

    def show(self, *, samples: int, shards: int, size: int | None = None) -> None:
        """Say how far it is: samples, finished shards, bytes where any are written."""
        if self._bar is not None and self._task is not None:
            written = "" if size is None else f", {size / 1e6:,.1f} MB"
            counts = f"{samples:,} samples, {shards:,} shards{written}"
            self._bar.update(self._task, completed=samples, counts=counts)


def _bar(doing: str) -> "Bar":
    from rich.console import Console  # noqa: PLC0415 -- only this call needs it
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 -- as above
    from rich.progress import Progress as Bar  # noqa: PLC0415 -- as above

    counts = TextColumn("{task.fields[counts]}")
    return Bar(TextColumn(doing), BarColumn(), counts, TimeElapsedColumn(), console=Console(stderr=True))
