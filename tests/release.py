"""Check that a release would work: build it, install it in clean environments, and run the README there.

``python tests/release.py`` needs nothing but Python itself; what it makes goes to ``dist/`` and ``.venvs/release-*``.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
#: What users install: the bare distribution, and each of the extras that are meant for them.
INSTALLS = ("", "images", "images,torch")
#: What an archive must hold, by the end of its name.
REQUIRED = {
    ".whl": ("atdata/__init__.py", "atdata/py.typed", "LICENSE"),
    ".tar.gz": ("README.md", "CHANGELOG.md", "LICENSE", "docs/format.md", "tests/conftest.py", "Makefile"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks; return the exit status."""
    parser = argparse.ArgumentParser(prog="python tests/release.py", description=__doc__)
    parser.add_argument("--installs", nargs="+", default=INSTALLS, metavar="EXTRAS", help="'' for none")
    options = parser.parse_args(arguments)
    wheel, source = build()
    problems = [*archive_problems(wheel), *archive_problems(source), *changelog_problems(version_of(wheel))]
    for problem in problems:
        print(f"failed: {problem}", flush=True)
    failed = bool(problems)
    for extras in options.installs:
        done = install_and_run(wheel, extras)
        print(
            f"{'ok' if done else 'failed':8}{wheel.name}{f'[{extras}]' if extras else ''}: README and demo", flush=True
        )
        failed |= not done
    return int(failed)


def build() -> tuple[Path, Path]:
    """Return the wheel and the source archive, made anew."""
    shutil.rmtree(DIST, ignore_errors=True)
    python = environment("release-build")
    _run([python, "-m", "pip", "install", "--quiet", "build"])
    _run([python, "-m", "build", "--outdir", str(DIST), str(ROOT)])
    (wheel,), (source,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, source


def archive_problems(archive: Path) -> list[str]:
    """Return what an archive lacks of the files that it must hold."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    else:
        with tarfile.open(archive) as opened:
            names = opened.getnames()
    kind = next(end for end in REQUIRED if archive.name.endswith(end))
    missing = [name for name in REQUIRED[kind] if not any(f"/{path}".endswith(f"/{name}") for path in names)]
    return [f"{archive.name} lacks {name}" for name in missing]


def version_of(wheel: Path) -> str:
    """Return the version in a wheel's name."""
    return wheel.name.split("-")[1]


def changelog_problems(version: str) -> list[str]:
    """Return what is wrong with the changelog's newest heading."""
    heading = next(
        iter(re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)), ""
    )
    if heading.split(" ")[0] == version:
        return []
    return [f"CHANGELOG.md begins with {heading!r}; expected the version {version}"]


def readme_blocks(text: str) -> Iterator[str]:
    """Yield the Python examples of a Markdown page, in order."""
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield block[1]


def install_and_run(wheel: Path, extras: str) -> bool:
    """Install the wheel in a clean environment, and run the README's examples and the demo in an empty folder."""
    python = environment(f"release-{extras.replace(',', '-') or 'bare'}")
    pinned = ROOT / "constraints" / "{}.{}.txt".format(*sys.version_info[:2])
    constraint = ["--constraint", str(pinned)] if pinned.exists() else []
    _run([python, "-m", "pip", "install", "--quiet", *constraint, f"{wheel}{f'[{extras}]' if extras else ''}"])
    _run([python, "-m", "pip", "check"])
    program = "\n".join(readme_blocks((ROOT / "README.md").read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        done = [
            subprocess.run([*command], cwd=folder, check=False, env=_clean_environment()).returncode == 0
            for command in ([python, "-c", program], [str(Path(python).with_name("atdata")), "demo"])
        ]
    return all(done)


def environment(name: str) -> str:
    """Make a clean virtual environment; return its interpreter."""
    folder = ROOT / ".venvs" / name
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    return str(folder / "bin" / "python")


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "VIRTUAL_ENV"))}


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_clean_environment())


if __name__ == "__main__":
    sys.exit(main())
