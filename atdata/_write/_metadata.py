"""What a caller says of a whole dataset, as headers keep it; and the display of progress."""

import datetime as dt
import json
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from atdata._manifest import MAX_HEADER

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

__all__ = ["Progress", "iso_time", "json_dict"]


def iso_time(value: dt.datetime | str | None) -> str | None:
    """Return a time as ISO 8601 text; None for None.

    Raises:
        ValueError: It is none.
    """
    if value is None or isinstance(value, dt.datetime):
        return None if value is None else value.isoformat()
    try:
        dt.datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"created_at is a datetime, or one as ISO 8601 text; found {value!r}") from error
    return value


def json_dict(option: str, value: Any) -> Mapping[str, Any] | None:
    """Return what a caller gives for an option as plain JSON; None for None.

    Raises:
        TypeError: It is no dict, or holds what JSON cannot.
        ValueError: It is longer than a header.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"{option} is a dict; found {type(value).__name__}")
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise TypeError(f"{option} holds what JSON cannot: {error}") from error
    if len(text) > MAX_HEADER:  # found before anything is replaced
        raise ValueError(
            f"{option} takes {len(text)} bytes as JSON, and is kept in the header of each shard, which takes "
            f"{MAX_HEADER} bytes at most; keep it in a file of its own"
        )
    plain: dict[str, Any] = json.loads(text)  # as it will be read, and nobody else's to change
    return plain


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
