"""Several datasets as one."""

import collections
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from atdata._errors import AtdataError, DuplicateShardError, SchemaError, listed
from atdata._read import Opened
from atdata._shards import Locations, OpenShards, check_root_names, join_shards, root_names, root_url
from atdata._storage import absolute_url

from ._dataset import Dataset, dataset_of, sequence_of
from ._selection import Everything, Selection, Taken
from ._sequence import SampleSequence

__all__ = ["concat"]

S = TypeVar("S")


def concat(datasets: Sequence[Dataset[S]], names: Sequence[str] | Mapping[str, str] | None = None) -> Dataset[S]:
    """Return several datasets as one: the samples of the first, then those of the second, and so on.

    Shards' ids begin with the name of their dataset: ``2024/images-000000``. Selections are concatenated as they are.
    Where the same tars come more than once, their samples are repeated; then pass ``names``.

    Args:
        datasets: The datasets, in any folders.
        names: A name for each dataset, in order; or names by root folder, which may leave some out. By default the
            shortest end of each root's path that tells it from the others.

    Raises:
        SchemaError: The datasets are of different sample types.
        ManifestNotFoundError: Some have manifests, and others have none.
        AtdataError: They have different steps (filter, map).
        DuplicateShardError: A tar is in more than one, and ``names`` were not given.
        ValueError: There is no dataset, or names are missing, equal or within each other.
        TypeError: One is not a dataset.

    Examples:
        >>> import tempfile, atdata
        >>> @atdata.packable
        ... class Caption:
        ...     text: str
        >>> folder = tempfile.TemporaryDirectory()
        >>> years = [
        ...     atdata.write_samples([Caption(year)], f"{folder.name}/{year}/captions.tar", manifest=True)
        ...     for year in ("2023", "2024")
        ... ]
        >>> both = atdata.concat(years)
        >>> both.shards, [sample.text for sample in both.where(text="2024")]
        (['2023/captions', '2024/captions'], ['2024'])
        >>> folder.cleanup()
    """
    sequences = _checked(datasets)
    whole = [sequence.opened.shards for sequence in sequences]
    if names is None:
        _check_once(whole)
    own_names = _part_names(whole, names)
    shards = join_shards(
        {
            name: part
            for opened, part_names in zip(whole, own_names, strict=True)
            for name, part in zip(part_names, _parts(opened).values(), strict=True)
        }
    )
    first = sequences[0]
    opened = Opened(shards._replace(sample_type=first.opened.shards.sample_type))
    metadata = first.own_metadata if all(each.own_metadata == first.own_metadata for each in sequences) else None
    selection: Selection = Everything(opened)
    if not all(sequence.is_whole for sequence in sequences):
        renamed = itertools.starmap(_renamed, zip(sequences, own_names, strict=True))
        selection = Taken(opened, Locations.concat(renamed, opened.shard_ids))
    return dataset_of(datasets[0], SampleSequence(selection, first.steps, first.named_type, metadata))


def _checked(datasets: Sequence[Dataset[Any]]) -> list[SampleSequence]:
    if isinstance(datasets, Dataset) or not isinstance(datasets, Sequence):
        raise TypeError(f"expected a list of datasets: concat([a, b]); found {type(datasets).__name__}")
    for dataset in datasets:
        if not isinstance(dataset, Dataset):
            raise TypeError(f"expected a list of datasets; found {type(dataset).__name__} in it")
    if not datasets:
        raise ValueError("expected one dataset or more; found none")
    sequences = [sequence_of(dataset) for dataset in datasets]
    types = {dataset.sample_type: None for dataset in datasets if sequence_of(dataset).seen_type is not None}
    if len(types) > 1:
        raise SchemaError(
            f"datasets of different types cannot be concatenated: {listed(kind.__name__ for kind in types)}. Name the "
            "type that reads all: Dataset[T](...), or convert with as_type()"
        )
    if any(sequence.steps != sequences[0].steps for sequence in sequences):
        raise AtdataError("datasets with different steps (filter, map) cannot be concatenated; concatenate them first")
    return sequences


def _check_once(whole: Sequence[OpenShards[Any]]) -> None:
    tars = collections.Counter(shards.store.url(f"{shard_id}.tar") for shards in whole for shard_id in shards.shard_ids)
    if repeated := next((tar for tar, count in tars.items() if count > 1), None):
        raise DuplicateShardError(
            repeated.rpartition("/")[2].removesuffix(".tar"),
            f"{repeated} is in more than one of the datasets. To repeat its samples, give a name to each dataset: "
            "concat([a, b], names=['first', 'second'])",
        )


def _parts(shards: OpenShards[Any]) -> Mapping[str, OpenShards[Any]]:
    return shards.parts or {"": shards}


def _part_names(whole: Sequence[OpenShards[Any]], names: Sequence[str] | Mapping[str, str] | None) -> list[list[str]]:
    """Return, for each dataset, the names of the parts that it is made of."""
    if names is None or isinstance(names, Mapping):
        roots = [root_url(part.store) for shards in whole for part in _parts(shards).values()]
        given = {absolute_url(root): name for root, name in (names or {}).items()}
        if unknown := given.keys() - set(roots):
            raise ValueError(f"names= has the roots {listed(sorted(unknown))}, which are not among {listed(roots)}")
        rest = [root for root in roots if root not in given]
        default = dict(zip(rest, root_names(rest), strict=True)) if rest else {}
        flat = iter([given.get(root) or default[root] for root in roots])
        own = [[next(flat) for _ in _parts(shards)] for shards in whole]
    else:
        if isinstance(names, str) or len(names) != len(whole):
            raise ValueError(f"expected a name for each of the {len(whole)} datasets; found {names!r}")
        check_root_names(names)
        own = [
            [f"{name}/{part}" if part else name for part in _parts(shards)]
            for name, shards in zip(names, whole, strict=True)
        ]
    check_root_names([name for part_names in own for name in part_names])
    return own


def _renamed(sequence: SampleSequence, names: Sequence[str]) -> Locations:
    """Return the places of a dataset's samples by their shards' new ids."""
    locations, parts = sequence.selection.locations, _parts(sequence.opened.shards)
    new_ids = []
    for shard_id in locations.shard_ids:
        part, name = next(
            (part, name) for part, name in zip(parts, names, strict=True) if not part or shard_id.startswith(f"{part}/")
        )
        new_ids.append(f"{name}/{shard_id[len(part) + 1 :] if part else shard_id}")
    return dataclasses.replace(locations, shard_ids=new_ids)
