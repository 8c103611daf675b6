"""The rows that queries are asked about, the same in every environment."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from common import LABELS, Setup

#: How probable each tag is; a sample has each of them or not, independently of the others.
TAGS = {"outdoor": 0.11, "indoor": 0.3, "closeup": 0.3, "wide": 0.3, "blurry": 0.3, "sharp": 0.3}
#: Samples take up whole tar blocks.
_BLOCK = 512


def shards(setup: Setup) -> Iterator[tuple[str, Iterator[tuple[str, int, int, int, dict[str, Any]]]]]:
    """Yield each shard's id and its rows: key, offset, size, CRC-32, fields. No column is sorted."""
    random = np.random.default_rng(1)
    numbers = random.permutation(setup.samples)
    for index, part in enumerate(np.array_split(numbers, setup.shards)):
        sizes = random.integers(4, 64, len(part)) * _BLOCK
        offsets = np.cumsum(sizes) - sizes
        crcs = random.integers(0, 1 << 32, len(part))
        keys = [f"{number:09d}" for number in part.tolist()]
        fields = list(_fields(random, len(part)))
        yield f"photos-{index:06d}", zip(keys, offsets.tolist(), sizes.tolist(), crcs.tolist(), fields, strict=True)


def _fields(random: np.random.Generator, count: int) -> Iterator[dict[str, Any]]:
    labels = random.integers(0, len(LABELS), count).tolist()
    confidences = random.random(count).tolist()
    chosen = random.random((count, len(TAGS))) < np.array(list(TAGS.values()))
    for label, confidence, row in zip(labels, confidences, chosen.tolist(), strict=True):
        tags = [tag for tag, has in zip(TAGS, row, strict=True) if has]
        yield {"label": LABELS[label], "confidence": confidence, "tags": tags}
