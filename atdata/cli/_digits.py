"""The handwritten digits that come with the package, as samples (digits/README.md says whose they are)."""

from collections.abc import Iterator
from importlib import resources
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import atdata

__all__ = ["ASCII_SHADES", "SHADES", "Digit", "draw", "read_digits"]

#: Quantiles of the ink of all digits, below which a digit is called light and above which bold.
_LIGHT, _BOLD = 0.25, 0.75
#: How many columns of pixels with ink make a digit narrow, at most.
_NARROW = 4
#: From paper to ink; the second for terminals that have only ASCII.
SHADES, ASCII_SHADES = " ░▒▓█", " .:*#"


@atdata.packable
class Digit:
    """One handwritten digit."""

    pixels: NDArray[np.uint8]  # 8 x 8, 0 to 16; an array is no column
    digit: Annotated[int, atdata.ManifestField("categorical")]
    confidence: Annotated[float, atdata.ManifestField("numeric")]
    tags: Annotated[list[str], atdata.ManifestField("set")]


def read_digits() -> Iterator[Digit]:
    """Yield the 1,797 digits, each with a confidence and tags made from its pixels."""
    with resources.as_file(resources.files("atdata.cli") / "digits" / "digits.parquet") as path:
        table = pl.read_parquet(path)
    pixels = np.frombuffer(b"".join(table["pixels"]), np.uint8).reshape(-1, 8, 8)
    digits = table["digit"].to_numpy()
    confidence = _confidence(pixels.astype(float), digits)
    marks = _marks(pixels, confidence)
    for index, digit in enumerate(digits.tolist()):
        tags = [tag for tag, holds in marks.items() if holds[index]]
        yield Digit(pixels[index], digit, round(float(confidence[index]), 4), tags)


def draw(pixels: NDArray[Any], shades: str = SHADES) -> list[str]:
    """Return a digit as eight lines of sixteen characters."""
    levels = (pixels.astype(int) * (len(shades) - 1) + 8) // 16
    return ["".join(shades[level] * 2 for level in row) for row in levels]


def _confidence(pixels: NDArray[Any], digits: NDArray[Any]) -> NDArray[Any]:
    """Return how much nearer each digit is to its own class's mean digit than to the runner-up's, from -1 to 1."""
    means = np.stack([pixels[digits == digit].mean(axis=0) for digit in range(10)])
    distances = np.linalg.norm((pixels[:, None] - means).reshape(len(pixels), 10, -1), axis=2)
    rows = np.arange(len(pixels))
    own = distances[rows, digits].copy()
    distances[rows, digits] = np.inf
    runner_up = distances.min(axis=1)
    return np.asarray((runner_up - own) / (runner_up + own))


def _marks(pixels: NDArray[Any], confidence: NDArray[Any]) -> dict[str, NDArray[np.bool_]]:
    """Return which digits each tag holds for."""
    ink = pixels.sum(axis=(1, 2))
    light, bold = np.quantile(ink, [_LIGHT, _BOLD])
    width = (pixels.max(axis=1) > 0).sum(axis=1)
    return {"light": ink < light, "bold": ink > bold, "narrow": width <= _NARROW, "doubtful": confidence < 0}
