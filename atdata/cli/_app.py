"""The commands, and how their errors are shown."""

import io
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from atdata import AtdataError, __version__

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


def main() -> None:
    """Run the command; an error of the library or of the file system is one message and exit status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without Unicode shows "?" rather than a traceback
    try:
        app()
    except (AtdataError, OSError) as error:
        sys.exit(f"atdata: {error}")
