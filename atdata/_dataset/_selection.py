"""Selections: all samples of a dataset, those that a predicate selects, or those that were taken, in an order."""

import abc
import copy
import functools
import hashlib
import operator
from typing import Any, Literal, SupportsIndex

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atdata._errors import AtdataError, PredicateError, SampleValueError, listed
from atdata._manifest import KEY, LOCATION, PLACE, SHARD, Listing, SampleLocation, as_union
from atdata._query import FAILURES, Explanation, KeyIndex, Question, count, explain, select
from atdata._read import Opened
from atdata._shards import Locations, OpenShards, check_frame, to_position

from ._locate import (
    RowsLike,
    checked_positions,
    has_whole_places,
    key_series,
    location_frame,
    named_rows,
    place_columns,
    position_of_key,
    positions_of_keys,
    positions_of_places,
)

__all__ = [
    "Everything",
    "Matching",
    "Selection",
    "Taken",
    "check_one_place",
    "draw",
    "have_same_samples",
    "intersect",
    "renewed",
    "take",
    "unite",
    "with_listing",
]

#: What a sample is known by.
_NAMES = [SHARD, KEY]


class Selection(abc.ABC):
    """Samples of a dataset. Nothing is read before something is asked.

    Attributes:
        opened: The dataset's shards.
        predicate: What was asked, as text; None where nothing was.
    """

    predicate: str | None = None

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self._keys = _SelectionKeys()

    @property
    def question(self) -> Question | None:
        """The question that selects the samples among all; None where no question alone does."""
        return None

    @property
    @abc.abstractmethod
    def locations(self) -> Locations:
        """The samples' places, in order."""

    def locate(self, index: SupportsIndex) -> tuple[Locations, int]:
        """Return places among which that of the sample at a position is, and its position among these."""
        locations = self.locations
        return locations, to_position(index, len(locations))

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
        """The digest of the samples and their order."""
        locations, opened = self.locations, self.opened
        # The same samples in the same order are the same dataset, however they were found.
        digest = locations.digest()
        return opened.digest if len(locations) == opened.count() and digest == opened.locations.digest() else digest

    @property
    def shard_ids(self) -> list[str]:
        """The shards that hold the samples, in order."""
        return self.locations.used_shards

    @property
    def end_shards(self) -> list[str]:
        """The shards of the first and of the last sample."""
        locations = self.locations
        return [locations.shard_ids[number] for number in locations.shards[[0, -1]]] if len(locations) else []

    def position_of(self, key: str) -> int:
        """Return the position of the sample with a key.

        Raises:
            SampleKeyError: There is no such key.
            AmbiguousKeyError: The key is there in more than one shard.
            SampleValueError: It is not text.
        """
        if not isinstance(key, str):
            raise SampleValueError.wrong_type(key, "a key, which is text", "by position: ds[position]")
        return position_of_key(self.locations, self._keys.index_of(self.locations), key)

    def has(self, name: str | SampleLocation) -> bool:
        """Return whether there is a sample with a key, or at a location."""
        locations = self.locations
        rows = self._keys.index_of(locations)
        if isinstance(name, str):
            return bool(rows.rows(name))
        return any(locations.shard_ids[locations.shards[row]] == name.shard for row in rows.rows(name.key))

    def names(self) -> pl.DataFrame:
        """Return the location columns, as they were when the samples were chosen."""
        return self.locations.to_frame()

    def first(self, count: int) -> "Selection":
        """Return the first samples."""
        return self.at(slice(count))

    def at(self, indices: slice | NDArray[np.integer[Any]]) -> "Taken":
        """Return some of the samples: those of a slice, or at some positions, in that order."""
        return Taken(self.opened, self.locations[indices], self.predicate)


class _SelectionKeys:
    """The index of a selection's keys, made when it is needed first; another process makes its own."""

    def __init__(self) -> None:
        self._index: KeyIndex | None = None

    def index_of(self, locations: Locations) -> KeyIndex:
        if self._index is None:
            self._index = KeyIndex(locations.to_frame()[KEY])
        return self._index

    def __reduce__(self) -> tuple[type["_SelectionKeys"], tuple[()]]:
        return type(self), ()


