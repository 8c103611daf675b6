"""Making a folder's index, with a bar that shows how far it is."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from atdata import QueryExecutor

__all__ = ["run_compact"]

#: How many shards that failed are named.
_NAMED = 10


def run_compact(directory: Path, *, recursive: bool, manifests: Path | None, keep_going: bool) -> int:
    """Make or renew the index of a folder and say what was done; return the exit status.

    Args:
        directory: The folder.
        recursive: Whether to go into its folders too.
        manifests: The folder that holds the manifests, where they are kept apart.
        keep_going: Leave shards out whose manifest is damaged, and name them.

    Raises:
        ManifestError: A manifest is damaged, or there is none.
    """
    executor = QueryExecutor.from_directory(directory, recursive=recursive, manifests=manifests, index="never")
    with _progress() as report:
        done = executor.compact(on_error="collect" if keep_going else "raise", progress=report)
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{done.shards:,} shards, {done.rows:,} samples: {done.size:,} bytes of index in "
        f"{done.parts_written + done.parts_kept:,} parts; {done.tables_read:,} sample tables were read"
    )
    for shard_id, why in done.left_out.items():
        console.print(f"left out: {shard_id!r}: {why}", markup=False)
    for shard_id, error in list(done.failures.items())[:_NAMED]:
        console.print(f"failed: {shard_id!r}: {error}", markup=False)
    if len(done.failures) > _NAMED:
        console.print(f"and {len(done.failures) - _NAMED:,} more")
    return 1 if done.failures else 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on a terminal, and give what moves it; anywhere else show nothing, and give None."""
    if not sys.stderr.isatty():  # older versions of rich print an empty line for a bar that is disabled
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("shards", total=None)
        yield lambda count, total: bar.update(task, completed=count, total=total)
