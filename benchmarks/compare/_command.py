"""The command: copy both versions, measure, print, keep the results, and hold them against limits."""

import argparse
import dataclasses
import datetime as dt
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks._driver import WorkerFailedError
from benchmarks._run import Machine, load

from ._jobs import JOBS, PARALLEL, Job
from ._measure import Measured, measure
from ._paired import FineLimitError, check_limit
from ._rows import IDEAL, Row, counts_of, rows_of, speedups_of
from ._table import control_line, counts_lines, speedup_lines, table
from ._trees import Tree, TreeNotFoundError, copy_tree

__all__ = ["main"]

#: Fewer pairs say too little.
_FEWEST = 20
_FEWEST_PROCESSES = 2
_BROKEN, _FAILED = 1, 2


def main(arguments: Sequence[str], root: Path) -> int:
    """Compare two versions, and return the exit status.

    Args:
        arguments: The command line, without the program and `compare`.
        root: The working tree.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        general, limits = _limits(options.limit)
        _check(options, limits)
    except ValueError as error:
        parser.error(str(error))
    kept = root / ".bench" / "compare"
    kept.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=options.folder or kept) as folder:
            return _compare(options, limits, general, root, Path(folder))
    except (TreeNotFoundError, WorkerFailedError, OSError) as error:
        print(error, file=sys.stderr)
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m benchmarks compare", description=sys.modules[__package__].__doc__, formatter_class=words
    )
    parser.add_argument("before", metavar="BEFORE", help="a git revision, `.` for the working tree, or a folder")
    parser.add_argument("after", metavar="AFTER", nargs="?", default="", help="the same; the working tree by default")
    parser.add_argument("--control", action="store_true", help="compare BEFORE with itself, which shows the noise")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS), metavar="JOB", help=f"of {list(JOBS)}")
    parser.add_argument("--pairs", type=int, default=_FEWEST, metavar="N", help=f"at least {_FEWEST}")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="[JOB=]RATIO",
        help="highest ratio of all jobs, or of one; FIRST/SECOND=RATIO is of two jobs after; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--processes",
        type=int,
        default=max(_FEWEST_PROCESSES, os.cpu_count() or 1),
        metavar="N",
        help="of the parallel job",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="append JSON lines here")
    parser.add_argument("--folder", type=Path, help="where data and copies lie meanwhile (.bench/compare)")
    parser.add_argument("--small", action="store_true", help="tiny, once each: a test that all of it runs")
    return parser


def _limits(texts: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """Return the general limit and those by row.

    Raises:
        ValueError: A limit is not a number, too fine, or of an unknown job.
    """
    general, limits = None, {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            limit = check_limit(float(number))
        except FineLimitError:
            raise
        except ValueError:
            raise ValueError(f"expected a number as a limit, found {number!r} in {text!r}") from None
        if not name:
            general = limit
        elif name == IDEAL or all(part in JOBS for part in name.split("/", 1)):
            limits[name] = limit
        else:
            raise ValueError(f"unknown job in {text!r}; expected one of {', '.join(JOBS)}")
    return general, limits


def _check(options: argparse.Namespace, limits: Mapping[str, float]) -> None:
    """Refuse options that do not fit together.

    Raises:
        ValueError: They do not.
    """
    if options.control and options.after:
        raise ValueError("--control compares BEFORE with itself; omit AFTER")
    if options.pairs < (1 if options.small else _FEWEST):
        raise ValueError(f"expected at least {_FEWEST} pairs, found {options.pairs}")
    if options.processes < _FEWEST_PROCESSES:
        raise ValueError(f"expected at least {_FEWEST_PROCESSES} processes, found {options.processes}")
    missing = [name for name in limits if not _parts(name) <= set(options.jobs)]
    if missing:
        raise ValueError(f"limits of jobs that are not measured: {', '.join(missing)}; add them to --jobs")


def _parts(name: str) -> set[str]:
    """Return the jobs that a row is made of."""
    return {PARALLEL} if name == IDEAL else set(name.split("/", 1))


def _compare(
    options: argparse.Namespace, limits: dict[str, float], general: float | None, root: Path, folder: Path
) -> int:
    names = (options.before, options.before if options.control else options.after or ".")
    before, after = (copy_tree(name, root, folder / f"tree-{side}") for side, name in zip("ab", names, strict=True))
    print(f"before: {before}\nafter: {after}")
    first_load = load()
    series = measure((before, after), _jobs(options), options.pairs, folder, small=options.small)
    rows = rows_of(series, limits, general)
    _show(options, series, rows)
    if options.out:
        _write(options.out, _about(options, before, after, first_load), series, rows)
    if any(row.verdict == "broken" for row in rows):
        return _BROKEN
    return _FAILED if any(measured.failure for measured in series) else 0


def _jobs(options: argparse.Namespace) -> list[Job]:
    jobs = [JOBS[name].small() if options.small else JOBS[name] for name in dict.fromkeys(options.jobs)]
    return [dataclasses.replace(job, picks=options.processes) if job.name == PARALLEL else job for job in jobs]


def _show(options: argparse.Namespace, series: Sequence[Measured], rows: Sequence[Row]) -> None:
    print(f"\n{table(rows)}\n")
    for line in [*speedup_lines(speedups_of(series), options.processes), *counts_lines(counts_of(series))]:
        print(line)
    for measured in series:
        if measured.failure:
            print(f"- {measured.job.name}: cannot be compared. {measured.failure}")
    if options.control:
        print(f"\n{control_line(rows)}")


def _about(options: argparse.Namespace, before: Tree, after: Tree, first_load: float) -> dict[str, object]:
    return {
        "compared": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "before": {"name": before.name, "commit": before.commit, "files": before.digest},
        "after": {"name": after.name, "commit": after.commit, "files": after.digest},
        "pairs": options.pairs,
        "control": options.control,
        "small": options.small,
        "machine": dataclasses.asdict(Machine.here()),
        "python": sys.version.split()[0],
        "load": [first_load, load()],
    }


def _write(path: Path, about: dict[str, object], series: Sequence[Measured], rows: Sequence[Row]) -> None:
    lines: list[dict[str, object]] = [about, *(row.as_json() for row in rows)]
    lines += [dataclasses.asdict(count) | {"equal": count.equal} for count in counts_of(series)]
    lines += [dataclasses.asdict(one) for one in speedups_of(series)]
    lines += [{"job": one.job.name, "failure": one.failure} for one in series if one.failure]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
