"""The environments that are measured: ours with the peers, the original, which has the same import name, and PyTorch's.

PyTorch's two are made with the Python that runs this, or the one that PYTHON_TORCH names, which must be 3.11, for which
PyTorch is pinned: one has ours, the other has those who need PyTorch and older packages. Without them nobody does
`loader`, and those peers are left out.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["NoPythonError", "build", "plotting"]

_ROOT = Path(__file__).resolve().parent.parent
_REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
_QUIET = ("--quiet", "--disable-pip-version-check")
_CHECK = "import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != {})"


class NoPythonError(Exception):
    """There is no Python 3.12, which the original and all peers install on."""


def build(root: Path) -> Mapping[str, Path]:
    """Return the interpreters by environment; build what is not there or was built from other requirements.

    Raises:
        NoPythonError: There is no Python 3.12.
    """
    base = _python312()
    built = {name: _environment(root / name, name, base) for name in ("peers", "original")}
    torch = os.environ.get("PYTHON_TORCH") or sys.executable
    if not _runs(torch, (3, 11)):
        sys.stderr.write(f"{torch} is no Python 3.11; without PyTorch, `loader` and three peers are left out\n")
        return built
    trainers = {name: _environment(root / name, name, torch) for name in ("torch", "streaming")}
    return built | {name: each for name, each in trainers.items() if _has_torch(each)}


def plotting(root: Path) -> Path:
    """Return the interpreter that draws the page's figures.

    Raises:
        NoPythonError: There is no Python 3.12.
    """
    return _environment(root / "plots", "plots", _python312())


def _environment(folder: Path, name: str, base: str) -> Path:
    stamp, wanted = folder / ".ready", _wanted(name)
    interpreter = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        sys.stderr.write(f"building the environment '{name}' in {folder}\n")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([base, "-m", "venv", str(folder)], check=True)
        if name == "torch":  # what it needs differs from platform to platform
            _install(
                interpreter, "--requirement", str(_REQUIREMENTS / "torch.txt"), "--editable", str(_ROOT), must=False
            )
        elif name == "streaming":  # what these declare is more than they use, and cannot be had together
            _install(interpreter, "--no-deps", "--requirement", str(_REQUIREMENTS / "streaming.txt"), must=False)
        else:
            _install(interpreter, "--no-deps", "--requirement", str(_REQUIREMENTS / f"{name}.txt"))
        if name == "peers":
            _install(interpreter, "--editable", str(_ROOT))
            _install(interpreter, "--no-deps", "--requirement", str(_REQUIREMENTS / "optional.txt"), must=False)
        stamp.write_text(wanted, encoding="utf-8")
    return interpreter


def _wanted(name: str) -> str:
    files = [_REQUIREMENTS / f"{name}.txt"]
    if name in ("peers", "torch"):
        files += [_REQUIREMENTS / "optional.txt", _ROOT / "pyproject.toml"]
    return hashlib.sha256(b"".join([str(_ROOT).encode(), *(file.read_bytes() for file in files)])).hexdigest()


def _install(interpreter: Path, *what: str, must: bool = True) -> None:
    done = subprocess.run([str(interpreter), "-m", "pip", "install", *_QUIET, *what], check=must)
    if done.returncode:
        sys.stderr.write(f"not installed, and so left out: {' '.join(what)}\n")


def _has_torch(interpreter: Path) -> bool:
    done = subprocess.run([interpreter, "-c", "import torch"], check=False, capture_output=True)
    return not done.returncode


def _runs(interpreter: str, version: tuple[int, int]) -> bool:
    done = subprocess.run([interpreter, "-c", _CHECK.format(version)], check=False, capture_output=True)
    return not done.returncode


def _python312() -> str:
    named = os.environ.get("PYTHON312") or "python3.12"
    found = shutil.which(named)
    if found is None or not _runs(found, (3, 12)):
        state = "is not there" if found is None else f"({found}) is no Python 3.12 that runs and can make environments"
        raise NoPythonError(
            f"The benchmarks need Python 3.12, which the original library and all peers install on; '{named}' {state}. "
            "Name one: make bench PYTHON312=/path/to/python3.12"
        )
    return found
