"""Digits to train on. Without PyTorch, nothing here is collected."""

from pathlib import Path

import pytest

import atdata
from atdata.cli import Digit
from tests.extras import installed

collect_ignore_glob = [] if installed("torch") else ["test_*"]


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 digits in four shards."""
    from atdata.cli._digits import read_digits  # noqa: PLC0415 -- only where they are read

    folder = tmp_path_factory.mktemp("digits")
    samples = [sample for sample, _ in zip(read_digits(), range(300), strict=False)]
    atdata.write_samples(samples, folder / "digits.tar", maxcount=80, manifest=True, durable=False)
    return folder


@pytest.fixture
def digits(digits_folder: Path) -> atdata.Dataset[Digit]:
    return atdata.Dataset[Digit](digits_folder)
