"""The commands, and how their errors are shown."""

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
    """Run the command; an error of the library is one message and exit status 1."""
    try:
        app()
    except AtdataError as error:
        sys.exit(f"atdata: {error}")
