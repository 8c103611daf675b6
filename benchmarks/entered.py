"""Count the modules of the package that a call enters: those of which a function runs.

Run with ``python -m benchmarks.entered [--names]`` from the root of the repository; ``--names`` lists the modules. Each
call is the first one on a dataset that was just opened, in a process that wrote the dataset and read its columns.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType

import polars as pl

import atdata

__all__ = ["CALLS", "entered"]

PACKAGE = Path(atdata.__file__).parent
#: How many modules each call enters at most.
LIMITS = {"ds[3]": 12, 'list(ds.where(label="a"))': 20, "ds.annotate(frame)": 25}


@atdata.packable
class Item:
    """A sample of the datasets that are counted over."""

    label: str
    number: int


CALLS: dict[str, Callable[["atdata.Dataset[Item]", pl.DataFrame], object]] = {
    "ds[3]": lambda ds, _: ds[3],
    'list(ds.where(label="a"))': lambda ds, _: list(ds.where(label="a")),
    "ds.annotate(frame)": lambda ds, frame: ds.annotate(frame),
}


def entered(call: Callable[[], object]) -> list[str]:
    """Return the modules of the package of which a function runs during a call, by path below the package."""
    codes: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            codes.add(frame.f_code)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    # A module's own code runs when it is imported, which is no call.
    files = {Path(each.co_filename) for each in codes if each.co_name != "<module>"}
    inside = {file.relative_to(PACKAGE) for file in files if file.is_relative_to(PACKAGE)}
    return sorted(str(file) for file in inside if file.name != "__init__.py")


def _counted(name: str, folder: Path) -> list[str]:
    samples = [Item("ab"[number % 2], number) for number in range(12)]
    atdata.write_samples(samples, folder / "s.tar", maxcount=4, manifest=True, durable=False)
    frame = atdata.Dataset[Item](folder).scan().select("__key__", score="number").collect()
    ds = atdata.Dataset[Item](folder)
    return entered(lambda: CALLS[name](ds, frame))


def _shown(name: str, modules: Iterable[str], *, names: bool) -> str:
    modules = list(modules)
    line = f"{len(modules):>3} of at most {LIMITS[name]:>2}  {name}"
    return "\n".join([line, *(f"      {each}" for each in modules)] if names else [line])


def main() -> None:
    """Print how many modules each call enters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", action="store_true", help="list the modules")
    names = parser.parse_args().names
    for name in CALLS:
        with tempfile.TemporaryDirectory() as folder:
            print(_shown(name, _counted(name, Path(folder)), names=names))


if __name__ == "__main__":
    main()
