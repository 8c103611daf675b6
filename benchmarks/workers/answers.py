"""What engines whose answers are columns share: the questions as Polars expressions, and answers made comparable."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
from common import Setup, Task, digest_of, named
from questions import BROAD, PLACE, SURE, UNSURE, key_of, range_of

#: More texts than this are not sorted; who answers with as many is compared within this environment alone.
_MANY = 1_000_000
_SHARD, _KEY, _OFFSET = "__shard__", "__key__", "__offset__"


def expression(setup: Setup) -> pl.Expr:
    """Return the question as an expression."""
    confidence, first_end = pl.col("confidence"), range_of(setup)
    return {
        "selective": (confidence > SURE) & (pl.col("label") == "dog"),
        "tags": pl.col("tags").list.contains("outdoor") & (confidence < UNSURE),
        "key": pl.col(_KEY) == key_of(setup),
        "range": (pl.col("ts") >= first_end[0]) & (pl.col("ts") < first_end[1]),
        "broad": confidence < BROAD,
        "list": confidence < BROAD,
    }[setup.question]


def ask(rows: pl.LazyFrame, setup: Setup, *columns: str) -> Any:
    """Ask a frame: for places, for counts, or for a list of tuples; a place begins with the columns named."""
    if setup.question == "count":
        return rows.group_by("label").len().collect()
    found = rows.filter(expression(setup)).select(*columns, *PLACE).collect()
    return found.rows() if setup.question == "list" else found


def asked_task(setup: Setup, run: Callable[[], Any], before: Callable[[], None] = lambda: None) -> Task:
    """Return the task to ask for a frame or an Arrow table: places, counts, or for `list` a list of tuples.

    Tuples end in a place and may begin with a shard.
    """
    if setup.question == "count":
        return Task(run, lambda found: _counts(_frame(found)), before=before)
    if setup.question == "list":
        return Task(run, lambda found: (len(found), str(sum(each[-3] for each in found))), _listed, before=before)
    return Task(run, lambda found: _sums(_frame(found)), lambda found: _places(_frame(found)), before=before)


def _frame(found: Any) -> pl.DataFrame:
    return found if isinstance(found, pl.DataFrame) else pl.DataFrame(pl.from_arrow(found))


def _sums(found: pl.DataFrame) -> tuple[int, str]:
    return len(found), str(found[_OFFSET].sum())


def _counts(found: pl.DataFrame) -> tuple[int, str]:
    label, count = found.columns
    return len(found), digest_of(f"{name}: {number}" for name, number in found.select(label, count).rows())


def _places(found: pl.DataFrame) -> tuple[int, str]:
    keys = _digest(found[_KEY])
    if _SHARD not in found.columns:
        return len(found), keys
    both = found.select(pl.concat_str(pl.col(_SHARD).cast(pl.String), pl.lit("/"), pl.col(_KEY)))
    return len(found), f"{keys}+{_digest(both.to_series())}"


def _digest(texts: pl.Series) -> str:
    if len(texts) > _MANY:
        return f"{len(texts)} texts, {texts.cast(pl.String).hash().sum()}"
    joined = texts.cast(pl.String).sort().str.join("\n").item() if len(texts) else ""
    return hashlib.sha256(joined.encode()).hexdigest()


def _listed(found: Iterable[Any]) -> tuple[int, str]:
    places = [(each[0], each[-4]) for each in found]
    if places and places[0][0] == places[0][1]:  # there is no shard
        return len(places), digest_of(key for _, key in places)
    return named(places)
