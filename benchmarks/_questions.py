"""The questions that are asked, each as an expression and as a function of a pandas frame."""

import dataclasses
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["Question", "questions"]

_SURE, _UNSURE, _BROAD = 0.999, 0.7, 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """One question, asked in two ways."""

    name: str
    words: str
    expression: pl.Expr
    function: "Callable[[pd.DataFrame], pd.Series[bool]]"


def questions(rows: int) -> list[Question]:
    """Return the questions for manifests of so many rows."""
    key = f"{rows // 2:09d}"
    confidence, label, tags = pl.col("confidence"), pl.col("label"), pl.col("tags")
    return [
        Question(
            "Q1",
            f'confidence > {_SURE} and label == "dog"',
            (confidence > _SURE) & (label == "dog"),
            lambda df: (df["confidence"] > _SURE) & (df["label"] == "dog"),
        ),
        Question(
            "Q2",
            f'tags contain "outdoor" and confidence < {_UNSURE}',
            tags.list.contains("outdoor") & (confidence < _UNSURE),
            lambda df: df["tags"].apply(lambda given: "outdoor" in given) & (df["confidence"] < _UNSURE),
        ),
        Question("Q3", "one key", pl.col("__key__") == key, lambda df: df["__key__"] == key),
        Question("Q6", f"confidence < {_BROAD}", confidence < _BROAD, lambda df: df["confidence"] < _BROAD),
    ]