class Everything(Selection):
    """All samples of a dataset."""

    @property
    def shard_ids(self) -> list[str]:
        """The shards, in order; nothing is read."""
        return self.opened.shard_ids

    @property
    def end_shards(self) -> list[str]:
        """The first and the last shard; nothing is read."""
        return [*self.shard_ids[:1], *self.shard_ids[-1:]]

    @property
    def locations(self) -> Locations:
        """The places of all samples."""
        return self.opened.locations

    def locate(self, index: SupportsIndex) -> tuple[Locations, int]:
        """Return places among which that of the sample at a position is; at first those of its shard."""
        return self.opened.locate(index)

    @property
    def digest(self) -> str:
        """The digest of the dataset."""
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
        return self.opened.places.of_rows(select(self.opened.manifests, self.question, PLACE))

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
        return Taken(self.opened, self.opened.places.of_rows(frame), self.predicate)

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
        """The question that selects the same samples in the same order, where there is one."""
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
        whole = self.opened.manifests.rows.schema
        rows = self.opened.limited(self._locations.used_shards).scan()
        union = {name: dtype for name, dtype in whole.items() if name not in LOCATION or name == KEY}
        columns = rows.select(as_union(rows.collect_schema(), union))
        joined = self.locations.to_frame().lazy().join(columns, on=[SHARD, KEY], how="left", maintain_order="left")
        return joined.select(whole.names())

    def narrowed(self, question: Question) -> "Taken":
        """Return the samples for which something holds too, in the order that they have."""
        rows = self.locations.to_frame().with_row_index("__row__")
        common = rows.join(self._that(question), on=[SHARD, KEY], how="semi", maintain_order="left")
        predicate = str(question) if self.predicate is None else f"({self.predicate}) AND ({question})"
        both = None if self.question is None else self.question.also(question)
        return Taken(self.opened, self._locations[common["__row__"].to_numpy()], predicate, both)

    def _that(self, question: Question) -> pl.DataFrame:
        manifests = self.opened.manifests
        used = self.opened.limited(self._locations.used_shards)
        try:
            return select(used, question, (SHARD, KEY))
        except PredicateError:  # perhaps about a column that only other shards have
            if used is manifests:
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


def take(selection: Selection, rows: RowsLike) -> Taken:
    """Return samples of a selection, in the order in which they are named, as often as they are.

    Raises:
        SampleKeyError: One is none of the selection's.
        AmbiguousKeyError: A key alone names more than one.
        SampleIndexError: A position is beyond the selection.
        ShardError: The dataset has no such shard.
        SampleValueError: What was given names no samples.
    """
    named: Any = named_rows(rows)
    if isinstance(named, pl.LazyFrame):
        named = _collected(selection, named)
    if isinstance(named, pl.DataFrame):
        return _take_frame(selection, named)
    if not len(named):
        return selection.at(slice(0))
    if isinstance(named[0], SampleLocation):
        return _take_frame(selection, location_frame(named))
    if isinstance(named[0], str):
        return selection.at(positions_of_keys(selection.locations, key_series(named)))
    return selection.at(checked_positions(named, len(selection.locations)))


def draw(selection: Selection, n: int, seed: int) -> Taken:
    """Return ``n`` different samples at random, in the order in which they stand, the same on any machine.

    Raises:
        ValueError: ``n`` is negative, or more than there are.
    """
    return selection.at(_drawn(n, selection.count(), f"{selection.digest}/{seed}"))


def intersect(mine: Selection, theirs: Selection, how: Literal["semi", "anti"]) -> Taken:
    """Return the samples of a selection that are in another one too, or are not, in the order that they have."""
    rows = mine.locations.to_frame().with_row_index("__row__")
    common = rows.join(theirs.locations.to_frame(), on=_NAMES, how=how, maintain_order="left")
    # Selected by more than the predicate of either side.
    return Taken(mine.opened, mine.locations[common["__row__"].to_numpy()])


def unite(mine: Selection, theirs: Selection) -> Taken:
    """Return the samples of a selection, then those of another one that are not among them."""
    opened = mine.opened
    if not set(theirs.opened.shard_ids) <= set(opened.shard_ids):
        opened = Opened(_with_shards_of(opened.shards, theirs.opened.shards))
    first, second = mine.locations.to_frame(), theirs.locations.to_frame()
    more = second.join(first, on=_NAMES, how="anti", maintain_order="left")
    return Taken(opened, Locations.from_frame(pl.concat([first, more]), opened.shard_ids))


def check_one_place(mine: Selection, theirs: Selection) -> None:
    """Check that two selections are of one dataset.

    Raises:
        AtdataError: They are not.
    """
    ours, other = mine.opened.store, theirs.opened.store
    if ours != other:
        raise AtdataError(
            f"samples are combined within one dataset, by shard and key; these are of {ours.url()} and of "
            f"{other.url()}. Open both from one folder with the same manifests, or join them with atdata.concat()"
        )


