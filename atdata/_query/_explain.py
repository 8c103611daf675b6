"""What a question would cost, and how Polars goes about it."""

import msgspec
import polars as pl

from atdata._display import display_html
from atdata._manifest import PLACE, SHARD, SIZE

from ._predicate import Question
from ._source import ManifestSource, select

__all__ = ["Explanation", "explain"]


class Explanation(msgspec.Struct, frozen=True):
    """What a question selects, and what it reads; ``print`` it.

    Examples:
        >>> print(Explanation("label = 'dog'", 10, 3, 1000, 40, 40_960, 1_024_000, 20_480, "Parquet SCAN ..."))
        predicate     label = 'dog'
        shards        3 of 10 hold matches
        rows          40 of 1,000 (4.00 %)
        samples       40,960 of 1,024,000 bytes
        sample tables 20,480 bytes to scan
        plan
          Parquet SCAN ...
    """

    #: The predicate as text; None where every row was asked for.
    predicate: str | None
    #: Shards that there are.
    shards: int
    #: Shards that hold selected rows.
    shards_selected: int
    #: Rows that there are.
    rows: int
    rows_selected: int
    #: Bytes of the selected samples in their tars, headers and padding included.
    bytes_selected: int
    #: Bytes of all samples.
    bytes: int
    #: Length of the sample tables in bytes (of manifests in memory: of their frames).
    table_bytes: int
    #: Polars' optimised plan for the locations.
    plan: str
    #: Range requests that reading the samples takes; None where no reading was planned.
    requests: int | None = None
    #: Bytes that these requests read.
    bytes_requested: int | None = None

    #: Shards that were not scanned, because their statistics prove that they hold no match.
    shards_ruled_out: int = 0
    #: Shards that the index answers for; the others' sample tables are scanned one by one.
    shards_indexed: int = 0

    def planned(self, requests: int, length: int) -> "Explanation":
        """Return the same with what reading the samples takes: a number of requests, and their bytes."""
        return msgspec.structs.replace(self, requests=requests, bytes_requested=length)

    def _repr_html_(self) -> str:
        return display_html(self)

    def __str__(self) -> str:
        share = f" ({self.rows_selected / self.rows:.2%})".replace("%", " %") if self.rows else ""
        lines = {
            "predicate": self.predicate or "none: every row",
            "shards": f"{self.shards_selected:,} of {self.shards:,} hold matches",
            "rows": f"{self.rows_selected:,} of {self.rows:,}{share}",
            "samples": f"{self.bytes_selected:,} of {self.bytes:,} bytes",
            "sample tables": f"{self.table_bytes:,} bytes to scan",
        }
        if self.shards_ruled_out:
            lines["ruled out"] = f"{self.shards_ruled_out:,} shards, by their statistics"
        if self.shards_indexed:
            lines["index"] = f"answers for {self.shards_indexed:,} shards"
        if self.requests is not None:
            lines["reading"] = f"{self.requests:,} requests of {self.bytes_requested:,} bytes together"
        plan = "\n".join(f"  {line}".rstrip() for line in self.plan.splitlines())
        return "\n".join([*(f"{name:<13} {text}" for name, text in lines.items()), "plan", plan])


def explain(source: ManifestSource, question: Question) -> Explanation:
    """Return what a question selects and reads; it is asked for it.

    Raises:
        PredicateError: The question cannot be asked.
        ManifestError: A manifest is damaged or gone.
        SchemaError: The shards' columns do not go together.
    """
    _, all_rows, all_size = everything = _totals(source, Question())
    shards, rows, size = _totals(source, question) if question.texts else everything
    asked = source.asked(question)
    ruled_out = 0 if asked.kept is None else len(asked.kept) - int(asked.kept.sum())
    after = [f"\nthen, shard by shard: {question}"] if question.functions else []
    return Explanation(
        predicate=str(question) or None,
        shards=len(source.shard_ids),
        shards_selected=shards,
        rows=all_rows,
        rows_selected=rows,
        bytes_selected=size,
        bytes=all_size,
        table_bytes=source.table_bytes(),
        plan="".join([asked.plan().select(PLACE).explain(), *after]),
        shards_ruled_out=ruled_out,
        shards_indexed=source.indexed,
    )


def _totals(source: ManifestSource, question: Question) -> tuple[int, int, int]:
    """Return the shards, the rows and the bytes of samples that a question selects."""
    sums = pl.col(SHARD).n_unique(), pl.len(), pl.col(SIZE).sum()
    if question.functions:
        shards, rows, size = select(source, question, PLACE).select(*sums).row(0)
    else:
        shards, rows, size = source.collect(question, lambda found: found.select(*sums)).row(0)
    return int(shards), int(rows), int(size)
