"""The main job on real input, told so that a person learns the library from it."""

import inspect
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

import atdata

from ._digits import ASCII_SHADES, SHADES, Digit, draw, read_digits

__all__ = ["run_demo"]

T = TypeVar("T")

_SAMPLES_PER_SHARD = 450
_DRAWN = 8
#: How many digits stand side by side at most, how wide each is, and the columns between them.
_ABREAST, _WIDTH, _GAP = 4, 16, 3

_WRITE = """\
ds = atdata.write_samples(
    read_digits(), folder / "digits.tar", maxcount=450, manifest=True
)"""
_ASK_POLARS = """\
ds.query((pl.col("digit") == 9) & (pl.col("confidence") < 0.1))"""
_ASK_PANDAS = """\
ds.query(lambda df: (df["digit"] == 9) & (df["confidence"] < 0.1))"""
_FETCH = """\
nines = ds.scan().filter(pl.col("digit") == 9)   # a Polars LazyFrame
found = nines.sort("confidence").head(8).collect()
for sample in ds.fetch(found):   # only these samples' bytes are read
    show(sample.pixels)          # each was checked before it was decoded"""


def run_demo(directory: Path | None) -> None:
    """Write the digits, show what their manifests say, ask, fetch, draw.

    Args:
        directory: Where the files stay; None for a folder that is removed at the end.

    Raises:
        ShardExistsError: The folder holds the demonstration's shards already.
    """
    console = Console(highlight=False)
    with _folder(directory) as folder:
        dataset, seconds = _timed(lambda: _write(folder))
        _show_shards(console, folder, dataset, seconds)
        _show_manifests(console, folder)
        _ask(console, dataset)
        _show_least_confident(console, dataset)
        _say_goodbye(console, folder, kept=directory is not None)


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="atdata-demo-") as folder:
        yield Path(folder)


def _write(folder: Path) -> atdata.Dataset[Digit]:
    return atdata.write_samples(read_digits(), folder / "digits.tar", maxcount=_SAMPLES_PER_SHARD, manifest=True)


def _show_shards(console: Console, folder: Path, dataset: atdata.Dataset[Digit], seconds: float) -> None:
    _heading(console, "1", "A sample is a dataclass; some of its fields are columns of the manifest")
    _code(console, inspect.getsource(Digit))
    console.print(
        "confidence: how much nearer a digit is to the mean of its own class than to that of the next class, "
        "from 1 to -1; below 0 it looks like another digit.",
        style="dim",
    )
    _heading(console, "2", "Write 1,797 handwritten digits to shards, with a manifest beside each")
    _code(console, _WRITE)
    console.print(f"{len(dataset):,} samples in {len(dataset.list_shards())} shards, written in {_shown(seconds)}:")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("shard", "samples", "tar", "header", "sample table"):
        table.add_column(name, justify="left" if name == "shard" else "right")
    for manifest in atdata.QueryExecutor.from_directory(folder).manifests:
        sizes = (folder / f"{manifest.shard_id}{end}" for end in (".tar", ".manifest.json", ".manifest.parquet"))
        table.add_row(manifest.shard_id, str(manifest.num_samples), *(f"{path.stat().st_size:,} B" for path in sizes))
    console.print(table)


def _show_manifests(console: Console, folder: Path) -> None:
    _heading(console, "3", "What the first shard's header says of its columns")
    first = atdata.QueryExecutor.from_directory(folder).manifests[0]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("field", "aggregate", f"in {first.shard_id}"):
        table.add_column(name)
    for name, aggregate in first.aggregates.items():
        table.add_row(name, aggregate["type"], _aggregate_text(aggregate))
    console.print(table)


def _ask(console: Console, dataset: atdata.Dataset[Digit]) -> None:
    _heading(console, "4", "Ask which nines are hardly nines; no tar is opened")
    polars, polars_seconds = _timed(
        lambda: dataset.query((pl.col("digit") == 9) & (pl.col("confidence") < 0.1))  # noqa: PLR2004 -- the digit
    )
    _code(console, _ASK_POLARS)
    console.print(f"{len(polars)} samples in {_shown(polars_seconds)}, as a Polars expression\n")
    pandas, pandas_seconds = _timed(
        lambda: dataset.query(lambda df: (df["digit"] == 9) & (df["confidence"] < 0.1))  # noqa: PLR2004 -- the digit
    )
    _code(console, _ASK_PANDAS)
    same = "the same" if pandas == polars else "OTHER"
    console.print(
        f"{len(pandas)} samples in {_shown(pandas_seconds)}, as a function of a pandas frame: {same} samples\n"
    )
    console.print(f"The first of them: {polars[0]}")


def _show_least_confident(console: Console, dataset: atdata.Dataset[Digit]) -> None:
    _heading(console, "5", f"Fetch the {_DRAWN} least confident nines, and look at them")
    _code(console, _FETCH)
    rows = dataset.scan().filter(pl.col("digit") == 9).sort("confidence").head(_DRAWN).collect()  # noqa: PLR2004 -- as above
    nines, seconds = _timed(lambda: list(dataset.fetch(rows)))
    shades = SHADES if _can_show(console, SHADES) else ASCII_SHADES
    abreast = max(1, min(_ABREAST, (console.width + _GAP) // (_WIDTH + _GAP)))
    for first in range(0, _DRAWN, abreast):
        row = nines[first : first + abreast]
        for lines in zip(*(draw(nine.pixels, shades) for nine in row), strict=True):
            console.print((" " * _GAP).join(lines), markup=False)
        captions = (f"confidence {nine.confidence:+.2f}".ljust(_WIDTH) for nine in row)
        console.print((" " * _GAP).join(captions) + "\n", style="dim", markup=False)
    console.print(f"{len(nines)} samples fetched and checked in {_shown(seconds)}")


def _say_goodbye(console: Console, folder: Path, *, kept: bool) -> None:
    if kept:
        _heading(console, "6", "The files are yours")
        _code(
            console,
            f"import atdata, polars as pl\n"
            f"from atdata.cli import Digit\n"
            f"ds = atdata.Dataset[Digit]({str(folder)!r})\n"
            f'ds.scan().group_by("digit").agg(pl.col("confidence").mean()).sort("digit").collect()',
        )
    else:
        console.print("\nThe files are removed. To keep them and go on asking: atdata demo --dir digits", style="dim")


def _can_show(console: Console, text: str) -> bool:
    try:
        text.encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def _heading(console: Console, number: str, text: str) -> None:
    console.print(f"\n[bold cyan]{number}[/]  [bold]{text}[/]\n")


def _code(console: Console, source: str) -> None:
    # A long line is left to the terminal: what is shown can be copied and run.
    console.print(Syntax(source.rstrip(), "python", theme="ansi_dark", background_color="default"), soft_wrap=True)
    console.print()


def _aggregate_text(aggregate: dict[str, Any]) -> str:
    if "value_counts" in aggregate:
        return "  ".join(f"{value}:{count}" for value, count in aggregate["value_counts"].items())
    return f"{aggregate['min']} to {aggregate['max']}, mean {aggregate['mean']:.4f}"


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
