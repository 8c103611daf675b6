"""Make ``1.0.0/``: a small set of shards as the original atdata 0.7.0b1 writes them.

It runs in an environment of its own, with Python 3.12 and ``atdata==0.7.0b1``::

    python3.12 -m venv original && original/bin/pip install atdata==0.7.0b1
    original/bin/python tests/golden/make_1_0_0.py

What a sample holds is a function of its position, so that a test can say what each one must be. Keys, times and
therefore some bytes differ from run to run.
"""

import math
import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import atdata
from atdata.manifest import ManifestField

LABELS = ("dog", "cat", "fox", "owl", "elk")
TAGS = ((), ("blurry",), ("night", "blurry"), ('say "cheese"', "naïve, [1]"))


@atdata.packable
class Photo:
    pixels: NDArray
    label: Annotated[str, ManifestField("categorical")]
    confidence: Annotated[float, ManifestField("numeric")]
    tags: Annotated[list[str], ManifestField("set")]
    score: Annotated[float | None, ManifestField("numeric")]
    index: Annotated[int, ManifestField("numeric")]
    sharp: bool
    marks: list[int]
    #: Absent from a shard's table where the shard has no note at all.
    note: str | None = None
    #: Floats in a shard's table where one is missing, integers where none is.
    width: int | None = None


def photo(position: int) -> Photo:
    return Photo(
        pixels=np.full((2, position % 3 + 1), position, dtype=np.uint8),
        label=LABELS[position % 5],
        confidence=position / 50,
        tags=list(TAGS[position % 4]),
        score=None if position % 7 == 3 else math.nan if position % 7 == 5 else position / 8,
        index=position * 3 - 20,
        sharp=position % 2 == 0,
        marks=[position, position % 5],
        note=None if position < 20 else f"note {position}",
        width=None if position == 3 else 100 + position,
    )


if __name__ == "__main__":
    folder = Path(__file__).parent / "1.0.0"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    atdata.write_samples(map(photo, range(50)), folder / "photos.tar", maxcount=20, manifest=True)
