"""Work done shard by shard: errors collected, progress kept in a file."""

import hashlib
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from atdata._errors import AtdataError, PartialFailureError, ShardError, near_misses
from atdata._storage import StorePath
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
    """Which shards were done, kept beside the work, below a record that names the dataset.

    On a store whose files can be appended to it is a file: a line of JSON each. On others it is a folder with an object
    for each shard.

    Args:
        path: The file or folder; it is made where there is none.
        digest: The dataset's.

    Attributes:
        done: The shards that were done.

    Raises:
        AtdataError: It is not a checkpoint, or another dataset's.
        UnsupportedSchemeError: The path is a URL of a store that is not supported.
    """

    def __init__(self, path: str | os.PathLike[str], digest: str) -> None:
        self._path = StorePath.parse(path)
        self._record = _Log(self._path) if self._path.store.can_append else _Objects(self._path)
        first, *lines = self._record.lines() or self._begun(digest)
        self.done = frozenset(self._parsed(first, lines, digest))
        self._record.mend()

    def add(self, shard_id: str) -> None:
        """Record that a shard was done, before anything else is."""
        self._record.add(shard_id, _line(_Done(shard_id)))

    def _begun(self, digest: str) -> list[bytes]:
        head = _line(_Head(_VERSION, digest))
        self._record.begin(head)
        return [head]

    def _parsed(self, first: bytes, lines: Iterable[bytes], digest: str) -> list[str]:
        url = self._path.url
        try:
            head = msgspec.json.decode(first, type=_Head)
            done = [msgspec.json.decode(line, type=_Done).shard for line in lines]
        except msgspec.DecodeError as error:
            raise AtdataError(
                f"{url} is no checkpoint of process_shards ({error}); name another file, or remove it"
            ) from error
        if head.process_shards != _VERSION:
            raise AtdataError(f"{url} is a checkpoint of version {head.process_shards}; use a newer atdata-polars")
        if head.dataset != digest:
            raise AtdataError(
                f"{url} is the checkpoint of another dataset, or of this one before its samples changed: it "
                f"names the digest {head.dataset[:12]}…, this one's is {digest[:12]}…. Name another file, or remove it"
            )
        return done


class _Log:
    """A checkpoint in one file."""

    def __init__(self, path: StorePath) -> None:
        self._store, self._name = path.store, path.name
        #: The whole lines, where a crash cut one short after them.
        self._whole: bytes | None = None

    def lines(self) -> list[bytes]:
        """Return the whole lines; a file that is there has one at least, which may be empty."""
        try:
            data = self._store.read(self._name)
        except FileNotFoundError:
            return []
        whole, newline, cut = data.rpartition(b"\n")
        self._whole = whole + newline if cut else None
        return whole.split(b"\n")

    def mend(self) -> None:
        """Remove a line that a crash cut short: its shard is done again."""
        if self._whole is not None:
            self._store.replace(self._name, self._whole)

    def begin(self, head: bytes) -> None:
        with self._store.create(self._name) as upload:
            upload.write(head)
            upload.commit()

    def add(self, shard_id: str, line: bytes) -> None:
        del shard_id
        self._store.append(self._name, line)


class _Objects:
    """A checkpoint as a folder of small objects."""

    _HEAD = "checkpoint.json"

    def __init__(self, path: StorePath) -> None:
        self._store = path.folder()

    def lines(self) -> list[bytes]:
        """Return the head, then the others; nothing where there is no checkpoint."""
        try:
            names = self._store.names()
        except FileNotFoundError:
            return []
        lines = []
        for data in self._store.read_many([self._HEAD, *(name for name in names if name != self._HEAD)]):
            if isinstance(data, OSError):
                raise data
            lines.append(data)
        return lines

    def mend(self) -> None:
        """Do nothing: an object is whole or not there."""

    def begin(self, head: bytes) -> None:
        with self._store.create(self._HEAD) as upload:
            upload.write(head)
            upload.commit()

    def add(self, shard_id: str, line: bytes) -> None:
        self._store.replace(f"{hashlib.sha256(shard_id.encode()).hexdigest()[:32]}.json", line)


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
    shard_ids = []
    for name in [shards] if isinstance(shards, str) else shards:
        shard_id = name if name in urls else by_url.get(os.fspath(name))
        if shard_id is None:
            near = near_misses(name, urls)
            raise ShardError(name, f"it is none of this dataset's {len(urls)} shards{near}; ds.shards lists them")
        shard_ids.append(shard_id)
    return list(dict.fromkeys(shard_ids))


def _forget_samples(error: BaseException | None) -> None:
    """Let go of what the frames of a traceback hold: of many failed shards, all samples would stay in memory."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _line(member: msgspec.Struct) -> bytes:
    return msgspec.json.encode(member) + b"\n"
