"""The command as a function: what it prints and its exit status, without the cost of a process."""

import subprocess
import sys
import warnings

import pytest

from atdata.cli import main


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function from arguments to what a process of the command would give."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["atdata", *arguments])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Cyclopts application invoked without tokens")  # they are in sys.argv
            with pytest.raises(SystemExit) as ended:
                main()
        code, captured = ended.value.code, capsys.readouterr()
        if isinstance(code, str):  # Python prints it, and exits with 1
            return subprocess.CompletedProcess(arguments, 1, captured.out, f"{captured.err}{code}\n")
        return subprocess.CompletedProcess(arguments, code or 0, captured.out, captured.err)

    return command
