"""Samples and datasets that tests share, and the seed of a soak."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

import atdata
from atdata import ManifestField
from atdata.manifest import ManifestBuilder
from tests.tiers import SEED, SOAK


def pytest_report_header() -> list[str]:
    """Say how much is tried, and how to try the same again."""
    return [f"soak: SOAK={SOAK:g} SOAK_SEED={SEED}"] if SOAK else []


@atdata.packable
class Photo:
    pixels: NDArray[np.uint8]
    label: Annotated[str, ManifestField("categorical")]
    confidence: Annotated[float | None, ManifestField("numeric")]
    tags: Annotated[list[str], ManifestField("set")]
    note: str | None = None


LABELS = ["cat", "dog", "bird"]
TAGS = ["indoor", "outdoor", "sharp"]


def make_photos(count: int, seed: int = 0) -> list[Photo]:
    rng = np.random.default_rng(seed)
    return [
        Photo(
            pixels=rng.integers(0, 255, (rng.integers(1, 9), 4), dtype=np.uint8),
            label=LABELS[rng.integers(len(LABELS))],
            confidence=None if rng.random() < 0.1 else round(float(rng.random()), 3),
            tags=[tag for tag in TAGS if rng.random() < 0.4],
            note="é" * int(rng.integers(0, 40)),
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="session")
def photos() -> Callable[..., list[Photo]]:
    return make_photos


@pytest.fixture
def photo_type() -> type[Photo]:
    return Photo


@pytest.fixture(scope="session")
def photos_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """250 photos in three shards, for tests to copy."""
    folder = tmp_path_factory.mktemp("photos")
    atdata.write_samples(make_photos(250), folder / "photos.tar", maxcount=100, manifest=True, durable=False)
    return folder


@pytest.fixture
def put(tmp_path: Path, photos: Callable[..., list[Photo]]) -> Callable[..., Path]:
    """Write shards of two photos each, by their ids."""

    def write(*shard_ids: str, manifest: bool = True) -> Path:
        for number, shard_id in enumerate(shard_ids):
            path = tmp_path / f"{shard_id}.tar"
            atdata.write_samples(photos(2, seed=number), path, manifest=manifest, durable=False)
        return tmp_path

    return write


@pytest.fixture
def written(tmp_path: Path, photos_folder: Path) -> atdata.Dataset[Photo]:
    """250 photos in three shards of the test's own."""
    shutil.copytree(photos_folder, tmp_path, copy_function=shutil.copy, dirs_exist_ok=True)  # as new as if written
    return atdata.Dataset[Photo](tmp_path)


@pytest.fixture(scope="session")
def manifest_of():
    """Return a function from samples of one type to the manifest of a shard that would hold them."""

    def make(samples, shard_id="shard-000000", sample_type=None, **options):
        samples = list(samples)
        builder = ManifestBuilder(sample_type or type(samples[0]), shard_id, **options)
        for row, sample in zip(itertools.count(), samples):
            builder.add_sample(key=f"k{row:06d}", offset=row * 1024, size=1024, sample=sample, crc32=row)
        return builder.build()

    return make
