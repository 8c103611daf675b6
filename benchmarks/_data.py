"""The sidecars that are measured: made once for each recipe, through the library's own writer."""

import dataclasses
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

import atdata
from atdata.manifest import MANIFEST_FORMAT_VERSION, ManifestBuilder, ManifestWriter

__all__ = ["LABELS", "TAGS", "Recipe", "Sidecars", "open_sidecars"]

LABELS = ("bird", "boat", "car", "cat", "deer", "dog", "frog", "horse", "plane", "truck")
#: How probable each tag is; a sample has each of them or not, independently of the others.
TAGS = {"outdoor": 0.11, "indoor": 0.3, "closeup": 0.3, "wide": 0.3, "blurry": 0.3, "sharp": 0.3}
_TABLES = "*.manifest.parquet"
#: Samples take up whole tar blocks.
_BLOCK = 512
#: Raise when this module makes other rows from the same parameters.
_REVISION = 1


@atdata.packable
class Photo:
    """What a sample of the measured manifests shows to queries."""

    label: str
    confidence: float
    tags: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """What the sidecars are made from; the same recipe gives the same rows."""

    #: Rows, over all shards.
    rows: int
    shards: int
    seed: int = 1

    @property
    def folder(self) -> str:
        """The name of the folder that holds the sidecars."""
        return f"v{MANIFEST_FORMAT_VERSION}-r{_REVISION}-{self.rows}x{self.shards}-{self.seed}"


@dataclasses.dataclass(frozen=True, slots=True)
class Sidecars:
    """The sidecars of one recipe on disk."""

    recipe: Recipe
    folder: Path
    #: The sample tables, in shard order.
    tables: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        """Length of the sample tables, in bytes."""
        return sum(table.stat().st_size for table in self.tables)


def open_sidecars(root: Path, recipe: Recipe, *, rebuild: bool = False) -> Sidecars:
    """Return the sidecars of a recipe; make them first if they are not there.

    Args:
        root: The folder that holds the folders of all recipes.
        recipe: What to make.
        rebuild: Make them even if they are there.
    """
    folder = root / recipe.folder
    if rebuild and folder.exists():
        shutil.rmtree(folder)
    if not folder.exists():
        unfinished = root / f"unfinished-{uuid.uuid4().hex}"
        try:
            _write(unfinished, recipe)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return Sidecars(recipe, folder, tuple(sorted(folder.glob(_TABLES))))


def _write(folder: Path, recipe: Recipe) -> None:
    random = np.random.default_rng(recipe.seed)
    numbers = random.permutation(recipe.rows)
    for index, part in enumerate(np.array_split(numbers, recipe.shards)):
        shard_id = f"photos-{index:06d}"
        builder = ManifestBuilder(Photo, shard_id)
        sizes = random.integers(4, 64, len(part)) * _BLOCK
        offsets = np.cumsum(sizes) - sizes
        crcs = random.integers(0, 1 << 32, len(part))
        places = zip(part.tolist(), offsets.tolist(), sizes.tolist(), crcs.tolist(), strict=True)
        for (number, offset, size, crc), photo in zip(places, _photos(random, len(part)), strict=True):
            builder.add_sample(key=f"{number:09d}", offset=offset, size=size, sample=photo, crc32=crc)
        ManifestWriter(folder / shard_id).write(builder.build())


def _photos(random: np.random.Generator, count: int) -> Iterator[Photo]:
    labels = random.integers(0, len(LABELS), count)
    confidences = random.random(count)
    for label, confidence, tags in zip(labels.tolist(), confidences.tolist(), _tags(random, count), strict=True):
        yield Photo(LABELS[label], confidence, tags)


def _tags(random: np.random.Generator, count: int) -> Iterator[list[str]]:
    chosen: npt.NDArray[np.bool_] = random.random((count, len(TAGS))) < np.array(list(TAGS.values()))
    sets = [[tag for bit, tag in enumerate(TAGS) if code >> bit & 1] for code in range(1 << len(TAGS))]
    codes = chosen @ (1 << np.arange(len(TAGS)))
    return (sets[code] for code in codes.tolist())
