"""The commands, and how their errors are shown."""

import io
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from atdata import AtdataError, __version__

from ._compact_command import run_compact
from ._demo import run_demo

__all__ = ["app", "main"]

app = App(
    name="atdata",
    version=__version__,
    help="Find, check and train on any slice of a sharded dataset, without opening the shards.",
)


@app.command
def demo(*, directory: Annotated[Path | None, Parameter(name="--dir")] = None) -> None:
    """See the library at work on 1,797 handwritten digits.

    Writes them as typed samples in four shards with manifests, asks the manifests, and fetches what answers.

    Args:
        directory: A folder to keep the files in; without it they are written to a temporary one and removed.
    """
    run_demo(directory)


@app.command
def compact(
    directory: Path, *, recursive: bool = False, manifests: Path | None = None, keep_going: bool = False
) -> int:
    """Make the index of a folder of shards, or bring it up to date, so that questions to many shards are fast.

    Only what has changed since the last time is read. The index can be removed at any time.

    Args:
        directory: The folder.
        recursive: Go into its folders too.
        manifests: The folder that holds the manifests, where they are kept apart from the tars.
        keep_going: Leave shards out whose manifest is damaged, and name them; the exit status is 1 then.
    """
    return run_compact(directory, recursive=recursive, manifests=manifests, keep_going=keep_going)


def main() -> None:
    """Run the command; an error of the library or of the file system is one message and exit status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without Unicode shows "?" rather than a traceback
    try:
        try:
            sys.exit(app())
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output is gone, as in `| head`; nobody is there to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (AtdataError, OSError) as error:
        sys.exit(f"atdata: {error}")
