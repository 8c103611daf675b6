"""Making headers older: an index does not count on what changed within two seconds before it was made."""

import os
from pathlib import Path

__all__ = ["age"]


def age(folder: Path, *begins: str) -> None:
    """Set the times of headers in a folder back by ten seconds: of those whose names begin so, or of all."""
    for header in folder.rglob("*.manifest.json"):
        if header.name.startswith(begins or ""):
            os.utime(header, ns=(0, header.stat().st_mtime_ns - 10**10))
