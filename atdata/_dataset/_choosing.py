"""Choosing samples: what a dataset answers from its manifests, and the selections that it gives."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import polars as pl

from atdata._errors import AtdataError, PredicateError
from atdata._manifest import KEY, PLACE, SHARD, SampleLocation
from atdata._options import whole
from atdata._query import FAILURES, Explanation, Question, Where, check, parse_where
from atdata._read import Opened, OpenShards, as_locations, cost_of
from atdata._shards import Locations

from ._base import DatasetBase
from ._draw import drawn
from ._selection import Everything, Selection, Taken
from ._slice import save_slice
from ._taking import Rows, are_positions, given, take

__all__ = ["Choosing"]

S = TypeVar("S")

#: What a sample is known by.
_NAMES = [SHARD, KEY]


class Choosing(DatasetBase[S]):
    """What chooses some of a dataset's samples. A choice is a dataset itself, and reads nothing but its samples."""

    def scan(self) -> pl.LazyFrame:
        """Return the samples' rows as a Polars LazyFrame: see :meth:`QueryExecutor.scan`.

        Raises:
            ManifestNotFoundError: No shard has a manifest.
            SchemaError: The shards' columns do not go together.
        """
        return self._selection.scan()

    def query(self, where: Where | None = None, **equalities: object) -> list[SampleLocation]:
        """Return the locations of the samples that a predicate selects: see :meth:`QueryExecutor.query`.

        Raises:
            PredicateError: The predicate cannot be asked; the error says why.
            ManifestError: A manifest is damaged, gone, or was never written.
            SchemaError: The shards' columns do not go together.
        """
        if isinstance(self._selection, Everything):
            return self._opened.executor.query(where, **equalities)
        return list(as_locations(self._selection.narrowed(parse_where(where, equalities)).locations.to_frame()))

    def explain(self, where: Where | None = None, **equalities: object) -> Explanation:
        """Return what the samples are and what reading them takes, or those that a predicate selects among them.

        The question is asked for it, and the reading planned; no tar is opened. ``print`` it.

        Raises:
            PredicateError: The predicate cannot be asked.
            ManifestError: A manifest is damaged, gone, or was never written.
            SchemaError: The shards' columns do not go together.
        """
        selection = self._selection
        if where is not None or equalities:
            selection = selection.narrowed(parse_where(where, equalities))
        explanation = selection.explain()
        if isinstance(selection, Everything):  # read tar by tar
            return explanation
        return explanation.planned(*cost_of(selection.locations, self._opened.store.limits))

    def where(self, *predicates: Where, **equalities: object) -> Self:
        """Return the samples that the predicates select, all of them: ``ds.where(pl.col("score") > 0.9, label="dog")``.

        Nothing is read before something is asked of them. They keep their order: shard order, then tar order, or that
        of the selection that is narrowed. ``ds.where(a).where(b)`` is ``ds.where(a, b)``.

        Args:
            *predicates: Polars expressions over the manifests' columns, SQL conditions, comparisons such as
                ``F.label == "dog"``, or functions of a pandas frame. A function that looks at samples goes to
                :meth:`Dataset.filter`.
            **equalities: Columns, and the value that each must have.

        Raises:
            PredicateError: A predicate cannot be asked; the error says why.
            ManifestError: A manifest is damaged, gone, or was never written.

        Examples:
            >>> import tempfile, atdata
            >>> @atdata.packable
            ... class Caption:
            ...     text: str
            ...     score: float
            >>> folder = tempfile.TemporaryDirectory()
            >>> captions = [Caption("a dog", 0.9), Caption("a cat", 0.2), Caption("two dogs", 0.7)]
            >>> ds = atdata.write_samples(captions, f"{folder.name}/captions.tar", manifest=True)
            >>> good = ds.where(pl.col("score") > 0.5)
            >>> len(good), [sample.text for sample in good.where("score < 0.8")]
            (2, ['two dogs'])
            >>> folder.cleanup()
        """
        asked = [parse_where(each) for each in predicates]
        if equalities or not asked:
            asked.append(parse_where(None, equalities))
        question = functools.reduce(Question.also, asked)
        check(self._opened.manifests, question)
        return self._over(self._selection.narrowed(question))

    def take(self, rows: Rows) -> Self:
        """Return the samples that are named, in the order in which they are named, as often as they are.

        Args:
            rows: Any frame or query with ``__key__``, and ``__shard__`` where keys repeat between shards: what is made
                of :meth:`scan` by sorting, grouping, joining with other tables. Or locations, as :meth:`query` returns
                them; or keys; or positions, counted from 0, or from -1 backwards.

        Raises:
            SampleKeyError: A key is not there; the error says how many and shows some.
            AmbiguousKeyError: A key alone names samples in more than one shard.
            SampleIndexError: A position is beyond the samples.
            ShardError: The dataset has no such shard.
            SampleValueError: What was given names no samples.
            TypeError: Positions, behind a filter.
            ManifestError: A manifest is damaged or gone.

        Examples:
            >>> import tempfile, atdata
            >>> @atdata.packable
            ... class Caption:
            ...     text: str
            ...     score: float
            >>> folder = tempfile.TemporaryDirectory()
            >>> captions = [Caption("a dog", 0.9), Caption("a cat", 0.2), Caption("two dogs", 0.7)]
            >>> ds = atdata.write_samples(captions, f"{folder.name}/captions.tar", manifest=True)
            >>> best = ds.take(ds.scan().sort("score", descending=True).head(2))
            >>> [sample.text for sample in best], [sample.text for sample in ds.take([-1, 0, 0])]
            (['a dog', 'two dogs'], ['two dogs', 'a dog', 'a dog'])
            >>> folder.cleanup()
        """
        rows = given(rows)
        if are_positions(rows):
            self._check_positions("ds.select([...]), or take them before the filter")
        return self._over(take(self._selection, rows))

    def sample(self, n: int, seed: int = 0) -> Self:
        """Return ``n`` different samples at random, in the order in which they stand.

        Which ones depends on the dataset's digest, ``n`` and the seed alone: not on the machine.

        Raises:
            ValueError: ``n`` is no number from 0, or there are fewer samples.
            TypeError: Behind a filter, which leaves out some of those drawn.
            ManifestError: A manifest is damaged or gone.
        """
        self._check_positions("sample first, then filter, or draw from list(ds)")
        return self._over(self._selection.at(drawn(n, self._selection.count(), f"{self.digest}/{seed}")))

    def sort(self, by: str | pl.Expr | list[str | pl.Expr], *, descending: bool | list[bool] = False) -> Self:
        """Return the samples sorted by columns or expressions, as Polars sorts: nulls first, equal ones as they stand.

        Raises:
            PredicateError: There is no such column, or it cannot be sorted by.
            ManifestError: A manifest is damaged, gone, or was never written.
        """
        return self._over(self._gathered(lambda: self.scan().sort(by, descending=descending, maintain_order=True)))

    def limit(self, n: int) -> Self:
        """Return the first ``n`` samples, or as many as there are.

        Raises:
            ValueError: ``n`` is no number from 0.
            TypeError: Behind a filter, which leaves out some of those counted.
            ManifestError: A manifest is damaged or gone.
        """
        self._check_positions("limit first, then filter, or ds.head(n)")
        return self._over(self._selection.first(whole("n", n)))

    def value_counts(self, field: str, *, name: str = "count") -> pl.DataFrame:
        """Return how many samples have each value of a column, the most frequent first; of lists, each element.

        Args:
            field: The column.
            name: What the column of numbers is called.

        Returns:
            A frame with the column ``field``, null among its values, and ``count``.

        Raises:
            PredicateError: There is no such column.
            ValueError: ``name`` is that of the field.
            TypeError: Behind a filter: manifests do not know what it leaves out.
            ManifestError: A manifest is damaged, gone, or was never written.
        """
        if self._filters:
            raise TypeError(
                "manifests do not know which samples a filter leaves out: ds.to_polars()[field].value_counts()"
            )
        if name == field:
            raise ValueError(
                f"the numbers would be a second column {name!r}; call them otherwise: "
                f"value_counts({field!r}, name={name + 's'!r})"
            )
        schema = self.scan().collect_schema()
        if field not in schema:
            raise PredicateError.unknown_column(field, [name for name in schema if not name.startswith("__")])
        known = self._opened.manifests.value_counts(field) if isinstance(self._selection, Everything) else None
        if known is not None:
            counts = known.lazy().select(pl.col("value").alias(field), pl.col("count").cast(pl.UInt32).alias(name))
            return self._collected(lambda: counts.sort([name, field], descending=[True, False]))
        return self._collected(lambda: self._counted(field, name).sort([name, field], descending=[True, False]))

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a sample with a key, or at a location; no sample is read.

        Raises:
            TypeError: It is neither, or a filter step decides what there is.
        """
        if self._filters:
            raise TypeError("what passes a filter is known once samples are read: any(... for sample in ds)")
        if isinstance(key, str):
            return bool(self._selection.key_index.rows(key))
        if isinstance(key, SampleLocation):
            locations, rows = self._locations(), self._selection.key_index.rows(key.key)
            return any(locations.shard_ids[locations.shards[row]] == key.shard for row in rows)
        raise TypeError(
            f"'in' asks for a key or a SampleLocation; found {type(key).__name__}. Samples hold arrays, which are not "
            "compared: any(... for sample in ds) looks at each"
        )

    def __and__(self, other: "Choosing[Any]") -> Self:
        """Return the samples that are in the other dataset too, in this one's order.

        Raises:
            AtdataError: The other is no selection of the same dataset.
        """
        return self._combined(other, "semi")

    def __sub__(self, other: "Choosing[Any]") -> Self:
        """Return the samples that are not in the other dataset, in this one's order.

        Raises:
            AtdataError: The other is no selection of the same dataset.
        """
        return self._combined(other, "anti")

    def __or__(self, other: "Choosing[Any]") -> Self:
        """Return the samples, then those of the other dataset that are not among them.

        Raises:
            AtdataError: The other is no selection of the same dataset.
        """
        if not isinstance(other, Choosing):
            return NotImplemented
        opened, mine, theirs = self._joined(other)
        more = theirs.join(mine, on=_NAMES, how="anti", maintain_order="left")
        return self._over(Taken(opened, Locations.from_frame(pl.concat([mine, more]), opened.shard_ids)))

    def save_slice(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the samples' places to a small file, which opens as a dataset: ``Dataset("dogs.slice.parquet")``.

        It holds what was asked, too, so that :meth:`refresh` can ask it again, and what the shards are now: where one
        is changed later, the slice says so. No sample is copied.

        Args:
            path: The file; its name ends in ``.slice.parquet``.
            overwrite: Whether to replace such a file.

        Returns:
            The file's absolute path.

        Raises:
            ValueError: The name ends otherwise.
            FileExistsError: There is such a file.
            AtdataError: The dataset has steps (filter, map), which no file keeps.
            ManifestError: A manifest is damaged or gone.
        """
        if self._steps:
            raise AtdataError("a slice keeps places, and no function: save it first, then filter or map what it opens")
        return save_slice(self._selection, path, overwrite=overwrite)

    def _combined(self, other: object, how: Literal["semi", "anti"]) -> Self:
        if not isinstance(other, Choosing):
            return NotImplemented  # type: ignore[no-any-return]  # as operators do
        _, mine, theirs = self._joined(other)
        kept = mine.with_row_index("__row__").join(theirs, on=_NAMES, how=how, maintain_order="left")
        locations = self._locations()[kept["__row__"].to_numpy()]
        return self._over(Taken(self._opened, locations))  # by more than the predicate that either side was asked

    def _joined(self, other: "Choosing[Any]") -> tuple[Opened, pl.DataFrame, pl.DataFrame]:
        """Return the shards of both datasets, and the places of each one's samples."""
        mine, theirs = self._opened, other._opened  # noqa: SLF001 -- of one class
        if mine.store.url() != theirs.store.url():
            raise AtdataError(
                f"samples are combined within one dataset, by shard and key; these are of {mine.store.url()} and of "
                f"{theirs.store.url()}. Open both from one folder"
            )
        if self._steps != other._steps:  # noqa: SLF001 -- of one class
            raise AtdataError(
                "samples are combined before steps (filter, map) that differ; combine first, then filter or map"
            )
        opened = mine if set(theirs.shard_ids) <= set(mine.shard_ids) else Opened(_both(mine.shards, theirs.shards))
        return opened, self._locations().to_frame(), other._locations().to_frame()  # noqa: SLF001 -- of one class

    def _counted(self, field: str, name: str) -> pl.LazyFrame:
        values = self.scan().select(field)
        if isinstance(values.collect_schema()[field], pl.List):
            values = values.explode(field, empty_as_null=False)
        return values.group_by(field).agg(pl.len().alias(name))

    def _gathered(self, plan: Callable[[], pl.LazyFrame]) -> Selection:
        frame = self._collected(lambda: plan().select(PLACE))
        return Taken(self._opened, Locations.from_frame(frame, self._opened.shard_ids), self._selection.predicate)

    def _collected(self, plan: Callable[[], pl.LazyFrame]) -> pl.DataFrame:
        try:
            return plan().collect()
        except pl.exceptions.ColumnNotFoundError as error:
            name = str(error).partition('"')[2].partition('"')[0] or str(error).strip().partition("\n")[0]
            raise PredicateError.unknown_column(name, self.scan().collect_schema().names()) from None
        except FAILURES as error:
            if not self._opened.manifests.mended():
                self._opened.manifests.failed(error)
        return self._collected(plan)  # of other files: the index was removed, or made anew


def _both(mine: OpenShards[Any], theirs: OpenShards[Any]) -> OpenShards[Any]:
    known = {each.shard_id for each in mine.listing.committed} | set(mine.listing.uncommitted)
    committed = (each for each in theirs.listing.committed if each.shard_id not in known)
    uncommitted = (each for each in theirs.listing.uncommitted if each not in known)
    listing = mine.listing._replace(
        committed=(*mine.listing.committed, *committed), uncommitted=(*mine.listing.uncommitted, *uncommitted)
    )
    return mine._replace(listing=listing, reopen=None)
