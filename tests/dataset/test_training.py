"""What training needs beyond this library is asked for by name."""

import subprocess
import sys

PROGRAM = """
import sys, tempfile, atdata
sys.modules["torch"] = None
dataset = atdata.write_samples([atdata.DictSample(a=1)], tempfile.mkdtemp() + "/a.tar", manifest=True)
try:
    dataset.to_torch()
except ImportError as error:
    print(type(error).__name__, error)
"""


def test_without_pytorch_the_command_that_installs_it_is_named():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingPackageError to_torch() takes PyTorch, which is not installed: ")
    assert "pip install 'atdata-polars[torch]'" in done.stdout
