"""The two versions of the package, each copied into a folder of its own."""

import dataclasses
import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

__all__ = ["Tree", "TreeNotFoundError", "copy_tree"]

_PACKAGE = "atdata"


class TreeNotFoundError(Exception):
    """A name is neither a folder with the package nor a git revision of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """One version of the package."""

    #: The revision or folder as it was named.
    name: str
    #: The commit in full; empty for a folder.
    commit: str
    #: SHA-256 of the package's files, in hex.
    digest: str
    #: Holds the package; this is what leads the import path.
    folder: Path

    def __str__(self) -> str:
        return f"{self.name} ({f'commit {self.commit[:12]}' if self.commit else 'folder'}, files {self.digest[:12]})"


def copy_tree(name: str, root: Path, target: Path) -> Tree:
    """Copy one version of the package into a folder.

    Args:
        name: A git revision, ``.`` for the working tree, or another folder that holds the package.
        root: The working tree.
        target: The folder to create.

    Raises:
        TreeNotFoundError: There is no such version.
    """
    source, commit = root if name == "." else Path(name), ""
    if (source / _PACKAGE).is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / _PACKAGE, target / _PACKAGE, ignore=ignored)
    else:
        commit = _git(root, name, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        archive = _git_bytes(root, name, "archive", "--format=tar", commit, _PACKAGE)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(target, filter="data")
    return Tree(name, commit, _digest(target / _PACKAGE), target)


def _git(root: Path, name: str, *arguments: str) -> str:
    return _git_bytes(root, name, *arguments).decode().strip()


def _git_bytes(root: Path, name: str, *arguments: str) -> bytes:
    git = shutil.which("git")
    if git is None:
        raise TreeNotFoundError(f"'{name}' is not a folder with '{_PACKAGE}', and revisions require git")
    done = subprocess.run([git, "-C", root, *arguments], capture_output=True, check=False)
    if done.returncode:
        raise TreeNotFoundError(
            f"version not found: '{name}' is neither a folder with '{_PACKAGE}' nor a git revision of {root}; "
            f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip() or 'unknown revision'}"
        )
    return done.stdout


def _digest(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in package.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(package)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
