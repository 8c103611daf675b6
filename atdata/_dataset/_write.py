"""`write_samples`: from an iterable of samples to shards and their manifests."""

import datetime as dt
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from atdata._errors import SampleValueError, ShardExistsError, listed
from atdata._sample import fields_of, is_sample_type
from atdata._store import LocalStore
from atdata.manifest._names import HEADER_SUFFIX, TABLE_SUFFIX, Listing, Sidecars

from ._dataset import Dataset, OpenShards
from ._names import ShardNames, check_limit
from ._shard_writer import ShardOptions, ShardSetWriter

__all__ = ["write_samples"]

S = TypeVar("S")
#: Keys, one a sample; or a function of position and sample; or the name of a field that holds them.
Keys: TypeAlias = Iterable[str] | Callable[[int, Any], str] | str


def write_samples(
    samples: Iterable[S],
    path: str | os.PathLike[str],
    *,
    maxcount: int | None = None,
    maxsize: int | None = None,
    manifest: bool = False,
    content_metadata: Any = None,
    keys: Keys | None = None,
    created_at: dt.datetime | str | None = None,
    durable: bool = True,
) -> Dataset[S]:
    """Write samples to one tar, or to numbered shards, and return them as a dataset.

    Samples are taken one at a time; one shard's manifest columns are the most that is held. Each shard is published
    whole, then its manifest. The same samples and options give the same bytes, but for ``created_at`` in headers.

    Args:
        samples: Samples of one type: packable dataclasses, or :class:`DictSample`. A generator will do.
        path: ``images.tar`` for one shard; with ``maxcount`` or ``maxsize`` it means ``images-000000.tar`` and so on.
            ``images-%04d.tar`` says where the number stands.
        maxcount: Samples a shard, at most.
        maxsize: Bytes a tar, at most; a sample that is larger gets a shard of its own.
        manifest: Whether to write a manifest beside each shard. Of :class:`DictSample` it has no columns but places.
        content_metadata: What to say of the dataset as a whole, kept in each header: a dict, or a packable sample.
        keys: The samples' keys: an iterable of exactly as many, a function ``(position, sample) -> key``, or a field's
            name. Without it a sample's key is ``<shard>-<row>``, six digits each.
        created_at: The time that headers record; the environment's SOURCE_DATE_EPOCH, or now, unless given.
        durable: Whether a published file survives a power loss; False skips the fsyncs and nothing else.

    Raises:
        ValueError: There is no sample, or an option makes no sense.
        TypeError: ``content_metadata`` is neither a dict nor a packable sample.
        ShardExistsError: A file that this would write is there already; nothing was changed.
        SampleValueError: A sample or key cannot be written. Like any error that the input raises, it carries a note
            that says how far the write came: finished shards stay, the open one leaves nothing.

    Examples:
        >>> import tempfile, atdata
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> folder = tempfile.TemporaryDirectory()
        >>> ds = write_samples(map(Caption, "abc"), f"{folder.name}/captions.tar", maxcount=2, manifest=True)
        >>> len(ds), len(ds.list_shards())
        (3, 2)
        >>> folder.cleanup()
    """
    check_limit("maxcount", maxcount)
    check_limit("maxsize", maxsize)
    metadata = _metadata_dict(content_metadata)
    folder, names = ShardNames.parse(path, many=maxcount is not None or maxsize is not None)
    store = LocalStore(folder, durable=durable)
    _refuse_existing(store, names)
    options = ShardOptions(
        names=names,
        maxcount=maxcount,
        maxsize=maxsize,
        manifest=manifest,
        content_metadata=metadata,
        created_at=created_at.isoformat() if isinstance(created_at, dt.datetime) else created_at,
    )
    with ShardSetWriter(store, options) as shards:
        if keys is None:
            for sample in samples:
                shards.write(sample)
        else:
            for sample, key in _with_keys(samples, keys):
                shards.write(sample, key)
        shards.finish()
    if shards.sample_type is None:
        raise ValueError("expected a non-empty iterable of samples, found none; nothing was written")
    return Dataset(OpenShards(store, _listing(shards.shard_ids, manifest=manifest), shards.sample_type, metadata))


def _refuse_existing(store: LocalStore, names: ShardNames) -> None:
    try:
        found = [name for name in store.names() if names.includes(name)]
    except FileNotFoundError:
        return  # the folder is made with the first shard
    if found:
        raise ShardExistsError(
            names.shard_id(0),
            f"{store.url()} holds files of this name already: {listed(found, 4)}. Nothing was overwritten; "
            "choose another path or remove them",
        )


def _with_keys(samples: Iterable[S], keys: Keys) -> Iterator[tuple[S, str]]:
    if isinstance(keys, str):
        return ((sample, _field_key(sample, keys, position)) for position, sample in enumerate(samples))
    if callable(keys):
        return ((sample, keys(position, sample)) for position, sample in enumerate(samples))
    return _paired(samples, iter(keys))


def _field_key(sample: Any, field: str, position: int) -> str:
    try:
        key: str = getattr(sample, field)
    except AttributeError:
        raise SampleValueError(
            f"keys={field!r} names a field that {type(sample).__qualname__} does not have", field, position
        ) from None
    return key


def _paired(samples: Iterable[S], keys: Iterator[str]) -> Iterator[tuple[S, str]]:
    position = -1
    for position, sample in enumerate(samples):
        try:
            yield sample, next(keys)
        except StopIteration:
            raise SampleValueError(f"there are only {position} keys", "__key__", position) from None
    for key in keys if position >= 0 else ():  # one too many: they may belong to other samples
        raise SampleValueError(f"there are only {position + 1} samples, and a key {key!r} is left", "__key__")


def _metadata_dict(metadata: Any) -> Mapping[str, Any] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        if not is_sample_type(type(metadata)):
            raise TypeError(f"content_metadata is a dict or a packable sample; found {type(metadata).__name__}")
        metadata = (
            metadata.to_dict()
            if hasattr(metadata, "to_dict")
            else {field.name: getattr(metadata, field.name) for field in fields_of(type(metadata))}
        )
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"content_metadata holds what JSON cannot: {error}") from error
    return dict(metadata)


def _listing(shard_ids: list[str], *, manifest: bool) -> Listing:
    if not manifest:
        return Listing((), tuple(shard_ids))
    return Listing(tuple(Sidecars(each, each + HEADER_SUFFIX, (each + TABLE_SUFFIX,)) for each in shard_ids), ())
