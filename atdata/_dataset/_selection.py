"""Which samples of a dataset, in which order: all of them, those that a predicate selects, or those taken."""

import abc
import functools
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import PredicateError
from atdata._manifest import KEY, LOCATION, PLACE, SHARD, as_union
from atdata._query import FAILURES, Explanation, KeyIndex, Question, count, explain, select
from atdata._read import Opened
from atdata._shards import Locations

__all__ = ["Everything", "Matching", "Selection", "Taken"]


class Selection(abc.ABC):
    """Samples of a dataset. Nothing is read before something is asked.

    Attributes:
        opened: The dataset's shards.
        predicate: What was asked, as text; None where nothing was.
    """

    predicate: str | None = None

    def __init__(self, opened: Opened) -> None:
        self.opened = opened

    @property
    def question(self) -> Question | None:
        """What selects the samples among all, so that it can be asked again; None where no question alone does."""
        return None

    @property
    @abc.abstractmethod
    def locations(self) -> Locations:
        """The samples' places, in order."""

    @abc.abstractmethod
    def count(self) -> int:
        """Return how many samples there are."""

    @abc.abstractmethod
    def scan(self) -> pl.LazyFrame:
        """Return the samples' rows, in order, with all columns of the manifests."""

    @abc.abstractmethod
    def narrowed(self, question: Question) -> "Selection":
        """Return the samples among these for which something else holds too."""

    @abc.abstractmethod
    def explain(self) -> Explanation:
        """Return what the samples are, and what finding them reads."""

    @functools.cached_property
    def digest(self) -> str:
        """What stands for the samples and their order."""
        locations, opened = self.locations, self.opened
        # The same samples in the same order are the same dataset, however they were found.
        digest = locations.digest()
        return opened.digest if len(locations) == opened.count() and digest == opened.locations.digest() else digest

    @functools.cached_property
    def key_index(self) -> KeyIndex:
        """Where each key stands among the samples."""
        return KeyIndex(self.locations.to_frame()[KEY])

    def names(self) -> pl.DataFrame:
        """Return the location columns, as they were when the samples were chosen."""
        return self.locations.to_frame()

    def first(self, count: int) -> "Selection":
        """Return the first samples."""
        return self.at(slice(count))

    def at(self, indices: slice | NDArray[np.integer[Any]]) -> "Taken":
        """Return some of the samples: those of a slice, or at some positions, in that order."""
        return Taken(self.opened, self.locations[indices], self.predicate)

    def __getstate__(self) -> dict[str, Any]:
        # It is made where it is needed.
        return {name: value for name, value in vars(self).items() if name != "key_index"}


class Everything(Selection):
    """All samples of a dataset."""

    @property
    def locations(self) -> Locations:
        """The places of all samples."""
        return self.opened.locations

    @property
    def digest(self) -> str:
        """What stands for the dataset."""
        return self.opened.digest

    def count(self) -> int:
        """Return how many samples there are, by the headers where there are any."""
        return self.opened.count()

    def scan(self) -> pl.LazyFrame:
        """Return all rows."""
        return self.opened.scan()

    def narrowed(self, question: Question) -> "Matching":
        """Return the samples for which something holds."""
        return Matching(self.opened, question)

    def explain(self) -> Explanation:
        """Return what reading everything takes."""
        return explain(self.opened.manifests, Question())


