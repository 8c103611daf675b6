"""The command: measure, print, and keep what was found."""

import argparse
import sys
import tempfile
from pathlib import Path

from ._data import Recipe, open_sidecars
from ._docs import page
from ._report import append_lines, tables
from ._run import DifferentAnswersError, Run, run

_ROOT = Path(__file__).resolve().parent.parent
_KEPT = _ROOT / ".bench"
_PAGE = _ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Run the benchmarks; return the exit status."""
    parser = _parser()
    options = parser.parse_args()
    if options.small and options.write_docs:
        parser.error("--small measures nothing that belongs in the documentation; leave out one of the two")
    try:
        found = _small() if options.small else _full(options)
    except DifferentAnswersError as error:
        print(error, file=sys.stderr)
        return 1
    for title, table in tables(found).items():
        print(f"\n{title} (ms)\n\n{table}")
    out = options.out or (None if options.small else _KEPT / "results.jsonl")
    if out is not None:
        append_lines(found, out)
        print(f"\nappended to {out}")
    if options.write_docs:
        _PAGE.write_text(page(found), encoding="utf-8")
        print(f"wrote {_PAGE}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="2,000 rows, 2 repetitions: a test that all of it runs")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md anew from this run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="append JSON lines here (.bench/results.jsonl)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows over all shards (%(default)s)")
    parser.add_argument("--shards", type=int, default=100, help="shards (%(default)s)")
    parser.add_argument("--repetitions", type=int, default=9, help="rounds (%(default)s)")
    parser.add_argument("--pandas-repetitions", type=int, default=3, help="rounds through pandas (%(default)s)")
    parser.add_argument("--rebuild", action="store_true", help="make the sidecars even if they are there")
    return parser


def _small() -> Run:
    with tempfile.TemporaryDirectory() as folder:
        return run(open_sidecars(Path(folder), Recipe(2_000, 4)), repetitions=2, slow_repetitions=2)


def _full(options: argparse.Namespace) -> Run:
    sidecars = open_sidecars(_KEPT, Recipe(options.rows, options.shards), rebuild=options.rebuild)
    return run(sidecars, repetitions=options.repetitions, slow_repetitions=options.pandas_repetitions)


if __name__ == "__main__":
    sys.exit(main())
