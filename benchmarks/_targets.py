"""What the library is meant to reach, and whether it was reached."""

import dataclasses
from collections.abc import Callable, Iterable

from ._results import Results

__all__ = ["TARGETS", "Target"]

_Found = Callable[[Results], float | None]
_FIVE = ("selective", "tags", "key", "range", "broad")
_INDEX, _GLOB = "atdata, index", "polars"


@dataclasses.dataclass(frozen=True)
class Target:
    """One figure to reach."""

    words: str
    #: The figure, or None where it was not measured.
    found: _Found
    needed: float
    stretch: float | None = None
    #: Whether more is better.
    at_least: bool = True
    unit: str = "x"

    def verdict(self, results: Results) -> str:
        """Say whether it was reached."""
        found = self.found(results)
        if found is None:
            return "not measured"
        if not self._reached(found, self.needed):
            return "**missed**"
        return "met, stretch too" if self.stretch is not None and self._reached(found, self.stretch) else "met"

    def _reached(self, found: float, limit: float) -> bool:
        return found >= limit if self.at_least else found <= limit


def _times(case: str, other: str, ours: str = "atdata") -> _Found:
    return lambda results: results.ratio(case, other, ours)


def _over(case: str, ours: str, other: str) -> _Found:
    return lambda results: results.ratio(case, ours, other)


def _seconds(case: str, candidate: str, scale: float = 1.0) -> _Found:
    def found(results: Results) -> float | None:
        record = results.find(case, candidate)
        return record.median * scale if record else None

    return found


def _worst(of: Iterable[_Found], worst: Callable[[Iterable[float]], float] = max) -> _Found:
    """Return the worst of some figures; None unless all were measured."""
    all_of = list(of)

    def found(results: Results) -> float | None:
        figures = [each(results) for each in all_of]
        known = [figure for figure in figures if figure is not None]
        return worst(known) if known and len(known) == len(figures) else None

    return found


def _everywhere(ours: str, other: str) -> _Found:
    """Return the worst ratio over all sizes of ten million rows, kinds of data, and the five questions."""
    return _worst(
        _over(f"query/{size}/{kind}/{question}", ours, other)
        for size in ("10m", "10m-small-shards")
        for kind in ("random", "clustered")
        for question in _FIVE
    )


def _beyond_columns(results: Results) -> float | None:
    """Return what a location costs beyond its columns, in microseconds: of lists against frames of one run."""
    listed, framed = (results.find(f"query/1m/random/{name}", _INDEX) for name in ("list", "broad"))
    return (listed.median - framed.median) / listed.count * 1e6 if listed and framed and listed.count else None


def _rows_a_second(case: str) -> _Found:
    def found(results: Results) -> float | None:
        record = results.find(case, "atdata")
        return record.count / record.median / 1e6 if record and record.median else None

    return found


def _bytes_beyond_fields(case: str) -> _Found:
    def found(results: Results) -> float | None:
        record = results.find(case, "atdata")
        if record is None or "index_bytes" not in record.facts:
            return None
        return (record.facts["index_bytes"] - record.facts["fields_bytes"]) / record.count

    return found


def _megabytes(results: Results) -> float | None:
    found = results.find("memory", "atdata")
    return found.median / 1e6 if found else None


def _peak(group: str, candidate: str) -> _Found:
    def found(results: Results) -> float | None:
        peak = results.peak(group, candidate)
        return None if peak is None else peak / 1e6

    return found


def _against_the_glob(
    size: str, kind: str, needed: tuple[float, ...], stretch: dict[str, float], ours: str = _INDEX,
    questions: tuple[str, ...] = _FIVE,
) -> list[Target]:  # fmt: skip
    return [
        Target(f"query {size}, {kind}, {name}: `{ours}`, of the time of plain Polars over the sidecars, at most",
               _over(f"query/{size}/{kind}/{name}", ours, _GLOB), limit, stretch.get(name), False)
        for name, limit in zip(questions, needed, strict=True)
    ]  # fmt: skip


