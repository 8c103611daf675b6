"""Late columns: values that come after the samples were written, as columns of their manifests."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, get_args

import polars as pl

from atdata._errors import SchemaError, listed, near_misses
from atdata._options import check_limit
from atdata._reader import Opened, Picks
from atdata._sample import SampleBatch
from atdata._sidecars._amend import Change
from atdata._sidecars._names import Listing
from atdata._sidecars._process import enter_polars
from atdata._sidecars._table import LOCATION

from ._amending import OnError, ShardColumns, Work
from ._annotation import AnnotateOptions, Computed, Given
from ._columns import check_name
from ._matching import Extra, Missing

__all__ = ["annotate", "drop_columns"]

#: Reads the samples at some places in batches of a size.
ReadBatches: TypeAlias = Callable[[Picks, int], Iterator[SampleBatch[Any]]]


def annotate(
    opened: Opened, selected: Picks | None, read: ReadBatches, columns: Any, options: AnnotateOptions
) -> Listing:
    """Add columns to manifests; return the shards' files as they are then.

    Args:
        opened: The shards.
        selected: The samples that get values; None for all.
        read: Reads samples, for a function of batches.
        columns: What the caller gives.
        options: How.

    Raises:
        AtdataError: As for :meth:`Dataset.annotate`.
        ValueError: An option has no such value.
    """
    _check_choice("missing", options.missing, get_args(Missing))
    _check_choice("extra", options.extra, get_args(Extra))
    _check_choice("on_error", options.on_error, get_args(OnError))
    check_limit("batch_size", options.batch_size)
    if options.run is not None and (not isinstance(options.run, str) or not options.run):
        raise ValueError(f"run is a name, or None; found {options.run!r}")
    enter_polars()
    if callable(columns):
        return Computed(opened, selected, options, columns, read).done()
    return Given(opened, selected, options, columns).done()


def drop_columns(opened: Opened, names: Sequence[str], on_error: OnError) -> Listing:
    """Remove columns from manifests; return the shards' files as they are then.

    Raises:
        SchemaError: A name is the manifest's own, or no shard's column.
        ManifestError: A manifest is damaged, gone, or was changed meanwhile.
        PartialFailureError: As for :meth:`Dataset.annotate`.
    """
    _check_choice("on_error", on_error, get_args(OnError))
    for name in names:
        check_name(name)
    enter_polars()
    work = Work(opened.store, opened.shards.listing.committed, on_error)
    shards = work.read()
    there = dict.fromkeys(name for shard in shards for name in shard.dtypes if name not in LOCATION)
    if unknown := [name for name in names if name not in there]:
        raise SchemaError(
            f"no shard has a column {unknown[0]!r}{near_misses(unknown[0], there)}; the columns are {listed(there)}"
        )
    dropped = frozenset(names)
    # A shard with more than one table is one whose old table a call before did not come to remove.
    some = [shard for shard in shards if dropped & shard.dtypes.keys() or len(shard.sidecars.tables) > 1]

    def without(_: ShardColumns, table: pl.DataFrame) -> Change | None:
        there = dropped & set(table.columns)
        return Change((), {}, dropped=there) if there else None

    with work.noting("The same call does the rest.", len(some)):
        for shard in some:
            work.do(shard, without)
    work.finish()
    return opened.shards.listing._replace(committed=tuple(work.sidecars))


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is one of {listed(choices)}; found {value!r}")
