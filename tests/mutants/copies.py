"""Copies of the project: a mutant is only ever written into one."""

import hashlib
import io
import itertools
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["PROGRAMS", "Copy", "digest"]

#: This folder, below the project's root: its tests are about mutants, and kill none.
PROGRAMS = "tests/mutants"

_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "site")
#: Whatever decides which tests there are, and how they are run.
_OF_TESTS = ("tests", "conftest.py", "pyproject.toml")


class Copy:
    """A folder with the project as it is.

    Args:
        root: The project.
        folder: Where the copy goes; anything there is removed.
        tests_from: A revision whose tests take the place of today's.
    """

    def __init__(self, root: Path, folder: Path, tests_from: str | None = None) -> None:
        self.root = folder
        #: Modification times, in seconds: no two texts of a module share one, so that no bytecode is stale.
        self._times = itertools.count(1_000_000_000)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(root, folder, ignore=_LEFT_OUT)
        if tests_from is not None:
            self._take_tests(root, tests_from)

    def _take_tests(self, root: Path, revision: str) -> None:
        command = ["git", "-C", os.fspath(root), "archive", revision, *_OF_TESTS]
        archive = subprocess.run(command, check=True, capture_output=True).stdout
        shutil.rmtree(self.root / "tests")
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(self.root, filter="data")
        shutil.copytree(Path(__file__).parent, self.root / PROGRAMS, dirs_exist_ok=True, ignore=_LEFT_OUT)

    @contextmanager
    def changed(self, file: str, text: str) -> Iterator[None]:
        """Hold a module changed for a while."""
        path = self.root / file
        before = path.read_text(encoding="utf-8")
        self._write(path, text)
        try:
            yield
        finally:
            self._write(path, before)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        moment = next(self._times)
        os.utime(path, (moment, moment))

    def environment(self) -> dict[str, str]:
        """Return the environment in which Python imports the copy's modules, in subprocesses too."""
        return os.environ | {"PYTHONPATH": os.fspath(self.root), "PYTHONHASHSEED": "0"}

    def check(self) -> None:
        """Raise where Python would import the project from elsewhere."""
        code = "import atdata; print(atdata.__file__)"
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, cwd=self.root, env=self.environment(), check=True, capture_output=True, text=True)
        if not Path(run.stdout.strip()).is_relative_to(self.root):
            raise RuntimeError(f"the copy at {self.root} is not what Python imports, but {run.stdout.strip()}")


def digest(root: Path, files: Iterable[Path]) -> str:
    """Return a digest of files, their names below the root included; the programs here are left out."""
    total = hashlib.sha256()
    names = sorted(path.relative_to(root).as_posix() for path in files)
    for name in names:
        if not name.startswith(f"{PROGRAMS}/"):
            content = hashlib.sha256((root / name).read_bytes()).hexdigest()
            total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()[:12]