class Matching(Selection):
    """The samples that a predicate selects, in shard order, then tar order.

    Args:
        opened: The dataset's shards.
        question: The predicate.
    """

    def __init__(self, opened: Opened, question: Question) -> None:
        super().__init__(opened)
        self._question = question
        self.predicate = str(question)

    @property
    def question(self) -> Question:
        """The predicate."""
        return self._question

    @functools.cached_property
    def locations(self) -> Locations:
        """The places of the samples."""
        return Locations.from_frame(select(self.opened.manifests, self.question, PLACE), self.opened.shard_ids)

    def count(self) -> int:
        """Return how many samples there are."""
        return len(self.locations) if "locations" in vars(self) else count(self.opened.manifests, self.question)

    def scan(self) -> pl.LazyFrame:
        """Return the samples' rows."""
        expression = self.question.expression
        if self.question.functions or expression is None:
            return self.at(slice(None)).scan()
        return self.opened.scan().filter(expression)

    def narrowed(self, question: Question) -> "Matching":
        """Return the samples for which both hold."""
        return Matching(self.opened, self.question.also(question))

    def first(self, count: int) -> Selection:
        """Return the first samples; the rest is not gathered."""
        if "locations" in vars(self) or self.question.functions:
            return super().first(count)
        try:
            frame = self.scan().head(count).select(PLACE).collect()
        except FAILURES as error:
            if not self.opened.manifests.mended():
                self.opened.manifests.failed(error)
            return self.first(count)  # of other files: the index was removed, or made anew
        return Taken(self.opened, Locations.from_frame(frame, self.opened.shard_ids), self.predicate)

    def explain(self) -> Explanation:
        """Return what the predicate selects and reads."""
        return explain(self.opened.manifests, self.question)


class Taken(Selection):
    """Samples that were taken one by one: any order, and any of them more than once.

    Args:
        opened: The dataset's shards.
        locations: The samples' places.
        predicate: What was asked before they were taken, as text.
        question: What selects the same samples in the same order, so that it can be asked again.
    """

    def __init__(
        self, opened: Opened, locations: Locations, predicate: str | None = None, question: Question | None = None
    ) -> None:
        super().__init__(opened)
        self._locations = locations
        self.predicate = predicate
        self._question = question

    @property
    def question(self) -> Question | None:
        """What selects the same samples in the same order."""
        return self._question

    @property
    def locations(self) -> Locations:
        """The places of the samples."""
        return self._locations

    def count(self) -> int:
        """Return how many samples there are."""
        return len(self._locations)

    def names(self) -> pl.DataFrame:
        """Return the location columns, whatever became of the shards."""
        return self._locations.to_frame()

    def scan(self) -> pl.LazyFrame:
        """Return the samples' rows; the tables of their shards are read, and no other."""
        whole = self.opened.manifests.whole.schema
        rows = self.opened.limited(self._locations.used_shards).whole.lazy
        union = {name: dtype for name, dtype in whole.items() if name not in LOCATION or name == KEY}
        columns = rows.select(as_union(rows.collect_schema(), union))
        joined = self.locations.to_frame().lazy().join(columns, on=[SHARD, KEY], how="left", maintain_order="left")
        return joined.select(whole.names())

    def narrowed(self, question: Question) -> "Taken":
        """Return the samples for which something holds too, in the order that they have."""
        rows = self.locations.to_frame().with_row_index("__row__")
        kept = rows.join(self._that(question), on=[SHARD, KEY], how="semi", maintain_order="left")
        predicate = str(question) if self.predicate is None else f"({self.predicate}) AND ({question})"
        both = None if self.question is None else self.question.also(question)
        return Taken(self.opened, self._locations[kept["__row__"].to_numpy()], predicate, both)

    def _that(self, question: Question) -> pl.DataFrame:
        manifests = self.opened.manifests
        some = self.opened.limited(self._locations.used_shards)
        try:
            return select(some, question, (SHARD, KEY))
        except PredicateError:  # perhaps about a column that only other shards have
            if some is manifests:
                raise
        return select(manifests, question, (SHARD, KEY))

    def explain(self) -> Explanation:
        """Return what the samples are; nothing has to be found."""
        locations, opened = self._locations, self.opened
        everything = explain(opened.manifests, Question()) if opened.has_manifests else None
        return Explanation(
            predicate=self.predicate or "samples taken one by one",
            shards=len(opened.shard_ids),
            shards_selected=len(locations.used_shards),
            rows=everything.rows if everything else opened.count(),
            rows_selected=len(locations),
            bytes_selected=int(locations.sizes.sum()),
            bytes=everything.bytes if everything else int(opened.locations.sizes.sum()),
            table_bytes=0,
            plan="the samples' places are known",
        )