_SAMPLES = (
    Target("write: times as fast as the original, both with manifests", _times("write", "original"), 4, 6),
    Target("write: times as fast as lance", _times("write", "lance"), 0.8, 1.0),
    Target("write: times as fast as lance from rows", _times("write", "lance, rows"), 0.8, 1.0),
    Target("read: times as fast as the original on its own tars", _times("read", "original"), 4.5, 7),
    Target("read: times as fast as webdataset", _times("read", "webdataset"), 4),
    Target("read: times as fast as lance", _times("read", "lance"), 1.3),
    Target("read: times as fast as datasets", _times("read", "datasets"), 1.3),
    Target("read: times as fast as webshart", _times("read", "webshart"), 1.3),
    Target("batches of 32: times as fast as the original's", _times("batch", "original"), 6),
    Target("where and take: of the time of fetch, at most", _over("fetch", "atdata, where and take", "atdata"), 1.2,
           None, False),
    Target("one by one: of the time of fetch, at most", _over("fetch", "atdata, one by one", "atdata"), 2, None, False),
    Target("fetch: times as fast as lance", _times("fetch", "lance"), 1.5),
    Target("fetch: of the time of bare pread, at most", _over("fetch", "atdata", "limit: pread"), 3.2, 2.5, False),
    Target("slice: times as fast as webdataset, which reads all", _times("slice", "webdataset"), 5),
    Target("loader: times as fast as webdataset", _times("loader", "webdataset"), 1.5),
    Target("resume: in the middle of an epoch, at most", _seconds("resume", "atdata", 1e3), 50, None, False, "ms"),
    Target("import: of the time of polars and numpy, at most", _over("import", "atdata", "polars and numpy"), 1.15,
           None, False),
    Target("memory: while a million small samples are written, at most", _megabytes, 200, None, False, "MB"),
)  # fmt: skip
_QUERIES = (
    *_against_the_glob("10m", "clustered", (0.12, 0.75, 0.06, 0.06, 0.40), {"tags": 0.30}),
    *_against_the_glob("10m", "random", (0.30, 0.75, 0.30, 0.30, 0.40), {"tags": 0.25, "key": 0.03}),
    *_against_the_glob("10m-small-shards", "clustered", (0.03, 0.35, 0.015, 0.015, 0.12), {"tags": 0.10}),
    *_against_the_glob("10m", "random", (0.03, 0.03, 0.01), {}, "atdata, hot", ("selective", "tags", "key")),
    Target("query, without an index, the worst of these at 10 M rows: of the time of plain Polars over the sidecars, "
           "at most", _everywhere("atdata, sidecars", _GLOB), 1.1, None, False),
    Target("query, by the index, the worst of these at 10 M rows: of the time of DuckDB on one file, cold, at most",
           _everywhere(_INDEX, "duckdb, one file"), 1.0, None, False),
    Target("describe, 10,000 shards, by the index, at most",
           _worst(_seconds(f"describe/10m-small-shards/{kind}", _INDEX, 1e3) for kind in ("random", "clustered")),
           20, None, False, "ms"),
    Target("open and query, 1 M rows, selective: times as fast as the original",
           _worst((_times(f"query/1m/{kind}/selective", "original", "atdata, index, cold")
                   for kind in ("random", "clustered")), min), 40),
    Target("open and query, 1 M rows, a fifth as a list: times as fast as the original",
           _worst((_times(f"query/1m/{kind}/list", "original", "atdata, index, cold")
                   for kind in ("random", "clustered")), min), 20),
    Target("query, a fifth as a list: beyond the columns, at most, a location", _beyond_columns, 0.5, None, False,
           "us"),
    Target("open, 10,000 indexed shards: of one scandir with a stat of each header, at most",
           _over("open/10m-small-shards/clustered", _INDEX, "limit: scandir and stat"), 3, None, False),
    Target("index: rows a second, at least",
           _worst((_rows_a_second(f"index/{case}") for case in ("10m/random", "10m/clustered",
                                                                "10m-small-shards/random")), min), 1, None, True, "M"),
    Target("index: beyond the fields, at most, a row",
           _worst(_bytes_beyond_fields(f"index/{case}") for case in ("10m/random", "10m/clustered",
                                                                     "10m-small-shards/random")), 16, 10, False, "B"),
)  # fmt: skip
_LARGE = (
    Target("100 M rows, 100,000 shards, clustered, pruned (selective, key, range): at most",
           _worst(_seconds(f"query/100m/clustered/{name}", _INDEX) for name in ("selective", "key", "range")), 0.2,
           None, False, "s"),
    Target("100 M rows, 100,000 shards, clustered, not pruned (tags, count): at most",
           _worst(_seconds(f"query/100m/clustered/{name}", _INDEX) for name in ("tags", "count")), 3, None, False, "s"),
    Target("100 M rows, 100,000 shards, open: at most", _seconds("open/100m/clustered", _INDEX), 1.5, None, False, "s"),
    Target("100 M rows, 100,000 shards, memory to open and ask `key` and `tags`: at most",
           _worst(_peak(f"growth/100000/clustered/{name}", _INDEX) for name in ("open", "key", "tags")), 1000, None,
           False, "MB"),
)  # fmt: skip
TARGETS: tuple[Target, ...] = (*_SAMPLES, *_QUERIES, *_LARGE)
