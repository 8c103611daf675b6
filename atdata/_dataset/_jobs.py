"""Work done shard by shard: errors collected, progress kept in a file."""

import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from atdata._errors import AtdataError, PartialFailureError, ShardError, near_misses
from atdata._storage import LocalStore
from atdata._suppress import Caught

__all__ = ["Checkpoint", "named_shards", "process_shards"]

S = TypeVar("S")
R = TypeVar("R")

_VERSION = "1"


class _Head(msgspec.Struct, frozen=True):
    """The first line of a checkpoint."""

    #: The version of the file's format.
    process_shards: str
    #: The digest of the dataset whose shards are named below.
    dataset: str


class _Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each further line: a shard that was done."""

    shard: str


class Checkpoint:
    """A file that says which shards were done: a line of JSON each, below one that names the dataset.

    Args:
        path: The file; it is made where there is none.
        digest: The dataset's.

    Attributes:
        done: The shards that were done.

    Raises:
        AtdataError: The file is no checkpoint, or another dataset's.
    """

    def __init__(self, path: str | os.PathLike[str], digest: str) -> None:
        self._path = Path(os.fspath(path))
        if not self._path.exists():
            self._begin(digest)
        self.done = frozenset(self._read(digest))

    def add(self, shard_id: str) -> None:
        """Record that a shard was done, before anything else is."""
        with self._path.open("ab") as file:
            file.write(_line(_Done(shard_id)))
            file.flush()
            os.fsync(file.fileno())

    def _begin(self, digest: str) -> None:
        with LocalStore(self._path.parent).create(self._path.name) as upload:
            upload.write(_line(_Head(_VERSION, digest)))
            upload.commit()

    def _read(self, digest: str) -> list[str]:
        whole, newline, cut = self._path.read_bytes().rpartition(b"\n")
        try:
            first, *rest = whole.split(b"\n")
            head = msgspec.json.decode(first, type=_Head)
            done = [msgspec.json.decode(line, type=_Done).shard for line in rest]
        except msgspec.DecodeError as error:
            raise AtdataError(
                f"{self._path} is no checkpoint of process_shards ({error}); name another file, or remove it"
            ) from error
        if head.process_shards != _VERSION:
            raise AtdataError(
                f"{self._path} is a checkpoint of version {head.process_shards}; use a newer atdata-polars"
            )
        if head.dataset != digest:
            raise AtdataError(
                f"{self._path} is the checkpoint of another dataset, or of this one before its samples changed: it "
                f"names the digest {head.dataset[:12]}…, this one's is {digest[:12]}…. Name another file, or remove it"
            )
        if cut:  # a line that a crash cut short: its shard is done again
            os.truncate(self._path, len(whole + newline))
        return done


def process_shards(
    fn: Callable[[list[S]], R],
    shard_ids: Sequence[str],
    samples_of: Callable[[str], Iterable[S]],
    *,
    checkpoint: Checkpoint | None,
    on_shard_error: Callable[[str, Exception], object] | None,
) -> dict[str, R]:
    """Return what a function makes of each shard's samples; every shard is tried, whatever becomes of the others.

    Args:
        fn: Takes the list of one shard's samples.
        shard_ids: The shards, in order.
        samples_of: Gives the samples of a shard.
        checkpoint: Names shards that are skipped, and takes those that are done.
        on_shard_error: Takes a shard that failed and why, as soon as it failed. What it raises ends the work.

    Returns:
        Results by shard; shards that were skipped have none.

    Raises:
        PartialFailureError: Shards failed; the error has the others' results.
    """
    results: dict[str, R] = {}
    errors: dict[str, Exception] = {}
    for shard_id in shard_ids:
        if checkpoint is not None and shard_id in checkpoint.done:
            continue
        attempt = Caught()
        with attempt:
            results[shard_id] = fn(list(samples_of(shard_id)))
        if attempt.error is not None:
            errors[shard_id] = attempt.error
            if on_shard_error is not None:
                on_shard_error(shard_id, attempt.error)
            _forget_samples(attempt.error)
        elif checkpoint is not None:
            checkpoint.add(shard_id)
    if errors:
        raise PartialFailureError(list(results), list(errors), errors, results)
    return results


def named_shards(shards: Iterable[str] | str | None, urls: Mapping[str, str]) -> list[str]:
    """Return the ids of the shards that are meant, each once; all of them for None.

    Args:
        shards: Ids of shards, or their paths.
        urls: The path of each shard, by id, in order.

    Raises:
        ShardError: The dataset has no such shard.
    """
    if shards is None:
        return list(urls)
    by_url = {url: shard_id for shard_id, url in urls.items()}
    found = []
    for name in [shards] if isinstance(shards, str) else shards:
        shard_id = name if name in urls else by_url.get(os.fspath(name))
        if shard_id is None:
            near = near_misses(name, urls)
            raise ShardError(name, f"it is none of this dataset's {len(urls)} shards{near}; ds.shards lists them")
        found.append(shard_id)
    return list(dict.fromkeys(found))


def _forget_samples(error: BaseException | None) -> None:
    """Let go of what the frames of a traceback hold: of many failed shards, all samples would stay in memory."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _line(member: msgspec.Struct) -> bytes:
    return msgspec.json.encode(member) + b"\n"
