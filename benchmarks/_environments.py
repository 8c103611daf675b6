"""The environments that are measured: ours with the peers, the original, which has the same import name, and PyTorch's.

PyTorch's is made with the Python that runs this, or the one that PYTHON_TORCH names; without it, nobody does `loader`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["NoPythonError", "build"]

_ROOT = Path(__file__).resolve().parent.parent
_REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
_QUIET = ("--quiet", "--disable-pip-version-check")
_CHECK = "import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, 12))"


class NoPythonError(Exception):
    """There is no Python 3.12, which the original and all peers install on."""


def build(root: Path) -> Mapping[str, Path]:
    """Return the interpreters by environment; build what is not there or was built from other requirements.

    Raises:
        NoPythonError: There is no Python 3.12.
    """
    base = _python312()
    built = {name: _environment(root / name, name, base) for name in ("peers", "original")}
    trainer = _environment(root / "torch", "torch", os.environ.get("PYTHON_TORCH") or sys.executable)
    return built | ({"torch": trainer} if _has_torch(trainer) else {})


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
        else:
            _install(interpreter, "--no-deps", "--requirement", str(_REQUIREMENTS / f"{name}.txt"))
        if name == "peers":
            _install(interpreter, "--editable", str(_ROOT))
            _install(interpreter, "--no-deps", "--requirement", str(_REQUIREMENTS / "optional.txt"), must=False)
        stamp.write_text(wanted, encoding="utf-8")
    return interpreter


def _wanted(name: str) -> str:
    files = [_REQUIREMENTS / f"{name}.txt"]
    if name != "original":
        files += [_REQUIREMENTS / "optional.txt", _ROOT / "pyproject.toml"]
    return hashlib.sha256(b"".join([str(_ROOT).encode(), *(file.read_bytes() for file in files)])).hexdigest()


def _install(interpreter: Path, *what: str, must: bool = True) -> None:
    done = subprocess.run([str(interpreter), "-m", "pip", "install", *_QUIET, *what], check=must)
    if done.returncode:
        sys.stderr.write(f"not installed, and so left out: {' '.join(what)}\n")


def _has_torch(interpreter: Path) -> bool:
    done = subprocess.run([interpreter, "-c", "import torch, atdata"], check=False, capture_output=True)
    return not done.returncode


def _python312() -> str:
    named = os.environ.get("PYTHON312") or "python3.12"
    found = shutil.which(named)
    if found is None or subprocess.run([found, "-c", _CHECK], check=False, capture_output=True).returncode:
        state = "is not there" if found is None else f"({found}) is no Python 3.12 that runs and can make environments"
        raise NoPythonError(
            f"The benchmarks need Python 3.12, which the original library and all peers install on; '{named}' {state}. "
            "Name one: make bench PYTHON312=/path/to/python3.12"
        )
    return found
