"""A selection as shards of its own: sample bytes are copied undecoded, manifest rows are taken over."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import polars as pl

from atdata._errors import SampleValueError, listed
from atdata._manifest import KEY, SHARD, CopiedColumns, CopiedManifest, CopiedRow, default_kind, fits
from atdata._options import check_limit
from atdata._polars import enter_polars
from atdata._read import Opened, SampleReader
from atdata._shards import Locations, OpenShards
from atdata._storage import Store
from atdata._tar import BLOCK, END_OF_ARCHIVE, tar_name
from atdata._write import NUMBERED, Encoded, HeaderFacts, Progress, SetOptions, SetWriter, ShardNames, check_existing

from ._selection import Everything, Selection, Taken
from ._sequence import SampleSequence

__all__ = ["ExportKeys", "ExportOptions", "export"]

#: Whether samples keep their keys, or are numbered anew.
ExportKeys: TypeAlias = Literal["keep", "renew"]

#: Of how many samples the manifest rows are held at once.
_WINDOW = 1 << 19
#: How many characters of a predicate a header keeps.
_MAX_PREDICATE = 1000


class ExportOptions(NamedTuple):
    """Options of an export; :meth:`Dataset.export` says what each means."""

    path: str | os.PathLike[str]
    maxcount: int | None
    maxsize: int | None
    keys: ExportKeys
    overwrite: bool
    durable: bool
    progress: bool | None
    provenance: Mapping[str, Any] | None
    created_at: str | None


def export(sequence: SampleSequence, options: ExportOptions) -> SampleSequence:
    """Write samples as shards with manifests, in their order; return those in these shards.

    Raises:
        AtdataError: As for :meth:`Dataset.export`.
        TypeError: The samples pass through steps.
        ValueError: There is no sample, an option has no such value, or the source itself would be replaced.
    """
    if sequence.steps:
        raise TypeError(
            "export() copies samples as they are stored, and filter and map steps make others of them: "
            "write_samples(ds, path, manifest=True) writes what comes out of the steps"
        )
    selection, sample_type, metadata = sequence.selection, sequence.sample_type, sequence.content_metadata
    if options.keys not in get_args(ExportKeys):
        raise ValueError(f"keys is one of {listed(get_args(ExportKeys))}; found {options.keys!r}")
    check_limit("maxcount", options.maxcount)
    check_limit("maxsize", options.maxsize)
    many = options.maxcount is not None or options.maxsize is not None
    store, names = ShardNames.parse(options.path, many=many, durable=options.durable)
    enter_polars()
    opened, locations = selection.opened, _readable(selection)
    if options.overwrite:
        _check_elsewhere(opened, store, names)
    check_existing(store, names, _existing(options), can_append=False)
    if options.keys == "keep":
        _check_keys(locations, options)
    progress = Progress(shown=bool(options.progress), doing="exporting")
    progress.total = len(locations)
    facts = HeaderFacts(metadata, _provenance(selection, options), options.created_at)
    shards = SetWriter(store, _writing(selection, names, sample_type, options, facts), progress, sample_type)
    with progress, shards:
        for sample in _encoded(opened, locations, sequence.reader, renew=options.keys == "renew"):
            shards.write_encoded(sample)
        shards.finish()
    copied = Opened(OpenShards(store, shards.listing, sample_type, metadata))
    return SampleSequence(Everything(copied), (), sequence.named_type, metadata)


def _readable(selection: Selection) -> Locations:
    """Return the places of the samples, once it is known that they can be read by."""
    opened, everything = selection.opened, isinstance(selection, Everything)
    for shard_id in opened.shard_ids if everything else selection.locations.used_shards:
        opened.places.check_fetchable(shard_id)
    if not len(selection.locations):
        raise ValueError("there is no sample to export; nothing was written")
    return selection.locations


def _existing(options: ExportOptions) -> Literal["overwrite", "refuse"]:
    return "overwrite" if options.overwrite else "refuse"


def _writing(
    selection: Selection, names: ShardNames, sample_type: type, options: ExportOptions, facts: HeaderFacts
) -> SetOptions:
    common = _common(selection.opened, selection.locations, sample_type)
    return SetOptions(
        names=names,
        existing=_existing(options),
        facts=facts,
        maxcount=options.maxcount,
        maxsize=options.maxsize,
        gatherer=lambda shard_id: CopiedManifest(common, shard_id),
        called="export",
        advice="Export again with overwrite=True, or to another path",
    )


def _encoded(opened: Opened, locations: Locations, reader: SampleReader, *, renew: bool) -> Iterator[Encoded]:
    for start in range(0, len(locations), _WINDOW):
        window = locations[start : start + _WINDOW]
        rows = _rows(opened, window)
        keys = [NUMBERED] * len(window) if renew else window.to_frame()[KEY].to_list()
        for index, (key, members) in enumerate(zip(keys, reader.members(window), strict=True)):
            copied = [(extension, [payload]) for extension, payload in members]
            yield Encoded(start + index, key, copied, CopiedRow(rows, index))


def _rows(opened: Opened, locations: Locations) -> pl.DataFrame:
    """Return what the manifests say of some samples, in their order."""
    if not opened.has_manifests:
        return locations.to_frame().select(SHARD)
    return Taken(opened, locations).scan().collect()


def _common(opened: Opened, locations: Locations, sample_type: type) -> CopiedColumns:
    """Return what the manifests that rows are copied from have in common."""
    if not opened.has_manifests:
        return CopiedColumns(sample_type.__name__, "1.0.0", ())
    schema = opened.manifests.rows.columns
    kinds: dict[str, Any] = {}
    headers = [opened.manifests.header(shard_id) for shard_id in locations.used_shards]
    for header in headers:
        for name, kind in header.kinds.items():
            if name in schema and fits(kind, schema[name]):
                kinds.setdefault(name, kind)
    kinds = {name: kinds.get(name) or default_kind(dtype) for name, dtype in schema.items()}
    types = {(header.schema_type, header.schema_version) for header in headers}
    name, version = types.pop() if len(types) == 1 else (sample_type.__name__, "1.0.0")
    return CopiedColumns.of(name, version, schema, kinds)


def _provenance(selection: Selection, options: ExportOptions) -> dict[str, Any]:
    predicate = selection.predicate
    if predicate is not None and len(predicate) > _MAX_PREDICATE:
        predicate = predicate[: _MAX_PREDICATE - 1] + "…"
    asked = {} if predicate is None else {"predicate": predicate}
    return {"parent_dataset": selection.opened.digest, **asked, **(options.provenance or {})}


def _check_elsewhere(opened: Opened, target: Store, names: ShardNames) -> None:
    """Check that what is replaced is not what is read."""
    is_target: dict[str, bool] = {}
    for shard_id in opened.shard_ids:
        tar = tar_name(shard_id)
        folder, _, name = tar.rpartition("/")
        if folder not in is_target:
            is_target[folder] = target.is_same_place(opened.store.folder(folder) if folder else opened.store)
        if is_target[folder] and names.includes(name):
            raise ValueError(
                f"overwrite=True would replace {opened.store.url(tar)}, which the samples are read from; nothing was "
                "removed. Export to another path"
            )


def _check_keys(locations: Locations, options: ExportOptions) -> None:
    """Check that no key comes twice into one shard.

    Raises:
        SampleValueError: One does.
    """
    keys = locations.to_frame()[KEY]
    if keys.n_unique() == len(keys):
        return
    seen: set[str] = set()
    position = end = 0
    for start, end in _shards_of(locations.sizes.tolist(), options):
        seen.clear()
        for position, key in enumerate(keys[start:end], start):
            if key in seen:
                raise SampleValueError(
                    f"the key {key!r} would be in one shard twice: a sample was taken more than once, or two shards "
                    "have samples of this key. Nothing was written; keys='renew' numbers the samples anew",
                    "__key__",
                    position,
                )
            seen.add(key)


def _shards_of(sizes: Sequence[int], options: ExportOptions) -> Iterator[tuple[int, int]]:
    """Yield which samples each shard gets: from the first to the one after the last."""
    start, used = 0, 0
    for index, size in enumerate(sizes):
        too_many = options.maxcount is not None and index - start >= options.maxcount
        too_large = options.maxsize is not None and used + size + len(END_OF_ARCHIVE) > options.maxsize
        if index > start and (too_many or too_large):
            yield start, index
            start, used = index, 0
        used += max(size, BLOCK)
    yield start, len(sizes)
