"""What an import loads: the sets of modules, in interpreters of their own."""

import json
import subprocess
import sys

import pytest

#: Packages that cost time to import; none of them is needed to name what the library offers.
HEAVY = {
    *("polars", "numpy", "pandas", "pyarrow", "msgspec", "msgpack", "isal", "PIL"),
    *("torch", "ray", "obstore", "rich", "cyclopts", "concurrent.futures", "multiprocessing", "inspect", "dataclasses"),
}
#: Packages that only some calls need.
OPTIONAL = {"pandas", "pyarrow", "PIL", "torch", "rich", "cyclopts"}


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def loaded(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has after a statement."""
    return set(json.loads(run(f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))")))


def rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("atdata.")}


@pytest.mark.parametrize("statement", ["import atdata", "import atdata.manifest", "from atdata import SchemaError"])
def test_a_doorway_loads_nothing_heavy(statement: str) -> None:
    modules = loaded(statement)
    assert modules & HEAVY == set()
    assert rooms(modules) <= {"_doorway", "_errors", "manifest"}
