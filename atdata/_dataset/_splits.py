"""Which split a shard belongs to, by its name (docs/datasets.md, "Splits")."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence

from atdata._errors import listed, near_misses

__all__ = ["TRAIN", "by_split", "split_of", "unknown_split"]

#: Where shards go that name no split.
TRAIN = "train"
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
#: Each word that names a split; the order of splits is that of the table.
_SPLITS: Mapping[str, str] = {word: split for split, words in _WORDS.items() for word in words}
_WORD = re.compile(r"[^\W\d_]+")


def split_of(shard_id: str) -> str | None:
    """Return the split that a shard's path names; None where it names none.

    A folder that is called like a split says it, the nearest to the shard first; else a word of the shard's own name;
    else a word of a folder's name. Words are runs of letters, in any case.

    Raises:
        ValueError: A name holds words of two splits.
    """
    *folders, name = shard_id.split("/")
    nearest = folders[::-1]
    for folder in nearest:
        if (split := _SPLITS.get(folder.lower())) is not None:
            return split
    for part in (name, *nearest):
        splits = dict.fromkeys(_SPLITS[word] for word in _WORD.findall(part.lower()) if word in _SPLITS)
        if len(splits) > 1:
            raise ValueError(
                f"the name {part!r} of shard {shard_id!r} speaks of the splits {listed(splits)}; say which one it is: "
                f"data_files={{{next(iter(splits))!r}: {shard_id + '.tar'!r}}}"
            )
        if splits:
            return next(iter(splits))
    return None


def by_split(shard_ids: Sequence[str], root: str, *, folder: bool) -> dict[str, list[str]]:
    """Sort shards into splits: train, validation, test, those that there are.

    Shards that name no split belong to the split that the root's name is; else they are ``train``.

    Args:
        shard_ids: The shards, in order.
        root: The path of the folder that they lie below.
        folder: Whether the folder was named, and not the shards: then its folders may hold other datasets.

    Raises:
        ValueError: A name holds words of two splits.
    """
    split_by_id = {shard_id: split_of(shard_id) for shard_id in shard_ids}
    unnamed = [shard_id for shard_id, split in split_by_id.items() if split is None]
    if len(unnamed) == len(shard_ids):
        own = _SPLITS.get(root.rpartition("/")[2].lower(), TRAIN)
        return {own: _of_folder(shard_ids) if folder else list(shard_ids)}
    if unnamed:
        warnings.warn(
            f"{listed(unnamed, 5)} below {root} name no split, as others there do, and go to {TRAIN!r}; say otherwise "
            f"with data_files={{{TRAIN!r}: ..., ...}}",
            stacklevel=5,  # whoever called load_dataset
        )
    splits: dict[str, list[str]] = {split: [] for split in _WORDS}
    for shard_id, split in split_by_id.items():
        splits[split or TRAIN].append(shard_id)
    return {split: members for split, members in splits.items() if members}


def unknown_split(split: str, splits: Iterable[str], where: str) -> str:
    """Return a message: which splits there are, and which one may have been meant."""
    splits = list(splits)
    other = _SPLITS.get(split.lower())
    hint = f" (did you mean {other!r}?)" if other in splits else near_misses(split, splits)
    if re.search(r"[\[+]", split):
        hint = "; a split is named as it is: take a part of it with ds[a:b], ds.where(...) or ds.sample(n)"
    return f"{where} has no split {split!r}{hint}; it has {listed(splits)}"


def _of_folder(shard_ids: Sequence[str]) -> list[str]:
    """Return the shards that lie in the folder itself; where none does, all of those below it."""
    own = [shard_id for shard_id in shard_ids if "/" not in shard_id]
    return own or list(shard_ids)
