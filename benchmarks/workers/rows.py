"""The rows that queries are asked about: the same in every environment, and any shard without those before it."""

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np
from common import LABELS, Setup
from numpy.typing import NDArray

#: How probable each tag is; a sample has each of them or not, independently of the others.
TAGS = {"outdoor": 0.11, "indoor": 0.3, "closeup": 0.3, "wide": 0.3, "blurry": 0.3, "sharp": 0.3}
#: The columns of a sidecar, in order.
COLUMNS = ("__key__", "__offset__", "__size__", "__crc32__", "label", "confidence", "tags", "ts")
#: Samples take up whole tar blocks.
_BLOCK = 512


class ShardRows(NamedTuple):
    """One shard's rows, column by column."""

    shard_id: str
    #: Keys, as numbers; see :func:`key`.
    numbers: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    crcs: NDArray[np.int64]
    #: Positions in LABELS.
    labels: NDArray[np.int64]
    confidences: NDArray[np.float64]
    #: Where each row's tags end among all of the shard's, after a zero.
    tag_ends: NDArray[np.int64]
    #: Positions in TAGS.
    tags: NDArray[np.int64]
    #: A time, as a number between 0 and the number of all rows.
    times: NDArray[np.int64]


def key(number: int) -> str:
    """Return the key that a number stands for."""
    return f"{number:09d}"


@functools.lru_cache(maxsize=1)
def _order(rows: int) -> NDArray[np.uint32]:
    return np.random.default_rng(1).permutation(np.arange(rows, dtype=np.uint32))


def shard_rows(setup: Setup, index: int) -> ShardRows:
    """Return one shard's rows.

    Random: every shard has every label; keys and times are unordered. Clustered: each label is a run of shards; keys
    and times ascend. Confidences and tags are the same kind of random in both.
    """
    first, end = (setup.samples * edge // setup.shards for edge in (index, index + 1))
    count = end - first
    random = np.random.default_rng([3, index])
    sizes = random.integers(4, 64, count) * _BLOCK
    crcs = random.integers(0, 1 << 32, count)
    confidences = random.random(count)
    chosen = random.random((count, len(TAGS))) < np.array(list(TAGS.values()))
    if setup.kind == "clustered":
        numbers = times = np.arange(first, end)
        labels = np.full(count, index * len(LABELS) // setup.shards)
    else:
        numbers = _order(setup.samples)[first:end].astype(np.int64)
        times = random.integers(0, setup.samples, count)
        labels = random.integers(0, len(LABELS), count)
    ends = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))])
    offsets = np.cumsum(sizes) - sizes
    tags = np.nonzero(chosen)[1]
    return ShardRows(f"rows-{index:06d}", numbers, offsets, sizes, crcs, labels, confidences, ends, tags, times)


def dicts(rows: ShardRows) -> list[dict[str, Any]]:
    """Return the rows as dicts with plain values: the location columns, then the fields."""
    names, ends, tags = list(TAGS), rows.tag_ends.tolist(), rows.tags.tolist()
    values = zip(
        map(key, rows.numbers.tolist()), rows.offsets.tolist(), rows.sizes.tolist(), rows.crcs.tolist(),
        (LABELS[label] for label in rows.labels.tolist()), rows.confidences.tolist(),
        ([names[tag] for tag in tags[first:end]] for first, end in itertools.pairwise(ends)),
        rows.times.tolist(), strict=True,
    )  # fmt: skip
    return [dict(zip(COLUMNS, row, strict=True)) for row in values]
