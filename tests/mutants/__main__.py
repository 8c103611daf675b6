"""Change the code in small ways, one at a time, and see whether the tests notice: `python -m tests.mutants --help`."""

import argparse
import fcntl
import signal
import sys
import time
from pathlib import Path

from .copies import Copy, digest
from .mutations import read
from .recording import code_digest, record
from .reporting import Reasons, report
from .results import Results
from .running import Judge
from .sampling import Mutant, sample
from .strata import STRATA

_ROOT = Path(__file__).parents[2]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="number of mutants, as many from each stratum")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--strata", nargs="+", choices=STRATA, help="only these; default: all")
    parser.add_argument(
        "--files", nargs="+", metavar="GLOB", help="instead of strata: modules below the project's root"
    )
    parser.add_argument("--only", nargs="+", metavar="ID", help="of the sample, only these mutants")
    parser.add_argument("--again", action="store_true", help="run those that were not killed again")
    parser.add_argument("--tests-from", metavar="REV", help="run the tests of a git revision against today's code")
    parser.add_argument("--workers", type=int, default=2, help="mutants at once")
    parser.add_argument("--budget", type=float, default=60.0, help="CPU seconds of tests for one mutant, as recorded")
    parser.add_argument("--folder", type=Path, default=_ROOT / ".mutants", help="for copies, recordings and results")
    parser.add_argument("--list", action="store_true", help="show the sample, and run nothing")
    return parser.parse_args()


def _sample(options: argparse.Namespace) -> list[Mutant]:
    names = options.strata or list(STRATA)
    strata = {"files": tuple(options.files)} if options.files else {name: STRATA[name] for name in names}
    mutants = sample(_ROOT, strata, options.n, options.seed)
    return [mutant for mutant in mutants if not options.only or mutant.id in options.only]


def _list(mutants: list[Mutant]) -> None:
    for mutant in mutants:
        mutation = mutant.mutation
        _say(f"{mutant.id} {mutant.stratum} {mutation.file}:{mutation.line} {mutant.function}")
        _say(f"  - {mutant.before}\n  + {mutant.after}")


def _run(options: argparse.Namespace, mutants: list[Mutant]) -> None:
    copies = [Copy(_ROOT, options.folder / f"copy-{place}", options.tests_from) for place in range(options.workers)]
    copies[0].check()
    folder = options.folder / code_digest(copies[0])
    recording = record(copies, folder / "recording", _say)
    results = Results(folder / f"{_tests_digest(copies[0])}.jsonl")
    missing = results.missing([mutant.id for mutant in mutants], again=options.again)
    pending = [mutant for mutant in mutants if mutant.id in missing]
    sources = {mutant.mutation.file: read(_ROOT, mutant.mutation.file) for mutant in mutants}
    _say(f"{len(mutants)} mutants of seed {options.seed}, {len(pending)} to run; {len(recording.tests)} tests")
    began = time.monotonic()
    judge = Judge(copies, recording, _say, budget=options.budget)
    for count, verdict in enumerate(judge.judge_all(pending, sources), 1):
        results.add(verdict)
        passed = f"{time.monotonic() - began:.0f} s"
        _say(f"{count}/{len(pending)} {passed} {verdict.id} {verdict.status} {verdict.test or verdict.how}")
    _say(report(mutants, results.verdicts, Reasons(_ROOT / "tests/mutants/reasons.toml")))


def _tests_digest(copy: Copy) -> str:
    return digest(
        copy.root, [*copy.root.glob("tests/**/test_*.py"), *copy.root.glob("docs/**/*.md"), copy.root / "README.md"]
    )


def main() -> None:
    """Run the program."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; the same command goes on"))
    options = _arguments()
    mutants = _sample(options)
    if options.list:
        _list(mutants)
        return
    options.folder.mkdir(exist_ok=True)
    with (options.folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another run uses {options.folder}; pass --folder, or wait for its end")
        _run(options, mutants)


if __name__ == "__main__":
    main()