def have_same_samples(mine: Selection, theirs: Selection) -> bool:
    """Return whether two selections of one place have the same samples in the same order.

    What is known is compared first; the digests, for which manifests are read, come last.
    """
    if mine is theirs:
        return True
    if mine.opened is theirs.opened and _ask_the_same(mine, theirs):
        return True
    if isinstance(mine, Everything) and isinstance(theirs, Everything) and mine.shard_ids != theirs.shard_ids:
        return False
    if type(mine) is type(theirs) is Taken and mine.count() != theirs.count():
        return False
    return mine.digest == theirs.digest


def renewed(selection: Selection) -> Selection:
    """Return the same choice among the shards as they are now.

    Raises:
        ManifestNotFoundError: The dataset is gone.
        SampleKeyError: A sample that was taken is not there any more.
    """
    opened = selection.opened.reopened()
    if selection.question is not None:
        return Matching(opened, selection.question)
    if isinstance(selection, Everything):
        return Everything(opened)
    rows = selection.names().select(_NAMES)
    return Taken(opened, take(Everything(opened), rows).locations, selection.predicate)


def with_listing(selection: Selection, listing: Listing) -> Selection:
    """Return the same samples of shards whose manifests changed, also where a predicate would now select others."""
    opened = Opened(selection.opened.shards._replace(listing=listing))
    if isinstance(selection, Everything):
        return Everything(opened)
    taken = selection if isinstance(selection, Taken) else selection.at(slice(None))
    same = copy.copy(taken)
    same.opened = opened
    return same


def _ask_the_same(mine: Selection, theirs: Selection) -> bool:
    if isinstance(mine, Everything) and isinstance(theirs, Everything):
        return True
    if not (isinstance(mine, Matching) and isinstance(theirs, Matching)):
        return False
    ours, other = mine.question, theirs.question
    return (
        ours.functions == other.functions
        and len(ours.expressions) == len(other.expressions)
        and all(one.meta.eq(two) for one, two in zip(ours.expressions, other.expressions, strict=True))
    )


def _collected(selection: Selection, rows: pl.LazyFrame) -> pl.DataFrame:
    try:
        return rows.select(place_columns(rows.collect_schema().names())).collect()
    except FAILURES as error:
        selection.opened.manifests.failed(error)


def _take_frame(selection: Selection, frame: pl.DataFrame) -> Taken:
    if KEY not in frame.columns:
        raise SampleValueError(
            f"rows name samples by {KEY}, with {SHARD} where keys repeat; found the columns {listed(frame.columns)}. "
            "Keep these columns in the query: ds.scan() has them"
        )
    check_frame(frame)
    if not len(frame):  # of any dtypes
        return selection.at(slice(0))
    if SHARD not in frame.columns:
        return selection.at(positions_of_keys(selection.locations, frame[KEY]))
    opened = selection.opened
    for shard_id in frame[SHARD].unique():
        opened.places.check_known(shard_id)
    if isinstance(selection, Everything) and has_whole_places(frame):
        # Reading proves each of them; nothing has to be looked up.
        return Taken(opened, Locations.from_frame(frame, opened.shard_ids))
    return selection.at(positions_of_places(selection.locations, frame))


def _with_shards_of(mine: OpenShards[Any], theirs: OpenShards[Any]) -> OpenShards[Any]:
    known = {sidecars.shard_id for sidecars in mine.listing.committed} | set(mine.listing.uncommitted)
    committed = (sidecars for sidecars in theirs.listing.committed if sidecars.shard_id not in known)
    uncommitted = (shard_id for shard_id in theirs.listing.uncommitted if shard_id not in known)
    listing = mine.listing._replace(
        committed=(*mine.listing.committed, *committed), uncommitted=(*mine.listing.uncommitted, *uncommitted)
    )
    return mine._replace(listing=listing, reopen=None)


def _drawn(n: int, count: int, seed: str) -> NDArray[np.int64]:
    """Return ``n`` different positions out of ``count``, ascending; every set of that size is as likely.

    Args:
        n: How many.
        count: How many there are.
        seed: What it all depends on.

    Raises:
        ValueError: ``n`` is negative, or more than there are.
    """
    if isinstance(n, bool) or not isinstance(n, SupportsIndex) or not 0 <= operator.index(n) <= count:
        raise ValueError(f"n is a number of samples from 0 to the {count} that there are; found {n!r}")
    words = np.frombuffer(hashlib.sha256(seed.encode()).digest(), "<u8")
    # Philox's output is specified; what is made of it by numpy.random's methods may change with a version.
    marks = np.random.Philox(key=words[:2], counter=[0, 0, *words[2:]]).random_raw(count)
    chosen: NDArray[np.int64] = np.sort(np.argsort(marks, kind="stable")[:n])
    return chosen
