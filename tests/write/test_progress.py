"""Progress is for terminals alone."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

import atdata
from atdata._write import Progress

PROGRAM = """
import sys, atdata
samples = [atdata.DictSample(number=number) for number in range(3000)]
given = samples if sys.argv[2] == "list" else iter(samples)
atdata.write_samples(given, sys.argv[1] + "/p.tar", maxcount=1000, progress={"yes": True, "no": None}[sys.argv[3]])
"""


def said_on_a_terminal(folder: Path, kind: str, shown: str) -> str:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, folder, kind, shown], stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        said = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
            if not part:
                break
            said += part
    os.close(ours)
    assert child.returncode == 0, said
    return said.decode()


def test_a_terminal_sees_samples_shards_and_bytes(tmp_path: Path) -> None:
    said = said_on_a_terminal(tmp_path, "list", "yes")
    assert "3,000 samples, 3 shards, " in said
    assert " MB" in said


def test_a_generator_is_shown_without_a_total(tmp_path: Path) -> None:
    assert "3,000 samples, 3 shards" in said_on_a_terminal(tmp_path, "iterator", "yes")


def test_nothing_is_shown_unless_asked_for(tmp_path: Path) -> None:
    assert said_on_a_terminal(tmp_path, "list", "no") == ""


def test_a_pipe_sees_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path, "list", "yes"], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_it_moves_on_after_every_256_samples_and_after_each_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    monkeypatch.setattr(Progress, "show", lambda _, *, samples, **__: shown.append(samples))
    atdata.write_samples((atdata.DictSample(number=number) for number in range(600)), tmp_path / "p.tar", progress=True)
    assert shown[:2] == [256, 512]
    assert set(shown[2:]) == {600}
