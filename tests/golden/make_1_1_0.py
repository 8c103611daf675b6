"""Make ``1.1.0/``: a small set of shards, with a column of every kind, as this library writes them.

Run it only when the format itself is meant to change, with the Polars version named in the README beside it::

    python tests/golden/make_1_1_0.py
"""

import math
import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import atdata
from atdata.manifest import ManifestField

CREATED_AT = "2024-02-29T12:00:00+00:00"


@atdata.packable
class Everything:
    pixels: NDArray[np.uint8]
    text: str
    flag: bool
    whole: int
    real: float
    words: list[str]
    flags: list[bool]
    wholes: list[int]
    reals: list[float]
    np_text: np.str_
    np_flag: np.bool_
    int8: np.int8
    int16: np.int16
    int32: np.int32
    int64: np.int64
    uint8: np.uint8
    uint16: np.uint16
    uint32: np.uint32
    uint64: np.uint64
    float16: np.float16
    float32: np.float32
    float64: np.float64
    small: list[np.int8]
    singles: list[np.float32]
    maybe_text: str | None
    maybe_real: float | None
    maybe_words: list[str] | None
    level: Annotated[int, ManifestField("categorical")]
    hidden: Annotated[str, ManifestField("categorical", exclude=True)]


def sample(position: int) -> Everything:
    return Everything(
        pixels=np.full((2, position % 3), position, dtype=np.uint8),
        text=("dog", "cat", "naïve “fox”")[position % 3],
        flag=position % 2 == 0,
        whole=2**53 + 1 + position,
        real=(0.1, -1e-7, math.nan, math.inf)[position % 4],
        words=["blurry", "night", "blurry"][: position % 4],
        flags=[True, False][: position % 3],
        wholes=[position, -position],
        reals=[0.5, math.nan, math.inf][: position % 4],
        np_text=np.str_(f"n{position}"),
        np_flag=np.bool_(position % 3 == 0),
        int8=np.int8(position - 128),
        int16=np.int16(-position),
        int32=np.int32(position << 20),
        int64=np.int64(-(2**62) - position),
        uint8=np.uint8(255 - position),
        uint16=np.uint16(position),
        uint32=np.uint32(2**32 - 1 - position),
        uint64=np.uint64(2**64 - 1 - position),
        float16=np.float16(position / 4),
        float32=np.float32(0.1 * position),
        float64=np.float64(position) / 3,
        small=[np.int8(position)],
        singles=[np.float32(0.1)] * (position % 2),
        maybe_text=None if position % 3 == 1 else "here",
        maybe_real=(None, 0.25, math.nan)[position % 3],
        maybe_words=None if position == 0 else ["a"] * (position % 2),
        level=position % 4,
        hidden=f"not in the manifest {position}",
    )


def write(folder: Path) -> atdata.Dataset[Everything]:
    """Write the set into an empty folder."""
    return atdata.write_samples(
        map(sample, range(14)),
        folder / "set.tar",
        maxcount=8,
        manifest=True,
        content_metadata={"made_by": "make_1_1_0.py", "licence": None},
        created_at=CREATED_AT,
        durable=False,
    )


if __name__ == "__main__":
    here = Path(__file__).parent / "1.1.0"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    write(here)
