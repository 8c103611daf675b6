"""What an import loads: the sets of modules, in interpreters of their own."""

import subprocess
import sys

import pytest

#: What costs time to import, and is not needed to name what the library offers.
HEAVY = {
    *("polars", "numpy", "pandas", "pyarrow", "msgspec", "msgpack", "isal", "PIL", "torch", "ray", "obstore", "rich"),
    *("cyclopts", "asyncio", "concurrent.futures", "dataclasses", "inspect", "json", "multiprocessing"),
}
#: What only some calls need, whatever was imported.
OPTIONAL = {"pandas", "pyarrow", "PIL", "torch", "ray", "obstore", "rich", "cyclopts"}


def loaded(statement: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("atdata.")}


@pytest.mark.parametrize("statement", ["import atdata", "import atdata.manifest", "from atdata import SchemaError"])
def test_a_doorway_loads_nothing_heavy(statement: str) -> None:
    modules = loaded(statement)
    assert modules & HEAVY == set()
    assert rooms(modules) <= {"_display", "_doorway", "_errors", "manifest"}


def test_a_sample_type_loads_what_samples_are_made_of() -> None:
    modules = loaded("from atdata import packable")
    assert modules & OPTIONAL == set()
    assert rooms(modules) == {"_display", "_doorway", "_errors", "_sample"}


def test_a_dataset_loads_no_room_that_only_some_calls_need() -> None:
    modules = loaded("from atdata import Dataset")
    assert modules & OPTIONAL == set()
    unused = {"_annotate", "_epoch", "_lens", "_frames", "_torch", "_view", "cli"}
    assert {room for room in unused if any(name.startswith(f"atdata.{room}.") for name in modules)} == set()
    assert (
        modules
        & {
            *("atdata._dataset._export", "atdata._dataset._load", "atdata._dataset._jobs", "atdata._dataset._write"),
            *(
                "atdata._index._build",
                "atdata._index._compact",
                "atdata._manifest._builder",
                "atdata._manifest._publish",
            ),
            *("atdata._manifest._publish", "atdata._write._encode", "atdata._write._set_writer"),
        }
        == set()
    )
